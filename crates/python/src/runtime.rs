//! The CPython of this process: started once, serving requests of many threads, ended once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use wsgi_core::{
    control::{EngineSpec, ImportScript},
    decide::{Question, Verdict},
    exchange::{Exchange, Outcome},
    head::RequestHead,
    level::Level,
};

use crate::{
    attach,
    config::{self, StartError},
    decide, dump, guard,
    interpreter::{Interpreter, Interpreters},
    lease::Lease,
    loader::{self, Tags},
    log::{self, Notices},
    metrics::Metrics,
    object::Py,
    script,
    startup::Startup,
    traceback,
    wsgi::{engine, measure::Measure, sendfile::Sendfile},
};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// The process's Python.
#[derive(Debug)]
pub struct Runtime {
    spec: EngineSpec,
    interpreters: Interpreters,
    startup: Startup,
    metrics: Metrics,
}

impl Runtime {
    /// Starts CPython and sets up the main interpreter. Called once per process, by the thread
    /// that will call [`Runtime::stop`].
    pub fn start(
        spec: EngineSpec,
        notices: Box<dyn Notices>,
    ) -> Result<&'static Runtime, StartError> {
        // SAFETY: may be called at any time.
        if RUNTIME.get().is_some() || unsafe { pyo3_ffi::Py_IsInitialized() } != 0 {
            return Err(StartError::Twice);
        }
        log::install(notices);
        config::initialise(&spec)?;
        config::warn(&spec);
        let interpreters = Interpreters::start(&spec).map_err(StartError::SetUp)?;
        if spec.is_daemon && !dump::prepare() {
            interpreters.main().call_bootstrap("dump_on_signals", "WSGI0067");
        }
        let (startup, metrics) = (Startup::default(), Metrics::new(&spec));
        let runtime = RUNTIME.get_or_init(|| Runtime { spec, interpreters, startup, metrics });
        runtime.metrics.start_reports();
        Ok(runtime)
    }

    /// The one of this process, once it was started.
    pub(crate) fn current() -> Option<&'static Self> {
        RUNTIME.get()
    }

    /// Runs the scripts that are to be loaded at start, in their order, until `should_stop`.
    /// What goes wrong is logged; the script is then loaded by its first request.
    pub fn run_import_scripts(&self, should_stop: &dyn Fn() -> bool) {
        let scripts = self.spec.import_scripts.iter();
        for script in scripts.take_while(|_| !should_stop()) {
            self.preload(script);
        }
    }

    /// Loads a script if it is not loaded; false when that goes wrong, which is logged.
    pub fn preload(&self, script: &ImportScript) -> bool {
        self.interpreter_for(script).is_some_and(|interpreter| {
            self.preload_into(interpreter, script.path.as_bytes(), loader::AT_START)
        })
    }

    /// The interpreter of a script; why there is none is logged.
    pub(crate) fn interpreter_for(&self, script: &ImportScript) -> Option<&'static Interpreter> {
        let group = script.application_group.as_bytes();
        let found = if self.spec.first_gets_main && script.is_default {
            self.interpreters.get_default(group, script.path.as_bytes(), &self.spec)
        } else {
            self.interpreters.get(group, &self.spec)
        };
        found.inspect_err(|reason| log_no_interpreter(script, reason)).ok()
    }

    fn preload_into(&self, interpreter: &Interpreter, path: &[u8], tags: Tags) -> bool {
        let found = interpreter.scripts.find(path, None);
        let Some(attached) = interpreter.attach() else { return false };
        let py = attached.py();
        let ignores_case = self.spec.ignores_case;
        let loaded = loader::obtain(py, interpreter, path, ignores_case, found, tags);
        loaded.map(|loaded| script::release(py, loaded)).is_ok()
    }

    /// Runs the scripts of a process without worker threads, in their order, until one of them
    /// fails or leaves. In the main interpreter SIGTERM makes the running one leave; scripts may
    /// set handlers of their own. Called by the process's first thread.
    pub fn run_service(&self, should_stop: &dyn Fn() -> bool) {
        for import in &self.spec.import_scripts {
            let group = import.application_group.as_bytes();
            let made = self.interpreters.get(group, &self.spec);
            let Ok(interpreter) = made.inspect_err(|reason| log_no_interpreter(import, reason))
            else {
                return;
            };
            if group.is_empty() {
                interpreter.call_bootstrap("leave_on_sigterm", "WSGI0090");
            }
            if should_stop() {
                return;
            }
            let is_done =
                self.preload_into(interpreter, import.path.as_bytes(), loader::AS_SERVICE);
            if group.is_empty() {
                interpreter.try_bootstrap("stay_on_sigterm");
            }
            if !is_done {
                return;
            }
        }
    }

    /// Answers one request, whose head was decoded. `thread_id` numbers the process's request threads
    /// from 1; `daemon_start_us` is 0 in httpd's children.
    pub fn serve(
        &self,
        head: &RequestHead<'_>,
        exchange: &dyn Exchange,
        thread_id: u32,
        daemon_start_us: i64,
    ) -> Outcome {
        let sendfile = Sendfile::new(exchange, head);
        let exchange = sendfile.as_ref().map_or(exchange, |sendfile| sendfile as &dyn Exchange);
        let measure = Measure::begin(head, daemon_start_us);
        let lease = Arc::new(Lease::new(exchange, head));
        lease.set_measure(measure);
        // Whatever happens, no Python object reaches the exchange after this function.
        let _ending = Ending(&lease);
        let work = AssertUnwindSafe(|| {
            engine::serve(self, head, exchange, &lease, thread_id, daemon_start_us)
        });
        let running = self.metrics.begin(&lease, head.encoded(), thread_id);
        let outcome = catch_unwind(work).unwrap_or_else(|payload| {
            exchange.log(Level::ERROR, &guard::describe("the WSGI engine", payload.as_ref()), None);
            let is_committed = lease.response().is_committed();
            if is_committed { Outcome::Truncated } else { Outcome::Failed(500) }
        });
        let outcome = sendfile.as_ref().map_or(outcome, |sendfile| sendfile.judge(outcome));
        if let Some(running) = running {
            running.end(outcome);
        }
        outcome
    }

    /// Asks a script that decides about a request; `question` is encoded as
    /// [`wsgi_core::decide`] says.
    pub fn decide(&self, question: &[u8], exchange: &dyn Exchange) -> Verdict {
        let decoded = Question::decode(question)
            .and_then(|(question, head)| Ok((question, RequestHead::decode(head)?)));
        let (question, head) = match decoded {
            Ok(decoded) => decoded,
            Err(error) => {
                exchange.log(
                    Level::ERROR,
                    &format!("WSGI0080: cannot read the request: {error}"),
                    None,
                );
                return Verdict::Failed;
            }
        };
        let lease = Arc::new(Lease::new(exchange, &head));
        // Whatever happens, no Python object reaches the exchange after this function.
        let _ending = Ending(&lease);
        let work = AssertUnwindSafe(|| decide::ask(self, &question, &head, exchange, &lease));
        catch_unwind(work).unwrap_or_else(|payload| {
            exchange.log(
                Level::ERROR,
                &guard::describe("a deciding script", payload.as_ref()),
                None,
            );
            Verdict::Failed
        })
    }

    /// Reports that the process is about to end, where somebody wants to know: telemetry.
    pub fn note_stopping(reason: &str) {
        if let Some(runtime) = Self::current() {
            runtime.metrics.report_stopping(reason);
        }
    }

    /// Reports that the process ends as it stands. Does not wait for Python.
    pub fn note_abort() {
        if let Some(runtime) = Self::current() {
            runtime.metrics.report_stopped(false);
        }
    }

    /// Ends this thread's part in the interpreters; called before a request thread ends.
    pub fn thread_end(&self) {
        attach::forget_thread();
    }

    /// Ends the interpreters: their threads are waited for, `atexit` callbacks run, CPython ends;
    /// nothing of that with `WSGIDestroyInterpreter Off`.
    /// Called once, by the thread that started the runtime, when no request is running; may
    /// take as long as the application's threads do, so the caller watches the time.
    pub fn stop(&self) {
        self.metrics.report_stopping("");
        self.metrics.report_stopped(true);
        attach::begin_end();
        if self.spec.leaves_interpreters {
            return;
        }
        let mut all_ended = true;
        for interpreter in self.interpreters.others() {
            all_ended &= end_interpreter(interpreter);
        }
        let main = self.interpreters.main();
        let Some(attached) = attach::attach_to_end(main.pointer()) else { return };
        if all_ended {
            attach::finalize(attached);
        } else {
            // Interpreters with running threads cannot be ended, and CPython must not end before
            // them: the application's callbacks run all the same.
            run_end(attached.py(), main);
        }
    }

    /// The configuration.
    pub(crate) fn spec(&self) -> &EngineSpec {
        &self.spec
    }

    /// Since when requests have been trying in vain to load an application.
    pub fn loading_since(&self) -> Option<std::time::Instant> {
        self.startup.pending_since()
    }

    /// Whether an application was loaded.
    pub(crate) fn startup(&self) -> &Startup {
        &self.startup
    }

    /// What it counts of its requests.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The interpreters.
    pub(crate) fn interpreters(&self) -> &Interpreters {
        &self.interpreters
    }
}

/// Ends the lease when dropped, after the thread was detached.
struct Ending<'l>(&'l Lease);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn log_no_interpreter(import: &ImportScript, reason: &str) {
    log::process(
        Level::CRIT,
        &format!(
            "WSGI0040: cannot acquire interpreter '{}' to preload WSGI script '{}': {reason}",
            import.application_group, import.path
        ),
    );
}

/// Ends a sub-interpreter; false when threads of it are still running.
fn end_interpreter(interpreter: &Interpreter) -> bool {
    let Some(attached) = attach::attach_to_end(interpreter.pointer()) else { return false };
    run_end(attached.py(), interpreter);
    interpreter.end(attached)
}

/// What CPython does first when an interpreter ends: non-daemon threads, then `atexit`.
fn run_end(py: Py<'_>, interpreter: &Interpreter) {
    for (step, tag) in [("finish_threads", "WSGI0097"), ("run_exit_callbacks", "WSGI0130")] {
        if let Err(raised) = interpreter.state.bootstrap.call(py, step, &[])
            && let Some(exception) = raised.take(py)
        {
            let text = format!("{tag}: exception raised while ending {}.", interpreter.place);
            traceback::write(py, &interpreter.state.bootstrap, None, &text, &exception);
        }
    }
}
