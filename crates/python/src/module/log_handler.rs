//! `mod_wsgi.LogHandler`: made when it is asked for first, because it imports `logging`, and what it
//! writes with.

use pyo3_ffi as ffi;
use wsgi_core::{exchange::Source, level::Level};

use crate::{
    bootstrap::compile,
    guard::guard,
    log,
    object::{Class, Object, Py, PyResult, Ref},
    types::{Table, bind, borrowed, fast_method, method, receive},
};

const SOURCE: &str = include_str!("log_handler.py");

/// The attribute.
pub(super) const NAME: &str = "LogHandler";

static ACCEPTS: Table<ffi::PyMethodDef> = Table::new(method(c"accepts", accepts, ffi::METH_O));
static WRITE: Table<ffi::PyMethodDef> = Table::new(fast_method(c"write", write));

/// The class of this interpreter, kept in the module.
pub(super) fn make<'py>(module: &Ref<'py>) -> PyResult<Object<'py>> {
    let py = module.py();
    let namespace = py.dict()?;
    namespace.set_item_named("__name__", &*py.text("mod_wsgi")?)?;
    namespace.set_item_named("_accepts", &*bind(module, &ACCEPTS)?)?;
    namespace.set_item_named("_write", &*bind(module, &WRITE)?)?;
    let code = compile(py, SOURCE.as_bytes(), &*py.text("<mod_wsgi.LogHandler>")?)?;
    py.import("builtins")?.call_method("exec", &[&code, &namespace])?;
    let name = py.text(NAME)?;
    let Some(class) = namespace.item(&name)? else {
        return Err(py.raise(Class::Runtime, "no LogHandler was made"));
    };
    // Another thread may have been faster: there is one class.
    module.attribute("__dict__")?.call_method("setdefault", &[&name, &class])
}

unsafe extern "C" fn accepts(
    _module: *mut ffi::PyObject,
    level: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("LogHandler.accepts", |py| {
        // SAFETY: CPython passes one argument.
        let level = unsafe { borrowed(level) };
        py.boolean(log::accepts(read_level(&level)?))
    })
}

unsafe extern "C" fn write(
    module: *mut ffi::PyObject,
    items: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    guard("LogHandler.write", |py| {
        // SAFETY: CPython passes the module of `bind` and the arguments.
        let (_module, items) = unsafe { receive(module, items, count) };
        let [level, text, file, line] = items else {
            return Err(py.raise(Class::Type, "write() takes exactly 4 arguments"));
        };
        let (level, text) = (read_level(level)?, text.to_text()?);
        let (file, line) = read_place(py, file, line)?;
        let source = Source { file: &file, line };
        py.detached(|| log::report(level, &text, source));
        Ok(py.none())
    })
}

fn read_level(level: &Ref<'_>) -> PyResult<Level> {
    Ok(Level::from_number(u8::try_from(level.to_int()?).unwrap_or(u8::MAX)))
}

/// A record that was made by hand may have no place, or none that makes sense.
fn read_place(py: Py<'_>, file: &Ref<'_>, line: &Ref<'_>) -> PyResult<(String, u32)> {
    let file = if file.is_text() { file.to_text()? } else { String::new() };
    let line = line.to_int().unwrap_or_else(|raised| {
        raised.clear(py);
        0
    });
    Ok((file, u32::try_from(line).unwrap_or(0)))
}
