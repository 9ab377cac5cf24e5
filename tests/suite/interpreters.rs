//! The directives about interpreters, for all of them and in `<WSGIInterpreterOptions>`.

use crate::support::{Httpd, Mode, original};

/// Two interpreters, `/a` and `/b`, and the main one at `/main`, that evaluate what they are asked.
fn three(mode: Mode, lines: &str) -> Httpd {
    Httpd::with(&format!(
        "{lines}\nWSGIScriptAlias /a @apps@/evaluate.py application-group=a\n\
         WSGIScriptAlias /b @apps@/evaluate.py application-group=b\n\
         WSGIScriptAlias /main @apps@/evaluate.py application-group=%{{GLOBAL}}"
    ))
    .mode(mode)
    .start()
}

/// What an expression evaluates to.
#[track_caller]
fn value(server: &Httpd, place: &str, code: &str) -> String {
    server.get(&format!("{place}?{}", code.replace(' ', "%20"))).ok()
}

const STDIN: &str = "imp('sys').stdin.readline()";
const PRINT: &str = "print('printed')";
const INTERVAL: &str = "imp('sys').getswitchinterval()";

/// The original lets Python complain about its own restriction.
fn complains_at_the_end(server: &Httpd) {
    if original::is_original() {
        server.allow_log("Restricted object").allow_log("sys.stdout access restricted");
    }
}

/// A script that is run by the main thread, which alone may handle signals. SIGURG is for nobody.
const HANDLES: &str = "\
import os, signal
signal.signal(signal.SIGURG, lambda *_: None)
with open('@root@/out/handler', 'a') as file: file.write(f'{callable(signal.getsignal(signal.SIGURG))} ')
child = os.fork()
if child == 0:
    signal.signal(signal.SIGURG, lambda *_: None)
    with open('@root@/out/forked', 'a') as file: file.write(f'{callable(signal.getsignal(signal.SIGURG))} ')
    os._exit(0)
os.waitpid(child, 0)
";

/// A server whose main interpreter has run [`HANDLES`]; says whether it could, and its child.
fn handles(mode: Mode, lines: &str) -> (Httpd, [String; 2]) {
    let group = mode.pick("%{GLOBAL}", "app");
    let server = Httpd::with(&format!(
        "{lines}\nWSGIImportScript @root@/handles.py process-group={group} \
         application-group=%{{GLOBAL}}\n\
         WSGIScriptAlias / @apps@/hello.py application-group=%{{GLOBAL}}"
    ))
    .mode(mode)
    .file("handles.py", HANDLES)
    .one_child()
    .start();
    let first = |name| server.wait_for_out(name).split_whitespace().next().unwrap().to_owned();
    let seen = [first("handler"), first("forked")];
    (server, seen)
}

/// Whether what an application registered with atexit has run, in the main interpreter and in
/// another one.
fn atexit_runs(mode: Mode, lines: &str) -> (bool, bool) {
    let server = three(mode, lines);
    for place in ["main", "a"] {
        let code = format!(
            "imp('atexit').register(open(environ['TEST_OUT']+'/{place}','w').write,'x')and(0)"
        );
        assert_eq!(value(&server, &format!("/{place}"), &code), "0");
        assert_eq!(server.out(place), "");
    }
    let out = server.path("out");
    server.stop();
    // The folder goes with the server, which is still there.
    let ran = |place: &str| std::fs::read_to_string(out.join(place)).is_ok_and(|text| text == "x");
    (ran("main"), ran("a"))
}

both_modes! {
    fn sys_stdin_can_be_kept_from_applications(mode) {
        let server = three(mode, "WSGIRestrictStdin On");
        for place in ["/a", "/main"] {
            let refused = "OSError: sys.stdin access restricted by mod_wsgi";
            assert_eq!(value(&server, place, STDIN), refused);
            assert_eq!(value(&server, place, "input()"), refused);
        }
    }

    fn sys_stdin_is_empty_otherwise(mode) {
        assert_eq!(value(&three(mode, ""), "/a", STDIN), "''");
    }

    fn sys_stdout_can_be_kept_from_applications(mode) {
        let server = three(mode, "WSGIRestrictStdout On");
        let refused = "OSError: sys.stdout access restricted by mod_wsgi";
        for place in ["/a", "/main"] {
            assert_eq!(value(&server, place, PRINT), refused);
            assert_eq!(value(&server, place, "imp('sys').stdout.flush()"), refused);
        }
        let stderr = "print('to stderr',file=imp('sys').stderr)";
        assert_eq!(value(&server, "/a", stderr), "None");
        server.expect_log("to stderr");
        // Python flushes the stream when it ends: nothing about that may be in our log.
        complains_at_the_end(&server);
    }

    fn handlers_of_signals_are_ignored_with_one_line(mode) {
        let (server, [handler, forked]) = handles(mode, "");
        assert_eq!(handler, "False", "this process keeps its handlers");
        assert_eq!(forked, "True", "a child of the application may do as it likes");
        let line = server.wait_for_log("for signal 23").line;
        if !original::is_original() {
            assert!(line.contains("ignored") && line.contains("handles.py:2"), "{line}");
            assert_eq!(server.log_count("signal 23"), 1);
            assert_eq!(server.log_count("signal.signal(signal.SIGURG"), 0, "no stack");
        }
    }

    fn applications_may_handle_signals_when_told_so(mode) {
        let (server, seen) = handles(mode, "WSGIRestrictSignal Off");
        assert_eq!(seen, ["True", "True"]);
        assert_eq!(server.log_count("for signal 23"), 0);
    }

    fn the_switch_interval_is_that_of_the_directive(mode) {
        let server = three(mode, "WSGISwitchInterval 0.25");
        for place in ["/main", "/a"] {
            assert_eq!(value(&server, place, INTERVAL), "0.25");
        }
    }

    fn a_new_interpreter_leaves_the_interval_of_the_others(mode) {
        ours!("it sets it again");
        let server = Httpd::with(
            "WSGISwitchInterval 0.25\n\
             WSGIScriptAlias /a @apps@/evaluate.py application-group=a\n\
             WSGIScriptAlias /main @apps@/evaluate.py application-group=%{GLOBAL}",
        )
        .mode(mode)
        .one_child()
        .start();
        assert_eq!(value(&server, "/main", "imp('sys').setswitchinterval(0.5)"), "None");
        assert_eq!(value(&server, "/a", INTERVAL), "0.5");
    }

    fn interpreters_end_properly(mode) {
        assert_eq!(atexit_runs(mode, ""), (true, true));
        assert_eq!(atexit_runs(mode, "WSGIDestroyInterpreter On"), (true, true));
    }

    fn interpreters_are_left_as_they_are_when_told_so(mode) {
        assert_eq!(atexit_runs(mode, "WSGIDestroyInterpreter Off"), (false, false));
    }

    fn a_block_is_for_the_interpreters_that_it_selects(mode) {
        let group = mode.pick("%{GLOBAL}", "app");
        let server = three(
            mode,
            &format!(
                "<WSGIInterpreterOptions application-group=a>\nWSGIRestrictStdin On\n\
                 </WSGIInterpreterOptions>\n\
                 <WSGIInterpreterOptions Application-Group=%{{GLOBAL}} process-group={group}>\n\
                 WSGIRestrictStdout On\n</WSGIInterpreterOptions>\n\
                 <WSGIInterpreterOptions process-group=other>\nWSGIRestrictStdin On\n\
                 WSGIRestrictStdout On\n</WSGIInterpreterOptions>"
            ),
        );
        // No group is called `other`.
        server.allow_log("printed").allow_log("WSGI1042");
        complains_at_the_end(&server);
        for (place, stdin_is_open, stdout_is_open) in
            [("/a", false, true), ("/b", true, true), ("/main", true, false)]
        {
            assert_eq!(value(&server, place, STDIN) == "''", stdin_is_open, "{place}");
            assert_eq!(value(&server, place, PRINT) == "None", stdout_is_open, "{place}");
        }
    }

    fn more_selectors_win_and_of_equal_ones_the_later(mode) {
        let group = mode.pick("%{GLOBAL}", "app");
        let block = |selectors: &str, value: &str| {
            format!(
                "<WSGIInterpreterOptions {selectors}>\nWSGIRestrictStdin {value}\n\
                 </WSGIInterpreterOptions>\n"
            )
        };
        let lines = [
            block(&format!("process-group={group} application-group=a"), "Off"),
            block("application-group=b", "On"),
            block(&format!("process-group={group}"), "Off"),
            block("application-group=a", "On"),
            block("application-group=%{GLOBAL}", "On"),
            block("", "Off"),
            "WSGIRestrictStdin On".to_owned(),
        ];
        let server = three(mode, &lines.concat());
        for (place, is_open) in [("/a", true), ("/b", true), ("/main", false)] {
            assert_eq!(value(&server, place, STDIN) == "''", is_open, "{place}");
        }
    }

    fn python_paths_of_blocks_are_added_in_front(mode) {
        let base = mode.pick(
            "WSGIPythonPath @root@/base\nWSGIScriptAlias",
            "WSGIPythonPath @root@/embedded\nWSGIDaemonProcess lib python-path=@root@/base \
             threads=2\nWSGIProcessGroup lib\nWSGIScriptAlias",
        );
        let server = Httpd::with(&format!(
            "<WSGIInterpreterOptions application-group=a>\nWSGIPythonPath @root@/for-a:@root@/more\n\
             </WSGIInterpreterOptions>\n\
             <WSGIInterpreterOptions>\nWSGIPythonPath @root@/for-all\n</WSGIInterpreterOptions>\n\
             {base} /a @apps@/evaluate.py application-group=a\n\
             WSGIScriptAlias /b @apps@/evaluate.py application-group=b"
        ))
        .file("base/x", "")
        .file("for-a/x", "")
        .file("more/x", "")
        .file("for-all/x", "")
        .file("embedded/x", "")
        .start();
        let code = "[p.split('/')[-1]for(p)in(imp('sys').path)if(environ['TEST_ROOT'])in(p)]";
        assert_eq!(value(&server, "/a", code), "['for-a', 'more', 'for-all', 'base']");
        assert_eq!(value(&server, "/b", code), "['for-all', 'base']");
    }

    fn an_interval_for_one_interpreter_needs_a_lock_of_its_own(mode) {
        let server = three(
            mode,
            "WSGISwitchInterval 0.25\n<WSGIInterpreterOptions application-group=a>\n\
             WSGISwitchInterval 0.5\n</WSGIInterpreterOptions>",
        );
        server.expect_log("WSGI0199");
        assert_eq!(value(&server, "/a", INTERVAL), "0.25");
        assert_eq!(value(&server, "/main", INTERVAL), "0.25");
    }
}

one! {
    fn a_service_script_is_not_restricted() {
        let server = Httpd::with(
            "WSGIRestrictSignal On\nWSGIDaemonProcess service threads=0\n\
             WSGIImportScript @root@/service.py process-group=service application-group=%{GLOBAL}",
        )
        .file("service.py", &format!("{HANDLES}import time\ntime.sleep(60)\n"))
        .start();
        assert_eq!(server.wait_for_out("handler"), "True ");
        assert_eq!(server.log_count("for signal 23"), 0);
    }

    fn a_block_says_what_is_wrong_and_where() {
        for (lines, text) in [
            ("<WSGIInterpreterOptions group=a>\n</WSGIInterpreterOptions>", "unknown selector"),
            ("<WSGIInterpreterOptions a>\n</WSGIInterpreterOptions>", "is not of the form key=value"),
            (
                "<WSGIInterpreterOptions process-group=a process-group=b>\n</WSGIInterpreterOptions>",
                "process-group given more than once",
            ),
            ("<VirtualHost *:1>\n<WSGIInterpreterOptions>\n</WSGIInterpreterOptions>\n</VirtualHost>", ""),
        ] {
            let said = Httpd::refuses(lines);
            assert!(said.contains(text) && said.contains("httpd.conf:"), "{lines}\nsaid: {said}");
        }
    }

    fn what_means_nothing_in_a_block_is_refused() {
        ours!("it acts as outside of the block");
        for line in [
            "WSGIPythonHome /usr", "WSGIRestrictEmbedded On", "WSGIDaemonProcess app",
            "WSGIDestroyInterpreter Off", "WSGIScriptAlias / @apps@/hello.py",
        ] {
            let said = Httpd::refuses(&format!(
                "<WSGIInterpreterOptions>\n{line}\n</WSGIInterpreterOptions>"
            ));
            let name = line.split(' ').next().unwrap();
            let text = format!("{name} means nothing inside <WSGIInterpreterOptions>");
            assert!(said.contains(&text) && said.contains("httpd.conf:"), "{said}");
        }
        // What comes after the block is outside of it again.
        Httpd::accepts("<WSGIInterpreterOptions>\n</WSGIInterpreterOptions>\nWSGIPythonOptimize 1");
    }
}
