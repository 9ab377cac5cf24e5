//! WSGITelemetryService: the datagrams, decoded by a reader of its own.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::PathBuf,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::process::Process;
use crate::support::{Httpd, Mode, poll};

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
enum Field {
    Count(u64),
    Float(f64),
    Signed(i64),
    Text(String),
    Counts(Vec<i32>),
    Floats(Vec<f64>),
}

/// One datagram.
#[derive(Debug, Clone)]
struct Datagram {
    kind: u8,
    flags: u16,
    pid: u32,
    seq: u32,
    stamp: f64,
    fields: BTreeMap<u16, Field>,
    length: usize,
}

/// Bytes from the front.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = bytes.split_first_chunk::<N>().expect("a datagram that is cut short");
    *bytes = rest;
    *taken
}

impl Datagram {
    fn decode(mut bytes: &[u8]) -> Self {
        let length = bytes.len();
        assert!(length <= 8192, "{length} bytes");
        let input = &mut bytes;
        assert_eq!(&take::<4>(input), b"WSGI");
        let [version, kind] = take(input);
        assert_eq!(version, 1);
        let flags = u16::from_le_bytes(take(input));
        let pid = u32::from_le_bytes(take(input));
        let seq = u32::from_le_bytes(take(input));
        let stamp = f64::from_le_bytes(take(input));
        let mut fields = BTreeMap::new();
        while !input.is_empty() {
            let id = u16::from_le_bytes(take(input));
            let [class] = take(input);
            let field = Self::field(class, input);
            assert!(fields.insert(id, field).is_none(), "field {id} stands twice");
        }
        Self { kind, flags, pid, seq, stamp, fields, length }
    }

    fn field(class: u8, input: &mut &[u8]) -> Field {
        let mut array = |size: usize| {
            let length = usize::from(u16::from_le_bytes(take(input))) * size;
            let (value, rest) = input.split_at(length);
            *input = rest;
            value.to_vec()
        };
        match class {
            1 => Field::Count(u64::from_le_bytes(take(input))),
            2 => Field::Float(f64::from_le_bytes(take(input))),
            3 => Field::Signed(i64::from_le_bytes(take(input))),
            4 => Field::Text(String::from_utf8(array(1)).expect("text")),
            5 => {
                let numbers = array(4);
                let numbers = numbers.chunks_exact(4);
                Field::Counts(numbers.map(|n| i32::from_le_bytes(n.try_into().unwrap())).collect())
            }
            6 => {
                let numbers = array(8);
                let numbers = numbers.chunks_exact(8);
                Field::Floats(numbers.map(|n| f64::from_le_bytes(n.try_into().unwrap())).collect())
            }
            other => panic!("type {other}"),
        }
    }
}

impl Datagram {
    fn has(&self, id: u16) -> bool {
        self.fields.contains_key(&id)
    }

    #[track_caller]
    fn count(&self, id: u16) -> u64 {
        match self.fields.get(&id) {
            Some(Field::Count(count)) => *count,
            other => panic!("{id}: {other:?}"),
        }
    }

    #[track_caller]
    fn float(&self, id: u16) -> f64 {
        match self.fields.get(&id) {
            Some(Field::Float(value)) => *value,
            other => panic!("{id}: {other:?}"),
        }
    }

    /// The text of a field; a field that is not there has none.
    fn text(&self, id: u16) -> &str {
        match self.fields.get(&id) {
            Some(Field::Text(text)) => text,
            None => "",
            other => panic!("{id}: {other:?}"),
        }
    }
}

/// A target for reports.
struct Target {
    folder: TempDir,
    socket: UnixDatagram,
}

impl Target {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self::bind(folder)
    }

    fn bind(folder: TempDir) -> Self {
        let path = folder.path().join("t");
        let socket = UnixDatagram::bind(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { folder, socket }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("t")
    }

    fn directive(&self) -> String {
        format!("WSGITelemetryService unix:{} interval=0.5\n", self.path().display())
    }

    fn next(&self) -> Datagram {
        let mut bytes = [0; 10_000];
        loop {
            match self.socket.recv(&mut bytes) {
                Ok(length) => return Datagram::decode(&bytes[..length]),
                // Not restarted when the socket has a time limit.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("no datagram: {error}"),
            }
        }
    }

    /// The next datagram of a kind that is as wanted.
    #[track_caller]
    fn find(&self, kind: u8, is_wanted: impl Fn(&Datagram) -> bool) -> Datagram {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            let datagram = self.next();
            if datagram.kind == kind && is_wanted(&datagram) {
                return datagram;
            }
        }
        panic!("no such datagram of kind {kind}");
    }

    /// All that is there.
    fn rest(&self) -> Vec<Datagram> {
        self.socket.set_nonblocking(true).unwrap();
        let mut bytes = [0; 10_000];
        let mut rest = Vec::new();
        while let Ok(length) = self.socket.recv(&mut bytes) {
            rest.push(Datagram::decode(&bytes[..length]));
        }
        rest
    }
}

/// The kinds of datagrams.
mod kind {
    pub const TICK: u8 = 2;
    pub const SLOW: u8 = 4;
    pub const STARTED: u8 = 5;
    pub const STOPPING: u8 = 6;
    pub const STOPPED: u8 = 7;
    pub const COLLECTOR: u8 = 8;
    pub const COLLECTION: u8 = 9;
}

fn serving(target: &Target, mode: Mode, lines: &str) -> Httpd {
    let directive = target.directive();
    // Only one process reports: of a daemon's server the children have nothing to.
    let restriction = mode.pick("", "WSGIRestrictEmbedded On\n");
    let body = format!("{directive}{restriction}{lines}\nWSGIScriptAlias / @apps@/metrics.py");
    let server = Httpd::with(&body).mode(mode);
    if mode.is_daemon() { server.start() } else { server.one_child().start() }
}

both_modes! {
    fn a_process_says_who_it_is(mode) {
        let target = Target::new();
        let server = serving(&target, mode, "");
        let started = target.find(kind::STARTED, |_| true);
        assert_eq!((started.seq, started.flags), (1, 0));
        assert_eq!(started.text(1), "6.1.1");
        assert!(started.text(2).starts_with("3."), "{}", started.text(2));
        assert!(started.text(3).starts_with("Apache/2.4."));
        assert_eq!(started.text(4), crate::support::conf::mpm());
        assert!(!started.text(5).is_empty());
        assert_eq!(started.text(6), mode.pick("", "app"));
        assert_eq!(started.float(13), 0.005);
        let parent = started.count(7) as i32;
        assert!(server.processes().iter().any(|process| process.pid == parent));
        let since = started.stamp - std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        assert!(since.abs() < 60.0, "{since}");
        let tick = target.find(kind::TICK, |tick| tick.pid == started.pid);
        assert!(tick.seq > 1);
    }

    fn ticks_count_requests(mode) {
        let target = Target::new();
        let server = serving(&target, mode, "");
        server.get("/nap?20").ok();
        server.post("/read", &[b'x'; 5000]).ok();
        assert_eq!(server.get("/status?404").status(), 404);
        let mut sums = BTreeMap::new();
        let last = poll("three requests", || {
            let tick = target.find(kind::TICK, |tick| tick.has(20));
            for id in [20, 100, 102, 120, 121, 122, 123, 124] {
                *sums.entry(id).or_insert(0) += tick.count(id);
            }
            (sums[&20] >= 3 && tick.count(20) > 0).then_some(tick)
        });
        assert_eq!((sums[&100], sums[&121], sums[&123], sums[&124]), (5000, 2, 1, 0));
        assert!(sums[&102] > 5000);
        assert_eq!(last.float(11), 0.5);
        assert!((0.3..20.0).contains(&last.float(10)), "{}", last.float(10));
        assert_eq!(last.float(12), 0.0, "no threshold is set");
        let has_queue = mode.is_daemon();
        for base in [60, 70, 80, 90] {
            assert!(last.has(base) && last.has(base + 3) && last.has(base + 7));
            assert_eq!((last.has(base + 1), last.has(base + 2)), (has_queue, has_queue), "{base}");
        }
        let Field::Counts(histogram) = &last.fields[&93] else { panic!("{last:?}") };
        assert_eq!((histogram.len(), histogram.iter().sum::<i32>() as u64), (65, last.count(20)));
        let threads = last.count(50) as usize;
        let Field::Counts(completed) = &last.fields[&110] else { panic!("{last:?}") };
        assert_eq!((completed.len(), completed.iter().sum::<i32>() as u64), (threads, last.count(20)));
        for id in 111..=114 {
            let Field::Floats(times) = &last.fields[&id] else { panic!("{last:?}") };
            assert_eq!(times.len(), threads);
        }
        assert!(last.count(40) > 1 << 20 && last.count(41) > 1 << 20);
        let idle = target.find(kind::TICK, |tick| tick.count(20) == 0);
        assert!(!idle.has(70) && !idle.has(87) && idle.has(60) && idle.length < last.length);
    }

    fn nobody_else_is_told(mode) {
        let target = Target::new();
        let server = serving(&target, mode, "");
        for path in ["/start", "/interval", "/process"] {
            assert_eq!(server.get(path).ok(), "null", "{path}");
        }
    }

    fn slow_requests_are_told_while_and_after_they_run(mode) {
        let target = Target::new();
        let server = serving(&target, mode, "WSGISlowRequests 0.2");
        server.request("GET", "/nap?900", &[("User-Agent", "tests")], b"").ok();
        server.get("/nap?1").ok();
        let running = target.find(kind::SLOW, |slow| slow.count(200) == 0);
        let ended = target.find(kind::SLOW, |slow| slow.count(200) == 1);
        for record in [&running, &ended] {
            let texts = [(210, "GET"), (211, "http"), (212, "localhost"), (214, "/nap"),
                (215, "HTTP/1.1"), (216, "127.0.0.1")];
            for (id, text) in texts {
                assert_eq!(record.text(id), text, "{id}");
            }
            assert!(!record.has(217), "the user agent was not asked for");
            assert!(!record.text(204).is_empty());
            assert_eq!(record.float(201), ended.float(201));
            assert!(record.count(203) >= 1 && record.count(260) >= 1);
            let is_child = record.count(205) as u32 == record.pid;
            assert_eq!(is_child, mode == Mode::Embedded);
        }
        assert!(running.float(202) >= 0.2 && running.float(202) < ended.float(202));
        assert_eq!((running.count(240), ended.count(240)), (0, 200));
        assert!((0.9..5.0).contains(&ended.float(223)), "{}", ended.float(223));
        assert!(ended.float(202) >= ended.float(223) - 0.001);
        target.find(kind::TICK, |tick| tick.float(12) == 0.2);
        server.stop();
        let others = target.rest().into_iter().filter(|datagram| datagram.kind == kind::SLOW);
        assert_eq!(others.count(), 0, "the other requests were fast");
    }

    fn the_user_agent_is_told_when_asked_for(mode) {
        let target = Target::new();
        let lines = "WSGISlowRequests 0.05\nWSGITelemetryOptions +CaptureUserAgent";
        let server = serving(&target, mode, lines);
        let agent = "x".repeat(3000);
        server.request("GET", "/nap?60", &[("User-Agent", &agent)], b"").ok();
        let slow = target.find(kind::SLOW, |slow| slow.count(200) == 1);
        assert!(slow.text(217).starts_with("xxx"));
    }

    fn garbage_collections_are_told(mode) {
        let target = Target::new();
        let server = serving(&target, mode, "");
        server.get("/gc").ok();
        let collection = target.find(kind::COLLECTION, |it| it.count(322) == 2 && it.has(8));
        assert!(collection.text(8).starts_with("localhost"), "{collection:?}");
        assert!((0.0..5.0).contains(&collection.float(321)));
        assert!(collection.float(320) <= collection.stamp && collection.has(323));
        let state = target.find(kind::COLLECTOR, |it| it.has(8) && it.count(308) > 0);
        assert_eq!((state.count(315), state.count(317)), (1, 0));
        assert!((300..=317).all(|id| state.has(id)) && state.count(303) > 0);
    }

    fn a_copy_of_the_process_reports_nothing(mode) {
        let target = Target::new();
        // CPython 3.11 cannot fork in other interpreters.
        let lines = "WSGISlowRequests 0.01\nWSGIApplicationGroup %{GLOBAL}";
        let server = serving(&target, mode, lines);
        let pid = target.find(kind::STARTED, |_| true).pid;
        for _ in 0..5 {
            assert_eq!(server.get("/fork").ok(), "0");
        }
        server.stop();
        let rest = target.rest();
        assert!(rest.iter().all(|datagram| datagram.pid == pid));
        let ticks = rest.iter().filter(|datagram| datagram.kind == kind::TICK);
        assert_eq!(ticks.map(|tick| tick.count(20)).sum::<u64>(), 5);
    }

    fn the_end_of_a_process_is_told(mode) {
        let target = Target::new();
        let server = serving(&target, mode, "");
        server.get("/nap?1").ok();
        let tick = target.find(kind::TICK, |tick| tick.count(20) == 1);
        server.stop();
        let end: Vec<Datagram> =
            target.rest().into_iter().filter(|datagram| datagram.pid == tick.pid).collect();
        let stopping = end.iter().find(|datagram| datagram.kind == kind::STOPPING).unwrap();
        assert_eq!(stopping.count(133), 0);
        if mode.is_daemon() {
            assert_eq!(stopping.text(130), "shutdown_signal");
        } else {
            assert!(!stopping.has(130));
        }
        let stopped = end.last().unwrap();
        assert_eq!(stopped.kind, kind::STOPPED);
        assert_eq!((stopped.count(132), stopped.count(134), stopped.count(135)), (1, 0, 1));
        assert!(stopped.float(131) > 0.0);
        let numbers: Vec<u32> = end.iter().map(|datagram| datagram.seq).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
    }

    fn a_target_that_is_not_there_costs_one_line(mode) {
        ours!("it drops reports without a word");
        let target = Target::new();
        fs::remove_file(target.path()).unwrap();
        let server = serving(&target, mode, "WSGISlowRequests 0.01");
        server.expect_log("WSGI0132");
        server.get("/nap?20").ok();
        server.wait_for_log("WSGI0132");
        // Two intervals.
        server.get("/nap?1100").ok();
        assert_eq!(server.log_count("WSGI0132"), 1);
        assert_eq!(server.get("/interval").ok(), "null");
    }
}

one! {
    fn a_reader_that_comes_later_or_does_not_read_is_no_harm() {
        ours!("it drops reports without a word");
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let target = Target::bind(folder);
        let path = target.path();
        fs::rename(&path, path.with_extension("away")).unwrap();
        let server = serving(&target, Mode::Daemon, "");
        server.expect_log("WSGI0132");
        server.wait_for_log("WSGI0132");
        fs::rename(path.with_extension("away"), &path).unwrap();
        target.find(kind::TICK, |_| true);
        // Its queue is full before long (net.unix.max_dgram_qlen), and the server serves on.
        server.get("/nap?1600").ok();
        server.stop();
        let kinds: Vec<u8> = target.rest().iter().map(|datagram| datagram.kind).collect();
        assert!(kinds.len() >= 3, "{kinds:?}");
    }

    fn a_request_that_never_ends_is_part_of_the_end() {
        let target = Target::new();
        let server = Httpd::with(&format!(
            "{}WSGIRestrictEmbedded On\nWSGIDaemonProcess app shutdown-timeout=1\n\
             WSGIProcessGroup app\nWSGIScriptAlias / @apps@/metrics.py",
            target.directive()
        ))
        .start();
        let mut waiting = server.connect();
        waiting.request("GET", "/wait", &[], b"");
        poll("the note", || server.path("out/waiting").exists().then_some(()));
        let pid = target.find(kind::STARTED, |_| true).pid;
        Process::of(pid as i32).unwrap().signal(libc::SIGTERM);
        let stopping = target.find(kind::STOPPING, |it| it.pid == pid);
        assert_eq!((stopping.text(130), stopping.count(133)), ("shutdown_signal", 1));
        let stopped = target.find(kind::STOPPED, |it| it.pid == pid);
        assert_eq!((stopped.count(134), stopped.count(135)), (1, 0));
        // What becomes of the request is told by another test.
        server.expect_log("WSGI014");
        assert!(waiting.response().status() >= 500);
    }
}
