//! Who has subscribed to the events of an interpreter, and which requests are in progress in it.

use std::sync::Arc;

use wsgi_core::{
    head::{Key, RequestHead},
    keys::number,
};

use crate::{
    lease::Lease,
    object::{Object, Py, PyResult, Ref, Stored},
};

/// The lists and the dictionary that applications see in the module.
#[derive(Debug)]
pub(crate) struct Events {
    /// `mod_wsgi.event_callbacks`
    callbacks: Stored,
    /// `mod_wsgi.shutdown_callbacks`
    shutdown: Stored,
    /// `mod_wsgi.signal_callbacks`
    signals: Stored,
    /// `mod_wsgi.active_requests`
    active: Stored,
    /// Whether signals are delivered to this process: a daemon.
    hears_signals: bool,
}

/// What somebody can subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// All events.
    Everything,
    /// `process_stopping`.
    Shutdown,
    /// `process_signal`.
    Signals,
}

impl Events {
    /// No subscriber, no request.
    pub(crate) fn make(py: Py<'_>, hears_signals: bool) -> PyResult<Self> {
        let list = || py.list(Vec::new()).map(Stored::new);
        Ok(Self {
            callbacks: list()?,
            shutdown: list()?,
            signals: list()?,
            active: Stored::new(py.dict()?),
            hears_signals,
        })
    }

    /// Sets the attributes of the module.
    pub(crate) fn publish(&self, own: &Ref<'_>) -> PyResult<()> {
        let py = own.py();
        own.set_item_named("event_callbacks", self.callbacks.get(py))?;
        own.set_item_named("shutdown_callbacks", self.shutdown.get(py))?;
        own.set_item_named("signal_callbacks", self.signals.get(py))?;
        own.set_item_named("active_requests", self.active.get(py))
    }

    /// Whether process signals reach subscribers.
    pub(crate) fn hears_signals(&self) -> bool {
        self.hears_signals
    }

    /// The list of a topic.
    pub(crate) fn list<'a, 'py: 'a>(&'a self, py: Py<'py>, topic: Topic) -> &'a Ref<'py> {
        match topic {
            Topic::Everything => &self.callbacks,
            Topic::Shutdown => &self.shutdown,
            Topic::Signals => &self.signals,
        }
        .get(py)
    }
}

/// A request that is in progress until this is dropped.
#[derive(Debug)]
pub(crate) struct Active<'a, 'py> {
    py: Py<'py>,
    events: &'a Events,
    lease: &'a Arc<Lease>,
    /// Its key in `active_requests`.
    id: Option<Object<'py>>,
}

impl<'a, 'py> Active<'a, 'py> {
    /// Gives the request its data.
    pub(crate) fn begin(
        py: Py<'py>,
        events: &'a Events,
        head: &RequestHead<'_>,
        lease: &'a Arc<Lease>,
    ) -> PyResult<Self> {
        let data = py.dict()?;
        let id = match request_id(head) {
            Some(id) => Some(py.latin1(id)?),
            None => None,
        };
        if let Some(id) = &id {
            events.active.get(py).set_item(id, &data)?;
        }
        lease.set_data(Some(Stored::new(data)));
        Ok(Self { py, events, lease, id })
    }
}

impl Drop for Active<'_, '_> {
    fn drop(&mut self) {
        let py = self.py;
        if let Some(data) = self.lease.set_data(None) {
            drop(data.take(py));
        }
        if let Some(id) = &self.id
            && let Err(raised) = self.events.active.get(py).remove_item(id)
        {
            // The application has removed it.
            raised.clear(py);
        }
    }
}

/// httpd's id of the request.
pub(crate) fn request_id<'a>(head: &RequestHead<'a>) -> Option<&'a [u8]> {
    const ID: u16 = number("mod_wsgi.request_id");
    head.entries().find(|(key, _)| *key == Key::Known(ID)).and_then(|(_, value)| value)
}
