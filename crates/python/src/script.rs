//! Which scripts an interpreter has loaded, and who loads one: a lock per script, so that a slow
//! import holds up only requests for that script.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use wsgi_core::mtime;

use crate::{
    lease::lock,
    object::{Py, Stored},
};

/// A script's module. Requests hold it through [`Arc`] and give it back with [`release`].
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The module.
    pub(crate) module: Stored,
    /// The file's modification time when it was loaded, µs; 0 when unknown.
    pub(crate) mtime: i64,
    /// Whether it defines `reload_required`.
    pub(crate) has_reload_required: bool,
}

/// Gives a module back; the last holder releases it.
pub(crate) fn release(py: Py<'_>, loaded: Arc<Loaded>) {
    if let Some(loaded) = Arc::into_inner(loaded) {
        drop(loaded.module.take(py));
    }
}

/// The scripts of one interpreter.
#[derive(Debug, Default)]
pub(crate) struct Scripts(Mutex<HashMap<Vec<u8>, Arc<Script>>>);

/// One script.
#[derive(Debug, Default)]
pub(crate) struct Script {
    state: Mutex<State>,
    is_settled: Condvar,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Absent,
    Loading,
    Loaded(Arc<Loaded>),
}

/// What a request finds.
#[derive(Debug)]
pub(crate) enum Found {
    /// The script is loaded and current.
    Ready(Arc<Loaded>),
    /// It is loaded, but the file has changed since.
    Changed(Arc<Loaded>),
    /// It is not loaded: the holder of the turn loads it, others wait.
    Missing(Turn),
}

/// The right and duty to load a script: dropped unfinished, the next one tries.
#[derive(Debug)]
pub(crate) struct Turn {
    script: Arc<Script>,
}

impl Scripts {
    /// Looks for a script; waits while another thread loads it, so call detached. `mtime` is
    /// what httpd saw, `None` when changes do not matter.
    pub(crate) fn find(&self, path: &[u8], mtime: Option<i64>) -> Found {
        let script = self.script(path);
        let mut state = lock(&script.state);
        loop {
            match &*state {
                State::Loading => {
                    state = script.is_settled.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                State::Absent => {
                    *state = State::Loading;
                    drop(state);
                    return Found::Missing(Turn { script });
                }
                State::Loaded(loaded) => {
                    let loaded = Arc::clone(loaded);
                    drop(state);
                    return if has_changed(path, &loaded, mtime) {
                        Found::Changed(loaded)
                    } else {
                        Found::Ready(loaded)
                    };
                }
            }
        }
    }

    /// Forgets what was loaded, unless another thread has replaced it: whoever looks next loads
    /// the script again.
    pub(crate) fn forget(&self, path: &[u8], outdated: &Arc<Loaded>) -> Option<Arc<Loaded>> {
        let script = self.script(path);
        let mut state = lock(&script.state);
        match &*state {
            State::Loaded(loaded) if Arc::ptr_eq(loaded, outdated) => {}
            _ => return None,
        }
        match std::mem::take(&mut *state) {
            State::Loaded(loaded) => Some(loaded),
            _ => None,
        }
    }

    fn script(&self, path: &[u8]) -> Arc<Script> {
        let mut scripts = lock(&self.0);
        match scripts.get(path) {
            Some(script) => Arc::clone(script),
            None => Arc::clone(scripts.entry(path.to_vec()).or_default()),
        }
    }
}

impl Turn {
    /// The script is loaded.
    pub(crate) fn finish(self, loaded: Loaded) -> Arc<Loaded> {
        let loaded = Arc::new(loaded);
        *lock(&self.script.state) = State::Loaded(Arc::clone(&loaded));
        loaded
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = lock(&self.script.state);
        if matches!(*state, State::Loading) {
            *state = State::Absent;
        }
        self.script.is_settled.notify_all();
    }
}

/// Whether the file is another than what was loaded. A request may carry a time that httpd saw
/// before the script was loaded: so a difference counts only if the file itself confirms it.
fn has_changed(path: &[u8], loaded: &Loaded, mtime: Option<i64>) -> bool {
    mtime.is_some_and(|mtime| mtime != loaded.mtime)
        && modification_time(path) != Some(loaded.mtime)
}

/// A file's modification time in µs.
pub(crate) fn modification_time(path: &[u8]) -> Option<i64> {
    mtime::modification_time(Path::new(OsStr::from_bytes(path))).ok()
}
