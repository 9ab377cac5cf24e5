//! Several Pythons under one httpd, and interpreters with a lock of their own (Python 3.12 and
//! later).

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::pythons::{self, Python};
use crate::support::{Httpd, Mode, original, poll, rundir};

/// Processor time of a request that computes, in seconds.
const BURN: f64 = 0.25;

/// Two requests are faster together where they gain that much: with two processors to themselves
/// they would be twice as fast.
const FASTER: f64 = 1.35;

/// How often two requests are given the chance: other tests compute too.
const ATTEMPTS: usize = 5;

/// Lines that choose a placement whose Python is this one.
fn placed(python: &Python, mode: Mode, options: &str) -> String {
    let (prefix, threads) = (python.prefix.display(), "threads=5");
    mode.pick(
        format!("WSGIPythonHome {prefix}\n"),
        format!(
            "WSGIDaemonProcess app python-home={prefix} {threads} {options}\nWSGIProcessGroup app\n"
        ),
    )
}

/// A server with two application groups, `/a` and `/b`, and the main one at `/main`.
fn two_groups(python: &Python, mode: Mode, app: &str, options: &str, lines: &str) -> Httpd {
    Httpd::with(&format!(
        "{}{lines}\nWSGIScriptAlias /a @apps@/{app} application-group=a\n\
         WSGIScriptAlias /b @apps@/{app} application-group=b\n\
         WSGIScriptAlias /main @apps@/{app} application-group=%{{GLOBAL}}",
        placed(python, mode, options)
    ))
    .one_child()
    .start()
}

/// How many times faster two requests that compute are together than one after the other.
fn gain(server: &Httpd, places: [&str; 2], work: &str) -> f64 {
    let target = |place: &str| format!("{place}/{work}?{BURN}");
    let start = Instant::now();
    for place in places {
        server.get(&target(place)).ok();
    }
    let one_after_the_other = start.elapsed();
    let start = Instant::now();
    let mut connections = places.map(|_| server.connect());
    for (connection, place) in connections.iter_mut().zip(places) {
        connection.request("GET", &target(place), &[], b"");
    }
    for connection in &mut connections {
        connection.response().ok();
    }
    one_after_the_other.as_secs_f64() / start.elapsed().as_secs_f64()
}

/// Asserts that requests for `places` are faster together than one after the other, unless work
/// without the interpreter lock, in the same process, is not either.
#[track_caller]
fn assert_gain(server: &Httpd, places: [&str; 2]) {
    let mut seen = Vec::new();
    for _ in 0..ATTEMPTS {
        let gains = [gain(server, places, "burn"), gain(server, ["/main", "/main"], "digest")];
        seen.push(gains);
        if gains[0] > FASTER {
            println!("{places:?}, and without lock: {seen:.2?} times faster");
            return;
        }
    }
    let possible = seen.iter().filter(|gains| gains[1] > FASTER).count();
    assert!(possible < 3, "{places:?}, and without lock: {seen:.2?} times faster");
    original::skipped("the machine has no processor to spare");
}

/// Whether `/b` answers while `/a` holds its lock in one call of C code. Between the look at the
/// clock and that call a lock may go from hand to hand, so only the middle of the time counts.
fn answers_meanwhile(server: &Httpd) -> bool {
    let mut connection = server.connect();
    connection.request("GET", "/a/hold?1", &[], b"");
    let holding = std::thread::spawn(move || connection.response().ok());
    let mut answers = Vec::new();
    while !holding.is_finished() {
        answers.push(server.get("/b/free").ok().parse::<f64>().unwrap());
    }
    let times = holding.join().unwrap();
    let times: Vec<f64> = times.split(' ').map(|time| time.parse().unwrap()).collect();
    let quarter = (times[1] - times[0]) / 4.0;
    let middle = times[0] + quarter..times[1] - quarter;
    answers.iter().filter(|answer| middle.contains(answer)).count() > 3
}

/// What an expression evaluates to.
#[track_caller]
fn value(server: &Httpd, place: &str, code: &str) -> String {
    server.get(&format!("{place}?{}", code.replace(' ', "%20"))).ok()
}

const OWN_LOCKS: &str = "WSGIPerInterpreterGIL On";

both_modes! {
    fn interpreters_with_own_locks_run_at_the_same_time(mode) {
        ours!("it has one Python");
        for python in pythons::with_own_locks() {
            let server = two_groups(&python, mode, "parallel.py", "", OWN_LOCKS);
            for place in ["/a", "/b", "/main"] {
                server.get(&format!("{place}/free")).ok();
            }
            assert_gain(&server, ["/a", "/b"]);
            assert_gain(&server, ["/a", "/main"]);
            assert!(answers_meanwhile(&server), "{python:?}");
        }
    }

    fn interpreters_that_share_a_lock_do_not(mode) {
        ours!("it has one Python");
        for python in pythons::with_own_locks() {
            let server = two_groups(&python, mode, "parallel.py", "", "");
            for place in ["/a", "/b"] {
                server.get(&format!("{place}/free")).ok();
            }
            assert!(!answers_meanwhile(&server), "{python:?}");
        }
    }

    fn only_the_interpreters_of_a_block_have_their_own_lock(mode) {
        ours!("it has one Python");
        // An interpreter with its own lock may not have daemon threads.
        let start = "imp('threading').Thread(target=int,daemon=True).start()";
        for python in pythons::with_own_locks() {
            let server = two_groups(
                &python,
                mode,
                "evaluate.py",
                "",
                "<WSGIInterpreterOptions application-group=a>\nWSGIPerInterpreterGIL On\n\
                 WSGISwitchInterval 0.5\n</WSGIInterpreterOptions>\n\
                 <WSGIInterpreterOptions application-group=%{GLOBAL}>\nWSGIPerInterpreterGIL On\n\
                 </WSGIInterpreterOptions>\nWSGISwitchInterval 0.25",
            );
            let refused = value(&server, "/a", start);
            assert!(refused.starts_with("RuntimeError"), "{python:?}: {refused}");
            for place in ["/b", "/main"] {
                assert_eq!(value(&server, place, start), "None", "{python:?} {place}");
            }
            let interval = "imp('sys').getswitchinterval()";
            for (place, expected) in [("/a", "0.5"), ("/b", "0.25"), ("/main", "0.25")] {
                assert_eq!(value(&server, place, interval), expected, "{python:?} {place}");
            }
            server.wait_for_log("Creating interpreter 'a'");
            assert_eq!(server.log_count("with a lock of its own"), 1);
        }
    }

    fn what_is_local_to_a_thread_stays_with_an_own_lock(mode) {
        ours!("it has one Python");
        for python in pythons::with_own_locks() {
            let server = Httpd::with(&format!(
                "{}{OWN_LOCKS}\nWSGIScriptAlias / @root@/local.py application-group=a",
                placed(&python, mode, "threads=1"),
            ))
            .file("local.py", COUNTS)
            .sizing("StartServers 1\nServerLimit 1\nThreadsPerChild 1\nMinSpareThreads 1\n\
                     MaxSpareThreads 1\nMaxRequestWorkers 1\nAsyncRequestWorkerFactor 10")
            .start();
            for count in ["1", "2", "3"] {
                assert_eq!(server.get("/").ok(), count, "{python:?}");
            }
        }
    }

    fn coroutines_threads_and_programs_work_with_own_locks(mode) {
        ours!("it has one Python");
        for python in pythons::with_own_locks() {
            let server = two_groups(&python, mode, "threads.py", "", OWN_LOCKS);
            for place in ["/a", "/b"] {
                let ask = |route: &str| server.get(&format!("{place}/{route}")).ok();
                assert_eq!(ask("coroutines"), "[2, 4, 6, 8]", "{python:?}");
                assert_eq!(ask("pool"), "[4, 3, 2, 1]", "{python:?}");
                assert_eq!(ask("program"), "('text', '', 3)", "{python:?}");
            }
        }
    }

    fn interpreters_with_own_locks_end_properly(mode) {
        ours!("it has one Python");
        for python in pythons::with_own_locks() {
            let server = two_groups(&python, mode, "evaluate.py", "", OWN_LOCKS);
            for place in ["a", "b", "main"] {
                let code = format!(
                    "imp('atexit').register(open(environ['TEST_OUT']+'/{place}','w').write,'x')and(0)"
                );
                assert_eq!(value(&server, &format!("/{place}"), &code), "0");
            }
            let out = server.path("out");
            server.stop();
            for place in ["a", "b", "main"] {
                let text = std::fs::read_to_string(out.join(place));
                assert_eq!(text.unwrap(), "x", "{python:?} {place}");
            }
        }
    }
}

/// Counts the requests of a thread.
const COUNTS: &str = "\
import threading
local = threading.local()
def application(environ, start_response):
    local.count = getattr(local, 'count', 0) + 1
    start_response('200 OK', [])
    return [str(local.count).encode()]
";

one! {
    fn every_group_runs_the_python_of_its_home() {
        ours!("it has one Python");
        let pythons = pythons::others();
        if pythons.is_empty() {
            return;
        }
        let mut lines = "WSGIDaemonProcess system python-home=/usr threads=2\n\
                         WSGIScriptAlias /system @apps@/evaluate.py process-group=system\n"
            .to_owned();
        for python in &pythons {
            let (version, prefix) = (python.version(), python.prefix.display());
            lines.push_str(&format!(
                "WSGIDaemonProcess v{version} python-home={prefix} threads=2\n\
                 WSGIScriptAlias /{version} @apps@/evaluate.py process-group=v{version}\n"
            ));
        }
        let server = Httpd::with(&lines).start();
        let code = "imp('sys').version_info[1];;imp('sys').prefix";
        for python in &pythons {
            let (version, prefix) = (python.version(), python.prefix.display());
            let expected = format!("{}\n'{prefix}'", python.minor);
            assert_eq!(value(&server, &format!("/{version}"), code), expected);
            // The system cuts the names of programs.
            let name = &format!("wsgi-daemon-{version}")[..15];
            assert!(!server.processes_named(name).is_empty(), "{name}");
        }
        assert!(value(&server, "/system", code).ends_with("'/usr'"));
    }

    fn a_venv_decides_by_what_it_was_made_with() {
        ours!("it has one Python");
        for python in pythons::others() {
            let venv = rundir::run().path.join(format!("venv-{}", python.version()));
            let made = Command::new(python.program())
                .args(["-m", "venv", "--without-pip"])
                .arg(&venv)
                .status();
            assert!(made.unwrap().success(), "{python:?}");
            let server = Httpd::with(&format!(
                "WSGIDaemonProcess app threads=2 python-home={}\nWSGIProcessGroup app\n\
                 WSGIScriptAlias / @apps@/evaluate.py",
                venv.display()
            ))
            .start();
            let seen = value(&server, "/", "imp('sys').prefix;;imp('sys').version_info[1]");
            assert_eq!(seen, format!("'{}'\n{}", venv.display(), python.minor));
        }
    }

    fn a_home_of_a_version_without_a_binary_is_refused() {
        ours!("it starts, and every request fails");
        let said = Httpd::with("WSGIDaemonProcess app python-home=@root@/prefix")
            .file("prefix/lib/python3.4/os.py", "")
            .refused();
        for part in ["WSGIDaemonProcess app", "is of Python 3.4", "nothing is installed", "--python"] {
            assert!(said.contains(part), "{part} in {said}");
        }
    }

    fn own_locks_need_a_newer_python() {
        ours!("it warns in other words");
        if !rundir::output_of("/usr/bin/python3", &["-V"]).contains(" 3.11.") {
            return;
        }
        let server = Httpd::with(
            "WSGIPerInterpreterGIL On\nWSGIRestrictEmbedded On\n\
             WSGIDaemonProcess app threads=2 python-home=/usr\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/hello.py",
        )
        .start();
        server.expect_log("WSGI0198: WSGIPerInterpreterGIL On has no effect in daemon process group 'app'");
        server.get("/").ok();
    }

    fn running_without_a_lock_needs_another_build() {
        let server = Httpd::with(
            "WSGIFreeThreading On\nWSGIRestrictEmbedded On\n\
             WSGIDaemonProcess app threads=2\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/hello.py",
        )
        .start();
        server.expect_log("WSGI0200");
        server.get("/").ok();
    }

    fn a_stuck_interpreter_with_its_own_lock_costs_only_its_requests() {
        ours!("it has one Python");
        for python in pythons::with_own_locks() {
            let options = "deadlock-timeout=60 request-timeout=1 interrupt-timeout=20";
            let server = two_groups(&python, Mode::Daemon, "parallel.py", options, OWN_LOCKS);
            server.allow_log("WSGI1220").expect_traceback("RequestTimeout");
            server.get("/a/free").ok();
            server.get("/b/free").ok();
            let mut holding = server.connect();
            holding.request("GET", "/a/hold?2", &[], b"");
            let mut burning = server.connect();
            burning.request("GET", "/b/burn?60", &[], b"");
            // Nobody waits for the lock that is held, neither here nor who interrupts /b.
            for _ in 0..20 {
                server.get("/main/free").ok();
                server.get("/b/free").ok();
            }
            assert_eq!(burning.response().status(), 504, "{python:?}");
            holding.response();
            // A stack is looked for during one second, which may be short on a busy machine.
            let has_stack = || server.log_count("in _burn") > 0;
            let again = || server.get("/b/burn?60").status() == 504 && has_stack();
            assert!(has_stack() || again() || again(), "{python:?}");
        }
    }

    fn a_lock_of_an_interpreter_that_is_never_free_costs_the_process() {
        ours!("it has one Python");
        for python in pythons::with_own_locks() {
            let options = "deadlock-timeout=1 shutdown-timeout=1";
            let server = two_groups(&python, Mode::Daemon, "parallel.py", options, OWN_LOCKS);
            server.expect_log("WSGI1222: The lock of interpreter 'a'");
            server.allow_log("WSGI0146").allow_log("Request in progress for");
            server.get("/a/free").ok();
            let name = &format!("wsgi-daemon-{}", python.version())[..15];
            let first = server.processes_named(name).remove(0);
            let mut holding = server.connect();
            holding.request("GET", "/a/hold?60", &[], b"");
            let start = Instant::now();
            poll("the process to end", || (!first.is_alive()).then_some(()));
            assert!(start.elapsed() < Duration::from_secs(10), "{python:?}");
            assert_eq!(holding.response().status(), 502);
            server.get("/a/free").ok();
        }
    }

    fn extensions_with_own_locks_name_the_remedy() {
        ours!("it has one Python");
        // Not made for isolated interpreters in any version so far.
        let module = "readline";
        for python in pythons::with_own_locks() {
            let server = Httpd::with(&format!(
                "WSGIPerInterpreterGIL On\n\
                 WSGIDaemonProcess app python-home={} threads=1\nWSGIProcessGroup app\n\
                 WSGIScriptAlias / @root@/app.py",
                python.prefix.display()
            ))
            .file("app.py", &format!("import {module}\nfrom wsgiref.simple_server import demo_app as application\n"))
            .start();
            server.expect_log("WSGI1026").expect_traceback("does not support loading in subinterpreters");
            server.expect_log("WSGI0109");
            assert_eq!(server.get("/").status(), 500);
            let line = server.wait_for_log("WSGI1026").line;
            for text in [module, "WSGIApplicationGroup %{GLOBAL}", "WSGIPerInterpreterGIL Off"] {
                assert!(line.contains(text), "{text} in {line}");
            }
        }
    }
}
