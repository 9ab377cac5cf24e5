//! Runs `bootstrap.py` in an interpreter and calls its functions.

use crate::object::{Object, Py, PyResult, Ref, Stored};

const SOURCE: &str = include_str!("bootstrap.py");

/// The namespace of `bootstrap.py` in one interpreter.
#[derive(Debug)]
pub(crate) struct Bootstrap {
    namespace: Stored,
}

impl Bootstrap {
    /// Runs the file.
    pub(crate) fn load(py: Py<'_>) -> PyResult<Self> {
        let namespace = py.dict()?;
        namespace.set_item_named("__name__", &*py.text("mod_wsgi._bootstrap")?)?;
        let code = compile(py, SOURCE.as_bytes(), &*py.text("<mod_wsgi>")?)?;
        py.import("builtins")?.call_method("exec", &[&code, &namespace])?;
        Ok(Self { namespace: Stored::new(namespace) })
    }

    /// One of its functions.
    pub(crate) fn function<'py>(&self, py: Py<'py>, name: &str) -> PyResult<Object<'py>> {
        let name = py.text(name)?;
        // The namespace's own lifetime is shorter than 'py, the function's reference is owned.
        let function = self.namespace.get(py).item(&name)?;
        match function {
            Some(function) => Ok(function),
            None => Err(py.raise(crate::object::Class::Runtime, "no such bootstrap function")),
        }
    }

    /// Calls one of its functions.
    pub(crate) fn call<'py>(
        &self,
        py: Py<'py>,
        name: &str,
        arguments: &[&Ref<'_>],
    ) -> PyResult<Object<'py>> {
        self.function(py, name)?.call(arguments)
    }
}

/// `compile(source, path, "exec", 0, True)`: source as bytes, so that coding cookies count.
pub(crate) fn compile<'py>(py: Py<'py>, source: &[u8], path: &Ref<'_>) -> PyResult<Object<'py>> {
    let (source, mode) = (py.bytes(source)?, py.text("exec")?);
    let (flags, inherits_nothing) = (py.int(0)?, py.boolean(true)?);
    let arguments: [&Ref<'_>; 5] = [&source, path, &mode, &flags, &inherits_nothing];
    py.import("builtins")?.call_method("compile", &arguments)
}
