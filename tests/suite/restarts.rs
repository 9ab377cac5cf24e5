//! Many graceful restarts in a row: nothing that outlives a configuration may grow with them.
//!
//! `cargo xtask soak` runs more of them (`WSGI_TEST_RESTARTS`): a thread-local key that is lost at
//! every restart shows only there, when the 1024 that a process may have are used up.

use std::thread;
use std::time::Duration;

use crate::support::process::Process;
use crate::support::{Httpd, load, poll};

/// Restarts before the first measurement: what is made once is made by then.
const WARM_UP: usize = 10;

/// KiB that a process may grow by at each restart; a leaked page each time is 4.
const GROWTH: usize = 1;

/// KiB of growth that says nothing, however few restarts there were.
const NOISE: usize = 120;

/// How many restarts follow.
fn restarts() -> usize {
    let number = std::env::var("WSGI_TEST_RESTARTS").ok();
    number.and_then(|number| number.parse().ok()).unwrap_or(50)
}

/// What a process holds.
#[derive(Debug)]
struct Held {
    descriptors: usize,
    threads: usize,
    /// KiB.
    memory: usize,
}

fn held(process: &Process) -> Held {
    let number = |field| {
        let text = process.status(field);
        text.split(' ').next().and_then(|word| word.parse().ok()).expect("a number")
    };
    Held {
        descriptors: process.descriptors().len(),
        threads: number("Threads"),
        memory: number("VmRSS"),
    }
}

/// Parent and supervisor, and how many supervisors and daemons there are. How many children httpd
/// has is its own affair.
fn measure(server: &Httpd) -> (Held, Held, usize) {
    let parent = Process::of(server.pid()).expect("the parent");
    let supervisor = server.processes_named("wsgi-supervisor").remove(0);
    let ours = ["wsgi-supervisor", "(wsgi:app)"].map(|name| server.processes_named(name));
    let count = ours.iter().flatten().filter(|one| one.is_alive()).count();
    (held(&parent), held(&supervisor), count)
}

/// Waits until the old processes have gone; a moment later nothing of a start is under way.
fn settle(server: &Httpd) {
    poll("the old processes to go", || {
        let daemons = server.processes_named("(wsgi:app)");
        (daemons.iter().filter(|one| one.is_alive()).count() == 2).then_some(())
    });
    thread::sleep(Duration::from_millis(500));
}

one! {
    fn graceful_restarts_leave_nothing_behind() {
        ours!("it has no supervisor");
        let server = Httpd::with(
            "WSGIDaemonProcess app processes=2 threads=3 display-name=%{GROUP}\n\
             WSGIProcessGroup app\nWSGIScriptAlias / @apps@/process.py",
        )
        // Room for new children beside those that end: httpd looks for places once a second.
        .many_clients()
        .start();
        server.allow_log("AH00045");
        let restart = || {
            server.graceful();
            assert_eq!(load::ask(server.port(), "/pid"), Some(200));
        };
        (0..WARM_UP).for_each(|_| restart());
        settle(&server);
        let (parent, supervisor, processes) = measure(&server);
        let count = restarts();
        (0..count).for_each(|_| restart());
        assert_eq!(server.log_count("resuming normal"), 1 + WARM_UP + count);
        settle(&server);
        // What is leaked stays; what is only late goes.
        let (parent_after, supervisor_after, _) = poll("descriptors and processes to go", || {
            let now = measure(&server);
            let is_back = now.0.descriptors <= parent.descriptors
                && now.1.descriptors <= supervisor.descriptors
                && now.2 <= processes;
            is_back.then_some(now)
        });
        println!("{parent:?} {parent_after:?}, {supervisor:?} {supervisor_after:?}");
        for (name, before, after) in
            [("parent", parent, parent_after), ("supervisor", supervisor, supervisor_after)]
        {
            assert!(after.threads <= before.threads, "{name}: {before:?} {after:?}");
            let most = before.memory + NOISE + count * GROWTH;
            assert!(after.memory <= most, "{name}: {before:?} {after:?} in {count} restarts");
        }
    }
}
