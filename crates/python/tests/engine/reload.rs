//! Loading and reloading scripts, and what is wrong with them.

use std::sync::{Arc, Barrier};

use wsgi_core::level::Level;

use crate::support::{Call, Script};

const HELLO: &str = "def application(e, s):\n    s('200 OK', [])\n    return [b'hello']\n";

#[test]
fn a_changed_script_is_run_again_in_this_process() {
    let script = Script::new(HELLO);
    let answer = script.get();
    answer.assert_text("hello");
    let loading = format!(
        "Loading WSGI script '{}' into main interpreter in daemon process group 'group'.",
        script.path().display()
    );
    assert!(answer.log.contains(&(Level::INFO, loading.clone())));
    assert!(!script.get().logged(&loading));
    script.write(&HELLO.replace("hello", "changed"));
    let answer = script.get();
    answer.assert_text("changed");
    assert!(answer.logged(&loading));
    assert!(!script.get().logged(&loading));
}

#[test]
fn a_script_may_ask_for_a_reload() {
    let script = Script::new(
        "import os\n\
         count = int(os.environ.get('RELOADS', '0'))\n\
         os.environ['RELOADS'] = str(count + 1)\n\
         def reload_required(resource):\n\
         \x20   assert resource == __file__\n\
         \x20   return count < 2\n\
         def application(e, s):\n    s('200 OK', [])\n    return [str(count).encode()]\n",
    );
    let texts: Vec<_> = (0..4).map(|_| script.get().text()).collect();
    assert_eq!(texts, ["0", "1", "2", "2"]);
}

#[test]
fn a_reload_callback_that_raises_means_no() {
    let script = Script::new(&format!("def reload_required(r): raise ValueError('cb')\n{HELLO}"));
    script.get().assert_text("hello");
    let answer = script.get();
    assert_eq!(answer.text(), "hello");
    assert!(answer.logged("ValueError: cb"));
}

#[test]
fn scripts_that_do_not_load_are_a_500_and_tried_again() {
    for (source, wanted) in [
        ("def application(:\n", "SyntaxError: "),
        ("import no_such_module_anywhere\n", "ModuleNotFoundError: No module named 'no_such_mod"),
        ("raise SystemExit(2)\n", "SystemExit exception raised by WSGI script"),
        ("x = '\0'\n", "Could not read or compile"),
    ] {
        let script = Script::new(source);
        let answer = script.get();
        answer.assert_failed(wanted);
        assert_eq!(answer.begun, 1);
        assert!(answer.logged(&script.path().display().to_string()));
        script.get().assert_failed(wanted);
        script.write(HELLO);
        script.get().assert_text("hello");
    }
}

#[test]
fn scripts_that_cannot_be_read_are_a_500() {
    let script = Script::new(HELLO);
    std::fs::remove_file(script.path()).unwrap();
    script.get().assert_failed("FileNotFoundError: [Errno 2] No such file or directory: '/");
    std::fs::create_dir(script.path()).unwrap();
    script.get().assert_failed("IsADirectoryError: [Errno 21] Is a directory: '/");
}

#[test]
fn a_callable_must_be_there_and_callable() {
    let script = Script::new("application = 5\n");
    script.get().assert_failed("TypeError: 'int' object is not callable");
    let answer = script.serve(&Call { callable: "missing", ..Call::default() });
    answer.assert_failed("WSGI0089");
    answer.assert_failed("does not contain WSGI application 'missing'");
}

#[test]
fn coding_cookies_count() {
    let script = Script::new("");
    std::fs::write(
        script.path(),
        b"# -*- coding: latin-1 -*-\ntext = 'caf\xe9'\n\
          def application(e, s):\n    s('200 OK', [])\n    return [text.encode('utf-8')]\n",
    )
    .unwrap();
    script.get().assert_text("caf\u{e9}");
}

#[test]
fn concurrent_first_requests_load_once() {
    let script = Arc::new(Script::new(&format!(
        "import time, builtins\n\
         builtins.loads = getattr(builtins, 'loads', 0) + 1\n\
         time.sleep(0.2)\n\
         loads = builtins.loads\n{}",
        HELLO.replace("b'hello'", "str(builtins.loads).encode()")
    )));
    let barrier = Arc::new(Barrier::new(6));
    let threads: Vec<_> = (0..6)
        .map(|_| {
            let (script, barrier) = (Arc::clone(&script), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                script.get()
            })
        })
        .collect();
    let answers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    answers.iter().for_each(|answer| answer.assert_text("1"));
    let loads = answers.iter().filter(|answer| answer.logged("Loading WSGI script")).count();
    assert_eq!(loads, 1);
}
