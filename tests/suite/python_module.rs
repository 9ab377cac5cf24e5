//! The module `mod_wsgi` as applications see it.

use crate::support::{Httpd, Mode, quote, rundir};

fn serving(mode: Mode) -> Httpd {
    Httpd::serving("module_app.py", mode)
}

/// Values of expressions over the module, which is `m`.
#[track_caller]
fn evaluated(server: &Httpd, expressions: &[&str]) -> Vec<String> {
    let list: Vec<String> = expressions
        .iter()
        .map(|expression| quote(&format!("(lambda m: {expression})(imp('mod_wsgi'))")))
        .collect();
    let text = server.get(&format!("/?{}", list.join(";;"))).ok();
    text.lines().map(str::to_owned).collect()
}

/// A directory with a package `mod_wsgi`, where both placements look for it.
fn with_package(mode: Mode) -> crate::support::builder::Builder {
    let lines = mode.pick(
        "WSGIPythonPath @root@/lib\n",
        "WSGIDaemonProcess app threads=2 python-path=@root@/lib\nWSGIProcessGroup app\n",
    );
    Httpd::with(&format!("{lines}WSGIScriptAlias / @apps@/evaluate.py"))
}

/// Nobody asks for `active_requests` before the second request.
const LATE: &str = "\
import mod_wsgi, os, time
OUT = os.path.join(os.path.dirname(__file__), 'out')
def application(environ, start_response):
    own = environ['mod_wsgi.request_id']
    if environ['PATH_INFO'] == '/wait':
        mod_wsgi.request_data()['where'] = 'waiting'
        with open(os.path.join(OUT, 'id.new'), 'w') as note:
            note.write(own)
        os.rename(os.path.join(OUT, 'id.new'), os.path.join(OUT, 'id'))
        while not os.path.exists(os.path.join(OUT, 'gate')):
            time.sleep(0.005)
        text = str(len(mod_wsgi.active_requests))
    else:
        seen = mod_wsgi.active_requests.items()
        text = '\\n'.join(f'{\"own\" if id == own else id}: {data}' for id, data in seen)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [text.encode()]
";

both_modes! {
    fn whoever_asks_first_for_the_requests_in_progress_sees_those_that_began_before(mode) {
        needs_threads!("a child has one client");
        let server = Httpd::with("WSGIScriptAlias / @root@/app.wsgi")
            .mode(mode)
            .one_child()
            .file("app.wsgi", LATE)
            .writable(&["out"])
            .start();
        let mut waiting = server.connect();
        waiting.request("GET", "/wait", &[], b"");
        let id = server.wait_for_out("id");
        let seen = server.get("/").ok();
        assert!(seen.contains(&format!("{id}: {{'where': 'waiting'}}")), "{seen} without {id}");
        assert!(seen.contains("own: {}"), "{seen}");
        std::fs::write(server.path("out/gate"), "").unwrap();
        assert_eq!(waiting.response().ok(), "1");
        // Those that have ended are gone; the one that asks is there.
        assert_eq!(server.get("/").ok().lines().count(), 1);
    }

    fn attributes_have_the_types_and_values_of_the_contract(mode) {
        let server = Httpd::serving("evaluate.py", mode);
        let found = evaluated(&server, &[
            "(type(m.version).__name__, [type(part).__name__ for part in m.version])",
            "m.process_group",
            "m.application_group == environ['mod_wsgi.application_group'] and len(m.application_group) > 0",
            "m.maximum_processes >= 1",
            "m.threads_per_process >= 1",
            "(m.FileWrapper.__name__, m.FileWrapper is environ['wsgi.file_wrapper'])",
            "m.RequestTimeout.__bases__",
            "[type(x).__name__ for x in (m.event_callbacks, m.shutdown_callbacks, m.signal_callbacks)]",
            "type(m.active_requests).__name__",
            "imp('sys').modules['mod_wsgi'] is m",
        ]);
        let wanted = [
            "('tuple', ['int', 'int', 'int'])",
            mode.pick("''", "'app'"),
            "True",
            "True",
            "True",
            "('FileWrapper', True)",
            "(<class 'BaseException'>,)",
            "['list', 'list', 'list']",
            "'dict'",
            "True",
        ];
        assert_eq!(found, wanted);
    }

    fn a_request_has_a_dictionary_of_its_own(mode) {
        let server = serving(mode);
        assert_eq!(server.get("/data").ok(), r#"[true, true, {"note": 1}]"#);
        assert_eq!(server.get("/active").ok(), "[true, {}]");
        assert_eq!(server.get("/removed").ok(), "{}");
        assert_eq!(server.get("/active").ok(), "[true, {}]");
    }

    fn a_request_that_loads_its_script_has_it_too(mode) {
        let server = serving(mode);
        let text = server.get("/loading").ok();
        assert!(text.starts_with("[{}, [\"") && text.matches('"').count() == 2, "{text}");
    }

    fn outside_a_request_there_is_none(mode) {
        let server = serving(mode);
        assert_eq!(
            server.get("/other_thread").ok(),
            r#"["RuntimeError: no active request for thread"]"#
        );
    }

    fn subscribing_keeps_the_callback_and_returns_it(mode) {
        let server = serving(mode);
        let signals = mode.pick(0, 1);
        assert_eq!(
            server.get("/subscribe").ok(),
            format!("[[true, 1], [true, 1], [true, {signals}]]")
        );
        if !mode.is_daemon() {
            let record = server.wait_for_log("mod_wsgi.subscribe_signals()");
            assert_eq!(record.level, "info");
            assert_eq!(server.wait_for_log("in subscribe").level, "info");
        }
    }

    fn wrong_numbers_of_arguments_are_refused(mode) {
        let server = serving(mode);
        assert_eq!(server.get("/refused").ok(), r#"["TypeError", "TypeError", "TypeError"]"#);
    }

    fn modules_of_an_installed_package_stay_importable(mode) {
        ours!("it does not find a package in the directories of python-path");
        let server = with_package(mode)
            .file("lib/mod_wsgi/__init__.py", "version = 'of the package'")
            .file("lib/mod_wsgi/server.py", "place = 'installed'")
            .start();
        let found = evaluated(&server, &[
            "imp('mod_wsgi.server').place",
            "m.version != 'of the package'",
            "[path.rsplit('/', 2)[-2:] for path in m.__path__]",
        ]);
        assert_eq!(found, ["'installed'", "True", "[['lib', 'mod_wsgi']]"]);
    }

    fn an_import_hook_that_fails_is_logged_and_ignored(mode) {
        ours!("it imports the package: only its code can fail");
        let hook = "import sys, types; sys.meta_path.append(types.SimpleNamespace(\
                    find_spec=lambda name, *rest: 1 / 0 if name == 'mod_wsgi' else None))";
        let server = with_package(mode).file("lib/hook.pth", hook).start();
        server.expect_log("WSGI1025").expect_traceback("ZeroDivisionError");
        assert_eq!(evaluated(&server, &["m.process_group"]), [mode.pick("''", "'app'")]);
        server.wait_for_log("WSGI1025");
    }
}

both_modes! {
    fn the_stubs_for_type_checkers_say_what_is_there(mode) {
        ours!("it has none");
        let stubs = rundir::run().module.with_extension("");
        assert!(stubs.join("mod_wsgi.pyi").exists(), "no stubs in {}", stubs.display());
        let lines = format!(
            "SetEnv STUBS \"{}\"\nWSGIScriptAlias / @apps@/stubs.py",
            stubs.display()
        );
        let server = Httpd::with(&lines).mode(mode).start();
        assert_eq!(server.get("/").ok(), "");
    }
}
