//! That each directive stores what it says.

use super::super::*;
use super::support::{Config, directive};
use super::table::GOOD;

#[test]
fn settings_land_in_the_scope_of_the_line() {
    for line in GOOD {
        let mut config = Config::default();
        let is_removed = directive(line.split(' ').next().unwrap()).status == Status::Removed;
        if config.directory(line).is_ok() && !is_removed {
            assert_ne!(config.dir, DirConfig::default(), "{line}");
            assert!(config.servers.is_empty());
            let mut config = Config::default();
            if config.main(line).is_ok() {
                assert_ne!(config.main_server().scoped, Scoped::default(), "{line}");
            }
        }
    }
}

#[test]
fn global_settings_land_in_the_global_configuration() {
    let mut config = Config::default();
    for line in GOOD {
        // The section would take the lines after it.
        if !line.starts_with('<') {
            let _ = config.main(line);
        }
    }
    let global = &config.global;
    assert_eq!(global.python_home.as_deref(), Some("/srv/venv"));
    assert_eq!(global.python_eggs.as_deref(), Some("/var/eggs"));
    assert_eq!(global.python_optimize, Some(1));
    assert_eq!(global.dont_write_bytecode, Some(true));
    assert_eq!(global.python_warnings, ["default"]);
    assert_eq!(global.python_hash_seed, Some(HashSeed::Random));
    assert_eq!(global.destroy_interpreter, Some(false));
    assert_eq!(global.restrict_embedded, Some(true));
    assert_eq!(global.case_sensitivity, Some(false));
    assert_eq!(global.socket_prefix.as_deref(), Some("/etc/apache2/run/wsgi"));
    assert_eq!(global.socket_rotation, Some(false));
    assert_eq!(global.accept_mutex.as_deref(), Some("flock"));
    assert_eq!(global.server_metrics, Some(true));
    let telemetry = Telemetry {
        socket: Some("/run/telemetry".into()),
        interval: Some(2.0),
        slow_requests: Some(1.5),
        capture_user_agent: true,
    };
    assert_eq!(global.telemetry, telemetry);
    let interpreter = InterpreterOptions {
        per_interpreter_gil: Some(true),
        free_threading: Some(true),
        switch_interval: Some(0.01),
        python_path: Some("/srv/lib:/srv/more".into()),
        restrict_stdin: Some(true),
        restrict_stdout: Some(true),
        restrict_signal: Some(false),
    };
    assert_eq!(global.interpreter, interpreter);
}

#[test]
fn repeated_and_odd_values() {
    let mut config = Config::default();
    for line in [
        "WSGIPythonWarnings error",
        "WSGIPythonWarnings \"ignore::DeprecationWarning\"",
        "WSGIPythonOptimize 7",
        "WSGIPythonHashSeed 4294967295",
        "WSGIAcceptMutex SysVSem",
        "WSGITelemetryOptions All",
        "WSGITelemetryOptions -CaptureUserAgent",
        "WSGIMapHEADToGET aUTO",
        "WSGIProcessGroup one",
        "WSGIProcessGroup two",
        "WSGIApplicationGroup \"\"",
    ] {
        config.main(line).unwrap();
    }
    assert_eq!(config.global.python_warnings, ["error", "ignore::DeprecationWarning"]);
    assert_eq!(config.global.python_optimize, Some(2));
    assert_eq!(config.global.python_hash_seed, Some(HashSeed::Fixed(u32::MAX)));
    assert_eq!(config.global.accept_mutex.as_deref(), Some("sysvsem"));
    assert!(!config.global.telemetry.capture_user_agent);
    let scoped = &config.main_server().scoped;
    assert_eq!(scoped.map_head_to_get, Some(MapHead::Auto));
    assert_eq!(scoped.process_group.as_deref(), Some("two"));
    assert_eq!(scoped.application_group.as_deref(), Some(""));
    config.main("WSGIPythonOptimize -1").unwrap();
    assert_eq!(config.global.python_optimize, Some(0));
}

#[test]
fn lines_inside_a_block_belong_to_it() {
    let mut config = Config::default();
    config.main("WSGIPythonPath /base").unwrap();
    config
        .main("<WSGIInterpreterOptions Process-Group=%{GLOBAL} application-group='a b' >")
        .unwrap();
    config.main("WSGIPythonPath /block").unwrap();
    config.main("WSGIRestrictStdout On").unwrap();
    let error = config.main("WSGIPythonHome /x").unwrap_err();
    assert!(error.contains("means nothing inside <WSGIInterpreterOptions>"), "{error}");
    let error = config.main("<WSGIInterpreterOptions >").unwrap_err();
    assert!(error.contains("means nothing inside"), "{error}");
    config.global.close_block();
    config.main("<WSGIInterpreterOptions >").unwrap();
    config.global.close_block();
    config.main("WSGIRestrictStdin On").unwrap();

    let first = InterpreterBlock {
        process_group: Some(String::new()),
        application_group: Some("a b".into()),
        options: InterpreterOptions {
            python_path: Some("/block".into()),
            restrict_stdout: Some(true),
            ..InterpreterOptions::default()
        },
    };
    assert_eq!(config.global.interpreter_blocks, [first, InterpreterBlock::default()]);
    assert_eq!(config.global.interpreter.python_path.as_deref(), Some("/base"));
    assert_eq!(config.global.interpreter.restrict_stdin, Some(true));
    assert_eq!(config.global.interpreter.restrict_stdout, None);
}

#[test]
fn restrictions_name_the_embedded_group_by_nothing() {
    let mut config = Config::default();
    config.main("WSGIRestrictProcess a b").unwrap();
    config.main("WSGIRestrictProcess %{GLOBAL} c").unwrap();
    let groups = config.main_server().scoped.restrict_process.clone().unwrap();
    assert_eq!(groups, ["", "c"]);
}
