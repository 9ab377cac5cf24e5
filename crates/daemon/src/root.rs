//! The root directory of the process (`chroot=`): the supervisor has left the process in it, with
//! the right to make it its root and no other. Before any thread and any line of Python.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets};
use wsgi_core::control::GroupSpec;

/// Tag and text of what went wrong: the process must not go on.
type Failure = (&'static str, String);

/// Makes the root directory of the group that of this process, for good.
pub(crate) fn enter(spec: &GroupSpec) -> Result<(), Failure> {
    let Some(root) = &spec.chroot else { return Ok(()) };
    change().map_err(|error| {
        ("WSGI0003", format!("cannot change root directory to '{root}': {error}"))
    })?;
    // Without a directory below it, the working directory would be a way out.
    let directory = spec.working_directory.as_deref().unwrap_or("/");
    std::env::set_current_dir(directory).map_err(|error| spec.describe_directory_failure(&error))
}

fn change() -> io::Result<()> {
    rustix::process::chroot(".")?;
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let nothing = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, nothing)?;
    match rustix::thread::capabilities(None)? {
        left if left == nothing => Ok(()),
        _ => Err(io::Error::other("the right to do so cannot be given up")),
    }
}
