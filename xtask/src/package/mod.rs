//! `cargo xtask wheel` and `cargo xtask deb`: what people install. Both hold the stage, the Python
//! package, LICENSE, NOTICE and the licences of what is linked into the programs.
//!
//! | file | holds |
//! |---|---|
//! | `tree` | the files of a package, put together in a folder |
//! | `licences` | the texts of the dependencies' licences |
//! | `wheel` | the wheel, written by the standard library of Python |
//! | `deb` | the Debian package, written by dpkg-deb |

mod deb;
mod licences;
mod tree;
mod wheel;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::build;
use crate::project::Project;
use crate::python::Python;
use crate::setup::{self, Needs};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    /// The interpreters to build for.
    pub(crate) pythons: Vec<PathBuf>,
    /// Take the stage as it is.
    pub(crate) is_built: bool,
}

/// Kinds of packages.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// For pip.
    Wheel,
    /// For Debian and its relatives.
    Deb,
}

/// The version of the packages.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds, and writes the package into `target/packages`.
pub(crate) fn run(project: &Project, kind: Kind, options: &Options) -> Result<()> {
    if !options.is_built {
        setup::ensure(Needs::Build)?;
        build::stage(project, &Python::chosen(&options.pythons)?)?;
    } else if !project.module().exists() {
        bail!("target/stage holds no module: leave --no-build away");
    }
    let folder = project.cache().join("packages");
    std::fs::create_dir_all(&folder)?;
    let file = match kind {
        Kind::Wheel => wheel::write(project, &folder)?,
        Kind::Deb => deb::write(project, &folder)?,
    };
    println!("xtask: wrote {}", file.display());
    Ok(())
}
