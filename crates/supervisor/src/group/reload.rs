//! New code without a pause (`reload=rolling`), and files beyond the scripts whose change means
//! new code (`reload-on=`).
//!
//! A trial is one process that loads the changed code beside those that serve. When it is ready a
//! new generation begins with it; when it is not, nothing has changed for anybody.

use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime},
};

use wsgi_core::{
    control::{ImportScript, ReloadMode},
    level::Level,
    reason::Reason,
};
use wsgi_ipc::logline;

use crate::{terms::Terms, watch::Watch};

use super::{Context, Group};

/// Time until the next attempt to start a trial that could not be started.
const RETRY: Duration = Duration::from_secs(1);

/// Changes that are remembered at most: more than a group has scripts.
const CHANGES: usize = 10_000;

/// Changes of code, from being seen to being served.
#[derive(Debug, Default)]
pub(super) struct Reload {
    /// The files of `reload-on=`.
    watch: Option<Watch>,
    /// Changes that a trial was made for, or will be: the files' modification times.
    seen: HashMap<String, i64>,
    /// A trial is to be started.
    is_wanted: bool,
    /// When to try again to start it.
    retry: Option<Instant>,
    /// The process on trial.
    trial: Option<u64>,
    /// When the code that is served was loaded.
    since: Option<SystemTime>,
}

impl Reload {
    /// Nothing has changed yet.
    pub(super) fn new() -> Self {
        Self { since: Some(SystemTime::now()), ..Self::default() }
    }

    /// When the files are to be looked at.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let watch = self.watch.as_ref().map(Watch::deadline);
        watch.into_iter().chain(self.retry).min()
    }

    /// A new generation loads everything anew.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
        self.is_wanted = false;
        self.retry = None;
        self.trial = None;
        self.since = Some(SystemTime::now());
    }
}

impl Group {
    /// Watches the files of the group as it is defined now.
    pub(super) fn watch_files(&mut self, now: Instant) {
        let spec = &self.spec;
        let is_watching = spec.engine.reload != ReloadMode::Off && !spec.reload_on.is_empty();
        let watch = is_watching.then(|| Watch::new(&spec.reload_on, now)).transpose();
        self.reload.watch = watch.unwrap_or_else(|error| {
            let group = self.name();
            self.log.log(
                Level::ERROR,
                &format!("WSGI1217: The files that '{group}' reloads on are not watched: {error}."),
            );
            None
        });
    }

    /// A process has found that a script has changed.
    pub(super) fn note_change(&mut self, path: &str, mtime: i64) {
        if self.reload.seen.len() >= CHANGES {
            self.reload.seen.clear();
        }
        if self.reload.seen.insert(path.to_owned(), mtime) != Some(mtime) {
            self.reload.is_wanted = true;
        }
    }

    /// A process that has not loaded a script has no old version to go on with when it changes: so
    /// with `reload=rolling` all of them load what one has loaded.
    pub(super) fn spread(&self, script: &ImportScript) {
        if self.spec.engine.reload == ReloadMode::Rolling {
            let others = self.current().filter(|member| member.is_ready());
            others.for_each(|member| member.preload(script));
        }
    }

    /// The same for a process that has just become ready.
    pub(super) fn catch_up(&self, id: u64) {
        let member = self.current().find(|member| member.id == id);
        if let Some(member) = member.filter(|_| self.spec.engine.reload == ReloadMode::Rolling) {
            self.loaded_now().iter().for_each(|script| member.preload(script));
        }
    }

    pub(super) fn look_at_files(&mut self, now: Instant) {
        if !self.reload.watch.as_mut().is_some_and(|watch| watch.has_changed(now)) {
            return;
        }
        let group = self.name();
        self.log.log(Level::INFO, &format!("Files that '{group}' reloads on have changed."));
        match self.spec.engine.reload {
            ReloadMode::Rolling => self.reload.is_wanted = true,
            ReloadMode::Restart | ReloadMode::Off => self.replace_all(now),
        }
    }

    /// Starts a process with the changed code, if that is due and nothing else is in the way.
    pub(super) fn start_trial(&mut self, context: &mut Context<'_>) {
        if self.reload.is_wanted {
            // What it loads, perhaps for ever, is not what is there now.
            self.drop_trial(context.now);
        }
        // Replacements of this generation come first: they would load the changed code unasked.
        let is_complete = self.current().count() >= self.spec.processes as usize;
        if !self.reload.is_wanted || !is_complete || self.leaving.is_some() {
            // What is in the way ends with an event.
            self.reload.retry = None;
            return;
        }
        if self.reload.retry.is_some_and(|retry| context.now < retry) {
            return;
        }
        self.reload.trial = self.start_beside(context);
        self.reload.is_wanted = self.reload.trial.is_none();
        self.reload.retry = self.reload.is_wanted.then(|| context.now + RETRY);
    }

    /// What is on trial was started by a configuration, or for a change, that is past.
    pub(super) fn drop_trial(&mut self, now: Instant) {
        let trial = self.reload.trial.take();
        let terms = Terms::urgent(&self.spec, Reason::GracefulSignal);
        let members = self.members.iter_mut().filter(|member| trial == Some(member.id));
        members.for_each(|member| member.drain(terms, now));
    }

    pub(super) fn is_trial(&self, id: u64) -> bool {
        self.reload.trial == Some(id)
    }

    /// The changed code has loaded: it goes live, process by process.
    pub(super) fn adopt_trial(&mut self) {
        self.preload = self.loaded_now();
        self.begin_generation();
        let group = self.name();
        self.log.log(Level::INFO, &format!("Daemon process group '{group}' changes to new code."));
        self.note_success();
    }

    /// The changed code has not loaded, or not in time.
    pub(super) fn give_up_trial(&mut self, reason: &str) {
        self.reload.trial = None;
        let since = self
            .reload
            .since
            .map_or_else(String::new, |since| format!(" the version of {}", logline::time(since)));
        self.log.log(
            Level::ERROR,
            &format!(
                "WSGI1215: The changed code of daemon process group '{}' does not load: {reason}; \
                 still serving{since}.",
                self.name()
            ),
        );
    }
}
