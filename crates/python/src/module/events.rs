//! Who has subscribed to the events of an interpreter.
//!
//! Nothing is made for an event that nobody listens to: publishers ask
//! [`Events::has_subscribers`] before they build one. `wsgi/observe.rs` builds those of requests,
//! `announce.rs` those of the process.

use super::active::Active;
use crate::{
    object::{Class, Py, PyResult, Ref, Stored},
    state::State,
    traceback,
};

/// The lists that applications see in the module, and the requests in progress.
#[derive(Debug)]
pub(crate) struct Events {
    /// `mod_wsgi.event_callbacks`
    callbacks: Stored,
    /// `mod_wsgi.shutdown_callbacks`
    shutdown: Stored,
    /// `mod_wsgi.signal_callbacks`
    signals: Stored,
    /// The requests in progress.
    pub(crate) active: Active,
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
            active: Active::default(),
            hears_signals,
        })
    }

    /// Sets the attributes of the module.
    pub(crate) fn publish(&self, own: &Ref<'_>) -> PyResult<()> {
        let py = own.py();
        own.set_item_named("event_callbacks", self.callbacks.get(py))?;
        own.set_item_named("shutdown_callbacks", self.shutdown.get(py))?;
        own.set_item_named("signal_callbacks", self.signals.get(py))
    }

    /// Whether anybody listens to the events of requests.
    pub(crate) fn has_subscribers(&self, py: Py<'_>) -> bool {
        !self.callbacks.get(py).is_empty_list()
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

/// Calls the subscribers of a topic, as they are now, one after the other. What one of them raises
/// is logged, apart from `RequestTimeout`: that is meant for the request, and is raised here.
pub(crate) fn publish(
    py: Py<'_>,
    state: &State,
    topic: Topic,
    name: &str,
    event: &Ref<'_>,
) -> PyResult<()> {
    let shown = py.text(name)?;
    for callback in state.events.list(py, topic).items()? {
        match callback.call_named(&[&shown], event) {
            Ok(result) if result.is_dict() => event.update(&result)?,
            Ok(_) => {}
            Err(raised) => {
                let Some(exception) = raised.take(py) else { continue };
                if exception.is_instance(state.request_timeout.get(py)) {
                    return Err(py.raise_object(&exception));
                }
                report(py, state, name, &exception);
            }
        }
    }
    Ok(())
}

fn report(py: Py<'_>, state: &State, event: &str, exception: &Ref<'_>) {
    let text = if exception.is_exception(Class::SystemExit) {
        format!("WSGI0190: SystemExit exception raised by event callback for '{event}'; ignored.")
    } else {
        let class = exception.type_name();
        format!("WSGI0112: {class} exception raised by event callback for '{event}'.")
    };
    traceback::write(py, &state.bootstrap, None, &text, exception);
}
