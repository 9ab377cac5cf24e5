//! The requests that are in progress in an interpreter, and `mod_wsgi.active_requests`.
//!
//! Hardly any application looks, so a request leaves no more than a pointer here: the dictionary is
//! made when somebody asks for it and kept from then on, and a request's data when that is asked
//! for.

use std::sync::{Arc, Mutex, OnceLock};

use wsgi_core::{
    head::{Key, RequestHead},
    keys::number,
};

use crate::{
    lease::{Lease, lock},
    object::{Object, Py, PyResult, Ref, Stored},
};

/// Name of the dictionary in the module.
pub(super) const NAME: &str = "active_requests";

/// The requests in progress.
#[derive(Debug, Default)]
pub(crate) struct Active {
    requests: Mutex<Vec<Arc<Lease>>>,
    /// Request id to request data, once somebody has asked.
    shown: OnceLock<Stored>,
}

impl Active {
    /// The dictionary; it is kept up to date from now on.
    pub(super) fn show<'py>(&self, py: Py<'py>) -> PyResult<Object<'py>> {
        let made = py.dict()?;
        let shown = self.shown.get_or_init(|| Stored::new(made)).get(py);
        let requests = lock(&self.requests).clone();
        for lease in &requests {
            self.add(py, shown, lease)?;
        }
        Ok(shown.to_object())
    }

    fn add(&self, py: Py<'_>, shown: &Ref<'_>, lease: &Arc<Lease>) -> PyResult<()> {
        let Some((Some(id), data)) = lease.progress(py)? else { return Ok(()) };
        shown.set_item(&id, &data)?;
        // It may have ended in the meantime, without finding itself.
        if !lock(&self.requests).iter().any(|other| Arc::ptr_eq(other, lease)) {
            forget(py, shown, &id);
        }
        Ok(())
    }

    /// Takes a request in until what is returned is dropped.
    pub(crate) fn begin<'a, 'py>(
        &'a self,
        py: Py<'py>,
        lease: &'a Arc<Lease>,
    ) -> PyResult<InProgress<'a, 'py>> {
        lease.begin_progress();
        lock(&self.requests).push(Arc::clone(lease));
        let request = InProgress { py, active: self, lease };
        if let Some(shown) = self.shown.get() {
            self.add(py, shown.get(py), lease)?;
        }
        Ok(request)
    }
}

/// A request that is in progress until this is dropped.
#[derive(Debug)]
pub(crate) struct InProgress<'a, 'py> {
    py: Py<'py>,
    active: &'a Active,
    lease: &'a Arc<Lease>,
}

impl Drop for InProgress<'_, '_> {
    fn drop(&mut self) {
        let py = self.py;
        let mut requests = lock(&self.active.requests);
        if let Some(place) = requests.iter().position(|other| Arc::ptr_eq(other, self.lease)) {
            requests.swap_remove(place);
        }
        drop(requests);
        let Some(told) = self.lease.end_progress() else { return };
        let (id, data) = told.take(py);
        if let (Some(id), Some(shown)) = (&id, self.active.shown.get()) {
            forget(py, shown.get(py), id);
        }
        drop(data);
    }
}

/// Takes a request out of the dictionary, unless somebody else has done so: the application may, and
/// so may the thread that ends it while another one adds it.
fn forget(py: Py<'_>, shown: &Ref<'_>, id: &Ref<'_>) {
    if let Err(raised) = shown.remove_item(id) {
        raised.clear(py);
    }
}

/// How far a request is, and what has been told about it.
#[derive(Debug, Default)]
pub(crate) enum Progress {
    /// Not in progress in its interpreter.
    #[default]
    Outside,
    /// In progress, and nobody has asked.
    Unasked,
    /// Somebody has its id and its data.
    Told(Told),
}

/// A request as its events show it.
#[derive(Debug)]
pub(crate) struct Told {
    id: Option<Stored>,
    data: Stored,
}

impl Told {
    /// The id is found in the head.
    pub(crate) fn make(py: Py<'_>, head: Option<&RequestHead<'_>>) -> PyResult<Self> {
        const ID: u16 = number("mod_wsgi.request_id");
        let id = head.and_then(|head| entry(head, ID)).map(|id| py.latin1(id)).transpose()?;
        Ok(Self { id: id.map(Stored::new), data: Stored::new(py.dict()?) })
    }

    /// Its id, and `mod_wsgi.request_data()`.
    pub(crate) fn get<'py>(&self, py: Py<'py>) -> (Option<Object<'py>>, Object<'py>) {
        (self.id.as_ref().map(|id| id.get(py).to_object()), self.data.get(py).to_object())
    }

    /// The same, no longer kept here.
    pub(crate) fn take(self, py: Py<'_>) -> (Option<Object<'_>>, Object<'_>) {
        (self.id.map(|id| id.take(py)), self.data.take(py))
    }
}

/// The value of a well-known key of the environ.
pub(crate) fn entry<'a>(head: &RequestHead<'a>, number: u16) -> Option<&'a [u8]> {
    head.entries().find(|(key, _)| *key == Key::Known(number)).and_then(|(_, value)| value)
}
