//! Reports to the socket of WSGITelemetryService: when the process begins and ends, and what it has
//! counted meanwhile.
//!
//! A thread of its own sends them. It never waits for Python: `collector.rs` is told by the
//! collector itself, requests leave their figures in memory. A target that is not there costs one
//! warning; each report is tried anew.

use std::{
    io,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use wsgi_core::{
    control::{EngineSpec, TelemetrySpec},
    level::Level,
    telemetry::{self, Datagram, Identity, Kind, Settings, Stopped},
    version,
};

use wsgi_ipc::process::spawn_quiet;

use super::{Metrics, collector, slow::SlowRequests, usage};
use crate::{lease::lock, log, wsgi::measure::now};

/// The switch interval of CPython itself.
const SWITCH_INTERVAL: Duration = Duration::from_millis(5);

/// Reports of a process.
#[derive(Debug)]
pub(super) struct Telemetry {
    target: PathBuf,
    socket: UnixDatagram,
    who: Identity,
    settings: Settings,
    /// Requests that take long, where they are reported.
    pub(super) slow: Option<SlowRequests>,
    sent: AtomicU32,
    has_warned: AtomicBool,
    is_stopping: AtomicBool,
    is_over: (Mutex<bool>, Condvar),
}

impl Telemetry {
    /// Reports as configured; nothing is sent yet. `None` where nothing can be.
    pub(super) fn new(spec: &EngineSpec) -> Option<Self> {
        let telemetry = spec.telemetry.as_ref()?;
        let socket = UnixDatagram::unbound().and_then(|socket| {
            // A reader that does not read must not hold anything up.
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        let socket = socket.map_err(|error| warn(&telemetry.socket, &error)).ok()?;
        let slow = telemetry.slow_requests().map(|threshold| {
            SlowRequests::new(threshold, telemetry.captures_user_agent, spec.threads_per_process)
        });
        Some(Self {
            target: PathBuf::from(&telemetry.socket),
            socket,
            who: identity(spec),
            settings: settings(spec, telemetry),
            slow,
            sent: AtomicU32::new(0),
            has_warned: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            is_over: (Mutex::new(false), Condvar::new()),
        })
    }

    fn send(&self, kind: Kind, fill: impl FnOnce(&mut Datagram)) {
        let number = self.sent.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let stamp = Duration::from_micros(u64::try_from(now()).unwrap_or(0)).as_secs_f64();
        let mut datagram = Datagram::new(kind, std::process::id(), number, stamp);
        fill(&mut datagram);
        match self.socket.send_to(datagram.bytes(), &self.target) {
            Ok(_) => {}
            // It has enough to read.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                if !self.has_warned.swap(true, Ordering::Relaxed) {
                    warn(&self.target.to_string_lossy(), &error);
                }
            }
        }
    }

    /// Sends one tick with all that belongs to it.
    fn tick(&self, metrics: &Metrics) {
        let sample = metrics.drain();
        self.send(Kind::Tick, |to| {
            telemetry::tick(to, &self.who, &self.settings, &sample.report, &sample.usage);
        });
        for record in self.slow.iter().flat_map(SlowRequests::due) {
            self.send(Kind::Slow, |to| telemetry::slow(to, &record));
        }
        for report in collector::take() {
            self.send(Kind::Collector, |to| {
                telemetry::collector(to, &report.interpreter, &report.state, report.dropped);
            });
            for collection in &report.collections {
                self.send(Kind::Collection, |to| {
                    telemetry::collection(to, &report.interpreter, collection);
                });
            }
        }
    }

    /// Sends ticks until it is over.
    fn run(&self, metrics: &Metrics) {
        self.send(Kind::Started, |to| telemetry::started(to, &self.who, &self.settings));
        let mut due = Instant::now() + self.settings.interval;
        while !self.waits_in_vain(due) {
            self.tick(metrics);
            // A thread that came late does not catch up.
            due = Instant::now().max(due) + self.settings.interval;
        }
    }

    /// Waits for the end, at most until `due`; whether it has come.
    fn waits_in_vain(&self, due: Instant) -> bool {
        let rest = due.saturating_duration_since(Instant::now());
        let (is_over, changed) = &self.is_over;
        let waited = changed.wait_timeout_while(lock(is_over), rest, |is_over| !*is_over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn stopping(&self, metrics: &Metrics, reason: &str) {
        if !self.is_stopping.swap(true, Ordering::Relaxed) {
            let active = metrics.active();
            self.send(Kind::Stopping, |to| telemetry::stopping(to, &self.who, reason, active));
        }
    }

    /// Sends the last reports, once.
    fn stopped(&self, metrics: &Metrics, is_clean: bool) {
        if std::mem::replace(&mut *lock(&self.is_over.0), true) {
            return;
        }
        self.is_over.1.notify_all();
        self.tick(metrics);
        let totals = lock(&metrics.counts).recorder.totals();
        let (age, count) = (metrics.clock.elapsed(), totals.count);
        let how = Stopped { age, count, active: totals.active, is_clean };
        self.send(Kind::Stopped, |to| telemetry::stopped(to, &self.who, &how));
    }
}

impl Metrics {
    /// Begins to report, where that is configured.
    pub(crate) fn start_reports(&'static self) {
        let Some(telemetry) = &self.telemetry else { return };
        if let Err(error) = spawn_quiet("wsgi-telemetry", || telemetry.run(self)) {
            let text = format!("WSGI0133: The thread that reports cannot be started: {error}.");
            log::process(Level::WARNING, &text);
        }
    }

    /// Reports that the process is about to end.
    pub(crate) fn report_stopping(&self, reason: &str) {
        if let Some(telemetry) = &self.telemetry {
            telemetry.stopping(self, reason);
        }
    }

    /// Reports that the process ends, for the last time.
    pub(crate) fn report_stopped(&self, is_clean: bool) {
        if let Some(telemetry) = &self.telemetry {
            telemetry.stopped(self, is_clean);
        }
    }
}

fn warn(target: &str, error: &io::Error) {
    let text = format!(
        "WSGI0132: Telemetry target 'unix:{target}' cannot be reached: {error}; reports are \
         dropped until it can."
    );
    log::process(Level::WARNING, &text);
}

fn identity(spec: &EngineSpec) -> Identity {
    let (major, minor, patch) = spec.apache_version;
    Identity {
        version: version::contract_text(),
        python: usage::python_version(),
        apache: format!("Apache/{major}.{minor}.{patch}"),
        mpm: spec.mpm_name.clone(),
        host: usage::host_name(),
        group: spec.process_group.clone(),
        parent: std::os::unix::process::parent_id(),
    }
}

fn settings(spec: &EngineSpec, telemetry: &TelemetrySpec) -> Settings {
    let (switch_interval, _) = spec.interpreters.switch_interval("", false, spec.switch_interval);
    Settings {
        interval: Duration::from_micros(telemetry.interval),
        slow: telemetry.slow_requests(),
        switch_interval: switch_interval.map_or(SWITCH_INTERVAL, Duration::from_micros),
    }
}
