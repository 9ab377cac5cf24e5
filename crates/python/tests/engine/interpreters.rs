//! Application groups, threads, thread locals.

use std::sync::Arc;

use wsgi_core::exchange::Outcome;

use crate::support::{Call, Script};

const WHERE: &str = "import sys, threading\n\
    counter = 0\n\
    local = threading.local()\n\
    def application(e, s):\n\
    \x20   global counter\n\
    \x20   counter += 1\n\
    \x20   local.n = getattr(local, 'n', 0) + 1\n\
    \x20   e['wsgi.errors'].flush()\n\
    \x20   body = e['wsgi.input'].read()\n\
    \x20   import mod_wsgi\n\
    \x20   assert isinstance(e['wsgi.input'], type(e['wsgi.input']))\n\
    \x20   s('200 OK', [])\n\
    \x20   return iter([mod_wsgi.application_group.encode(), b'|', body])\n";

fn call(group: &'static str, body: &str) -> Call {
    Call { group, body: vec![Ok(body.as_bytes().to_vec())], ..Call::default() }
}

#[test]
fn groups_do_not_share_modules() {
    let script = Script::new(
        "import sys\n\
         def application(e, s):\n\
         \x20   sys.seen = getattr(sys, 'seen', 0) + 1\n\
         \x20   s('200 OK', [])\n\
         \x20   return [str(sys.seen).encode()]\n",
    );
    for wanted in ["1", "2"] {
        for group in ["one", "two"] {
            script.serve(&call(group, "")).assert_text(wanted);
        }
    }
}

#[test]
fn eight_threads_use_many_groups_at_once() {
    const GROUPS: [&str; 4] = ["", "a.example|/x", "b", "c"];
    let script = Arc::new(Script::new(WHERE));
    let threads: Vec<_> = (0..8)
        .map(|number: usize| {
            let script = Arc::clone(&script);
            std::thread::spawn(move || {
                for round in 0..200 {
                    let group = GROUPS[(number + round) % GROUPS.len()];
                    let body = format!("{number}-{round}");
                    script.serve(&call(group, &body)).assert_text(&format!("{group}|{body}"));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_group_that_is_no_text_is_refused() {
    let script = Script::new(WHERE);
    let answer = script.serve(&Call { group: "nul\0name", ..Call::default() });
    assert_eq!(answer.errors(), Vec::<&str>::new());
}

#[test]
fn threads_may_outlive_their_request() {
    let script = Script::new(
        "import threading\n\
         def work(e, w):\n\
         \x20   try:\n\
         \x20       while True:\n\
         \x20           e['wsgi.errors'].write('')\n\
         \x20           e['wsgi.input'].read(1)\n\
         \x20           w(b'')\n\
         \x20   except RuntimeError:\n\
         \x20       pass\n\
         def application(e, s):\n\
         \x20   w = s('200 OK', [])\n\
         \x20   threads = [threading.Thread(target=work, args=(e, w)) for _ in range(3)]\n\
         \x20   for t in threads: t.start()\n\
         \x20   e['wsgi.input'].read(10)\n\
         \x20   return [b'done']\n",
    );
    let body = vec![Ok(vec![b'x'; 1000])];
    let call = Call { body, ..Call::default() };
    for _ in 0..50 {
        script.serve(&call).assert_text("done");
    }
}

#[test]
fn panics_cross_neither_python_nor_the_engine() {
    let script = Script::new(
        "def application(e, s):\n\
         \x20   try:\n\
         \x20       e['wsgi.input'].read()\n\
         \x20   except RuntimeError as x:\n\
         \x20       e['wsgi.errors'].write(str(x) + '\\n')\n\
         \x20   s('200 OK', [])\n\
         \x20   return [b'x' * 100000] if 'BIG' in e else [b'x']\n",
    );
    for entries in [vec![], vec![(b"BIG".to_vec(), None)]] {
        let answer = script.serve(&Call { panics: true, entries, ..Call::default() });
        assert_eq!(answer.outcome, Outcome::Truncated);
        assert!(answer.logged("WSGI1020: internal error in Input.read: a bug while reading"));
        assert!(answer.logged("internal error of mod_wsgi in Input.read"));
        assert!(answer.logged("WSGI1020: internal error in the WSGI engine: a bug while writing"));
        script.get().assert_text("x");
    }
}

#[test]
fn thread_locals_last_as_long_as_the_thread() {
    let script = Script::new(
        "import threading\n\
         local = threading.local()\n\
         gone = []\n\
         class Value:\n\
         \x20   count = 0\n\
         \x20   def __del__(self): gone.append(self.count)\n\
         def application(e, s):\n\
         \x20   if 'ASK' in e:\n\
         \x20       result = sorted(gone)\n\
         \x20   else:\n\
         \x20       if not hasattr(local, 'value'): local.value = Value()\n\
         \x20       local.value.count += 1\n\
         \x20       result = local.value.count\n\
         \x20   s('200 OK', [])\n\
         \x20   return [repr(result).encode()]\n",
    );
    for group in ["", "locals"] {
        std::thread::scope(|scope| {
            for requests in [2, 3] {
                let script = &script;
                // These threads end without a word to the runtime.
                scope.spawn(move || {
                    for number in 1..=requests {
                        script.serve_on(&call(group, "")).assert_text(&number.to_string());
                    }
                });
            }
        });
        // The scope does not wait for destructors of thread locals.
        let asked = (0..100).find(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            let entries = vec![(b"ASK".to_vec(), None)];
            script.serve(&Call { group, entries, ..Call::default() }).text() == "[2, 3]"
        });
        assert!(asked.is_some(), "thread locals were not released");
    }
}
