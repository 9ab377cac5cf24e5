//! Faults while many clients ask: what is lost is what the killed process was executing, nothing
//! hangs past its timeout, and the group is whole again afterwards.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::daemon::answering;
use crate::support::load::{self, Tally};
use crate::support::process::Process;
use crate::support::rundir::output_of;
use crate::support::{Httpd, at_end, original, poll};

/// Threads of every process in these tests.
const THREADS: usize = 3;

/// A server with the harmful application in a group `app` with these options.
fn group(options: &str) -> Httpd {
    let server = Httpd::with(&format!(
        "WSGIDaemonProcess app threads={THREADS} display-name=%{{GROUP}} {options}\n\
         WSGIProcessGroup app\nWSGIScriptAlias / @apps@/storm.py application-group=%{{GLOBAL}}"
    ))
    .many_clients()
    .start();
    server.get("/pid").ok();
    server
}

/// What the log may say about processes that die in the middle of requests.
fn allow_death(server: &Httpd) {
    server.allow_log("WSGI0146").allow_log("WSGI0147").allow_log("WSGI0127");
    server.allow_log("WSGI0119");
}

/// The processes of the group.
fn daemons(server: &Httpd) -> Vec<Process> {
    let all = server.processes_named("(wsgi:app)");
    all.into_iter().filter(Process::is_alive).collect()
}

fn supervisor(server: &Httpd) -> Process {
    let all = server.processes_named("wsgi-supervisor");
    all.into_iter().find(Process::is_alive).expect("a supervisor")
}

/// Eight clients while `harm` is done, with a calm moment before and after it.
fn storm<T>(server: &Httpd, harm: impl FnOnce() -> T) -> (Tally, T) {
    load::during(server.port(), 8, "/nap?3", || {
        thread::sleep(Duration::from_millis(150));
        let given = harm();
        thread::sleep(Duration::from_millis(300));
        given
    })
}

/// Four clients and no harm.
fn calm(server: &Httpd) -> Tally {
    load::during(server.port(), 4, "/nap?3", || thread::sleep(Duration::from_millis(300))).0
}

/// Waits until the group has `count` processes, none of them among `gone`.
#[track_caller]
fn wait_for_processes(server: &Httpd, count: usize, gone: &[Process]) {
    poll("the processes to be replaced", || {
        let now = daemons(server);
        (now.len() == count && !now.iter().any(|one| gone.contains(one))).then_some(())
    });
}

one! {
    fn a_killed_daemon_costs_what_it_was_executing() {
        let server = group("processes=2");
        allow_death(&server);
        const KILLS: usize = 4;
        let (tally, ()) = storm(&server, || for _ in 0..KILLS {
            let victim = daemons(&server).remove(0);
            victim.signal(libc::SIGKILL);
            wait_for_processes(&server, 2, &[victim]);
            thread::sleep(Duration::from_millis(100));
        });
        tally.lost_at_most(KILLS * THREADS, &[502]);
        tally.within(Duration::from_secs(3));
    }

    fn all_daemons_killed_at_once_cost_what_they_were_executing() {
        let server = group("processes=3");
        allow_death(&server);
        let (tally, ()) = storm(&server, || for _ in 0..2 {
            let victims = daemons(&server);
            victims.iter().for_each(|victim| victim.signal(libc::SIGKILL));
            wait_for_processes(&server, 3, &victims);
            thread::sleep(Duration::from_millis(200));
        });
        tally.lost_at_most(2 * 3 * THREADS, &[502]);
        tally.within(Duration::from_secs(3));
    }

    fn a_killed_supervisor_costs_no_request() {
        ours!("it has none");
        let server = group("processes=2");
        server.expect_log("WSGI1002");
        let (tally, ()) = storm(&server, || for _ in 0..2 {
            let (victim, before) = (supervisor(&server), daemons(&server));
            victim.signal(libc::SIGKILL);
            wait_for_processes(&server, 2, &before);
        });
        tally.all_served();
        tally.within(Duration::from_secs(4));
    }

    fn a_killed_child_of_httpd_costs_its_own_connections() {
        let server = group("processes=2");
        let parent = server.pid();
        let (tally, victim) = storm(&server, || {
            let children = server.processes_named("httpd.conf");
            let is_child = |one: &&Process| {
                one.parent() == parent && !one.command().contains("(wsgi:app)")
            };
            let victim = children.iter().find(is_child).expect("a child of httpd").clone();
            victim.signal(libc::SIGKILL);
            poll("the child to go", || (!victim.is_alive()).then_some(()));
            victim
        });
        assert!(tally.cut <= 8, "{tally:?}");
        Tally { cut: 0, ..tally }.all_served();
        // The daemons have let go of it.
        poll("every thread to be free", || {
            let idle = load::during(server.port(), 2 * THREADS, "/nap?50", || {
                thread::sleep(Duration::from_millis(200));
            });
            (idle.0.longest < Duration::from_millis(150)).then_some(())
        });
        assert!(!victim.is_alive());
    }

    fn a_stopped_daemon_holds_up_what_it_has_and_nothing_else() {
        ours!("it hands new requests to a stopped process as well");
        // Long enough for others on a busy machine, too.
        let server = group("processes=2 socket-timeout=2");
        server.allow_log("WSGI0145");
        let (tally, ()) = storm(&server, || {
            let victim = daemons(&server).remove(0);
            victim.signal(libc::SIGSTOP);
            thread::sleep(Duration::from_millis(3500));
            victim.signal(libc::SIGCONT);
        });
        // What it was serving, and what comes by the connections it keeps: up to two for each thread.
        tally.lost_at_most(2 * THREADS, &[504]);
        tally.within(Duration::from_secs(5));
    }

    fn a_process_that_cannot_be_started_is_tried_again() {
        ours!("it sleeps 20 s after a failed start");
        needs_root!();
        let server = group("processes=1");
        allow_death(&server);
        for code in ["WSGI0022", "WSGI0024", "WSGI0025", "WSGI0068", "WSGI1008", "WSGI1211"] {
            server.allow_log(code);
        }
        let (tally, ()) = storm(&server, || {
            let (supervisor, victim) = (supervisor(&server), answering(&server));
            supervisor.set_limit("nproc", "1:");
            victim.signal(libc::SIGKILL);
            server.wait_for_log("WSGI1211");
            supervisor.set_limit("nproc", "4096:");
            server.wait_for_log("serves again");
            // So that the clients are served for a while too.
            (0..20).for_each(|_| drop(server.get("/nap?3").ok()));
        });
        assert!(tally.count(502) <= THREADS, "{tally:?}");
        tally.lost_at_most(usize::MAX, &[502, 503]);
        calm(&server).all_served();
    }

    fn a_process_without_descriptors_leaves_requests_to_others() {
        needs_threads!("too few clients at a time");
        ours!("such a process takes requests and fails");
        let server = group("processes=2");
        server.expect_log("Too many open files");
        for process in daemons(&server) {
            process.leave_descriptors(50);
        }
        let (tally, ()) = storm(&server, || {
            server.get("/holds_descriptors").ok();
            thread::sleep(Duration::from_millis(1500));
        });
        tally.all_served();
        tally.within(Duration::from_secs(2));
        let records = server.log_count("Too many open files");
        assert!(records < 40, "{records} records say the same");
    }

    fn an_application_that_closes_all_descriptors_costs_its_process() {
        let server = group("processes=2");
        allow_death(&server);
        server.allow_log("WSGI1201").allow_log("WSGI0018").allow_log("WSGI0024");
        let (tally, ()) = storm(&server, || for _ in 0..2 {
            let victims = daemons(&server);
            assert_eq!(load::ask(server.port(), "/closes_descriptors"), Some(502));
            poll("the process to be replaced", || {
                let gone = victims.iter().any(|one| !one.is_alive());
                (gone && daemons(&server).len() == 2).then_some(())
            });
        });
        tally.lost_at_most(2 * THREADS, &[500, 502]);
        tally.within(Duration::from_secs(4));
    }

    fn a_forked_child_that_returns_answers_nothing() {
        ours!("the child answers the request a second time");
        let server = group("processes=2");
        allow_death(&server);
        let (tally, ()) = storm(&server, || for _ in 0..10 {
            let before = daemons(&server);
            let pid: i32 = server.get("/forks_and_returns").ok().parse().unwrap();
            assert!(before.iter().any(|one| one.pid == pid), "{pid} is no process of the group");
        });
        tally.all_served();
        tally.within(Duration::from_secs(3));
    }

    fn threads_that_never_end_hold_up_no_replacement() {
        let server = group("processes=2 shutdown-timeout=1");
        let (tally, ()) = storm(&server, || {
            let pid: i32 = server.get("/endless_threads").ok().parse().unwrap();
            let victim = Process::of(pid).unwrap();
            victim.signal(libc::SIGTERM);
            let start = Instant::now();
            wait_for_processes(&server, 2, &[victim]);
            assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        });
        tally.all_served();
        tally.within(Duration::from_secs(3));
    }

    fn stuck_requests_cost_themselves() {
        ours!("the other requests of the process wait with them");
        for route in ["blocks_in_c", "ignores_the_timeout"] {
            let server = group(
                "processes=2 request-timeout=1 interrupt-timeout=1 graceful-timeout=2 \
                 shutdown-timeout=1",
            );
            allow_death(&server);
            server.allow_log("WSGI12").expect_traceback("WSGI1220");
            let (tally, ()) = storm(&server, || {
                let mut stuck = server.connect();
                stuck.request("GET", &format!("/{route}"), &[], b"");
                server.wait_for_out(&format!("in-{route}"));
                assert_eq!(stuck.response().status(), 502, "{route}");
                wait_for_processes(&server, 2, &[]);
            });
            tally.all_served();
            tally.within(Duration::from_secs(2));
        }
    }

    fn a_request_that_holds_the_interpreter_costs_its_process() {
        ours!("it notices after deadlock-timeout only");
        let server = group("processes=2 request-timeout=1 graceful-timeout=1 shutdown-timeout=1");
        allow_death(&server);
        server.allow_log("WSGI12").expect_traceback("WSGI1220");
        let (tally, ()) = storm(&server, || {
            let mut stuck = server.connect();
            stuck.request("GET", "/holds_the_interpreter", &[], b"");
            server.wait_for_out("in-holds_the_interpreter");
            assert_eq!(stuck.response().status(), 502);
            wait_for_processes(&server, 2, &[]);
        });
        tally.lost_at_most(THREADS, &[502]);
        tally.within(Duration::from_secs(8));
    }

    fn thirty_changes_of_the_script_cost_no_request() {
        ours!("a request may be turned away more often than it tries");
        let source = include_str!("../apps/storm.py");
        let server = Httpd::with(&format!(
            "WSGIDaemonProcess app processes=2 threads={THREADS}\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @root@/app.py"
        ))
        .many_clients()
        .file("app.py", source)
        .start();
        let path = server.path("app.py");
        let (tally, ()) = storm(&server, || for round in 0..30_u32 {
            let fresh = path.with_extension("new");
            fs::write(&fresh, format!("{source}\nROUND = {round}\n")).unwrap();
            fs::rename(&fresh, &path).unwrap();
            thread::sleep(Duration::from_millis(100));
        });
        tally.all_served();
        // Beside two programs that compute it has been 7.5.
        tally.within(Duration::from_secs(15));
    }

    fn ten_times_more_clients_than_threads_are_all_served() {
        let server = group("processes=1");
        let (tally, ()) = load::during(server.port(), 10 * THREADS, "/nap?10", || {
            thread::sleep(Duration::from_millis(2000));
        });
        tally.all_served();
        tally.within(Duration::from_secs(2));
    }

    fn graceful_restarts_under_load_cut_no_request() {
        ours!("it kills daemons and unlinks their socket");
        let server = group("processes=2");
        server.allow_log("AH00045");
        let port = server.port();
        let (tally, ()) = storm(&server, || thread::scope(|scope| {
            let long: Vec<_> = (0..4)
                .map(|_| scope.spawn(move || load::ask(port, "/nap?2500")))
                .collect();
            thread::sleep(Duration::from_millis(200));
            for _ in 0..3 {
                server.graceful();
                thread::sleep(Duration::from_millis(300));
            }
            for request in long {
                assert_eq!(request.join().unwrap(), Some(200), "a long request was cut");
            }
        }));
        tally.all_served();
        tally.within(Duration::from_secs(4));
    }

    fn restart_and_stop_end_within_the_shutdown_timeout() {
        ours!("httpd waits ten seconds for children that relay");
        let server = group("processes=2 shutdown-timeout=1");
        allow_death(&server);
        server.allow_log("AH00045").allow_log("AH00046").allow_log("WSGI0119");
        for (round, route) in [(1, "blocks_in_c"), (2, "holds_the_interpreter")] {
            let mut stuck = server.connect();
            stuck.request("GET", &format!("/{route}"), &[], b"");
            server.wait_for_out(&format!("in-{route}"));
            let before = server.log_count("resuming normal");
            let start = Instant::now();
            server.signal(libc::SIGHUP);
            poll("the restart", || (server.log_count("resuming normal") > before).then_some(()));
            assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
            fs::remove_file(server.path("out").join(format!("in-{route}"))).unwrap();
            // Until the new processes are ready the old ones take requests, also the one that
            // can run none.
            poll("the old processes to drain", || {
                (server.log_count("Shutdown requested") >= 2 * round).then_some(())
            });
            server.get("/pid").ok();
        }
        let mut stuck = server.connect();
        stuck.request("GET", "/blocks_in_c", &[], b"");
        server.wait_for_out("in-blocks_in_c");
        let start = Instant::now();
        let wrong = server.stop();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}

/// A file system of 64 KiB; unmounted on drop.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf) -> Option<SmallDisk> {
        let text = path.display().to_string();
        output_of("mount", &["-t", "tmpfs", "-o", "size=64k,mode=1777", "none", &text]);
        let mounted = fs::read_to_string("/proc/mounts").unwrap_or_default().contains(&text);
        mounted.then_some(SmallDisk(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        at_end(|| drop(output_of("umount", &["-l", &self.0.display().to_string()])));
    }
}

/// A memory cgroup with a limit; its members are moved out and it is removed on drop.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    /// A group with this process in it and room for so many bytes.
    fn around(process: &Process, limit: u64) -> Option<MemoryGroup> {
        let name = format!("wsgi-test-{}", process.pid);
        for (base, file) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let path = PathBuf::from(base).join(&name);
            if fs::create_dir(&path).is_err() {
                continue;
            }
            let group = MemoryGroup(path);
            if fs::write(group.0.join(file), limit.to_string()).is_ok()
                && fs::write(group.0.join("cgroup.procs"), process.pid.to_string()).is_ok()
            {
                // No swap to hide in; where there is no such file there is no swap either.
                let _ = fs::write(group.0.join("memory.swap.max"), "0");
                return Some(group);
            }
        }
        None
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Its member has ended; a directory that is still busy is left to the machine's end.
        at_end(|| {
            poll("the memory cgroup to be empty", || {
                fs::remove_dir(&self.0).is_ok().then_some(()).or((!self.0.exists()).then_some(()))
            });
        });
    }
}

one! {
    fn a_full_disk_costs_what_needs_it() {
        ours!("it loses requests at the graceful restart in it");
        needs_root!();
        let server = Httpd::with(&format!(
            "WSGIDaemonProcess app processes=2 threads={THREADS}\nWSGIProcessGroup app\n\
             DefaultRuntimeDir @root@/small\nWSGIScriptAlias / @apps@/storm.py"
        ))
        .many_clients()
        .file("small/empty", "")
        .start();
        server.allow_log("AH00045");
        let small = server.path("small");
        let Some(_disk) = SmallDisk::mount(small.clone()) else {
            original::skipped("needs to mount a file system");
            return;
        };
        let upload = format!("/upload?{}", small.display());
        let (tally, ()) = storm(&server, || {
            assert_eq!(server.post(&upload, &[b'x'; 100_000]).ok(), "No space left on device");
            server.graceful();
            assert_eq!(server.post(&upload, &[b'x'; 100_000]).ok(), "No space left on device");
            assert_eq!(server.post("/pid", &[b'x'; 300_000]).status(), 200);
        });
        tally.all_served();
        tally.within(Duration::from_secs(4));
    }

    fn a_process_killed_for_want_of_memory_is_replaced() {
        needs_root!();
        let server = group("processes=2");
        allow_death(&server);
        let pid: i32 = server.get("/pid").ok().parse().unwrap();
        let victim = Process::of(pid).unwrap();
        let Some(_limit) = MemoryGroup::around(&victim, 64 << 20) else {
            original::skipped("needs a memory cgroup");
            return;
        };
        let (tally, ()) = storm(&server, || {
            for _ in 0..200 {
                if !victim.is_alive() {
                    break;
                }
                load::ask(server.port(), "/leaks?8");
            }
            assert!(!victim.is_alive(), "the kernel has not killed it");
            wait_for_processes(&server, 2, &[victim]);
        });
        tally.lost_at_most(THREADS, &[502]);
        tally.within(Duration::from_secs(4));
    }

    fn an_application_that_leaks_is_replaced_before_it_hurts() {
        ours!("a busy process may live far beyond its maximum of requests");
        let server = group("processes=2 maximum-requests=40");
        let most = |server: &Httpd| {
            let size = |one: &Process| {
                one.status("VmRSS").split(' ').next().and_then(|size| size.parse().ok())
            };
            daemons(server).iter().filter_map(size).max().unwrap_or(0_u64)
        };
        let (tally, largest) = load::during(server.port(), 8, "/leaks?1", || {
            let end = Instant::now() + Duration::from_secs(2);
            let mut largest = 0;
            while Instant::now() < end {
                largest = largest.max(most(&server));
                thread::sleep(Duration::from_millis(20));
            }
            largest
        });
        tally.all_served();
        // Forty requests, and what is served until the successor is ready; two seconds are thousands.
        assert!(largest < 300_000, "{largest} KiB");
    }
}
