//! The packages: a wheel in a venv with the command and the Django command, and the Debian package.
//!
//! Enabled like `first_run`, because both are built by `cargo xtask` from the stage.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::first_run::{built, repository, succeeded};
use crate::support::command::{Served, folder, other, said};
use crate::support::rundir;

const HELLO: &str = "
import sys
def application(environ, start_response):
    start_response('200 OK', [])
    return [sys.prefix.encode()]
";

/// A venv with the wheel in it, and all that the venv of the suite has.
fn venv() -> &'static Path {
    static VENV: OnceLock<PathBuf> = OnceLock::new();
    VENV.get_or_init(|| {
        let wheel = built("wheel", ".whl");
        let path = rundir::run().path.join("wheel venv");
        let text = path.to_str().unwrap();
        succeeded(&Command::new("/usr/bin/python3").args(["-m", "venv", text]).output().unwrap());
        let mut pip = Command::new(path.join("bin/pip"));
        pip.args(["install", "--no-index", "--no-deps", "--disable-pip-version-check"]).arg(wheel);
        succeeded(&pip.output().unwrap());
        if let Some(libraries) = rundir::venv() {
            let site = |root: &Path| {
                fs::read_dir(root.join("lib"))
                    .unwrap()
                    .next()
                    .unwrap()
                    .unwrap()
                    .path()
                    .join("site-packages")
            };
            fs::write(site(&path).join("others.pth"), site(libraries).display().to_string())
                .unwrap();
        }
        path
    })
}

/// A Django project with the command's application among its own.
fn project(folder: &Path, application: &str) {
    fs::create_dir(folder.join("shop")).unwrap();
    for (name, text) in [
        (
            "manage.py",
            "import os, sys\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n\
            from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n",
        ),
        ("shop/__init__.py", ""),
        (
            "shop/urls.py",
            "from django.conf import settings\nfrom django.http import HttpResponse\nfrom django.urls import path\n\
            urlpatterns = [path('', lambda request: HttpResponse(' '.join(settings.INSTALLED_APPS)))]\n",
        ),
        (
            "shop/wsgi.py",
            "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
        ),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let settings = format!(
        "SECRET_KEY = 'x'\nALLOWED_HOSTS = ['*']\nROOT_URLCONF = 'shop.urls'\n\
        WSGI_APPLICATION = 'shop.wsgi.application'\nINSTALLED_APPS = ['{application}']\nSTATIC_URL = 'static/'\n"
    );
    fs::write(folder.join("shop/settings.py"), settings).unwrap();
}

one! {
    fn a_wheel_brings_the_command_and_serves_with_the_python_of_its_venv() {
        needs_xtask!();
        let venv = venv();
        let folder = folder();
        fs::write(folder.path().join("app.wsgi"), HELLO).unwrap();
        let command = venv.join("bin/mod-wsgi-rs");
        let served = Served::by(folder.path(), &[command.to_str().unwrap(), "start-server"], &["app.wsgi"]);
        assert_eq!(served.get("/").ok(), venv.display().to_string());
        drop(served);
        let text = said(&other(&command, folder.path(), &["module-config"]).output().unwrap());
        assert!(text.contains("/mod_wsgi_rs/server/mod_wsgi_rs.so\"\nWSGIPythonHome"), "{text}");
        let python = venv.join("bin/python");
        let names = "import importlib.metadata as m, mod_wsgi.express.cli as e, mod_wsgi.express.reloader as r\n\
            import mod_wsgi_rs\nassert e.main is mod_wsgi_rs.main and callable(r.track_changes)\n\
            names = {str(f) for f in m.files('mod_wsgi_rs')}\n\
            print(*sorted(n.split('/')[1] for n in names if '.dist-info/' in n and n.split('/')[1].isupper()))";
        let text = said(&other(&python, folder.path(), &["-c", names]).output().unwrap());
        assert!(text.contains("LICENSE") && text.contains("NOTICE") && text.contains("THIRD-PARTY-LICENSES"), "{text}");
        let version = said(&other(&python, folder.path(), &["-m", "mod_wsgi_rs", "--version"]).output().unwrap());
        assert!(version.starts_with("mod-wsgi-rs 0."), "{version}");
    }

    fn manage_py_runmodwsgi_serves_the_project_under_all_its_names() {
        needs_xtask!();
        if rundir::venv().is_none() {
            crate::support::original::skipped("needs WSGI_TEST_VENV");
            return;
        }
        let python = venv().join("bin/python");
        for application in ["mod_wsgi_rs.django", "mod_wsgi.server", "mod_wsgi.express"] {
            let folder = folder();
            project(folder.path(), application);
            let words = [python.to_str().unwrap(), "manage.py", "runmodwsgi"];
            // The older name says so.
            let served = Served::by(folder.path(), &words, &["--threads", "2"])
                .expect("FutureWarning: mod_wsgi.server is now")
                .expect("_gcd_import");
            assert_eq!(served.get("/").ok(), application);
        }
    }

    fn the_debian_package_has_everything_in_its_place() {
        needs_xtask!();
        if !Path::new("/usr/bin/dpkg-shlibdeps").exists() {
            crate::support::original::skipped("needs dpkg-dev");
            return;
        }
        let package = built("deb", ".deb");
        let folder = folder();
        let root = folder.path().join("root");
        let text = |arguments: &[&str]| rundir::output_of("dpkg-deb", arguments);
        let (file, target) = (package.to_str().unwrap(), root.to_str().unwrap());
        for line in text(&["--contents", file]).lines() {
            assert!(line.contains(" root/root "), "{line}");
        }
        text(&["--raw-extract", file, target]);
        let sums = Command::new("md5sum").args(["--quiet", "-c", "DEBIAN/md5sums"]).current_dir(&root).status();
        assert!(sums.unwrap().success());
        for line in fs::read_to_string(root.join("DEBIAN/conffiles")).unwrap().lines() {
            assert!(root.join(line.trim_start_matches('/')).exists(), "{line}");
        }
        let depends = text(&["--field", file, "Depends"]);
        assert!(depends.contains("apache2-api-20120211") && depends.contains("libc6 (>="), "{depends}");
        let mut left = vec![root.join("usr"), root.join("etc")];
        while let Some(path) = left.pop() {
            let found = fs::symlink_metadata(&path).unwrap();
            if found.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            // Nothing that others may change, nothing that changes the user.
            assert!(found.is_symlink() || found.mode() & 0o7022 == 0, "{} {:o}", path.display(), found.mode());
        }
        let docs = root.join("usr/share/doc/libapache2-mod-wsgi-rs");
        let licences = fs::read_to_string(docs.join("THIRD-PARTY-LICENSES")).unwrap();
        assert!(licences.contains("serde_json (") && licences.contains("CPython (PSF-2.0)"));
        assert!(fs::read_to_string(docs.join("copyright")).unwrap().contains("Apache License"));
        // Where it lies it serves.
        fs::write(folder.path().join("app.wsgi"), HELLO).unwrap();
        let command = root.join("usr/bin/mod-wsgi-rs");
        let served = Served::by(folder.path(), &[command.to_str().unwrap(), "start-server"], &["app.wsgi"]);
        assert_eq!(served.get("/").ok(), "/usr");
    }

    fn the_scripts_of_the_debian_package_enable_the_module_and_leave_httpd_alone() {
        needs_xtask!();
        let folder = folder();
        let path = folder.path();
        // Whatever is called leaves a line.
        for name in ["a2enmod", "a2dismod", "apachectl", "apache2ctl", "systemctl", "service", "invoke-rc.d"] {
            let script = path.join("bin").join(name);
            fs::create_dir_all(script.parent().unwrap()).unwrap();
            fs::write(&script, format!("#!/bin/sh\necho {name} \"$@\" >>{}/called\n", path.display())).unwrap();
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let enabled = path.join("etc/apache2/mods-enabled");
        fs::create_dir_all(&enabled).unwrap();
        let run = |script: &str, arguments: &[&str]| {
            let script = repository().join("xtask/src/package").join(script);
            let mut command = Command::new("sh");
            command.arg(script).args(arguments).env("DPKG_ROOT", path);
            command.env("PATH", format!("{}:/usr/bin:/bin", path.join("bin").display()));
            let text = said(&command.output().unwrap());
            let called = fs::read_to_string(path.join("called")).unwrap_or_default();
            fs::remove_file(path.join("called")).ok();
            (text, called)
        };
        let (text, called) = run("postinst.sh", &["configure", ""]);
        assert_eq!(called, "a2enmod -q -m wsgi_rs\n");
        assert!(text.contains("restart apache2 when"), "{text}");
        // An update changes nothing, and what the administrator has disabled stays so.
        assert_eq!(run("postinst.sh", &["configure", "0.0.9"]).1, "");
        assert_eq!(run("prerm.sh", &["remove"]).1, "");
        symlink("../mods-available/wsgi_rs.load", enabled.join("wsgi_rs.load")).unwrap();
        fs::write(enabled.join("wsgi_rs.load"), "").ok();
        fs::create_dir_all(path.join("etc/apache2/mods-available")).unwrap();
        fs::write(path.join("etc/apache2/mods-available/wsgi_rs.load"), "").unwrap();
        assert_eq!(run("prerm.sh", &["upgrade"]).1, "");
        assert_eq!(run("prerm.sh", &["remove"]).1, "a2dismod -q -m -f wsgi_rs\n");
        fs::write(enabled.join("wsgi.load"), "").unwrap();
        let (text, called) = run("postinst.sh", &["configure", ""]);
        assert_eq!(called, "");
        assert!(text.contains("a2dismod wsgi && a2enmod wsgi_rs"), "{text}");
    }
}
