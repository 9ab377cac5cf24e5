//! The files of `conf/`: every example is loaded and serves.

use std::path::{Path, PathBuf};

use crate::support::{Httpd, rundir};

/// A folder of `conf/`.
fn conf(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf").join(name).canonicalize().unwrap()
}

/// What the examples expect below their `SITE`: scripts, a project, two venvs.
fn site() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["blog.wsgi", "shop.wsgi", "mysite/wsgi.py", "static/a.css", "media/b.txt", "lib/x"]
    {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, include_str!("../apps/hello.py")).unwrap();
    }
    for name in ["venv", "venv-blog", "venv-shop"] {
        let path = folder.path().join(name).display().to_string();
        rundir::output_of("/usr/bin/python3", &["-m", "venv", "--without-pip", &path]);
    }
    folder
}

one! {
    fn every_example_configuration_serves_its_application() {
        let site = site();
        let mut count = 0;
        for entry in std::fs::read_dir(conf("examples")).unwrap().flatten() {
            let path = entry.path();
            let text = std::fs::read_to_string(&path).unwrap();
            let server = Httpd::with(
                "Define SITE @root@/site\nDefine SITE_USER @user@\nDefine BLOG_USER @user@\n\
                 Define SHOP_USER @user@\nInclude @root@/example.conf",
            )
            .tree("site", site.path())
            .file("example.conf", &text)
            .start();
            assert_eq!(server.get("/").ok(), "Hello, WSGI\n", "{}", path.display());
            if text.contains("/shop") {
                assert_eq!(server.get("/shop").ok(), "Hello, WSGI\n");
            }
            count += 1;
        }
        assert!(count >= 4);
    }

    fn the_settings_for_the_whole_server_load_as_they_are_and_uncommented() {
        let text = std::fs::read_to_string(conf("wsgi_rs.conf")).unwrap();
        Httpd::accepts(&text);
        let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("#WSGI"));
        let directives: Vec<String> = lines.map(|line| format!("WSGI{line}")).collect();
        assert!(directives.len() >= 3, "{directives:?}");
        let home = tempfile::tempdir_in(&rundir::run().path).unwrap();
        rundir::mode(home.path(), 0o755);
        let venv = home.path().join("venv").display().to_string();
        rundir::output_of("/usr/bin/python3", &["-m", "venv", "--without-pip", &venv]);
        let all = directives.join("\n").replace("/srv/python/venv", &venv);
        Httpd::accepts(&all);
    }
}
