//! Tries a script for a check: loads it as a request would and looks for what it must define.

use wsgi_core::check::{Candidate, Looked};

use crate::{
    loader,
    object::{Py, Ref},
    runtime::Runtime,
};

impl Runtime {
    /// Loads a script as a request would and looks for what it needs; the error is why that is not
    /// there, unless it was logged.
    pub fn try_out(&self, candidate: &Candidate) -> Result<(), Option<String>> {
        let path = candidate.script.path.as_bytes();
        let interpreter = self.interpreter_for(&candidate.script).ok_or(None)?;
        let found = interpreter.scripts.find(path, None);
        let attached = interpreter.attach().ok_or(None)?;
        let py = attached.py();
        let ignores_case = self.spec().ignores_case;
        let loaded = loader::obtain(py, interpreter, path, ignores_case, found, loader::AT_START)
            .map_err(|_| None)?;
        let module = loaded.module.get(py);
        let fault = candidate.needs.fault(|name| look(py, module, name));
        fault.map_or(Ok(()), |fault| Err(Some(fault)))
    }
}

fn look(py: Py<'_>, module: &Ref<'_>, name: &str) -> Looked {
    let found = py.text(name).and_then(|name| module.attribute_if_any(&name));
    match found.map(|found| found.map(|found| found.is_callable())) {
        Ok(Some(true)) => Looked::Callable,
        Ok(Some(false)) => Looked::Other,
        Ok(None) => Looked::Nothing,
        Err(raised) => {
            raised.clear(py);
            Looked::Unknown
        }
    }
}
