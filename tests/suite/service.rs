//! Service scripts, groups with `threads=0`.

use std::time::{Duration, Instant};

use crate::support::process::Process;
use crate::support::{Httpd, poll};

/// A server with a service script in a group `service`, beside an application.
fn service(script: &str, options: &str) -> Httpd {
    Httpd::with(&format!(
        "WSGIDaemonProcess service threads=0 {options}\nWSGIDaemonProcess app threads=1\n\
         WSGIImportScript @root@/service.py process-group=service application-group=%{{GLOBAL}}\n\
         WSGIScriptAlias / @apps@/hello.py process-group=app application-group=%{{GLOBAL}}"
    ))
    .file("service.py", script)
    .start()
}

/// Notes its start, and runs until it is told to leave.
const RUNS: &str = "\
import os, time
def note(name, text):
    with open('@root@/out/' + name, 'a') as file: file.write(text)
note('pid', f'{os.getpid()} ')
try:
    while True: time.sleep(60)
finally:
    note('left', 'x')
";

#[track_caller]
fn pid(server: &Httpd, number: usize) -> Process {
    poll("the service to start", || {
        let pids = server.out("pid");
        Process::of(pids.split_whitespace().nth(number)?.parse().ok()?)
    })
}

one! {
    fn a_service_runs_and_ends_with_httpd() {
        let server = service(RUNS, "");
        let process = pid(&server, 0);
        assert_eq!(server.get("/").status(), 200);
        let start = Instant::now();
        let wrong = server.stop();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(!process.is_alive() && start.elapsed() < Duration::from_secs(3));
        assert_eq!(server.out("left"), "x", "it could finish what it was doing");
    }

    fn a_service_told_to_leave_is_started_again() {
        let server = service(RUNS, "");
        let first = pid(&server, 0);
        first.signal(libc::SIGTERM);
        first.wait_for_end();
        assert_eq!(server.out("left"), "x");
        assert_ne!(pid(&server, 1), first);
    }

    fn a_service_may_handle_signals() {
        let script = "import signal, os, time\n\
            def note(*_):\n    open('@root@/out/heard', 'a').write('x')\n\
            signal.signal(signal.SIGUSR2, note)\n\
            open('@root@/out/pid', 'a').write(f'{os.getpid()} ')\n\
            while True: time.sleep(0.05)\n";
        let server = service(script, "");
        let process = pid(&server, 0);
        process.signal(libc::SIGUSR2);
        server.wait_for_out("heard");
        assert!(process.is_alive());
    }

    fn a_child_of_a_service_keeps_its_handlers() {
        let script = "import os, time\n\
            is_child = os.fork() == 0\n\
            try:\n    \
            if is_child: open('@root@/out/pid', 'a').write(f'{os.getpid()} ')\n    \
            if not is_child: os.wait()\n    \
            time.sleep(60)\n\
            finally:\n    open('@root@/out/left', 'a').write('child' if is_child else 'parent')\n";
        let server = service(script, "");
        let child = pid(&server, 0);
        child.signal(libc::SIGTERM);
        assert_eq!(server.wait_for_out("left"), "child");
    }

    fn a_service_that_does_not_leave_is_ended() {
        let script = RUNS.replace("while True: time.sleep(60)", "\
            while True:\n        try: time.sleep(60)\n        except BaseException: pass");
        let server = service(&script, "shutdown-timeout=1");
        let process = pid(&server, 0);
        let start = Instant::now();
        let wrong = server.stop();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(!process.is_alive() && start.elapsed() < Duration::from_secs(6));
    }

    fn a_failing_service_is_started_again() {
        let server = service("open('@root@/out/starts', 'a').write('x')\nraise KeyError('why')\n", "");
        server.expect_traceback("KeyError: 'why'").expect_log("WSGI0110").allow_log("WSGI0174");
        poll("three starts", || (server.out("starts").len() >= 3).then_some(()));
        assert_eq!(server.get("/").status(), 200);
    }

    fn a_service_that_ends_at_once_is_started_again_with_pauses() {
        ours!("it starts again without a pause");
        let server = service("open('@root@/out/starts', 'a').write('x')\n", "");
        poll("three starts", || (server.out("starts").len() >= 3).then_some(()));
        let before = server.out("starts").len();
        std::thread::sleep(Duration::from_secs(1));
        let more = server.out("starts").len() - before;
        assert!(more <= 4, "{more} starts in a second");
    }

    fn a_service_in_a_sub_interpreter_ends_with_httpd() {
        ours!("its handler of SIGTERM runs in the main interpreter only");
        let server = Httpd::with(
            "WSGIDaemonProcess service threads=0 shutdown-timeout=1\n\
             WSGIImportScript @root@/service.py process-group=service application-group=own",
        )
        .file("service.py", RUNS)
        .start();
        let process = pid(&server, 0);
        let wrong = server.stop();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(!process.is_alive());
    }

    fn a_service_group_takes_no_requests() {
        ours!("the request waits for a thread that never comes");
        let server = Httpd::with(
            "WSGIDaemonProcess service threads=0\nWSGIProcessGroup service\n\
             WSGIScriptAlias / @apps@/hello.py\n\
             WSGIImportScript @root@/service.py process-group=service application-group=%{GLOBAL}",
        )
        .file("service.py", RUNS)
        .start();
        server.expect_log("WSGI1011").expect_log("WSGI1044");
        assert_eq!(server.get("/").status(), 500);
    }
}
