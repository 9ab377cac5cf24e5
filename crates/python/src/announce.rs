//! Events of the process: signals, and that it is about to end.
//!
//! Every function waits for the lock of one interpreter and runs code of the application there, for as
//! long as that likes: the caller has a thread for it.

use wsgi_core::level::Level;

use crate::{
    interpreter::Interpreter,
    log,
    module::events::{self, Topic},
    object::{Py, PyResult, Ref},
    runtime::Runtime,
};

impl Runtime {
    /// The application groups that have an interpreter.
    pub fn application_groups(&self) -> Vec<String> {
        let mut groups = vec![String::new()];
        groups.extend(self.interpreters().others().iter().map(|other| other.name.clone()));
        groups
    }

    /// Tells the subscribers of one interpreter that the process is about to end.
    pub fn announce_stop(&self, group: &str, reason: &str) {
        self.announce(group, "WSGI0104", |py, interpreter| {
            let event = py.dict()?;
            event.set_item_named("shutdown_reason", &*py.text(reason)?)?;
            publish(py, interpreter, Topic::Shutdown, "process_stopping", &event)
        });
    }

    /// Tells the subscribers of one interpreter that the process was sent a signal.
    pub fn announce_signal(&self, group: &str, name: &str, number: i32) {
        self.announce(group, "WSGI0209", |py, interpreter| {
            let event = py.dict()?;
            event.set_item_named("signame", &*py.text(name)?)?;
            event.set_item_named("signum", &*py.int(number.into())?)?;
            publish(py, interpreter, Topic::Signals, "process_signal", &event)
        });
    }

    fn announce(
        &self,
        group: &str,
        tag: &str,
        tell: impl FnOnce(Py<'_>, &Interpreter) -> PyResult<()>,
    ) {
        let Some(interpreter) = self.interpreters().find(group.as_bytes()) else { return };
        let Some(attached) = interpreter.attach() else { return };
        let py = attached.py();
        if let Err(raised) = tell(py, interpreter) {
            let reason = raised.take(py).map_or_else(String::new, |exception| exception.describe());
            let place = &interpreter.place;
            let text =
                format!("{tag}: cannot publish an event of the process in {place}: {reason}");
            py.detached(|| log::process(Level::ERROR, &text));
        }
    }
}

/// Who listens to everything hears it first, and those who asked for the topic after them.
fn publish(
    py: Py<'_>,
    interpreter: &Interpreter,
    topic: Topic,
    name: &str,
    event: &Ref<'_>,
) -> PyResult<()> {
    events::publish(py, &interpreter.state, Topic::Everything, name, event)?;
    events::publish(py, &interpreter.state, topic, name, event)
}
