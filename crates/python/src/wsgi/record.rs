//! `apache.request_rec`: httpd's own record of a request, as a capsule for extension modules that
//! know httpd (WSGIPassApacheRequest). There is none in daemons.

use std::ffi::CStr;

use pyo3_ffi as ffi;
use wsgi_core::{
    exchange::Exchange,
    head::{RequestHead, flag},
};

use crate::object::{Object, Py, PyResult, Ref};

/// What a capsule is called when its request is over. Before that it has no name, and who asks for
/// its pointer has to give the right one: a capsule that somebody has kept gives nothing away.
const EXPIRED: &CStr = c"request completed";

/// A capsule while its request lasts.
#[derive(Debug)]
pub(crate) struct Record<'py>(Object<'py>);

impl<'py> Record<'py> {
    /// The record of a request, where the configuration allows it to be seen. Called before anybody
    /// else has the exchange.
    pub(crate) fn lend(
        py: Py<'py>,
        head: &RequestHead<'_>,
        exchange: &dyn Exchange,
    ) -> PyResult<Option<Self>> {
        if !head.has(flag::PASS_RECORD) {
            return Ok(None);
        }
        let record = exchange.request_record();
        if record.is_null() {
            return Ok(None);
        }
        // SAFETY: attached; not null; neither name nor destructor.
        let capsule = unsafe { ffi::PyCapsule_New(record, std::ptr::null(), None) };
        // SAFETY: a new reference or null.
        Ok(Some(Self(unsafe { Object::from_new(py, capsule)? })))
    }

    /// Adds the capsule to an environ.
    pub(crate) fn add_to(&self, environ: &Ref<'_>) -> PyResult<()> {
        environ.set_item_named("apache.request_rec", &self.0)
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        // SAFETY: a live capsule and a static name.
        if unsafe { ffi::PyCapsule_SetName(self.0.as_ptr(), EXPIRED.as_ptr()) } != 0 {
            // SAFETY: attached. Fails for what is no capsule only.
            unsafe { ffi::PyErr_Clear() };
        }
    }
}
