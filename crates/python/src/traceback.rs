//! Writing exceptions to the log: a header record, then the traceback, one record a line.

use wsgi_core::{exchange::Exchange, level::Level};

use crate::{
    log,
    object::{Class, Object, Py, Ref},
    state::State,
};

/// The lines of an exception's traceback.
pub(crate) fn lines(py: Py<'_>, state: &State, exception: &Ref<'_>) -> Vec<String> {
    let formatted = state.bootstrap.call(py, "traceback_lines", &[exception]);
    let lines = formatted.and_then(|lines| {
        lines.items()?.iter().map(|line| line.to_text()).collect::<Result<Vec<_>, _>>()
    });
    lines.map_or_else(
        |raised| {
            // Python's own formatting failed (a broken `__str__`, no memory): say what is known.
            raised.clear(py);
            vec![format!("{}: {}", exception.type_name(), exception.describe())]
        },
        |lines| lines.iter().map(|line| log::record(line.as_bytes())).collect(),
    )
}

/// Logs a header record and the traceback at level error.
pub(crate) fn write(
    py: Py<'_>,
    state: &State,
    exchange: Option<&dyn Exchange>,
    header: &str,
    exception: &Ref<'_>,
) {
    let lines = lines(py, state, exception);
    py.detached(|| {
        let log = |record: &str| match exchange {
            Some(exchange) => exchange.log(Level::ERROR, record),
            None => log::current(Level::ERROR, record),
        };
        log(header);
        lines.iter().for_each(|line| log(line));
    });
}

/// Logs an exception that went through an application.
pub(crate) fn write_application(
    py: Py<'_>,
    state: &State,
    exchange: &dyn Exchange,
    script: &str,
    place: &str,
    exception: &Object<'_>,
) {
    let header = if exception.is_exception(Class::SystemExit) {
        format!(
            "WSGI0175: [script {script}] SystemExit exception raised by WSGI script '{script}' for \
             {place}; ignored."
        )
    } else {
        let class = exception.type_name();
        format!(
            "WSGI0174: [script {script}] {class} exception raised processing WSGI script \
             '{script}' for {place}."
        )
    };
    write(py, state, Some(exchange), &header, exception);
}
