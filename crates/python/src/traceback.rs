//! Writing exceptions to the log: one record each, a header line and the lines of the traceback.

use wsgi_core::{exchange::Exchange, level::Level};

use crate::{
    bootstrap::Bootstrap,
    interpreter::Interpreter,
    log,
    object::{Class, Object, Py, Raised, Ref},
};

/// The lines of an exception's traceback.
pub(crate) fn lines(py: Py<'_>, bootstrap: &Bootstrap, exception: &Ref<'_>) -> Vec<String> {
    let formatted = bootstrap.call(py, "traceback_lines", &[exception]);
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

/// Logs a header line and the traceback at level error, in one piece so that they stay together.
pub(crate) fn write(
    py: Py<'_>,
    bootstrap: &Bootstrap,
    exchange: Option<&dyn Exchange>,
    header: &str,
    exception: &Ref<'_>,
) {
    let record = format!("{header}\n{}", lines(py, bootstrap, exception).join("\n"));
    py.detached(|| match exchange {
        Some(exchange) => exchange.log(Level::ERROR, &record, None),
        None => log::current(Level::ERROR, &record),
    });
}

/// Takes the raised exception and logs it as [`write`] does.
pub(crate) fn write_raised(
    py: Py<'_>,
    bootstrap: &Bootstrap,
    exchange: Option<&dyn Exchange>,
    header: &str,
    raised: Raised,
) {
    if let Some(exception) = raised.take(py) {
        write(py, bootstrap, exchange, header, &exception);
    }
}

/// Says what to do about an extension module that is not made for several interpreters, where
/// that is what the exception is about.
pub(crate) fn write_remedy(
    py: Py<'_>,
    interpreter: &Interpreter,
    script: &str,
    exception: &Ref<'_>,
) {
    if interpreter.name.is_empty() {
        return;
    }
    let refusal = interpreter.state.bootstrap.call(py, "refusal_of", &[exception]);
    let refusal =
        refusal.and_then(|text| if text.is_none() { Ok(None) } else { text.to_text().map(Some) });
    match refusal {
        Ok(None) => {}
        Ok(Some(refusal)) => {
            let lock = if interpreter.owns_lock {
                ", or without a lock of its own (WSGIPerInterpreterGIL Off)"
            } else {
                ""
            };
            let text = format!(
                "WSGI1026: [script {script}] An extension module does not work in {}: {refusal}. \
                 Run the application in the main interpreter (WSGIApplicationGroup %{{GLOBAL}}){lock}.",
                interpreter.place
            );
            py.detached(|| log::current(Level::ERROR, &text));
        }
        // Nothing more can be found out.
        Err(raised) => raised.clear(py),
    }
}

/// Logs an exception that went through an application.
pub(crate) fn write_application(
    py: Py<'_>,
    bootstrap: &Bootstrap,
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
    write(py, bootstrap, Some(exchange), &header, exception);
}
