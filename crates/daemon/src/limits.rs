//! What this process may use of the machine, and whether it may leave an image when it crashes.
//! Without a limit it runs all the same: a warning says so. Its nice value is set by the supervisor.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use wsgi_core::{control::GroupSpec, level::Level};
use wsgi_ipc::logline::ErrorLog;

/// Sets everything, before Python starts.
pub(crate) fn apply(spec: &GroupSpec, log: &ErrorLog) {
    let limits = &spec.limits;
    if spec.dumps_core {
        // It is so after exec, unless the process may not read its own program.
        let set = set_dumpable_behavior(DumpableBehavior::Dumpable);
        tell(spec, log, "WSGI0061", "make core dumps possible", set.map_err(io::Error::from));
    }
    let steps = [
        ("WSGI0076", "CPU time", Resource::Cpu, limits.cpu_time.into(), cpu_grace(spec)),
        ("WSGI0077", "memory", Resource::Data, limits.memory, 0),
        ("WSGI0078", "virtual memory", Resource::As, limits.virtual_memory, 0),
    ];
    for (tag, what, resource, limit, grace) in steps {
        if limit > 0 {
            let limit = Rlimit { current: Some(limit), maximum: limit.checked_add(grace) };
            let set = setrlimit(resource, limit).map_err(io::Error::from);
            tell(spec, log, tag, &format!("limit the {what}"), set);
        }
    }
}

/// CPU time between the signal of the limit and the kernel's own end of the process: it has to
/// finish its requests and to shut down.
fn cpu_grace(spec: &GroupSpec) -> u64 {
    1 + u64::from(spec.shutdown_timeout)
}

fn tell(spec: &GroupSpec, log: &ErrorLog, tag: &str, what: &str, result: io::Result<()>) {
    if let Err(error) = result {
        let group = &spec.engine.process_group;
        log.log(
            Level::WARNING,
            &format!("{tag}: Unable to {what} of daemon process '{group}': {error}."),
        );
    }
}
