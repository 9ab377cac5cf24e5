//! The wheel: the Python package with the server in it. Python's standard library writes it, so no
//! tool of a registry is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use wsgi_httpd::program;

use super::{VERSION, licences, tree};
use crate::project::Project;
use crate::python;

/// Packs a folder: its arguments are the folder and the file.
const PACK: &str = include_str!("wheel.py");

/// Writes the wheel into a folder.
pub(crate) fn write(project: &Project, folder: &Path) -> Result<PathBuf> {
    let root = tempfile::tempdir().context("cannot make a temporary folder")?;
    let root = root.path();
    let source = project.root.join("python");
    tree::copy_folder(&source.join("mod_wsgi_rs"), &root.join("mod_wsgi_rs"))?;
    tree::copy(&source.join("mod_wsgi_rs.pth"), &root.join("mod_wsgi_rs.pth"))?;
    tree::stage(project, &root.join("mod_wsgi_rs/server"))?;
    let tag = tag(project)?;
    let info = root.join(format!("mod_wsgi_rs-{VERSION}.dist-info"));
    tree::text(
        &info.join("METADATA"),
        &format!(
            "Metadata-Version: 2.1\nName: mod_wsgi_rs\nVersion: {VERSION}\n\
             Summary: Python web applications under Apache httpd\nLicense: Apache-2.0\n\
             Requires-Python: >=3.10\nLicense-File: LICENSE\nLicense-File: NOTICE\n\
             License-File: THIRD-PARTY-LICENSES\n"
        ),
        0o644,
    )?;
    let tags: Vec<String> = tag
        .split_once('-')
        .map(|(pythons, rest)| {
            pythons.split('.').map(|one| format!("Tag: {one}-{rest}\n")).collect()
        })
        .unwrap_or_default();
    let wheel =
        format!("Wheel-Version: 1.0\nGenerator: xtask\nRoot-Is-Purelib: false\n{}", tags.concat());
    tree::text(&info.join("WHEEL"), &wheel, 0o644)?;
    let entry = "[console_scripts]\nmod-wsgi-rs = mod_wsgi_rs:main\n";
    tree::text(&info.join("entry_points.txt"), entry, 0o644)?;
    for name in ["LICENSE", "NOTICE"] {
        tree::copy(&project.root.join(name), &info.join(name))?;
    }
    tree::text(&info.join("THIRD-PARTY-LICENSES"), &licences::text(project)?, 0o644)?;
    let file = folder.join(format!("mod_wsgi_rs-{VERSION}-{tag}.whl"));
    program::run(Command::new(python::SYSTEM).args(["-I", "-c", PACK]).arg(root).arg(&file))?;
    Ok(file)
}

/// For which Pythons: those that the stage has a daemon for, on this machine.
fn tag(project: &Project) -> Result<String> {
    let mut pythons: Vec<String> = fs::read_dir(project.stage().join("mod_wsgi_rs"))?
        .flatten()
        .filter_map(|entry| {
            let version =
                entry.file_name().to_str()?.strip_prefix("wsgi-daemon-")?.replace('.', "");
            Some(format!("cp{version}"))
        })
        .collect();
    pythons.sort();
    Ok(format!("{}-none-linux_{}", pythons.join("."), std::env::consts::ARCH))
}
