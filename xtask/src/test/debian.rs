//! Debian's packages of httpd's service, for the test that installs our own beside them. They are
//! fetched and unpacked nowhere: on this machine the service would start on port 80.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::project::Project;
use wsgi_httpd::program;

/// What `apache2-bin` lacks of a server as Debian sets it up.
const PACKAGES: [&str; 2] = ["apache2", "apache2-data"];

/// The folder with the packages, of the version that `apache2-bin` has here. `None` where apt has
/// them not: then the test is skipped by its name.
pub(crate) fn ensure(project: &Project) -> Result<Option<PathBuf>> {
    if !program::exists("apt-get") || !program::exists("dpkg-query") {
        return Ok(None);
    }
    let mut query = Command::new("dpkg-query");
    let Ok(version) = program::output(query.args(["-W", "-f", "${Version}", "apache2-bin"])) else {
        return Ok(None);
    };
    let folder = project.cache().join("debian").join(&version);
    let done = folder.join("done");
    if done.exists() {
        return Ok(Some(folder));
    }
    fs::create_dir_all(&folder)?;
    let mut apt = Command::new("apt-get");
    apt.current_dir(&folder).args(["--quiet", "--quiet", "download"]);
    apt.args(PACKAGES.map(|name| format!("{name}={version}")));
    if !program::succeeds(&mut apt)? {
        println!("xtask: apt has no apache2 {version}: our package is not tested with it");
        return Ok(None);
    }
    fs::write(done, "")?;
    Ok(Some(folder))
}
