//! The real supervisor with the real daemon and a WSGI script; the test plays httpd.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints its server's log then"
)]

mod rig;

use std::{
    collections::BTreeSet,
    fs,
    io::IoSlice,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};

use rig::{Answer, Rig, daemon_program, is_alive, kill};
use wsgi_core::{
    control::{GroupSpec, ToSupervisor},
    frame::{HEADER, Header, Kind, LAST},
};
use wsgi_ipc::{
    scoreboard::{End, ProcessState},
    socket,
};

const HELLO: &str = "
import os, sys, time, threading
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [('%s %d' % (VERSION, os.getpid())).encode()]
VERSION = 'one'
";

/// A rig whose group runs the real daemon.
struct Stack {
    rig: Rig,
    spec: GroupSpec,
    last_id: AtomicU64,
}

impl Stack {
    fn start(change: impl FnOnce(&mut GroupSpec)) -> Self {
        let rig = Rig::start();
        let mut spec = rig.spec(&daemon_program());
        change(&mut spec);
        rig.configure(&spec);
        rig.wait_ready(spec.processes as usize);
        Self { rig, spec, last_id: AtomicU64::new(0) }
    }

    fn id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn script(&self, name: &str, code: &str) -> PathBuf {
        let path = self.rig.folder.path().join(name);
        fs::write(&path, code).unwrap();
        path
    }

    fn get(&self, script: &Path) -> Answer {
        self.rig.get(self.id(), script)
    }
}

/// Sets a flag when dropped.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn next_frame(connection: &OwnedFd) -> Header {
    let mut bytes = [0u8; HEADER];
    socket::receive_exact(connection.as_fd(), &mut bytes).unwrap();
    let header = Header::decode(&bytes).unwrap();
    let mut payload = vec![0u8; header.length as usize];
    socket::receive_exact(connection.as_fd(), &mut payload).unwrap();
    header
}

fn ends_well(answer: &Answer) -> &str {
    assert_eq!(answer.end, Some((Kind::End, 0)), "{answer:?}");
    &answer.body
}

#[test]
fn a_script_is_served_and_the_process_says_what_it_does() {
    let mut stack = Stack::start(|_| ());
    let script = stack.script("hello.wsgi", HELLO);
    let answer = stack.get(&script);
    let pid = stack.rig.ready()[0].pid;
    assert_eq!(ends_well(&answer), format!("one {pid}"));
    assert_eq!(answer.head.unwrap().status, 200);
    let cmdline = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(cmdline, "(wsgi:tested)\0");

    let start = Instant::now();
    stack.rig.send(&ToSupervisor::Stop);
    assert!(stack.rig.wait_end().success());
    assert!(start.elapsed() < Duration::from_millis(1500), "an idle process ends at once");
    let log = stack.rig.log();
    for line in [
        "Starting daemon process 'tested'",
        "Initializing Python",
        "Shutdown requested for daemon process",
        "Stopping process",
        "Exiting daemon process",
        "exited with status 0",
    ] {
        assert!(log.contains(line), "'{line}' not in {log}");
    }
    assert!(!log.contains("WSGI"), "{log}");
}

#[test]
fn a_killed_process_breaks_its_request_and_no_other() {
    let stack = Stack::start(|_| ());
    let slow = stack
        .script("slow.wsgi", &HELLO.replace("start_response(", "time.sleep(60); start_response("));
    let hello = stack.script("hello.wsgi", HELLO);
    let id = stack.id();
    let lost = stack.rig.request(id, &slow, false);
    let victim = stack.rig.ready()[0];
    stack.rig.wait("the request to begin", || stack.rig.group.slots.find(id));
    kill(victim.pid, libc::SIGKILL);
    let answer = Answer::read(&lost);
    assert_eq!(answer.end, None, "the connection breaks");
    let begun_by = || stack.rig.group.slots.find(id).map(|started| started.epoch);
    assert_eq!(begun_by(), Some(victim.epoch), "httpd finds that it was begun");
    // Nobody listens for a moment; the kernel keeps the request.
    ends_well(&stack.get(&hello));
    let state = stack.rig.group.table.process(victim.epoch).unwrap().state;
    assert_eq!(state, ProcessState::Ended(End::Signaled(9)));
    assert_eq!(begun_by(), Some(victim.epoch));
}

#[test]
fn a_changed_script_is_served_anew_and_running_requests_finish() {
    let stack = Stack::start(|spec| spec.processes = 2);
    // One process answers all requests that follow each other if they are quick.
    let hello = HELLO.replace("start_response(", "time.sleep(0.01); start_response(");
    let script = stack.script("hello.wsgi", &hello);
    let slow = stack
        .script("slow.wsgi", &HELLO.replace("start_response(", "time.sleep(4); start_response("));
    let old = stack.rig.ready();
    let mut answers = BTreeSet::new();
    stack.rig.wait("answers of both processes", || {
        answers.insert(ends_well(&stack.get(&script)).to_owned());
        (answers.len() == 2).then_some(())
    });
    let running: Vec<_> = (0..2).map(|_| stack.rig.request(stack.id(), &slow, false)).collect();
    thread::sleep(Duration::from_millis(200));
    stack.script("hello.wsgi", &hello.replace("'one'", "'two'"));
    let later = SystemTime::now() + Duration::from_secs(5);
    fs::File::options().write(true).open(&script).unwrap().set_modified(later).unwrap();
    for _ in 0..20 {
        assert!(ends_well(&stack.get(&script)).starts_with("two"));
    }
    for connection in &running {
        // shutdown-timeout is 2 s; what runs is not cut by a reload.
        ends_well(&Answer::read(connection));
    }
    stack.rig.wait("the end of the old processes", || {
        old.iter().all(|process| !is_alive(process.pid)).then_some(())
    });
}

#[test]
fn replacements_under_load_lose_no_request() {
    let stack = Stack::start(|spec| spec.processes = 2);
    let script = stack.script("hello.wsgi", HELLO);
    let is_done = AtomicBool::new(false);
    let served = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    ends_well(&stack.get(&script));
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Set when this thread panics, too: the others would never end.
        let _ending = SetOnDrop(&is_done);
        for _ in 0..3 {
            let newest = stack.rig.processes(|_| true).last().unwrap().epoch;
            stack.rig.configure(&stack.spec);
            stack.rig.wait("new processes", || {
                let ready = stack.rig.ready();
                let is_new = ready.iter().all(|process| process.epoch > newest);
                (ready.len() == 2 && is_new).then_some(())
            });
        }
    });
    assert!(served.load(Ordering::Relaxed) > 100);
}

/// What an httpd child does with a request: again when nobody has started it, never otherwise.
/// `false` when it was lost with its process.
fn relay(stack: &Stack, script: &Path) -> bool {
    let id = stack.id();
    loop {
        let answer = Answer::read(&stack.rig.request(id, script, false));
        match answer.end {
            Some((Kind::Requeue, _)) => {}
            None if stack.rig.group.slots.find(id).is_none() => {}
            None => return false,
            Some(_) => {
                ends_well(&answer);
                return true;
            }
        }
    }
}

#[test]
fn no_request_runs_twice_however_often_processes_are_killed() {
    let stack = Stack::start(|spec| spec.processes = 2);
    let script = stack.script(
        "once.wsgi",
        "import os
log = os.open('ran', os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def application(environ, start_response):
    os.write(log, environ['PATH_INFO'].encode())
    start_response('200 OK', [])
    return [b'ran']
",
    );
    let (is_done, lost) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    if !relay(&stack, &script) {
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let _ending = SetOnDrop(&is_done);
        for round in 0..20 {
            let ready =
                stack.rig.wait("a process", || Some(stack.rig.ready()).filter(|r| !r.is_empty()));
            kill(ready[round % ready.len()].pid, libc::SIGKILL);
            thread::sleep(Duration::from_millis(100));
        }
    });
    let ran = fs::read_to_string(stack.rig.folder.path().join("ran")).unwrap();
    let mut ids: Vec<&str> = ran.split('/').skip(1).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "some ran twice");
    assert!(count > 50, "{count} requests");
    // Each of 20 processes had two threads.
    assert!(lost.load(Ordering::Relaxed) <= 40, "{lost:?} lost");
}

#[test]
fn a_request_in_flight_survives_the_death_of_the_supervisor() {
    let mut stack = Stack::start(|_| ());
    let slow = stack
        .script("slow.wsgi", &HELLO.replace("start_response(", "time.sleep(1); start_response("));
    let id = stack.id();
    let running = stack.rig.request(id, &slow, false);
    stack.rig.wait("the request to begin", || stack.rig.group.slots.find(id));
    let old = stack.rig.ready()[0];
    kill(stack.rig.supervisor_pid(), libc::SIGKILL);
    stack.rig.wait_end();
    stack.rig.restart_supervisor();
    stack.rig.configure(&stack.spec);
    ends_well(&Answer::read(&running));
    let hello = stack.script("hello.wsgi", HELLO);
    ends_well(&stack.get(&hello));
    stack.rig.wait("the old process to end", || (!is_alive(old.pid)).then_some(()));
}

#[test]
fn stop_lets_running_requests_finish_within_the_shutdown_timeout() {
    let mut stack = Stack::start(|_| ());
    let second = stack
        .script("slow.wsgi", &HELLO.replace("start_response(", "time.sleep(1); start_response("));
    let minute = stack.script(
        "slower.wsgi",
        &HELLO.replace("start_response(", "time.sleep(60); start_response("),
    );
    let (finishes, is_cut) = (
        stack.rig.request(stack.id(), &second, false),
        stack.rig.request(stack.id(), &minute, false),
    );
    stack
        .rig
        .wait("both to begin", || stack.rig.group.slots.find(1).and(stack.rig.group.slots.find(2)));
    let start = Instant::now();
    stack.rig.send(&ToSupervisor::Stop);
    ends_well(&Answer::read(&finishes));
    assert_eq!(Answer::read(&is_cut).end, None);
    assert!(stack.rig.wait_end().success());
    let took = start.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&took), "{took:?}");
}

#[test]
fn a_python_that_cannot_start_is_the_groups_reason() {
    let rig = Rig::start();
    let mut spec = rig.spec(&daemon_program());
    spec.engine.python_home = Some("/nowhere".into());
    rig.configure(&spec);
    let reason = rig.wait_failing();
    assert!(rig.log().contains("WSGI0028: "), "{}", rig.log());
    assert!(!reason.is_empty() && rig.log().contains(&reason), "{reason}");
}

#[test]
fn children_the_application_forks_hold_no_connection() {
    let stack = Stack::start(|_| ());
    let code = "
import os, signal, time
def application(environ, start_response):
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    start_response('200 OK', [])
    return [str(child).encode()]
";
    let script = stack.script("fork.wsgi", code);
    let answer = stack.get(&script);
    let child: u32 = ends_well(&answer).parse().unwrap();
    assert!(is_alive(child));
    // The answer may be here before the child has got to closing them.
    stack.rig.wait("a child without sockets", || {
        let files = fs::read_dir(format!("/proc/{child}/fd")).unwrap();
        let mut targets = files.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        let has_socket = targets.any(|target| target.to_string_lossy().starts_with("socket:"));
        (!has_socket).then_some(())
    });
    // Its SIGTERM ends it, and only it.
    kill(child, libc::SIGTERM);
    stack.rig.wait("the child's end", || (!is_alive(child)).then_some(()));
    ends_well(&stack.get(&script));
    assert_eq!(stack.rig.ready().len(), 1);
    let pid = stack.rig.ready()[0].pid;
    for task in fs::read_dir("/proc").unwrap().flatten() {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let Some((name, rest)) = stat.rsplit_once(") ") else { continue };
        let parent: u32 = rest.split(' ').nth(1).unwrap().parse().unwrap();
        if parent == pid {
            kill(name.split(' ').next().unwrap().parse().unwrap(), libc::SIGKILL);
        }
    }
}

#[test]
fn a_child_that_returns_from_the_application_answers_nothing() {
    let stack = Stack::start(|_| ());
    let code = "
import os
def application(environ, start_response):
    child = os.fork()
    start_response('200 OK', [])
    return [b'from the child' if child == 0 else b'from the parent']
";
    let script = stack.script("fork.wsgi", code);
    for _ in 0..5 {
        assert_eq!(ends_well(&stack.get(&script)), "from the parent");
    }
    assert_eq!(stack.rig.ready()[0].epoch, 1, "{}", stack.rig.log());
}

#[test]
fn a_request_body_comes_when_it_is_asked_for() {
    let stack = Stack::start(|_| ());
    let code = "
def application(environ, start_response):
    body = environ['wsgi.input'].read()
    start_response('200 OK', [])
    return [b'%d %d' % (len(body), sum(body))]
";
    let script = stack.script("body.wsgi", code);
    let id = stack.id();
    let connection = stack.rig.request(id, &script, true);
    let block = vec![3u8; 60_000];
    for round in 0..20 {
        while next_frame(&connection).kind != Kind::Want {}
        let flags = if round == 19 { LAST } else { 0 };
        let header = Header::new(Kind::Body, id, block.len()).with_flags(flags).encode();
        let parts = [IoSlice::new(&header), IoSlice::new(&block)];
        socket::send_vectored(connection.as_fd(), &parts).unwrap();
    }
    let answer = Answer::read(&connection);
    assert_eq!(ends_well(&answer), format!("{} {}", 60_000 * 20, 60_000 * 20 * 3));
}
