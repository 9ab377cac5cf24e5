//! The start of a configuration in the parent and of a child.

use std::{
    thread,
    time::{Duration, Instant},
};

use wsgi_core::{level::Level, version};
use wsgi_ipc::process::has_ended;

use crate::{
    apache::{
        Server,
        hook::{self, ChildHook, ConfigurationHook, Status},
        log,
        module::{self, MainState},
        mpm,
        pool::Pool,
        process, scoreboard,
        text::c_string,
    },
    check, directives, handler,
    resolved::Resolved,
    supervisor,
};

/// Refuses a configuration that cannot act; also what `httpd -t` runs.
pub(crate) struct Check;

impl ConfigurationHook for Check {
    const NAME: &'static str = "check_config";

    fn run(server: Server<'_>) -> Status {
        let Some(main) = main_of(server) else { return Status::Http(500) };
        match Resolved::resolve(main, server) {
            Ok(resolved) => {
                directives::review(main, server, &resolved);
                if mpm::is_test_with(c"WSGI_CHECK") && !check::run(main, server, &resolved) {
                    return Status::Http(500);
                }
                Status::Ok
            }
            Err(why) => refuse(&why),
        }
    }
}

/// Starts what serves a configuration.
pub(crate) struct Prepare;

impl ConfigurationHook for Prepare {
    const NAME: &'static str = "post_config";

    fn run(server: Server<'_>) -> Status {
        // The first pass runs in a process that goes away when httpd detaches.
        if mpm::is_preflight() {
            return Status::Ok;
        }
        let Some(main) = main_of(server) else { return Status::Http(500) };
        match prepare(server, main) {
            Ok(()) => Status::Ok,
            Err(why) => refuse(&why),
        }
    }
}

fn prepare(server: Server<'_>, main: &MainState) -> Result<(), String> {
    let resolved = Resolved::resolve(main, server)?;
    let python = resolved.python;
    let contract = version::contract_text();
    hook::add_version_component(server, &c_string(format!("mod_wsgi/{contract}")));
    hook::add_version_component(server, &c_string(format!("Python/{python}")));
    for warning in &resolved.warnings {
        log::server(server, Level::WARNING, None, warning);
    }
    // The pass is the only one with this configuration: nothing was set before.
    main.resolved.set(resolved).ok();
    supervisor::hand_over(server, main)?;
    log::server(
        server,
        Level::INFO,
        None,
        &format!("mod_wsgi_rs/{} (mod_wsgi/{contract}) with Python/{python}", version::OWN),
    );
    await_former_children();
    Ok(())
}

/// How long no child may have ended before the others are taken for busy.
const CHILDREN_PAUSE: Duration = Duration::from_millis(150);

/// How long children that end may keep the parent in all.
const CHILDREN_LIMIT: Duration = Duration::from_millis(500);

/// Gives httpd's children of the configuration before, which a graceful restart has asked to end,
/// a moment to do so. The MPMs look for children that have ended, start a new one for each, and
/// look again a second later: who has not ended by the first time costs clients a second or two
/// (`ap_wait_or_timeout`).
fn await_former_children() {
    let mut former = scoreboard::children();
    let start = Instant::now();
    let mut last = start;
    while !former.is_empty() && last.elapsed() < CHILDREN_PAUSE && start.elapsed() < CHILDREN_LIMIT
    {
        let before = former.len();
        former.retain(|pid| !has_ended(*pid));
        if former.len() < before {
            last = Instant::now();
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn refuse(why: &str) -> Status {
    log::startup(why);
    Status::Http(500)
}

/// Starts a child.
pub(crate) struct ChildStart;

impl ChildHook for ChildStart {
    const NAME: &'static str = "child_init";

    fn run(server: Server<'static>, pool: Pool<'static>) {
        process::remember_child();
        let control = supervisor::unattended(server);
        supervisor::leave_to_child(server);
        if let Some(main) = main_of(server) {
            handler::child_start(server, main, control, pool);
        }
    }
}

fn main_of<'c>(server: Server<'c>) -> Option<&'c MainState> {
    module::server_state(server).map(module::ServerState::main_handle)
}
