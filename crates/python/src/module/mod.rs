//! The modules `mod_wsgi` and `apache` as applications import them.
//!
//! `events.rs` keeps the subscribers, `active.rs` the requests in progress, `functions.rs` has the
//! functions, `metrics.rs` and `server_metrics.rs` those that tell what requests cost and what httpd
//! does, in dictionaries of `entries.rs`, `log_handler.rs` the class for Python's logging. The module
//! object's own memory holds a pointer to the [`Events`] of its interpreter.

pub(crate) mod active;
mod entries;
pub(crate) mod events;
mod functions;
mod log_handler;
mod metrics;
mod server_metrics;

use pyo3_ffi as ffi;
use wsgi_core::{control::EngineSpec, version};

use events::Events;

use crate::{
    bootstrap::Bootstrap,
    object::{Object, Py, PyResult, Ref},
    traceback,
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
    m_size: size_of::<*const Events>().cast_signed(),
    m_methods: functions::METHODS.pointer().cast(),
    m_slots: SLOTS.pointer().cast(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
});

/// Makes the module object of this interpreter; [`publish`] makes it importable.
pub(crate) fn make<'py>(py: Py<'py>, events: &'static Events) -> PyResult<Object<'py>> {
    let specification = py.import("_frozen_importlib")?.attribute("ModuleSpec")?;
    let specification = specification.call(&[&*py.text("mod_wsgi")?, &*py.none()])?;
    let definition = DEFINITION.pointer().cast::<ffi::PyModuleDef>();
    // SAFETY: attached; a static definition and a spec with a name.
    let module = unsafe { ffi::PyModule_FromDefAndSpec(definition, specification.as_ptr()) };
    // SAFETY: a new reference or null.
    let module = unsafe { Object::from_new(py, module)? };
    // SAFETY: the module just made of this definition.
    py.check(unsafe { ffi::PyModule_ExecDef(module.as_ptr(), definition) })?;
    // SAFETY: the module; its memory is there once it was executed.
    let place = unsafe { ffi::PyModule_GetState(module.as_ptr()) }.cast::<*const Events>();
    // SAFETY: memory of the module of the size of a pointer, or null.
    if let Some(place) = unsafe { place.as_mut() } {
        *place = events;
    }
    let functions = metrics::METHODS.pointer().cast();
    // SAFETY: the module just made; a terminated static table.
    py.check(unsafe { ffi::PyModule_AddFunctions(module.as_ptr(), functions) })?;
    Ok(module)
}

/// The events of the interpreter of a module that [`make`] has made; `None` for any other object.
fn events_of(module: &Ref<'_>) -> Option<&'static Events> {
    // SAFETY: a live object.
    let definition = unsafe { ffi::PyModule_GetDef(module.as_ptr()) };
    if definition.cast() != DEFINITION.pointer() {
        // SAFETY: attached; what is no module has raised.
        unsafe { ffi::PyErr_Clear() };
        return None;
    }
    // SAFETY: a module of this definition.
    let place = unsafe { ffi::PyModule_GetState(module.as_ptr()) }.cast::<*const Events>();
    // SAFETY: memory of the module of the size of a pointer, or null.
    let events = *unsafe { place.as_ref()? };
    // SAFETY: what `make` has written there is never freed; null before that.
    unsafe { events.as_ref() }
}

/// Sets the attributes of `mod_wsgi` and `apache` and makes both importable.
pub(crate) fn publish(
    module: &Ref<'_>,
    bootstrap: &Bootstrap,
    events: &Events,
    spec: &EngineSpec,
    application_group: &str,
) -> PyResult<()> {
    let py = module.py();
    let own = py.dict()?;
    events.publish(&own)?;
    own.set_item_named("version", &*py.version(version::CONTRACT)?)?;
    own.set_item_named("rs_version", &*py.text(version::OWN)?)?;
    own.set_item_named("process_group", &*py.text(&spec.process_group)?)?;
    own.set_item_named("application_group", &*py.text(application_group)?)?;
    let apache = py.dict()?;
    apache.set_item_named("version", &*py.version(spec.apache_version)?)?;
    apache.set_item_named("description", &*py.text(&spec.server_description)?)?;
    apache.set_item_named("mpm_name", &*py.text(&spec.mpm_name)?)?;
    apache.set_item_named("build_date", &*py.text(&spec.build_date)?)?;
    for (attributes, processes, threads) in [
        (&own, spec.maximum_processes, spec.threads_per_process),
        (&apache, spec.httpd_processes, spec.httpd_threads),
    ] {
        attributes.set_item_named("maximum_processes", &*py.int(processes.into())?)?;
        attributes.set_item_named("threads_per_process", &*py.int(threads.into())?)?;
    }
    let may_import_apache = py.boolean(!spec.is_daemon && application_group.is_empty())?;
    let path = package_path(py, bootstrap);
    bootstrap.call(py, "publish", &[module, &path, &own, &apache, &may_import_apache])?;
    Ok(())
}

/// Where the modules of an installed package `mod_wsgi` are; `None` where there is none.
fn package_path<'py>(py: Py<'py>, bootstrap: &Bootstrap) -> Object<'py> {
    bootstrap.call(py, "package_path", &[]).unwrap_or_else(|raised| {
        let text = "WSGI1025: cannot find out whether there is a package 'mod_wsgi'; its modules \
                    cannot be imported.";
        traceback::write_raised(py, bootstrap, None, text, raised);
        py.none()
    })
}
