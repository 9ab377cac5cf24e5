//! A server with one group of daemon processes, `app`, which runs one of the applications.

use super::{Httpd, builder::Builder, process::Process};

/// The configuration of the group with these options.
pub fn configured(script: &str, options: &str) -> Builder {
    Httpd::with(&format!(
        "WSGIDaemonProcess app {options}\nWSGIProcessGroup app\nWSGIScriptAlias / @apps@/{script}"
    ))
}

/// The server, running.
pub fn serving(script: &str, options: &str) -> Httpd {
    configured(script, options).start()
}

/// The process that answers; its application tells its number as `/pid`.
#[track_caller]
pub fn answering(server: &Httpd) -> Process {
    let pid = server.get("/pid").ok().parse().expect("a number");
    Process::of(pid).expect("the process that just answered")
}
