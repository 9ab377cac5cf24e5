//! Interpreters by name (application groups): the main one and sub-interpreters, which share its
//! lock (GIL) unless they are to have one of their own. Made on first use, kept until the process
//! ends.

use std::collections::HashMap;
use std::sync::{
    Mutex, OnceLock, RwLock,
    atomic::{AtomicBool, Ordering},
};

use wsgi_core::{
    control::{EngineSpec, ImportScript},
    level::Level,
};

use crate::{
    attach::{self, Attached, FirstState, InterpreterPointer},
    config,
    lease::lock,
    log,
    object::{Py, Raised},
    script::Scripts,
    state::State,
    traceback,
};

/// One application group.
#[derive(Debug)]
pub(crate) struct Interpreter {
    pointer: InterpreterPointer,
    main: InterpreterPointer,
    /// `None` for the main interpreter.
    first: Option<FirstState>,
    /// Its types and constants.
    pub(crate) state: State,
    /// The scripts loaded in it.
    pub(crate) scripts: Scripts,
    /// Its application group.
    pub(crate) name: String,
    /// How log records name it.
    pub(crate) place: String,
    /// Whether it has a lock of its own.
    pub(crate) owns_lock: bool,
    /// Whether it runs scripts that nobody has chosen it for.
    is_default: AtomicBool,
    /// Of the main interpreter: the application group that it has got beside its own.
    second_name: OnceLock<String>,
}

impl Interpreter {
    /// Attaches this thread; `None` when the process is ending.
    pub(crate) fn attach(&self) -> Option<Attached<'_>> {
        attach::attach(self.main, self.pointer)
    }

    /// Calls a function of `bootstrap.py` without arguments; what goes wrong is logged.
    pub(crate) fn call_bootstrap(&self, name: &str, tag: &str) {
        let Some(attached) = self.attach() else { return };
        let py = attached.py();
        if let Err(raised) = self.state.bootstrap.call(py, name, &[]) {
            let text = format!("{tag}: exception raised by {name}() in {}.", self.place);
            traceback::write_raised(py, &self.state.bootstrap, None, &text, raised);
        }
    }

    /// Calls a function of bootstrap.py that a signal handler may interrupt; then once more.
    pub(crate) fn try_bootstrap(&self, name: &str) {
        let Some(attached) = self.attach() else { return };
        let calls = (0..2).map(|_| self.state.bootstrap.call(attached.py(), name, &[]));
        calls.into_iter().any(|result| result.is_ok());
    }

    /// Ends the sub-interpreter that `attached` is about; false when threads of it are left.
    pub(crate) fn end(&self, attached: Attached<'_>) -> bool {
        let Some(first) = &self.first else { return false };
        attach::end_interpreter(attached, self.pointer, self.main, first)
    }

    /// A script in this interpreter, as the process is told about it; a path that is no text
    /// cannot be.
    pub(crate) fn script(&self, path: &[u8]) -> Option<ImportScript> {
        let path = std::str::from_utf8(path).ok()?.to_owned();
        let application_group = self.second_name.get().unwrap_or(&self.name).clone();
        let is_default = self.is_default.load(Ordering::Relaxed);
        Some(ImportScript { path, application_group, is_default })
    }

    /// CPython's pointer.
    pub(crate) fn pointer(&self) -> InterpreterPointer {
        self.pointer
    }
}

/// All interpreters of the process.
#[derive(Debug)]
pub(crate) struct Interpreters {
    main: &'static Interpreter,
    others: RwLock<HashMap<Vec<u8>, &'static Interpreter>>,
    /// Held while one is being made: they are made one at a time.
    making: Mutex<()>,
}

impl Interpreters {
    /// Sets up the main interpreter, to which this thread is attached, and detaches.
    pub(crate) fn start(spec: &EngineSpec) -> Result<Self, String> {
        // SAFETY: the caller has just initialised CPython on this thread.
        let (pointer, attached) = unsafe { attach::adopt_main() };
        let py = attached.py();
        let state = State::make(py, spec, "", false).map_err(|raised| reason(py, raised))?;
        let main = keep(spec, "", [pointer, pointer], None, state, false);
        Ok(Self { main, others: RwLock::default(), making: Mutex::default() })
    }

    /// The main interpreter.
    pub(crate) fn main(&self) -> &'static Interpreter {
        self.main
    }

    /// The sub-interpreters.
    pub(crate) fn others(&self) -> Vec<&'static Interpreter> {
        let others = self.others.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        others.values().copied().collect()
    }

    /// The interpreter of a group, if it exists. Called detached.
    pub(crate) fn find(&self, group: &[u8]) -> Option<&'static Interpreter> {
        let second_name = self.main.second_name.get();
        if group.is_empty() || second_name.is_some_and(|name| name.as_bytes() == group) {
            return Some(self.main);
        }
        let others = self.others.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        others.get(group).copied()
    }

    /// The interpreter of a group, made when there is none. Called detached.
    pub(crate) fn get(
        &self,
        group: &[u8],
        spec: &EngineSpec,
    ) -> Result<&'static Interpreter, String> {
        if let Some(found) = self.find(group) {
            return Ok(found);
        }
        let _making = lock(&self.making);
        if let Some(found) = self.find(group) {
            return Ok(found);
        }
        let made = self.make(group, spec)?;
        let mut others = self.others.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        others.insert(group.to_vec(), made);
        Ok(made)
    }

    /// The interpreter of a group that nobody has chosen for `script`, made when there is none:
    /// the main one for the first such group. Called detached.
    pub(crate) fn get_default(
        &self,
        group: &[u8],
        script: &[u8],
        spec: &EngineSpec,
    ) -> Result<&'static Interpreter, String> {
        if let (None, Ok(name)) = (self.find(group), std::str::from_utf8(group))
            && self.main.second_name.set(name.to_owned()).is_ok()
        {
            let script = String::from_utf8_lossy(script);
            let text = format!(
                "WSGI script '{script}' is the first of this process of group '{}' and gets its \
                 main interpreter (application-group=auto).",
                spec.process_group
            );
            log::process(Level::INFO, &text);
        }
        let interpreter = self.get(group, spec)?;
        interpreter.is_default.store(true, Ordering::Relaxed);
        Ok(interpreter)
    }

    fn make(&self, group: &[u8], spec: &EngineSpec) -> Result<&'static Interpreter, String> {
        let name = std::str::from_utf8(group).map_err(|_| "its name is not UTF-8".to_owned())?;
        let owns_lock = owns_lock(spec, name);
        if owns_lock {
            let text = format!("Creating {} with a lock of its own.", place(spec, name));
            log::process(Level::INFO, &text);
        }
        let attached = self.main.attach().ok_or("the process is ending")?;
        let (pointer, first, attached) =
            attach::make_interpreter(attached, owns_lock).ok_or("CPython could not create it")?;
        match State::make(attached.py(), spec, name, owns_lock) {
            Ok(state) => {
                let pointers = [pointer, self.main.pointer];
                Ok(keep(spec, name, pointers, Some(first), state, owns_lock))
            }
            Err(raised) => {
                let reason = reason(attached.py(), raised);
                attach::abandon_interpreter(attached, self.main.pointer, first);
                Err(reason)
            }
        }
    }
}

/// Whether a sub-interpreter gets a lock of its own (`WSGIPerInterpreterGIL`): where Python can,
/// and has a lock at all.
fn owns_lock(spec: &EngineSpec, name: &str) -> bool {
    cfg!(Py_3_12)
        && !config::runs_without_lock(spec)
        && spec.interpreters.interpreter(name).has_own_lock == Some(true)
}

fn keep(
    spec: &EngineSpec,
    name: &str,
    [pointer, main]: [InterpreterPointer; 2],
    first: Option<FirstState>,
    state: State,
    owns_lock: bool,
) -> &'static Interpreter {
    Box::leak(Box::new(Interpreter {
        pointer,
        main,
        first,
        state,
        scripts: Scripts::default(),
        name: name.to_owned(),
        place: place(spec, name),
        owns_lock,
        is_default: AtomicBool::new(false),
        second_name: OnceLock::new(),
    }))
}

/// How log records name an interpreter, in the original's words.
fn place(spec: &EngineSpec, name: &str) -> String {
    let interpreter = match name {
        "" => "main interpreter".to_owned(),
        name => format!("interpreter '{name}'"),
    };
    match spec.process_group.as_str() {
        "" => format!("{interpreter} in embedded mode"),
        group => format!("{interpreter} in daemon process group '{group}'"),
    }
}

/// The exception that ended a set-up, as text.
fn reason(py: Py<'_>, raised: Raised) -> String {
    match raised.take(py) {
        Some(exception) => format!("{}: {}", exception.type_name(), exception.describe()),
        None => "unknown reason".to_owned(),
    }
}
