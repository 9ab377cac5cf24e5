//! Starts the supervisor, hands it configurations, and stops it with httpd.

use std::{cell::RefCell, ffi::CStr, os::fd::OwnedFd, time::Duration};

use wsgi_core::level::Level;

use super::{
    parent::{GRACE, Parent, SHORT_LIFE},
    questions::Questions,
};
use crate::apache::{
    Server, log,
    module::{self, MainState},
    mpm,
    process::{self, ChildNews, ChildWatcher},
};

/// Longest wait at a stop when a group has `shutdown-timeout=0` (none).
const LONGEST_STOP: Duration = Duration::from_secs(300);

const PARENT: &CStr = c"mod_wsgi_rs:parent";

fn parent(server: Server<'_>) -> Option<&RefCell<Parent>> {
    let pool = server.process_pool()?;
    Some(pool.typed_data(PARENT, RefCell::<Parent>::default))
}

/// Makes the running supervisor (or a new one) serve this configuration. Called at every start
/// and restart, in the parent, with the configuration complete.
pub(crate) fn hand_over(server: Server<'_>, main: &MainState) -> Result<(), String> {
    let resolved = main.resolved.get().ok_or("configuration not resolved")?;
    let parent = parent(server).ok_or("no process pool")?;
    let mut parent = parent.try_borrow_mut().map_err(|error| error.to_string())?;
    let handed = parent.take_over(server, main, resolved);
    watch(server, &parent);
    handed?;
    stop_with(server);
    Ok(())
}

/// Ties the supervisor's end to httpd's: at a full stop the configuration goes while the server
/// record can still be asked.
fn stop_with(server: Server<'_>) {
    let (parent_pid, limit) = (process::own_pid(), longest_stop(server));
    server.at_configuration_end(move |server| {
        // A child's exit runs the cleanups it inherited.
        if process::own_pid() != parent_pid {
            return;
        }
        let Some(Ok(mut parent)) = parent(server).map(RefCell::try_borrow_mut) else { return };
        if mpm::is_exiting() {
            process::close_listeners();
            parent.stop(limit);
        } else {
            parent.let_go();
        }
    });
}

fn longest_stop(server: Server<'_>) -> Duration {
    let resolved = module::server_state(server).and_then(|state| state.main().resolved.get());
    let groups = resolved.into_iter().flat_map(|resolved| resolved.groups.values());
    let limits = groups.map(|group| group.definition.shutdown_timeout.unwrap_or(LONGEST_STOP));
    limits.max().unwrap_or_default() + GRACE
}

/// In an httpd child: lets go of what only the parent and the daemons need.
pub(crate) fn leave_to_child(server: Server<'_>) {
    let Some(parent) = parent(server) else { return };
    if let Ok(mut parent) = parent.try_borrow_mut() {
        parent.leave_to_child();
    }
}

/// In an httpd child that has just started: the control socket, where no supervisor answers.
pub(crate) fn unattended(server: Server<'_>) -> Option<OwnedFd> {
    parent(server)?.try_borrow().ok()?.unattended()
}

/// In an httpd child: what daemons may ask, where one may.
pub(crate) fn questions(server: Server<'_>) -> Option<Questions> {
    parent(server)?.try_borrow().ok()?.questions()
}

/// httpd's news about the supervisor.
struct Watcher;

impl ChildWatcher for Watcher {
    fn news(pid: i32, news: ChildNews) {
        let Some(server) = Server::main() else { return };
        if news != ChildNews::Ended || mpm::is_exiting() {
            return;
        }
        if let Err(why) = restart(server, pid) {
            log::server(server, Level::CRIT, Some(1003), &why);
        }
    }
}

fn watch(server: Server<'_>, parent: &Parent) {
    if let (Some(pid), Some(pool)) = (parent.supervisor(), server.configuration_pool()) {
        process::watch::<Watcher>(pid, pool);
    }
}

/// Starts another supervisor in the place of one that has died.
fn restart(server: Server<'_>, pid: i32) -> Result<(), String> {
    let state = module::server_state(server).ok_or("no configuration record")?;
    let resolved = state.main().resolved.get().ok_or("configuration not resolved")?;
    let parent = parent(server).ok_or("no process pool")?;
    let mut parent = parent.try_borrow_mut().map_err(|error| error.to_string())?;
    let Some(dies_at_start) = parent.note_death(pid) else { return Ok(()) };
    let text = format!("wsgi-supervisor (pid {pid}) has died; starting it again");
    log::server(server, Level::ERROR, Some(1002), &text);
    if dies_at_start {
        // The parent has nothing else to do; its children serve on.
        std::thread::sleep(SHORT_LIFE);
    }
    let handed = parent.start_and_configure(server, state.main(), resolved);
    watch(server, &parent);
    handed
}
