//! A process that serves nobody: it tries applications as the processes of their group would load
//! them, tells what became of each, and ends (`httpd -D WSGI_CHECK -t`).

use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::fs::Access;
use wsgi_core::{
    check::{Candidate, Finding},
    control::{FromDaemon, GroupSpec, encode},
    exchange::Source,
    level::Level,
};
use wsgi_ipc::socket;
use wsgi_python::{Notices, Runtime};

use crate::{limits, root, startup};
use wsgi_ipc::logline::ErrorLog;

/// Most bytes of a finding's log: the message must fit a packet.
const LONGEST: usize = 32 << 10;

/// What Python logs, kept until somebody asks.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Notices for Log {
    fn log(&self, level: Level, record: &str, _source: Option<Source<'_>>) {
        if level <= Level::WARNING {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.to_owned());
        }
    }
}

impl Log {
    /// What was logged since the last call; of much, the end.
    fn take(&self) -> Vec<String> {
        let mut all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut size: usize = all.iter().map(String::len).sum();
        while size > LONGEST && all.len() > 1 {
            size -= all.remove(0).len();
        }
        all
    }
}

/// Tries the candidates in their order; the exit status.
pub(crate) fn run(mut spec: GroupSpec, candidates: &[Candidate], control: &OwnedFd) -> i32 {
    let tell = |message: &FromDaemon| {
        if let Ok(bytes) = encode(message) {
            // Nobody is left to hear it when this fails.
            socket::send_packet(control.as_fd(), &bytes, &[]).ok();
        }
    };
    let error_log = ErrorLog::standard_error(spec.log_level);
    if let Err((_, reason)) = root::enter(&spec) {
        tell(&FromDaemon::Failed(reason));
        return 1;
    }
    if let Some(locale) = &spec.locale {
        startup::set_locale(locale);
    }
    limits::apply(&spec, &error_log);
    // They are candidates themselves.
    spec.engine.import_scripts.clear();
    spec.engine.telemetry = None;
    let log = Log::default();
    let runtime = match Runtime::start(spec.engine, Box::new(log.clone())) {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&FromDaemon::Failed(format!("Python cannot start: {error}")));
            return 1;
        }
    };
    tell(&FromDaemon::Ready);
    for candidate in candidates {
        let tried = match unreadable(Path::new(&candidate.script.path)) {
            Some(fault) => Err(Some(fault)),
            None => runtime.try_out(candidate),
        };
        let is_sound = tried.is_ok();
        tell(&FromDaemon::Tried(Finding {
            fault: tried.err().flatten(),
            is_sound,
            log: log.take(),
        }));
    }
    0
}

/// Why this process may not read a script: the first thing on the way to it that keeps it out.
fn unreadable(script: &Path) -> Option<String> {
    let mut above: Vec<&Path> = script.ancestors().skip(1).collect();
    above.reverse();
    for folder in above {
        if let Err(error) = rustix::fs::access(folder, Access::EXEC_OK) {
            return Some(format!(
                "the user of the process group may not enter {}: {error}; let it (chmod o+x), or \
                 move the script",
                folder.display()
            ));
        }
    }
    let error = rustix::fs::access(script, Access::READ_OK).err()?;
    Some(format!(
        "the user of the process group cannot read it: {error}; check the path and its mode"
    ))
}
