//! What Python tells the process beside its requests: log records, and scripts that the supervisor
//! wants to know.

use std::{
    collections::HashMap,
    os::fd::AsFd,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use wsgi_core::{
    control::{FromDaemon, ImportScript},
    exchange::Source,
    level::Level,
};
use wsgi_ipc::questions;
use wsgi_python::Notices;

use crate::state::Daemon;

/// Scripts that are reported at most: beyond that, replacements load the rest when it is asked for.
const MOST: usize = 500;

/// How long an answer of httpd's children is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Passes on what Python tells.
pub(crate) struct Reporter {
    daemon: &'static Daemon,
    /// Scripts that were reported as loaded, and the last change of each, once one was reported.
    known: Mutex<HashMap<ImportScript, Option<i64>>>,
}

impl Reporter {
    /// A reporter that knows no script.
    pub(crate) fn new(daemon: &'static Daemon) -> Self {
        Self { daemon, known: Mutex::default() }
    }

    /// Whether this is news: each script is reported once, and each of its changes.
    fn is_news(&self, script: &ImportScript, change: Option<i64>) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = known.len() >= MOST;
        match known.get_mut(script) {
            Some(last) if change.is_none() || *last == change => false,
            Some(last) => {
                *last = change;
                true
            }
            None if is_full => false,
            None => known.insert(script.clone(), change).is_none(),
        }
    }
}

impl Notices for Reporter {
    fn log(&self, level: Level, record: &str, source: Option<Source<'_>>) {
        if self.daemon.log.accepts(level) {
            self.daemon.log.write(level, record, None, source);
        }
    }

    fn server_metrics(&self) -> Option<Vec<u8>> {
        questions::ask(self.daemon.questions.as_ref()?.as_fd(), PATIENCE)
    }

    fn accepts(&self, level: Level) -> bool {
        self.daemon.log.accepts(level)
    }

    fn loaded(&self, script: &ImportScript) {
        if self.is_news(script, None) {
            self.daemon.tell(&FromDaemon::Loaded(script.clone()));
        }
    }

    fn changed(&self, script: &ImportScript, mtime: i64) {
        if self.is_news(script, Some(mtime)) {
            self.daemon.tell(&FromDaemon::Changed { script: script.clone(), mtime });
        }
    }
}
