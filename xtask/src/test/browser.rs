//! What the test of the status page drives a browser with.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::project::Project;
use wsgi_httpd::program;

/// The folder with the packages of tests/browser/package.json, made anew when that has changed.
/// `None` where npm is missing: then the test is skipped by its name, as it is without a browser.
pub(crate) fn ensure(project: &Project) -> Result<Option<PathBuf>> {
    let list = project.root.join("tests/browser/package.json");
    let wanted =
        fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let folder = project.cache().join("node");
    let copy = folder.join("package.json");
    if folder.join("node_modules").exists() && fs::read_to_string(&copy).is_ok_and(|c| c == wanted)
    {
        return Ok(Some(folder));
    }
    if !program::exists("npm") {
        println!("xtask: no npm: the status page is not tested in a browser");
        return Ok(None);
    }
    println!("xtask: making {}", folder.display());
    fs::create_dir_all(&folder)?;
    fs::write(&copy, &wanted)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", "--prefix"]);
    program::run(npm.arg(&folder))?;
    Ok(Some(folder))
}
