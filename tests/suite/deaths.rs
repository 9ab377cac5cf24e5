//! Processes that die, or are killed: what is lost, what is said, and who takes their place.

use std::time::{Duration, Instant};

use crate::support::daemon::{self, answering};
use crate::support::process::{Process, users_of};
use crate::support::{Httpd, Mode, conf, original, poll};

/// A server with the process application in a group `app` with these options.
fn group(options: &str) -> Httpd {
    daemon::serving("process.py", options)
}

/// The process that answers.
#[track_caller]
fn pid(server: &Httpd) -> i32 {
    answering(server).pid
}

/// Records httpd or the module may write when a daemon is killed on purpose.
fn allow_death(server: &Httpd) {
    server.allow_log("WSGI0146").allow_log("WSGI0147").allow_log("WSGI1").allow_log("WSGI0119");
    server.allow_log("WSGI0127");
}

/// Kills the process that answers while it is idle: another one answers then.
#[track_caller]
fn kill_idle(server: &Httpd) {
    let victim = answering(server);
    victim.signal(libc::SIGKILL);
    victim.wait_for_end();
    assert_ne!(pid(server), victim.pid);
}

/// Kills the process that answers while it has a request, which is answered 502.
#[track_caller]
fn kill_at_work(server: &Httpd) -> Process {
    let victim = answering(server);
    let mut connection = server.connect();
    connection.request("GET", "/wait?gate", &[], b"");
    server.wait_for_out("in-gate");
    victim.signal(libc::SIGKILL);
    assert_eq!(connection.response().status(), 502);
    victim
}

one! {
    fn a_killed_daemon_is_replaced() {
        let server = group("threads=2");
        allow_death(&server);
        kill_idle(&server);
        server.wait_for_log("signal 9");
    }

    fn a_killed_daemon_is_replaced_at_once() {
        ours!("its parent looks for dead daemons once a second");
        let server = group("threads=2");
        allow_death(&server);
        for _ in 0..3 {
            let start = Instant::now();
            kill_idle(&server);
            assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
        }
    }

    fn the_request_in_flight_of_a_killed_daemon_is_502() {
        let server = group("threads=2");
        allow_death(&server);
        let victim = kill_at_work(&server);
        assert_ne!(pid(&server), victim.pid);
    }

    fn the_log_line_of_a_502_names_signal_and_url() {
        ours!("it says neither why the process died nor for which URL");
        let server = group("threads=2");
        server.expect_log("WSGI0146");
        allow_death(&server);
        kill_at_work(&server);
        let line = server.wait_for_log("WSGI0146").line;
        assert!(line.contains("signal 9") || line.contains("SIGKILL"), "{line}");
        assert!(line.contains("/wait"), "{line}");
    }

    fn a_started_request_is_never_sent_twice() {
        let server = group("threads=2");
        allow_death(&server);
        kill_at_work(&server);
        server.open_gate("gate");
        pid(&server);
        assert_eq!(server.out("in-gate"), "x", "the application was called again");
    }

    fn requests_not_yet_taken_are_served_by_the_replacement() {
        let server = group("threads=1");
        allow_death(&server);
        let victim = answering(&server);
        let mut taken = server.connect();
        taken.request("GET", "/wait?gate", &[], b"");
        server.wait_for_out("in-gate");
        let mut queued: Vec<_> = (0..4).map(|_| server.connect()).collect();
        for connection in &mut queued {
            connection.request("GET", "/pid", &[], b"");
        }
        // They are queued when httpd has read them: it logs nothing then, so wait for its threads.
        std::thread::sleep(Duration::from_millis(150));
        victim.signal(libc::SIGKILL);
        assert_eq!(taken.response().status(), 502);
        for mut connection in queued {
            let pid: i32 = connection.response().ok().parse().unwrap();
            assert_ne!(pid, victim.pid);
        }
    }

    fn a_body_cut_by_a_dying_daemon_is_visible_to_the_client() {
        ours!("it ends the body as if it were complete");
        let server = group("threads=2");
        server.allow_log("WSGI0119");
        allow_death(&server);
        let victim = answering(&server);
        let mut connection = server.connect();
        connection.request("GET", "/stream", &[], b"");
        connection.final_head();
        assert_eq!(connection.piece().unwrap().unwrap(), b"first");
        victim.signal(libc::SIGKILL);
        while connection.piece().unwrap().is_some() {}
        assert!(!connection.is_complete());
        assert_ne!(pid(&server), victim.pid);
    }

    fn the_number_of_processes_is_kept() {
        let server = group("processes=3 threads=2 display-name=%{GROUP}");
        allow_death(&server);
        let three = || {
            let all = server.processes_named("(wsgi:app)");
            (all.len() == 3).then_some(all)
        };
        let before = poll("three processes", three);
        for process in &before {
            process.signal(libc::SIGKILL);
        }
        let after = poll("three new processes", || {
            three().filter(|after| after.iter().all(|process| !before.contains(process)))
        });
        assert_eq!(after.len(), 3);
        pid(&server);
    }

    fn httpd_stopped_while_requests_run_leaves_nothing() {
        let server = group("threads=2 shutdown-timeout=2");
        server.allow_log("WSGI").allow_log("AH");
        let mut connection = server.connect();
        connection.request("GET", "/wait?gate", &[], b"");
        server.wait_for_out("in-gate");
        let wrong = server.stop();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    fn nothing_outlives_httpds_parent_when_it_is_killed() {
        ours!("its daemons and children outlive a parent that was killed");
        let server = group("processes=2 threads=2");
        server.allow_log("WSGI").allow_log("AH");
        pid(&server);
        let supervisors = server.processes_named("wsgi-supervisor");
        assert_eq!(supervisors.len(), 1);
        let daemons: Vec<Process> = server
            .processes()
            .into_iter()
            .filter(|process| process.parent() == supervisors[0].pid)
            .collect();
        assert_eq!(daemons.len(), 2);
        server.processes();
        Process::of(server.pid()).unwrap().signal(libc::SIGKILL);
        poll("supervisor and daemons to end", || {
            (!supervisors[0].is_alive() && daemons.iter().all(|one| !one.is_alive())).then_some(())
        });
        // httpd's own children outlive their parent without any module; they are ended here.
        for process in server.processes().into_iter().chain(users_of(&server.path(""))) {
            process.signal(libc::SIGKILL);
        }
        server.end(libc::SIGKILL);
    }

    fn a_killed_supervisor_is_replaced_and_requests_are_served() {
        ours!("it has no supervisor");
        let server = group("threads=2");
        server.allow_log("WSGI").allow_log("AH");
        let before = pid(&server);
        let supervisor = server.processes_named("wsgi-supervisor").remove(0);
        supervisor.signal(libc::SIGKILL);
        poll("the old daemon to end with its supervisor", || {
            (!Process { pid: before, ..supervisor.clone() }.is_alive()).then_some(())
        });
        let new = poll("a new supervisor", || {
            server
                .processes_named("wsgi-supervisor")
                .into_iter()
                .find(|process| process.pid != supervisor.pid && process.is_alive())
        });
        assert_ne!(new.pid, supervisor.pid);
        poll("requests to be served", || (server.get("/pid").status() == 200).then_some(()));
        assert_ne!(pid(&server), before);
    }

    fn a_daemon_that_dies_at_start_is_tried_again_with_pauses() {
        ours!("it forks again without a pause");
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=1\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/hello.py\n\
             WSGIImportScript @root@/dies.py process-group=app application-group=%{GLOBAL}",
        )
        .file("dies.py", "import os\nopen('@root@/out/starts', 'a').write('x')\nos._exit(9)\n")
        .start();
        server.allow_log("WSGI").allow_log("AH");
        poll("three starts", || (server.out("starts").len() >= 3).then_some(()));
        let before = server.out("starts").len();
        std::thread::sleep(Duration::from_secs(1));
        let more = server.out("starts").len() - before;
        assert!(more <= 6, "{more} starts in a second");
    }
}

mod mpm {
    use super::*;

    both_modes! {
        fn a_crashing_application_costs_its_own_request_only(mode) {
            let server = Httpd::serving("failing.py", mode);
            allow_death(&server);
            // What httpd says about its own child.
            server.allow_log("AH00052").allow_log("AH00051");
            for (path, reason) in
                [("/exits", "exit code 7"), ("/crashes", "signal 11"), ("/aborts", "signal 6")]
            {
                let mut connection = server.connect();
                connection.request("GET", path, &[], b"");
                match mode {
                    Mode::Daemon => {
                        assert_eq!(connection.response().status(), 502, "{path}");
                        if !original::is_original() {
                            let record = poll("the record of the 502", || {
                                server.log().into_iter().find(|record| {
                                    record.line.contains("WSGI0146") && record.line.contains(path)
                                })
                            });
                            assert!(record.line.contains(reason), "{}", record.line);
                        }
                    }
                    Mode::Embedded => assert!(connection.try_response().unwrap().is_none()),
                }
                poll("the next request", || {
                    let mut connection = server.connect();
                    connection.request("GET", "/fine", &[], b"");
                    let answer = connection.try_response().ok().flatten();
                    answer.filter(|answer| answer.status() == 200)
                });
            }
        }
    }

    one! {
        fn a_child_of_httpd_that_hangs_at_its_end_is_ended() {
            ours!("httpd warns three times and kills it after ten seconds");
            for (path, is_interrupted) in
                [("/hang_at_exit", false), ("/hang_in_c", false), ("/hang_in_c", true)]
            {
                let configured = Httpd::with("WSGIScriptAlias / @apps@/timers.py");
                let server = configured.mode(Mode::Embedded).one_child().start();
                let mut connection = server.connect();
                connection.request("GET", path, &[], b"");
                connection.response().ok();
                // The others wait for the threads of requests in progress.
                if is_interrupted && conf::mpm() == "prefork" {
                    connection.request("GET", "/blocked?gate", &[], b"");
                    server.wait_for_out("in-gate");
                }
                let start = Instant::now();
                let wrong = server.stop();
                assert!(wrong.is_empty(), "{path}: {wrong:?}");
                assert!(start.elapsed() < Duration::from_secs(6), "{path}: {:?}", start.elapsed());
            }
        }

        fn a_daemon_killed_under_any_mpm_is_replaced() {
            let server = group("threads=2");
            allow_death(&server);
            kill_idle(&server);
        }
    }
}
