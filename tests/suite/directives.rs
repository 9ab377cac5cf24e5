//! What `httpd -t` accepts and refuses, directive by directive.

use crate::support::{Httpd, original, rundir};

/// Asserts that lines are refused with this text.
#[track_caller]
fn refused(lines: &str, text: &str) {
    let said = Httpd::refuses(lines);
    assert!(said.contains(text), "{lines}\nshould say: {text}\nsaid: {said}");
}

one! {
    fn every_directive_is_known() {
        Httpd::with(
            "WSGISocketPrefix run/wsgi\nWSGISocketRotation On\nWSGIAcceptMutex default\n\
             WSGIPythonOptimize 1\nWSGIDontWriteBytecode On\nWSGIPythonWarnings ignore\n\
             WSGIPythonHashSeed 7\nWSGISwitchInterval 0.01\nWSGIDestroyInterpreter On\n\
             WSGIPerInterpreterGIL Off\nWSGIFreeThreading Off\nWSGIRestrictEmbedded Off\n\
             WSGIRestrictStdin Off\nWSGIRestrictStdout Off\nWSGIRestrictSignal On\n\
             WSGICaseSensitivity On\nWSGIServerMetrics Off\nWSGISlowRequests 5\n\
             WSGITelemetryService unix:/run/none interval=1\nWSGITelemetryOptions None\n\
             WSGIVerboseDebugging On\nWSGIPythonEggs @root@/eggs\nWSGIPythonPath @root@/lib\n\
             <WSGIInterpreterOptions process-group=app application-group=x>\n\
             WSGISwitchInterval 0.1\n</WSGIInterpreterOptions>\n\
             WSGIDaemonProcess app\nWSGIProcessGroup app\nWSGIApplicationGroup x\n\
             WSGICallableObject application\nWSGIScriptReloading On\nWSGIPassAuthorization On\n\
             WSGIPassApacheRequest Off\nWSGIErrorOverride Off\nWSGIChunkedRequest On\n\
             WSGIMapHEADToGET Auto\nWSGIIgnoreActivity Off\nWSGIEnableSendfile On\n\
             WSGITrustedProxyHeaders X-Forwarded-For X-Forwarded-Host\n\
             WSGITrustedProxies 10.0.0.0/8 ::1\n\
             WSGIScriptAlias /a @apps@/hello.py\nWSGIScriptAliasMatch ^/b @apps@/hello.py\n\
             WSGIImportScript @apps@/hello.py process-group=app application-group=x\n\
             <Location /a>\nWSGIGroupAuthoritative On\n</Location>",
        )
        .accepted();
    }

    fn a_home_that_cannot_be_the_working_directory_is_refused() {
        ours!("it finds out when the process starts");
        let contract = "Invalid home directory for WSGI daemon process.";
        let refused = |home: &str, why: &str| {
            let said = Httpd::with(&format!("WSGIDaemonProcess app home={home}"))
                .file("a-file", "")
                .refused();
            for part in [contract, "WSGIDaemonProcess app", why] {
                assert!(said.contains(part), "{part} in {said}");
            }
        };
        refused("@root@/nowhere", "nowhere': No such file");
        refused("@root@/a-file", "is not a directory");
        needs_root!();
        let closed = rundir::run().path.join("closed");
        std::fs::create_dir_all(closed.join("home")).expect("folder");
        rundir::mode(&closed, 0o700);
        refused(&closed.join("home").display().to_string(), "may not enter");
        // Whether an access list lets the user in is for the kernel to say.
        let user = rundir::output_of("id", &["-u", crate::support::conf::user()]);
        let list = format!(
            "import os, struct\n\
             entries = [(1, 7, -1), (2, 1, {user}), (4, 0, -1), (16, 1, -1), (32, 0, -1)]\n\
             text = struct.pack('<I', 2) + b''.join(struct.pack('<HHi', *e) for e in entries)\n\
             os.setxattr('{}', 'system.posix_acl_access', text)\nprint('set')",
            closed.display()
        );
        if rundir::output_of("/usr/bin/python3", &["-c", &list]) == "set" {
            Httpd::accepts(&format!("WSGIDaemonProcess app home={}/home", closed.display()));
        }
        std::fs::remove_dir_all(&closed).expect("folder");
    }

    fn what_arranges_sockets_that_we_do_not_have_is_taken_without_a_word() {
        let server = Httpd::with(
            "WSGISocketPrefix @root@/run/other\nWSGISocketRotation Off\nWSGIAcceptMutex flock\n\
             WSGIDaemonProcess app threads=2 socket-user=@user@\n\
             WSGIScriptAlias / @apps@/hello.py process-group=app",
        )
        .start();
        assert_eq!(server.get("/").ok(), "Hello, WSGI\n");
        for name in ["WSGISocket", "WSGIAcceptMutex", "socket-user"] {
            assert_eq!(server.log_count(name), 0, "{name}");
        }
        for line in ["WSGIAcceptMutex spinlock", "WSGIDaemonProcess app socket-user=nobody-here"] {
            Httpd::refuses(line);
        }
    }

    fn global_directives_are_refused_in_a_virtual_host() {
        for directive in ["WSGIPythonHome /usr", "WSGIPythonPath /usr", "WSGIRestrictEmbedded On"] {
            refused(
                &format!("<VirtualHost *:1>\n{directive}\n</VirtualHost>"),
                "cannot occur within <VirtualHost> section",
            );
        }
    }

    fn server_directives_are_refused_in_a_directory() {
        for directive in [
            "WSGIScriptAlias /a /b",
            "WSGIDaemonProcess app",
            "WSGIImportScript /a process-group=b application-group=c",
        ] {
            let said = Httpd::refuses(&format!("<Directory />\n{directive}\n</Directory>"));
            assert!(
                said.contains("not allowed here") || said.contains("not allowed in"),
                "{directive}: {said}"
            );
        }
    }

    fn flags_are_on_or_off_in_any_case() {
        for name in [
            "WSGIScriptReloading", "WSGIPassAuthorization", "WSGIChunkedRequest",
            "WSGIRestrictEmbedded", "WSGIErrorOverride",
        ] {
            Httpd::accepts(&format!("{name} on\n{name} OFF\n{name} On"));
            refused(&format!("{name} yes"), name);
            refused(&format!("{name} 1"), name);
            refused(name, name);
        }
        Httpd::accepts("WSGIMapHEADToGET auto");
        refused("WSGIMapHEADToGET maybe", "WSGIMapHEADToGET must be one of: Off | On | Auto");
        refused("WSGIScriptReloading maybe", "WSGIScriptReloading must be one of: Off | On");
    }

    fn a_script_alias_needs_two_words_and_known_options() {
        refused("WSGIScriptAlias /a", "WSGIScriptAlias requires at least two arguments");
        let line = |option: &str| format!("WSGIScriptAlias /a /b {option}");
        refused(&line("what=ever"), "Invalid option to WSGI script alias definition.");
        refused(&line("loose"), "Invalid option to WSGI script alias definition.");
        refused(&line("application-group="), "Invalid name for WSGI application group.");
        refused(&line("process-group="), "Invalid name for WSGI process group.");
        refused(&line("callable-object="), "Invalid name for WSGI callable object.");
        refused(&line("pass-authorization="), "Invalid value for authorization flag.");
        refused(&line("pass-authorization=maybe"), "Invalid value for authorization flag.");
        Httpd::accepts(&line("callable-object=\"quoted\" pass-authorization=on"));
    }

    fn a_bad_regular_expression_is_refused() {
        refused("WSGIScriptAliasMatch ^/( /b", "Regular expression could not be compiled.");
    }

    fn an_import_script_needs_both_groups() {
        refused("WSGIImportScript", "Location of import script not supplied.");
        refused("WSGIImportScript /a application-group=x", "Name of WSGI process group required.");
        refused(
            "WSGIDaemonProcess app\nWSGIImportScript /a process-group=app",
            "Name of WSGI application group required.",
        );
        refused(
            "WSGIImportScript /a process-group=app application-group=x",
            "WSGI process group not yet configured.",
        );
        refused(
            "WSGIDaemonProcess app\nWSGIImportScript /a process-group=app application-group=x y=z",
            "Invalid option to WSGI import script definition.",
        );
    }

    fn a_preloaded_alias_needs_its_group() {
        refused(
            "WSGIScriptAlias / /b process-group=app application-group=x",
            "WSGI process group not yet configured.",
        );
        refused(
            "<VirtualHost *:1>\nServerName one\nWSGIDaemonProcess app\n</VirtualHost>\n\
             <VirtualHost *:1>\nServerName two\n\
             WSGIScriptAlias / /b process-group=app application-group=x\n</VirtualHost>",
            "WSGI process group not accessible.",
        );
        // Without both groups, or with an expansion, nothing is loaded at start.
        Httpd::accepts("WSGIScriptAlias / /b process-group=app");
        Httpd::accepts("WSGIScriptAlias / /b process-group=app application-group=%{SERVER}");
    }

    fn a_group_name_is_used_once() {
        refused("WSGIDaemonProcess", "Name of WSGI daemon process not supplied.");
        let text = "Name duplicates previous WSGI daemon definition.";
        refused("WSGIDaemonProcess app\nWSGIDaemonProcess app", text);
        refused(
            "WSGIDaemonProcess app\n<VirtualHost *:1>\nWSGIDaemonProcess app\n</VirtualHost>",
            text,
        );
    }

    fn numbers_with_junk_or_overflow_are_refused() {
        ours!("it parses numbers with atoi");
        for option in [
            "threads=5x", "processes=two", "threads=99999999999999999999", "shutdown-timeout=5s",
            "umask=0o22",
        ] {
            let said = Httpd::refuses(&format!("WSGIDaemonProcess app {option}"));
            let (name, value) = option.split_once('=').unwrap();
            assert!(said.contains(name) && said.contains(value), "{option}: {said}");
        }
    }

    fn root_and_unknown_users_are_refused() {
        needs_root!();
        refused("WSGIDaemonProcess app user=root", "WSGI process blocked from running as root.");
        refused("WSGIDaemonProcess app user=#0", "WSGI process blocked from running as root.");
        for option in ["user=no-such-user-x", "group=no-such-group-x"] {
            let said = Httpd::refuses(&format!("WSGIDaemonProcess app {option}"));
            assert!(said.contains(option.split_once('=').unwrap().1), "{said}");
        }
    }

    fn every_daemon_option_is_known() {
        Httpd::accepts(
            "WSGIDaemonProcess app processes=2 threads=3 umask=0022 home=/tmp lang=C locale=C \
             display-name=%{GROUP} python-path=/tmp python-eggs=/tmp switch-interval=0.01 \
             server-metrics=Off maximum-requests=10 listen-backlog=50 startup-timeout=1 \
             shutdown-timeout=1 deadlock-timeout=1 inactivity-timeout=1 request-timeout=1 \
             interrupt-timeout=1 graceful-timeout=1 eviction-timeout=1 restart-interval=1 \
             connect-timeout=1 socket-timeout=1 queue-timeout=1 response-socket-timeout=1 \
             response-flush-delay=1 send-buffer-size=4096 receive-buffer-size=4096 \
             header-buffer-size=16384 response-buffer-size=65536 cpu-priority=1 \
             cpu-time-limit=100 memory-limit=1000000000 virtual-memory-limit=10000000000 \
             stack-size=1000000",
        );
    }

    fn the_last_of_a_repeated_option_counts() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=1 threads=4\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/evaluate.py",
        )
        .start();
        assert_eq!(server.get("/?imp('mod_wsgi').threads_per_process").ok(), "4");
    }

    fn a_python_home_that_cannot_work_is_refused() {
        ours!("every process dies of it");
        refused("WSGIDaemonProcess app python-home=@root@/nothing", "python-home");
        refused("WSGIDaemonProcess app python-home=@root@/httpd.conf", "python-home");
        refused("WSGIDaemonProcess app python-home=@root@/htdocs", "python-home");
        refused("WSGIPythonHome @root@/nothing", "WSGIPythonHome");
        let said = Httpd::with("WSGIDaemonProcess app python-home=@root@/venv")
            .file("venv/pyvenv.cfg", "home = /usr/bin\nversion = 2.7.18\n")
            .file("venv/bin/python", "")
            .refused();
        assert!(said.contains("2.7") || said.contains("pyvenv.cfg"), "{said}");
    }

    fn a_python_home_its_user_may_not_enter_is_refused() {
        ours!("every process dies of it");
        needs_root!();
        let folder = tempfile::Builder::new().prefix("private-").tempdir_in("/tmp").unwrap();
        std::fs::create_dir(folder.path().join("venv")).unwrap();
        std::fs::write(
            folder.path().join("venv/pyvenv.cfg"),
            "home = /usr/bin\nversion = 3.11.2\n",
        )
        .unwrap();
        rundir::mode(folder.path(), 0o700);
        let venv = folder.path().join("venv");
        let said = Httpd::refuses(&format!("WSGIDaemonProcess app python-home={}", venv.display()));
        assert!(said.contains(venv.to_str().unwrap()), "{said}");
    }

    fn an_error_names_file_and_line() {
        let said = Httpd::refuses("WSGIDaemonProcess app\nWSGIDaemonProcess app threads=-5");
        assert!(said.contains("Syntax error on line ") && said.contains("httpd.conf:"), "{said}");
    }

    fn the_python_home_of_the_server_is_for_embedded_interpreters() {
        if rundir::venv().is_none() {
            original::skipped("needs WSGI_TEST_VENV");
            return;
        }
        let server = Httpd::with("WSGIPythonHome @venv@\nWSGIScriptAlias / @apps@/evaluate.py").start();
        let venv = rundir::venv().unwrap().display();
        assert_eq!(server.get("/?imp('sys').prefix").ok(), format!("'{venv}'"));
    }

    fn names_of_older_versions_are_answered_by_what_to_write_instead() {
        ours!("does not know them");
        let server = Httpd::with(
            "WSGILazyInitialization On\nWSGINewRelicConfigFile /etc/newrelic.ini\n\
             WSGINewRelicEnvironment production\nWSGIPy3kWarningFlag On\n\
             WSGIScriptAlias / @apps@/hello.py\n\
             <Location />\nWSGIReloadMechanism Process\nWSGIOutputBuffering On\n\
             WSGICatchExceptions On\nWSGIUserAuthoritative On\nWSGIReloadMechanism Module\n\
             </Location>",
        )
        .start();
        server.expect_log("WSGI1041");
        assert_eq!(server.get("/").ok(), "Hello, WSGI\n");
        for (name, instead) in [
            ("WSGILazyInitialization", "Remove the line"),
            ("WSGINewRelicConfigFile", "newrelic.agent.initialize()"),
            ("WSGINewRelicEnvironment", "newrelic.agent.initialize()"),
            ("WSGIPy3kWarningFlag", "Python 2"),
            ("WSGIReloadMechanism", "WSGIScriptReloading"),
            ("WSGIOutputBuffering", "Remove the line"),
            ("WSGICatchExceptions", "Remove the line"),
            ("WSGIUserAuthoritative", "AuthBasicAuthoritative"),
        ] {
            let records = server.log();
            let said: Vec<_> = records.iter().filter(|one| one.line.contains(name)).collect();
            assert_eq!(said.len(), 1, "{name}: {said:#?}");
            assert!(said[0].line.contains(instead), "{}", said[0].line);
        }
        // Without these the site would be another one.
        refused("WSGIPythonExecutable /usr/bin/python3", "Use WSGIPythonHome");
        refused("<Location />\nWSGIAuthScript /auth.py\n</Location>", "Use WSGIAuthUserScript");
    }
}
