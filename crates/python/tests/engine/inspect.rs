//! Looking at threads that are in Python, and interrupting them.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    mpsc,
};
use std::time::{Duration, Instant};

use wsgi_core::exchange::Outcome;

use crate::support::{Answer, Call, Script, runtime};

const LOOP: &str = "def application(e, s):\n\
    \x20   if e.get('LOOP'):\n\
    \x20       while True: pass\n\
    \x20   s('200 OK', [])\n\
    \x20   return [b'done']\n";

/// Threads that come while others are looked at.
const ARRIVALS: u32 = 3000;

fn identity() -> u64 {
    // SAFETY: returns a number.
    unsafe { libc::pthread_self() }
}

fn looping(group: &'static str) -> Call {
    let entries = vec![(b"LOOP".to_vec(), Some(b"1".to_vec()))];
    Call { group, entries, ..Call::default() }
}

/// Serves a request that loops in one thread, and lets another look at it.
fn while_looping(group: &'static str, script: &Script, look: impl FnOnce(u64) + Send) -> Answer {
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            look(receive.recv().unwrap());
            runtime().thread_end();
        });
        send.send(identity()).unwrap();
        let answer = script.serve_on(&looping(group));
        runtime().forget_interrupt(group.as_bytes());
        script.serve(&Call { group, ..Call::default() }).assert_text("done");
        answer
    })
}

/// Waits until the thread's stack shows the text.
fn wait_for_stack(group: &str, thread: u64, text: &str) -> Vec<String> {
    let start = Instant::now();
    loop {
        let stack = runtime().stack(group.as_bytes(), thread).unwrap_or_default();
        if stack.iter().any(|line| line.contains(text)) {
            return stack;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{stack:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_looping_request_is_seen_and_interrupted() {
    for group in ["", "inspected"] {
        let script = Script::new(LOOP);
        script.serve(&Call { group, ..Call::default() }).assert_text("done");
        let answer = while_looping(group, &script, |thread| {
            let stack = wait_for_stack(group, thread, "in application");
            assert!(stack.iter().any(|line| line.contains("app.wsgi\", line 3")), "{stack:?}");
            let group = group.as_bytes();
            assert!(!runtime().interrupt(group, thread, &|_| false));
            assert!(!runtime().interrupt(group, 1, &|work| work()), "no such thread");
            assert!(runtime().interrupt(group, thread, &|work| work()));
        });
        assert_eq!(answer.outcome, Outcome::Failed(504));
        assert!(answer.logged("interrupted by RequestTimeout"), "{:?}", answer.log);
        assert_eq!(answer.errors(), Vec::<&str>::new());
    }
}

#[test]
fn a_script_interrupted_while_it_loads_is_504() {
    let script = Script::new("while True: pass\n");
    let answer = std::thread::scope(|scope| {
        let thread = identity();
        scope.spawn(move || {
            wait_for_stack("", thread, "in <module>");
            assert!(runtime().interrupt(b"", thread, &|work| work()));
            runtime().thread_end();
        });
        let answer = script.serve_on(&Call::default());
        runtime().forget_interrupt(b"");
        answer
    });
    assert_eq!(answer.outcome, Outcome::Failed(504), "{:?}", answer.log);
    script.write(LOOP);
    script.get().assert_text("done");
}

#[test]
fn an_interruption_that_came_too_late_is_taken_back() {
    let script = Script::new(LOOP);
    script.serve_on(&Call::default()).assert_text("done");
    let thread = identity();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            assert!(runtime().interrupt(b"", thread, &|work| work()));
            runtime().thread_end();
        });
    });
    runtime().forget_interrupt(b"");
    script.get().assert_text("done");
}

#[test]
fn a_thread_that_is_not_in_python_has_no_stack() {
    assert_eq!(runtime().stack(b"", 1), Some(Vec::new()));
    assert_eq!(runtime().stack(b"no such group", identity()), None);
    assert!(!runtime().interrupt(b"no such group", identity(), &|work| work()));
    runtime().take_turn(b"");
    runtime().thread_end();
}

/// CPython 3.11 puts a thread's state into its list before it can be followed.
#[test]
fn threads_that_come_and_go_may_be_looked_at() {
    Script::new(LOOP).get().assert_text("done");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                runtime().other_stacks(b"");
            }
            runtime().thread_end();
        });
        for _ in 0..ARRIVALS {
            let arrival = scope.spawn(|| {
                runtime().take_turn(b"");
                runtime().thread_end();
            });
            arrival.join().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
}
