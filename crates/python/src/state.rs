//! What an interpreter keeps for its requests: types, key strings, constants.
//!
//! Made once per interpreter and never freed: instances and threads may refer to it until the
//! process ends.

use wsgi_core::{control::EngineSpec, interpreters::Settings, keys, level::Level, version};

use crate::{
    bootstrap::Bootstrap,
    config, log,
    metrics::collector,
    module::{self, events::Events},
    object::{Class, Object, Py, PyResult, Ref, Stored},
    traceback,
    types::{
        adapter, file_wrapper, input,
        log_stream::{self, Standard, Target},
        tls,
    },
    wsgi::{errors::IdleStreams, template::Template},
};

/// The name of most applications.
pub(crate) const DEFAULT_CALLABLE: &str = "application";

/// The state of one interpreter.
#[derive(Debug)]
pub(crate) struct State {
    /// `bootstrap.py`.
    pub(crate) bootstrap: Bootstrap,
    /// `mod_wsgi.Input`.
    pub(crate) input: Stored,
    /// The same for bodies that can be read in any order.
    pub(crate) seekable_input: Stored,
    /// `mod_wsgi.Log`.
    pub(crate) log: Stored,
    /// `mod_wsgi.Adapter`.
    pub(crate) adapter: Stored,
    /// `mod_wsgi.Tls`.
    pub(crate) tls: Stored,
    /// `mod_wsgi.FileWrapper`.
    pub(crate) file_wrapper: Stored,
    /// `mod_wsgi.RequestTimeout`.
    pub(crate) request_timeout: Stored,
    /// `io.TextIOWrapper` and its arguments after the stream, as in `bootstrap.py`.
    text_stream: [Stored; 6],
    /// Streams for `wsgi.errors`.
    pub(crate) idle_streams: IdleStreams,
    /// The name `close`.
    pub(crate) close: Stored,
    /// The strings of [`keys::KEYS`], in their order.
    pub(crate) keys: Vec<Stored>,
    /// The keys that this crate adds.
    pub(crate) own_keys: OwnKeys,
    /// `https`.
    pub(crate) https: Stored,
    /// [`DEFAULT_CALLABLE`].
    pub(crate) default_callable: Stored,
    /// Subscribers, and requests in progress. The module points to it.
    pub(crate) events: &'static Events,
    /// What environs are copied from.
    pub(crate) template: Template,
    /// The version of httpd.
    apache_version: (u32, u32, u32),
}

macro_rules! own_keys {
    ($($field:ident = $text:literal),* $(,)?) => {
        /// Keys whose values differ from request to request.
        #[derive(Debug)]
        pub(crate) struct OwnKeys {
            $(#[doc = $text] pub(crate) $field: Stored,)*
        }

        impl OwnKeys {
            fn make(py: Py<'_>) -> PyResult<Self> {
                Ok(Self { $($field: Stored::new(py.interned($text)?),)* })
            }
        }
    };
}

own_keys! {
    url_scheme = "wsgi.url_scheme",
    input = "wsgi.input",
    errors = "wsgi.errors",
    callable_object = "mod_wsgi.callable_object",
    request_start = "mod_wsgi.request_start",
    queue_start = "mod_wsgi.queue_start",
    daemon_start = "mod_wsgi.daemon_start",
    application_start = "mod_wsgi.application_start",
    thread_id = "mod_wsgi.thread_id",
    is_aborted = "mod_wsgi.is_aborted",
}

impl State {
    /// Makes everything and publishes the modules, in the order of the contract.
    pub(crate) fn make(
        py: Py<'_>,
        spec: &EngineSpec,
        application_group: &str,
        owns_lock: bool,
    ) -> PyResult<Self> {
        let bootstrap = Bootstrap::load(py)?;
        // Never freed, as all of this.
        let events: &'static Events = Box::leak(Box::new(Events::make(py, spec.is_daemon)?));
        let module = module::make(py, events)?;
        let log = log_stream::make(&module)?;
        let settings = spec.interpreters.interpreter(application_group);
        restrict(py, spec, &settings, &bootstrap, &log)?;
        prepare(py, spec, &bootstrap)?;
        set_switch_interval(py, spec, application_group, owns_lock, &bootstrap)?;
        extend_path(py, spec, &settings, &bootstrap)?;
        let file_wrapper = file_wrapper::make(&module)?;
        module.set_attribute("FileWrapper", &file_wrapper)?;
        let request_timeout = make_request_timeout(py)?;
        module.set_attribute("RequestTimeout", &request_timeout)?;
        module::publish(&module, &bootstrap, events, spec, application_group)?;
        if spec.telemetry.is_some() {
            collector::watch(py, &bootstrap, application_group)?;
        }
        let mut key_objects = Vec::with_capacity(keys::KEYS.len());
        for key in keys::KEYS {
            key_objects.push(Stored::new(py.interned(key)?));
        }
        let text_stream = [
            py.import("io")?.attribute("TextIOWrapper")?,
            py.text("utf-8")?,
            py.text("replace")?,
            py.none(),
            py.boolean(true)?,
            py.boolean(true)?,
        ];
        Ok(Self {
            input: Stored::new(input::make(&module)?),
            seekable_input: Stored::new(input::make_seekable(&module)?),
            adapter: Stored::new(adapter::make(&module)?),
            tls: Stored::new(tls::make(&module)?),
            template: Template::new(constants(py, spec, application_group, &file_wrapper)?),
            log: Stored::new(log),
            file_wrapper: Stored::new(file_wrapper),
            request_timeout: Stored::new(request_timeout),
            text_stream: text_stream.map(Stored::new),
            idle_streams: IdleStreams::default(),
            close: Stored::new(py.interned("close")?),
            keys: key_objects,
            own_keys: OwnKeys::make(py)?,
            https: Stored::new(py.interned("https")?),
            default_callable: Stored::new(py.interned(DEFAULT_CALLABLE)?),
            apache_version: spec.apache_version,
            events,
            bootstrap,
        })
    }

    /// The text stream over a log: complete lines go through at once.
    pub(crate) fn text_stream<'py>(&self, py: Py<'py>, log: &Ref<'_>) -> PyResult<Object<'py>> {
        let [class, encoding, errors, newline, is_line_buffered, writes_through] =
            &self.text_stream;
        class.get(py).call(&[
            log,
            encoding.get(py),
            errors.get(py),
            newline.get(py),
            is_line_buffered.get(py),
            writes_through.get(py),
        ])
    }

    /// `apache.version`.
    pub(crate) fn apache_version<'py>(&self, py: Py<'py>) -> PyResult<Object<'py>> {
        py.version(self.apache_version)
    }

    /// The key object of a number of [`keys::KEYS`].
    pub(crate) fn key(&self, number: u16) -> Option<&Stored> {
        self.keys.get(usize::from(number).checked_sub(1)?)
    }
}

/// Streams, program name and signals: first of all, so that nothing gets hold of others.
fn restrict(
    py: Py<'_>,
    spec: &EngineSpec,
    settings: &Settings,
    bootstrap: &Bootstrap,
    log: &Ref<'_>,
) -> PyResult<()> {
    let error = log_stream::new(py, log, Target::Process(Standard::Error))?;
    let output = log_stream::new(py, log, Target::Process(Standard::Output))?;
    bootstrap.call(py, "set_streams", &[&error, &output])?;
    let streams = [("stdin", settings.restricts_stdin), ("stdout", settings.restricts_stdout)];
    // Under httpd -X somebody sits at the terminal, maybe in a debugger.
    for (name, _) in
        streams.iter().filter(|(_, is_on)| *is_on == Some(true) && !spec.is_single_process)
    {
        bootstrap.call(py, "restrict_stream", &[&*py.text(name)?])?;
    }
    if settings.restricts_signal != Some(false) && !spec.is_service() {
        bootstrap.call(py, "restrict_signals", &[&error])?;
    }
    Ok(())
}

/// Environment, and what else is set before anything of the application is imported.
fn prepare(py: Py<'_>, spec: &EngineSpec, bootstrap: &Bootstrap) -> PyResult<()> {
    bootstrap.call(py, "warm_up", &[])?;
    let user = optional(py, spec.user.as_ref().map(|(name, _)| name))?;
    let home = optional(py, spec.user.as_ref().map(|(_, home)| home))?;
    let eggs = optional(py, spec.python_eggs.as_ref())?;
    bootstrap.call(py, "correct_environment", &[&user, &home, &eggs])?;
    Ok(())
}

/// Sets the switch interval, with the interpreter whose lock it belongs to.
fn set_switch_interval(
    py: Py<'_>,
    spec: &EngineSpec,
    application_group: &str,
    owns_lock: bool,
    bootstrap: &Bootstrap,
) -> PyResult<()> {
    if config::runs_without_lock(spec) {
        return Ok(());
    }
    let (interval, is_left_out) =
        spec.interpreters.switch_interval(application_group, owns_lock, spec.switch_interval);
    if is_left_out {
        let text = format!(
            "WSGI0199: WSGISwitchInterval for application group '{application_group}' has no \
             effect: the interpreter shares its lock with others."
        );
        py.detached(|| log::process(Level::WARNING, &text));
    }
    // Another interpreter with the same lock would undo what an application has set meanwhile.
    let is_first = owns_lock || application_group.is_empty();
    if let Some(interval) = interval.filter(|_| is_first) {
        let interval = i64::try_from(interval).unwrap_or(i64::MAX);
        bootstrap.call(py, "set_switch_interval", &[&*py.int(interval)?])?;
    }
    Ok(())
}

/// Puts directories at the front of the module search path.
fn extend_path(
    py: Py<'_>,
    spec: &EngineSpec,
    settings: &Settings,
    bootstrap: &Bootstrap,
) -> PyResult<()> {
    // The first is to be the first of sys.path, and each goes in front of what is there.
    for directory in settings.python_path.iter().chain(&spec.python_path).rev() {
        let added = py
            .file_name(directory.as_bytes())
            .and_then(|name| bootstrap.call(py, "add_directory", &[&name]));
        if let Err(raised) = added {
            let text = format!("WSGI0094: cannot add '{directory}' to the module search path.");
            traceback::write_raised(py, bootstrap, None, &text, raised);
        }
    }
    if let Some(home) = &spec.home {
        bootstrap.call(py, "put_first", &[&*py.file_name(home.as_bytes())?])?;
    }
    Ok(())
}

fn optional<'py>(py: Py<'py>, text: Option<&String>) -> PyResult<Object<'py>> {
    match text {
        Some(text) => py.file_name(text.as_bytes()),
        None => Ok(py.none()),
    }
}

fn make_request_timeout<'py>(py: Py<'py>) -> PyResult<Object<'py>> {
    let name = c"mod_wsgi.RequestTimeout";
    let (base, no_dict) = (Class::Base.as_ptr(), std::ptr::null_mut());
    // SAFETY: attached; a C string and a class.
    let class = unsafe { pyo3_ffi::PyErr_NewException(name.as_ptr(), base, no_dict) };
    // SAFETY: a new reference or null.
    unsafe { Object::from_new(py, class) }
}

/// The entries of an environ that no request changes, and those that few requests change.
fn constants<'py>(
    py: Py<'py>,
    spec: &EngineSpec,
    application_group: &str,
    file_wrapper: &Ref<'_>,
) -> PyResult<Object<'py>> {
    let dict = py.dict()?;
    let set = |key: &str, value: &Ref<'_>| dict.set_item(&*py.interned(key)?, value);
    let (one, zero) = (py.int(1)?, py.int(0)?);
    set("wsgi.version", &*py.tuple(&[&*one, &*zero])?)?;
    set("wsgi.input_terminated", &*py.boolean(true)?)?;
    set("wsgi.multithread", &*py.boolean(spec.multithread)?)?;
    set("wsgi.multiprocess", &*py.boolean(spec.multiprocess)?)?;
    set("wsgi.run_once", &*py.boolean(spec.run_once)?)?;
    set("wsgi.file_wrapper", file_wrapper)?;
    set("mod_wsgi.version", &*py.version(version::CONTRACT)?)?;
    set("apache.version", &*py.version(spec.apache_version)?)?;
    set("mod_wsgi.process_group", &*py.text(&spec.process_group)?)?;
    set("mod_wsgi.application_group", &*py.text(application_group)?)?;
    set("wsgi.url_scheme", &*py.interned("http")?)?;
    set("mod_wsgi.callable_object", &*py.interned(DEFAULT_CALLABLE)?)?;
    let never = py.float(0.0)?;
    for time in ["request_start", "queue_start", "daemon_start", "application_start"] {
        set(&format!("mod_wsgi.{time}"), &never)?;
    }
    // Set in every request: their places are prepared.
    for key in ["wsgi.input", "wsgi.errors", "mod_wsgi.thread_id", "mod_wsgi.is_aborted"] {
        set(key, &py.none())?;
    }
    Ok(dict)
}
