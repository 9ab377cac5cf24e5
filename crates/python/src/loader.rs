//! Loading a script: read, compile, execute as a module of its own name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use pyo3_ffi as ffi;
use wsgi_core::level::Level;

use crate::{
    bootstrap::compile,
    interpreter::Interpreter,
    log,
    object::{Class, Object, Py, PyResult, Raised, Ref},
    script::{Found, Loaded, Turn, modification_time},
    traceback,
};

/// Tags of log records: with and without a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tags {
    compile: &'static str,
    /// `None` where a script may leave without a word.
    exit: Option<&'static str>,
    execute: &'static str,
}

/// Tags of a script loaded for a request.
pub(crate) const IN_REQUEST: Tags =
    Tags { compile: "WSGI0105", exit: Some("WSGI0107"), execute: "WSGI0109" };

/// Tags of a script loaded when the process starts.
pub(crate) const AT_START: Tags =
    Tags { compile: "WSGI0106", exit: Some("WSGI0108"), execute: "WSGI0110" };

/// Tags of a service script.
pub(crate) const AS_SERVICE: Tags = Tags { exit: None, ..AT_START };

/// Why a script is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotLoaded {
    /// It has failed, which is logged.
    Failed,
    /// `RequestTimeout` was raised in it.
    Interrupted,
}

/// The script as it was found, loaded if it was not.
pub(crate) fn obtain(
    py: Py<'_>,
    interpreter: &Interpreter,
    path: &[u8],
    ignores_case: bool,
    found: Found,
    tags: Tags,
) -> Result<Arc<Loaded>, NotLoaded> {
    match found {
        Found::Ready(loaded) | Found::Changed(loaded) => Ok(loaded),
        Found::Missing(turn) => load(py, interpreter, path, ignores_case, turn, tags),
    }
}

/// Loads a script. A failure is logged here; the turn is given up and the next request tries
/// again.
fn load(
    py: Py<'_>,
    interpreter: &Interpreter,
    path: &[u8],
    ignores_case: bool,
    turn: Turn,
    tags: Tags,
) -> Result<Arc<Loaded>, NotLoaded> {
    let shown = String::from_utf8_lossy(path).into_owned();
    let (mtime, source) = py.detached(|| {
        let text = format!("Loading WSGI script '{shown}' into {}.", interpreter.place);
        log::current(Level::INFO, &text);
        // Taken before reading: a change in between is then seen at the next request.
        let mtime = modification_time(path);
        (mtime, std::fs::read(Path::new(OsStr::from_bytes(path))))
    });
    let code = source
        .map_err(|error| raise_io_error(py, path, &error))
        .and_then(|source| compile(py, &source, &*py.file_name(path)?));
    let code = match code {
        Ok(code) => code,
        Err(raised) => {
            let text = format!("Could not read or compile source file '{shown}'.");
            report(py, interpreter, tags.compile, &shown, &text, raised.take(py));
            return Err(NotLoaded::Failed);
        }
    };
    match execute(py, path, &code, mtime, ignores_case) {
        Ok(loaded) => {
            let loaded = turn.finish(loaded);
            if let Some(script) = interpreter.script(path) {
                py.detached(|| log::loaded(&script));
            }
            Ok(loaded)
        }
        Err(raised) => {
            let exception = raised.take(py);
            let timeout = interpreter.state.request_timeout.get(py);
            if exception.as_ref().is_some_and(|exception| exception.is_instance(timeout)) {
                return Err(NotLoaded::Interrupted);
            }
            let is_exit = exception.as_ref().is_some_and(|e| e.is_exception(Class::SystemExit));
            let (tag, text) = if is_exit {
                (
                    tags.exit,
                    format!("SystemExit exception raised by WSGI script '{shown}' ignored."),
                )
            } else {
                let text = format!("Unable to execute WSGI script '{shown}' as Python module.");
                (Some(tags.execute), text)
            };
            if let Some(tag) = tag {
                report(py, interpreter, tag, &shown, &text, exception);
            }
            Err(NotLoaded::Failed)
        }
    }
}

/// The `OSError` that Python's own `open` would have raised.
fn raise_io_error(py: Py<'_>, path: &[u8], error: &std::io::Error) -> Raised {
    let made = || -> PyResult<Object<'_>> {
        let number = py.int(error.raw_os_error().unwrap_or_default().into())?;
        let os = py.import("os")?;
        let text = os.call_method("strerror", &[&number])?;
        let class = py.import("builtins")?.attribute("OSError")?;
        class.call(&[&number, &text, &*py.file_name(path)?])
    };
    match made() {
        Ok(exception) => py.raise_object(&exception),
        Err(raised) => raised,
    }
}

fn report(
    py: Py<'_>,
    interpreter: &Interpreter,
    tag: &str,
    script: &str,
    text: &str,
    exception: Option<Object<'_>>,
) {
    let header = format!("{tag}: [script {script}] {text}");
    match exception {
        Some(exception) => {
            traceback::write(py, &interpreter.state.bootstrap, None, &header, &exception);
            traceback::write_remedy(py, interpreter, script, &exception);
        }
        None => py.detached(|| log::current(Level::ERROR, &header)),
    }
}

fn execute(
    py: Py<'_>,
    path: &[u8],
    code: &Ref<'_>,
    mtime: Option<i64>,
    ignores_case: bool,
) -> PyResult<Loaded> {
    let name = py.text(&module_name(path, ignores_case))?;
    let file = py.file_name(path)?;
    forget(py, &name)?;
    let null = std::ptr::null_mut();
    // SAFETY: attached; a name, a code object, a file name, no file of bytecode.
    let module = unsafe {
        ffi::PyImport_ExecCodeModuleObject(name.as_ptr(), code.as_ptr(), file.as_ptr(), null)
    };
    // SAFETY: a new reference or null.
    let module = unsafe { Object::from_new(py, module)? };
    let mtime = mtime.unwrap_or_default();
    module.set_attribute("__mtime__", &*py.int(mtime)?)?;
    let reload_required = module.attribute_if_any(&*py.text("reload_required")?)?;
    let has_reload_required = reload_required.is_some();
    Ok(Loaded { module: crate::object::Stored::new(module), mtime, has_reload_required })
}

/// Removes an earlier module of this name: it is executed again, not into the old namespace.
fn forget(py: Py<'_>, name: &Ref<'_>) -> PyResult<()> {
    let modules = py.modules()?;
    if modules.item(name)?.is_some() {
        modules.call_method("pop", &[name, &*py.none()])?;
    }
    Ok(())
}

/// The module name of a script: cannot be imported by the file's own name.
fn module_name(path: &[u8], ignores_case: bool) -> String {
    let digest =
        if ignores_case { md5::compute(path.to_ascii_lowercase()) } else { md5::compute(path) };
    format!("_mod_wsgi_{digest:x}")
}

/// Asks the script's `reload_required(resource)`; an exception is logged and means no.
pub(crate) fn reload_required(
    py: Py<'_>,
    interpreter: &Interpreter,
    loaded: &Loaded,
    resource: &[u8],
) -> bool {
    let asked = || -> PyResult<bool> {
        let callback = loaded.module.get(py).attribute("reload_required")?;
        callback.call(&[&*py.file_name(resource)?])?.is_true()
    };
    asked().unwrap_or_else(|raised| {
        if let Some(exception) = raised.take(py) {
            let text =
                "WSGI1021: exception raised by reload_required() of the WSGI script, taken as no.";
            traceback::write(py, &interpreter.state.bootstrap, None, text, &exception);
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_by_the_digest_of_the_path() {
        let name = module_name(b"/srv/app.wsgi", false);
        assert_eq!(name.len(), "_mod_wsgi_".len() + 32);
        assert_ne!(name, module_name(b"/srv/App.wsgi", false));
        assert_eq!(name, module_name(b"/srv/App.wsgi", true));
        assert_eq!(module_name(b"", false), "_mod_wsgi_d41d8cd98f00b204e9800998ecf8427e");
    }
}
