//! The course of a question: the interpreter, the script as it is now, the function, the verdict.

use std::sync::Arc;

use wsgi_core::{
    decide::{ALLOW_ACCESS, CHECK_PASSWORD, GET_REALM_HASH, GROUPS_FOR_USER, Question, Verdict},
    exchange::Exchange,
    head::{Key, RequestHead},
    level::Level,
    version,
};

use super::verdict;
use crate::{
    interpreter::Interpreter,
    lease::Lease,
    loader,
    log::Serving,
    object::{Object, Py, PyResult, Ref},
    runtime::Runtime,
    script::{self, Found, Loaded},
    traceback,
    types::tls,
    wsgi::{engine, environ, errors::ErrorStream, record::Record},
};

/// One question on its way.
pub(super) struct Asking<'a> {
    pub(super) interpreter: &'static Interpreter,
    pub(super) head: &'a RequestHead<'a>,
    pub(super) exchange: &'a dyn Exchange,
    lease: &'a Arc<Lease>,
}

impl Asking<'_> {
    /// The script as log records show it.
    fn script(&self) -> String {
        String::from_utf8_lossy(self.head.script).into_owned()
    }

    /// Logs why there is no verdict, and is it.
    pub(super) fn failed(&self, py: Py<'_>, tag: &str, why: &str) -> Verdict {
        let script = self.script();
        let text = format!("{tag}: [script {script}] {why}");
        py.detached(|| self.exchange.log(Level::ERROR, &text, None));
        Verdict::Failed
    }
}

/// Asks the script. Called detached.
pub(crate) fn ask(
    runtime: &Runtime,
    question: &Question<'_>,
    head: &RequestHead<'_>,
    exchange: &dyn Exchange,
    lease: &Arc<Lease>,
) -> Verdict {
    let _serving = Serving::begin(lease, None);
    let interpreter = match runtime.interpreters().get(head.application_group, runtime.spec()) {
        Ok(interpreter) => interpreter,
        Err(reason) => {
            let name = String::from_utf8_lossy(head.application_group);
            let tag = no_interpreter(question);
            let text = format!("{tag}: cannot acquire interpreter '{name}': {reason}");
            exchange.log(Level::ERROR, &text, None);
            return Verdict::Failed;
        }
    };
    // A file that has vanished has changed: nobody can say any more what it would decide.
    let mut head = head.clone();
    head.script_mtime = script::modification_time(head.script).unwrap_or(1);
    let head = &head;
    // None means that a process is to be replaced: never one of httpd's.
    let Some(found) = engine::current_script(runtime, interpreter, head) else {
        return Verdict::Failed;
    };
    let Some(attached) = interpreter.attach() else { return Verdict::Failed };
    let asking = Asking { interpreter, head, exchange, lease };
    let verdict = decide(attached.py(), runtime, &asking, question, found);
    drop(attached);
    engine::end(lease);
    verdict
}

/// The tag of a record about an interpreter that is not there.
fn no_interpreter(question: &Question<'_>) -> &'static str {
    match question {
        Question::Password { .. } => "WSGI0042",
        Question::RealmHash { .. } => "WSGI0045",
        Question::Groups { .. } => "WSGI0048",
        Question::Access { .. } => "WSGI0054",
        Question::Dispatch => "WSGI0085",
    }
}

/// Loads the script if need be and asks it.
fn decide(
    py: Py<'_>,
    runtime: &Runtime,
    asking: &Asking<'_>,
    question: &Question<'_>,
    found: Found,
) -> Verdict {
    let (path, ignores_case) = (asking.head.script, runtime.spec().ignores_case);
    let tags = loader::IN_REQUEST;
    let loaded = match loader::obtain(py, asking.interpreter, path, ignores_case, found, tags) {
        Ok(loaded) => loaded,
        Err(_is_logged) => return Verdict::Failed,
    };
    let verdict = run(py, asking, question, &loaded).unwrap_or_else(|raised| {
        if let Some(exception) = raised.take(py) {
            let (script, place) = (asking.script(), &asking.interpreter.place);
            let bootstrap = &asking.interpreter.state.bootstrap;
            let exchange = asking.exchange;
            traceback::write_application(py, bootstrap, exchange, &script, place, &exception);
        }
        Verdict::Failed
    });
    script::release(py, loaded);
    verdict
}

/// Calls the function, or the functions, of the script.
fn run(
    py: Py<'_>,
    asking: &Asking<'_>,
    question: &Question<'_>,
    loaded: &Loaded,
) -> PyResult<Verdict> {
    let state = &asking.interpreter.state;
    let errors = ErrorStream::open(py, state, asking.lease)?;
    let environ = make_environ(py, asking, question, errors.text())?;
    let record = Record::lend(py, asking.head, asking.exchange)?;
    if let Some(record) = &record {
        record.add_to(&environ)?;
    }
    let module = loaded.module.get(py);
    let function = |name: &str| module.attribute_if_any(&*py.interned(name)?);
    let verdict = match *question {
        Question::Access { host } => match function(ALLOW_ACCESS)? {
            Some(function) => {
                let host = py.latin1(host)?;
                verdict::access(py, asking, &*function.call(&[&environ, &host])?)
            }
            None => missing(py, asking, "WSGI0056", "host validator", ALLOW_ACCESS),
        },
        Question::Password { user, password } => match function(CHECK_PASSWORD)? {
            Some(function) => {
                let (user, password) = (py.latin1(user)?, py.latin1(password)?);
                verdict::password(py, asking, &*function.call(&[&environ, &user, &password])?)?
            }
            None => missing(py, asking, "WSGI0043", "user authentication", CHECK_PASSWORD),
        },
        Question::RealmHash { user, realm } => match function(GET_REALM_HASH)? {
            Some(function) => {
                let (user, realm) = (py.latin1(user)?, py.latin1(realm)?);
                verdict::realm_hash(py, asking, &*function.call(&[&environ, &user, &realm])?)?
            }
            None => missing(py, asking, "WSGI0046", "user authentication", GET_REALM_HASH),
        },
        Question::Groups { user } => match function(GROUPS_FOR_USER)? {
            Some(function) => {
                let user = py.latin1(user)?;
                verdict::groups(py, asking, &*function.call(&[&environ, &user])?)?
            }
            None => missing(py, asking, "WSGI0052", "group authentication", GROUPS_FOR_USER),
        },
        Question::Dispatch => verdict::changes(py, |name| match function(name)? {
            Some(function) => function.call(&[&environ]).map(Some),
            None => Ok(None),
        })?,
    };
    drop(environ);
    errors.close(state);
    Ok(verdict)
}

fn missing(py: Py<'_>, asking: &Asking<'_>, tag: &str, kind: &str, name: &str) -> Verdict {
    let script = asking.script();
    let why = format!("Target WSGI {kind} script '{script}' does not provide a function '{name}'.");
    asking.failed(py, tag, &why)
}

/// The environ of a deciding script: what httpd tells, and who is asked. There is no body to be
/// read yet, and no application.
fn make_environ<'py>(
    py: Py<'py>,
    asking: &Asking<'_>,
    question: &Question<'_>,
    errors: &Ref<'py>,
) -> PyResult<Object<'py>> {
    let environ = py.dict()?;
    let state = &asking.interpreter.state;
    for (key, value) in asking.head.entries() {
        match key {
            Key::Known(number) => {
                if let Some(key) = state.key(number) {
                    environ.set_item(key.get(py), &*environ::decode(py, number, value)?)?;
                }
            }
            Key::Other(key) => {
                environ.set_item(&*py.latin1(key)?, &*environ::decode(py, 0, value)?)?;
            }
        }
    }
    environ.set_item_named("mod_wsgi.version", &*py.version(version::CONTRACT)?)?;
    environ.set_item_named("apache.version", &*state.apache_version(py)?)?;
    environ.set_item_named("mod_wsgi.process_group", &*py.text("")?)?;
    let group = py.text(&asking.interpreter.name)?;
    environ.set_item_named("mod_wsgi.application_group", &group)?;
    environ.set_item_named("wsgi.errors", errors)?;
    if *question != Question::Dispatch {
        let tls = tls::new(py, state.tls.get(py), Arc::clone(asking.lease))?;
        environ.set_item_named("mod_ssl.is_https", &*tls.attribute("is_https")?)?;
        environ.set_item_named("mod_ssl.var_lookup", &*tls.attribute("var_lookup")?)?;
    }
    Ok(environ)
}
