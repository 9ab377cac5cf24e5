//! The module `mod_wsgi` (and `apache`) as applications import it.

use pyo3_ffi as ffi;
use wsgi_core::{control::EngineSpec, version};

use crate::{
    bootstrap::Bootstrap,
    object::{Object, Py, PyResult, Ref},
    types::Table,
};

#[cfg(Py_3_13)]
const SLOT_COUNT: usize = 3;
#[cfg(all(Py_3_12, not(Py_3_13)))]
const SLOT_COUNT: usize = 2;
#[cfg(not(Py_3_12))]
const SLOT_COUNT: usize = 1;

/// What multi-phase initialisation declares: nothing of this crate is shared by interpreters.
static SLOTS: Table<[ffi::PyModuleDef_Slot; SLOT_COUNT]> = Table::new([
    #[cfg(Py_3_12)]
    ffi::PyModuleDef_Slot {
        slot: ffi::Py_mod_multiple_interpreters,
        value: ffi::Py_MOD_PER_INTERPRETER_GIL_SUPPORTED,
    },
    #[cfg(Py_3_13)]
    ffi::PyModuleDef_Slot { slot: ffi::Py_mod_gil, value: ffi::Py_MOD_GIL_NOT_USED },
    ffi::PyModuleDef_Slot { slot: 0, value: std::ptr::null_mut() },
]);

static DEFINITION: Table<ffi::PyModuleDef> = Table::new(ffi::PyModuleDef {
    m_base: ffi::PyModuleDef_HEAD_INIT,
    m_name: c"mod_wsgi".as_ptr(),
    m_doc: std::ptr::null(),
    m_size: 0,
    m_methods: std::ptr::null_mut(),
    m_slots: SLOTS.pointer().cast(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
});

/// Makes the module object of this interpreter; [`publish`] makes it importable.
pub(crate) fn make<'py>(py: Py<'py>) -> PyResult<Object<'py>> {
    let specification = py.import("importlib.machinery")?.attribute("ModuleSpec")?;
    let specification = specification.call(&[&*py.text("mod_wsgi")?, &*py.none()])?;
    let definition = DEFINITION.pointer().cast::<ffi::PyModuleDef>();
    // SAFETY: attached; a static definition and a spec with a name.
    let module = unsafe { ffi::PyModule_FromDefAndSpec(definition, specification.as_ptr()) };
    // SAFETY: a new reference or null.
    let module = unsafe { Object::from_new(py, module)? };
    // SAFETY: the module just made of this definition.
    py.check(unsafe { ffi::PyModule_ExecDef(module.as_ptr(), definition) })?;
    Ok(module)
}

/// Sets the attributes of `mod_wsgi` and `apache` and makes both importable.
pub(crate) fn publish(
    module: &Ref<'_>,
    bootstrap: &Bootstrap,
    spec: &EngineSpec,
    application_group: &str,
) -> PyResult<()> {
    let py = module.py();
    let own = py.dict()?;
    own.set_item_named("version", &*py.version(version::CONTRACT)?)?;
    own.set_item_named("rs_version", &*py.text(version::OWN)?)?;
    own.set_item_named("process_group", &*py.text(&spec.process_group)?)?;
    own.set_item_named("application_group", &*py.text(application_group)?)?;
    let apache = py.dict()?;
    apache.set_item_named("version", &*py.version(spec.apache_version)?)?;
    apache.set_item_named("description", &*py.text(&spec.server_description)?)?;
    apache.set_item_named("mpm_name", &*py.text(&spec.mpm_name)?)?;
    apache.set_item_named("build_date", &*py.text(&spec.build_date)?)?;
    for attributes in [&own, &apache] {
        let processes = py.int(spec.maximum_processes.into())?;
        attributes.set_item_named("maximum_processes", &processes)?;
        let threads = py.int(spec.threads_per_process.into())?;
        attributes.set_item_named("threads_per_process", &threads)?;
    }
    let may_import_apache = py.boolean(!spec.is_daemon && application_group.is_empty())?;
    bootstrap.call(py, "publish", &[module, &own, &apache, &may_import_apache])?;
    Ok(())
}
