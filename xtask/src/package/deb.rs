//! The Debian package: module, programs and command where Debian keeps them, a2enmod's files, and
//! scripts that enable the module and leave a running httpd alone.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};
use wsgi_httpd::program;

use super::{VERSION, licences, tree};
use crate::project::Project;

/// Name of the package.
const NAME: &str = "libapache2-mod-wsgi-rs";

/// Where Debian's httpd keeps its modules.
const MODULES: &str = "usr/lib/apache2/modules";

/// Run after the files are there, before they go, and after that.
const SCRIPTS: [(&str, &str); 3] = [
    ("postinst", include_str!("postinst.sh")),
    ("prerm", include_str!("prerm.sh")),
    ("postrm", include_str!("postrm.sh")),
];

/// What `man mod-wsgi-rs` shows.
const MANUAL: &str = include_str!("mod-wsgi-rs.1");

/// Whose it is and under which terms.
const COPYRIGHT: &str = include_str!("copyright");

/// What lintian is told, with the reasons.
const OVERRIDES: &str = include_str!("lintian-overrides");

/// Writes the package into a folder.
pub(crate) fn write(project: &Project, folder: &Path) -> Result<PathBuf> {
    let root = tempfile::tempdir().context("cannot make a temporary folder")?;
    let root = root.path().join("package");
    files(project, &root)?;
    let architecture = program::output(Command::new("dpkg").arg("--print-architecture"))
        .context("this needs dpkg")?;
    let depends = depends(&root)?;
    control(&root, &architecture, &depends)?;
    let file = folder.join(format!("{NAME}_{VERSION}_{architecture}.deb"));
    let mut pack = Command::new("dpkg-deb");
    program::run(pack.args(["--build", "--root-owner-group"]).arg(&root).arg(&file))?;
    Ok(file)
}

/// The files of the package.
fn files(project: &Project, root: &Path) -> Result<()> {
    let modules = root.join(MODULES);
    tree::stage(project, &modules)?;
    tree::folder(&root.join("usr/bin"))?;
    symlink("../lib/apache2/modules/mod_wsgi_rs/mod-wsgi-rs", root.join("usr/bin/mod-wsgi-rs"))?;
    let python = project.root.join("python");
    let packages = root.join("usr/lib/python3/dist-packages");
    tree::copy_folder(&python.join("mod_wsgi_rs"), &packages.join("mod_wsgi_rs"))?;
    tree::copy(&python.join("mod_wsgi_rs.pth"), &packages.join("mod_wsgi_rs.pth"))?;

    let available = root.join("etc/apache2/mods-available");
    let conf = project.root.join("conf");
    let load = fs::read_to_string(conf.join("wsgi_rs.load"))?;
    let load = load.replace("@MODULE@", &format!("/{MODULES}/mod_wsgi_rs.so"));
    tree::text(&available.join("wsgi_rs.load"), &load, 0o644)?;
    tree::copy(&conf.join("wsgi_rs.conf"), &available.join("wsgi_rs.conf"))?;

    tree::compressed(&root.join("usr/share/man/man1/mod-wsgi-rs.1"), MANUAL)?;
    tree::text(&root.join("usr/share/lintian/overrides").join(NAME), OVERRIDES, 0o644)?;
    documents(project, &root.join("usr/share/doc").join(NAME))
}

/// Licences and changes.
fn documents(project: &Project, docs: &Path) -> Result<()> {
    tree::text(&docs.join("copyright"), COPYRIGHT, 0o644)?;
    tree::copy(&project.root.join("NOTICE"), &docs.join("NOTICE"))?;
    tree::text(&docs.join("THIRD-PARTY-LICENSES"), &licences::text(project)?, 0o644)?;
    let changes = project.root.join("CHANGELOG.md");
    let mut date = Command::new("date");
    let date = program::output(date.args(["-u", "-R", "-r"]).arg(&changes))?;
    // dpkg's own form says which version this is; what has changed in it is told in ours.
    let entry = format!(
        "{NAME} ({VERSION}) unstable; urgency=medium\n\n  * What has changed is in CHANGELOG.md.gz.\n\n -- {}  {date}\n",
        maintainer()
    );
    tree::compressed(&docs.join("changelog"), &entry)?;
    tree::compressed(&docs.join("CHANGELOG.md"), &fs::read_to_string(changes)?)
}

/// Who answers for the package: whoever builds it, as Debian's own tools have it, or the authors.
fn maintainer() -> String {
    let named = |name| env::var(name).ok().filter(|value| !value.is_empty());
    match (named("DEBFULLNAME"), named("DEBEMAIL")) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        _ => env!("CARGO_PKG_AUTHORS").to_owned(),
    }
}

/// The libraries of the system that the programs need, as dpkg knows them.
fn depends(root: &Path) -> Result<String> {
    // dpkg-shlibdeps wants to be called beside a debian/control.
    let scratch = tempfile::tempdir()?;
    tree::text(
        &scratch.path().join("debian/control"),
        &format!("Source: {NAME}\n\nPackage: {NAME}\nArchitecture: any\n"),
        0o644,
    )?;
    let modules = root.join(MODULES);
    let mut command = Command::new("dpkg-shlibdeps");
    command.current_dir(scratch.path()).args(["-O", "--ignore-missing-info"]);
    command.arg(modules.join("mod_wsgi_rs.so"));
    for entry in fs::read_dir(modules.join("mod_wsgi_rs"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "pyi") {
            command.arg(path);
        }
    }
    let said = program::output(&mut command).context("this needs dpkg-dev")?;
    let libraries = said.strip_prefix("shlibs:Depends=").unwrap_or(&said);
    Ok(format!("apache2-bin (>= 2.4.38), apache2-api-20120211, python3, {libraries}"))
}

/// What dpkg is told about the package.
fn control(root: &Path, architecture: &str, depends: &str) -> Result<()> {
    let folder = root.join("DEBIAN");
    let size = program::output(Command::new("du").args(["-sk", "--apparent-size"]).arg(root))?;
    let size = size.split_whitespace().next().unwrap_or("0").to_owned();
    let text = format!(
        "Package: {NAME}\nVersion: {VERSION}\nArchitecture: {architecture}\n\
         Maintainer: {}\nInstalled-Size: {size}\n\
         Depends: {depends}\nRecommends: apache2\nSection: httpd\nPriority: optional\n\
         Description: Python WSGI applications under Apache httpd\n \
         An Apache module, written in Rust, that runs Python web applications in daemon\n \
         processes or inside httpd. It reads the configuration of mod_wsgi.\n .\n \
         The command mod-wsgi-rs serves an application under a private httpd and checks\n \
         configurations.\n",
        maintainer()
    );
    tree::text(&folder.join("control"), &text, 0o644)?;
    let conffiles =
        "/etc/apache2/mods-available/wsgi_rs.conf\n/etc/apache2/mods-available/wsgi_rs.load\n";
    tree::text(&folder.join("conffiles"), conffiles, 0o644)?;
    for (name, text) in SCRIPTS {
        tree::text(&folder.join(name), text, 0o755)?;
    }
    let mut sums = Command::new("sh");
    sums.current_dir(root).args(["-c", "find usr -type f -print0 | sort -z | xargs -0 md5sum"]);
    tree::text(&folder.join("md5sums"), &format!("{}\n", program::output(&mut sums)?), 0o644)
}
