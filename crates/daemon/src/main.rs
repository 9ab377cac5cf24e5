//! `wsgi-daemon`: one daemon process of a group. One CPython, a fixed number of worker threads,
//! each of which takes connections of httpd from the group's listener.
//!
//! The supervisor starts it with exactly the descriptors of `wsgi_core::control::descriptor` and
//! watches it; it has no arguments and is of no use alone.

mod announcer;
mod check;
mod clock;
mod connection;
mod crew;
mod fatal;
mod forked;
mod host;
mod input;
mod inspector;
mod kept;
mod leader;
mod limits;
mod output;
mod progress;
mod reporter;
mod reports;
mod root;
mod serving;
mod signals;
mod startup;
mod state;
mod stored;
mod timers;
mod watcher;
mod worker;

use std::{
    os::fd::AsFd,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
};

use wsgi_core::{
    control::{FromDaemon, ImportScript},
    level::Level,
    version,
};
use wsgi_ipc::logline::ErrorLog;
use wsgi_python::Runtime;

use crate::{
    announcer::Announcer,
    clock::Moment,
    crew::Crew,
    inspector::{INSPECTING, Inspectors},
    reporter::Reporter,
    startup::{Assignment, Descriptors, StartupError, Task},
    state::Daemon,
    watcher::Watcher,
};

fn main() {
    let log = ErrorLog::standard_error(Level::INFO);
    let status = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => {
            log.log(Level::ALERT, &format!("WSGI0025: Daemon process failed to start: {error}."));
            1
        }
        // The panic hook has logged it.
        Err(_) => 1,
    };
    // SAFETY: the interpreter is stopped or its state unknown; neither is to run exit handlers
    // again.
    unsafe { libc::_exit(status) };
}

fn run() -> Result<i32, StartupError> {
    let descriptors = Descriptors::take()?;
    let Assignment { spec, epoch, first_slot, preload, is_trial } =
        match startup::configure(&descriptors.control)? {
            Task::Serve(assignment) => assignment,
            Task::Check(spec, candidates) => {
                return Ok(check::run(spec, &candidates, &descriptors.control));
            }
        };
    let daemon = Daemon::new(spec, epoch, first_slot, descriptors)
        .map_err(|error| StartupError::System("map the request slots", error))?;
    // Its threads may outlive `main` until the process ends.
    let daemon: &'static Daemon = Box::leak(Box::new(daemon));
    if let Err((tag, reason)) = root::enter(&daemon.spec) {
        let group = daemon.group();
        daemon.log.log(Level::ALERT, &format!("{tag}: Daemon process '{group}' {reason}."));
        daemon.tell(&FromDaemon::Failed(reason));
        return Ok(1);
    }
    prepare(daemon)?;
    let Some(runtime) = start_python(daemon) else { return Ok(1) };
    let has_worked = if daemon.spec.engine.is_service() {
        // Its script runs in place of workers, for as long as it likes.
        daemon.tell(&FromDaemon::Ready);
        runtime.run_service(&|| daemon.is_draining());
        true
    } else {
        work(daemon, runtime, &preload, is_trial)
    };
    if has_worked {
        stop(daemon, runtime);
    }
    Ok(i32::from(!has_worked))
}

/// Serves requests until the process drains; false when it cannot.
fn work(
    daemon: &'static Daemon,
    runtime: &'static Runtime,
    preload: &[ImportScript],
    is_trial: bool,
) -> bool {
    let failed = load(daemon, runtime, preload);
    if let Some(script) = failed.filter(|_| is_trial) {
        daemon.tell(&FromDaemon::Failed(format!("'{}' cannot be loaded", script.path)));
        return false;
    }
    if let Some(reason) = daemon.reason().filter(|_| daemon.is_draining()) {
        // Whoever waits for this process must not think that it takes requests.
        let reason = format!("it ends before it is ready ({})", reason.name());
        daemon.tell(&FromDaemon::Failed(reason));
        return true;
    }
    let crew = daemon.crew.get_or_init(|| Crew::start(daemon, runtime));
    if crew.is_empty() && !daemon.is_draining() {
        daemon.tell(&FromDaemon::Failed("no worker thread could be started".to_owned()));
        return false;
    }
    daemon.tell(&FromDaemon::Ready);
    crew.join();
    true
}

/// Loads what is configured, and what the process has whose place this one takes; the first of
/// the latter that does not load.
fn load<'a>(
    daemon: &'static Daemon,
    runtime: &'static Runtime,
    preload: &'a [ImportScript],
) -> Option<&'a ImportScript> {
    daemon.preload_since.set(Moment::now());
    daemon.watch();
    runtime.run_import_scripts(&|| daemon.is_draining());
    let mut failed = None;
    for script in preload.iter().filter(|_| !daemon.is_draining()) {
        // One that has gone meanwhile is not missed.
        if Path::new(&script.path).exists() && !runtime.preload(script) {
            failed = failed.or(Some(script));
        }
    }
    daemon.preload_since.clear();
    failed
}

/// Everything that must be in place before Python and threads are.
fn prepare(daemon: &'static Daemon) -> Result<(), StartupError> {
    std::panic::set_hook(Box::new(|panic| {
        daemon.log.log(Level::CRIT, &format!("WSGI1204: Internal error: {panic}"));
    }));
    if let Some(locale) = &daemon.spec.locale
        && !startup::set_locale(locale)
    {
        daemon.log.log(
            Level::WARNING,
            &format!("WSGI0079: Unable to set locale '{locale}' of daemon process."),
        );
    }
    limits::apply(&daemon.spec, &daemon.log);
    let permanent = [daemon.listener.as_fd(), daemon.control.as_fd(), daemon.kept.descriptor()];
    forked::install(daemon.workers.len() + daemon.kept.room(), permanent)
        .map_err(|error| StartupError::System("prepare for forks", error))?;
    signals::install(daemon.wake.as_fd())
        .and_then(|()| fatal::install(daemon))
        .map_err(|error| StartupError::System("handle signals", error))?;
    thread::Builder::new()
        .name("wsgi-watcher".to_owned())
        .spawn(move || Watcher::new(daemon).run())
        .map_err(|error| StartupError::System("start the watcher thread", error))?;
    let identity = (rustix::process::getuid(), rustix::process::getgid());
    daemon.log.log(
        Level::INFO,
        &format!(
            "Starting daemon process '{}' (mod_wsgi_rs {}) with uid={}, gid={} and threads={}.",
            daemon.group(),
            version::OWN,
            identity.0,
            identity.1,
            daemon.spec.threads
        ),
    );
    Ok(())
}

fn start_python(daemon: &'static Daemon) -> Option<&'static Runtime> {
    let group = daemon.group();
    daemon.log.log(Level::INFO, &format!("Initializing Python in daemon process '{group}'."));
    match Runtime::start(daemon.spec.engine.clone(), Box::new(Reporter::new(daemon))) {
        Ok(runtime) => {
            daemon.inspectors.get_or_init(|| Inspectors::new(daemon, runtime, &INSPECTING));
            daemon.announcer.get_or_init(|| Announcer::new(daemon, runtime));
            Some(runtime)
        }
        Err(error) => {
            let reason = error.to_string();
            daemon.log.log(
                Level::CRIT,
                &format!("WSGI0028: Python cannot start in daemon process '{group}': {reason}."),
            );
            daemon.tell(&FromDaemon::Failed(reason));
            None
        }
    }
}

fn stop(daemon: &'static Daemon, runtime: &'static Runtime) {
    let group = daemon.group();
    daemon.begin_finalizing();
    daemon.log.log(Level::INFO, &format!("Stopping process '{group}'."));
    if let Some(announcer) = daemon.announcer.get() {
        announcer.finish();
    }
    if let Some(inspectors) = daemon.inspectors.get() {
        inspectors.end();
    }
    runtime.stop();
    let epitaph = daemon.epitaph();
    daemon.log.log(Level::INFO, &format!("Exiting daemon process '{group}' {epitaph}."));
}
