//! Lines that `httpd -t` refuses, with texts that are those of the original too; and lines in
//! places where they may not stand.
//! What only we refuse is in `directives`.

use crate::support::{Environ, Httpd, original, rundir::is_root};

/// Asserts that each line is refused with its text.
#[track_caller]
fn refused(cases: impl IntoIterator<Item = (String, String)>) {
    let wrong = cases.into_iter().filter_map(|(line, text)| {
        let is_of_section =
            ["WSGIAccessScript", "WSGIAuth"].iter().any(|start| line.starts_with(start));
        let said = match is_of_section {
            true => Httpd::refuses(&format!("<Location />\n{line}\n</Location>")),
            false => Httpd::refuses(&line),
        };
        (!said.contains(&text)).then(|| format!("{line}\nshould say: {text}\nsaid: {said}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lines and what is said about them.
const LINES: &[(&str, &str)] = &[
    ("WSGIScriptAlias /a /b what=ever", "Invalid option to WSGI script alias definition."),
    ("WSGIScriptAliasMatch ^/( /b", "Regular expression could not be compiled."),
    ("WSGIScriptAliasMatch /a", "WSGIScriptAliasMatch requires at least two arguments"),
    ("WSGIHandlerScript", "Name for handler script not supplied."),
    ("WSGIHandlerScript own", "Location of handler script not supplied."),
    ("WSGIHandlerScript own /b what=ever", "Invalid option to WSGI handler script definition."),
    (
        "WSGIHandlerScript own /b callable-object=x",
        "Invalid option to WSGI handler script definition.",
    ),
    ("WSGIHandlerScript own /b process-group=", "Invalid name for WSGI process group."),
    ("WSGIHandlerScript own /b application-group=", "Invalid name for WSGI application group."),
    ("WSGIHandlerScript own /b pass-authorization=1", "Invalid value for authorization flag."),
    ("WSGIImportScript", "Location of import script not supplied."),
    ("WSGIImportScript /a process-group=", "Invalid name for WSGI process group."),
    ("WSGIDispatchScript", "Location of dispatch script not supplied."),
    ("WSGIDispatchScript /a what=ever", "Invalid option to WSGI dispatch script definition."),
    ("WSGIDispatchScript /a application-group=", "Invalid name for WSGI application group."),
    ("WSGIAccessScript", "Location of access script not supplied."),
    ("WSGIAccessScript /a what=ever", "Invalid option to WSGI access script definition."),
    ("WSGIAccessScript /a application-group=", "Invalid name for WSGI application group."),
    ("WSGIAuthUserScript", "Location of auth user script not supplied."),
    ("WSGIAuthUserScript /a x", "Invalid option to WSGI auth user script definition."),
    ("WSGIAuthGroupScript", "Location of auth group script not supplied."),
    ("WSGIAuthGroupScript /a x", "Invalid option to WSGI auth group script definition."),
    ("WSGIErrorOverride 1", "WSGIErrorOverride must be one of: Off | On"),
    ("WSGIProcessGroup", "WSGIProcessGroup takes one argument"),
    ("WSGIApplicationGroup a b", "WSGIApplicationGroup takes one argument"),
    (
        "WSGIPythonHashSeed x",
        "WSGIPythonHashSeed must be \"random\" or an integer in range [0; 4294967295]",
    ),
    ("WSGIPythonHashSeed 4294967296", "WSGIPythonHashSeed must be \"random\" or an integer"),
    ("WSGISwitchInterval 0", "WSGISwitchInterval must be a positive number of seconds."),
    ("WSGIAcceptMutex spin", "Accept mutex lock mechanism 'spin' is invalid."),
    ("WSGITelemetryService tcp:1", "target must"),
    ("WSGITelemetryService unix:/x 5", "second argument must be"),
    ("WSGITelemetryService unix:/x interval=0.1", "interval must be at least 0.5 seconds"),
    ("WSGISlowRequests -1", "WSGISlowRequests"),
    ("WSGITelemetryOptions Everything", "Everything"),
    ("WSGITelemetryOptions +CaptureUserAgent None", "WSGITelemetryOptions"),
    (
        "<WSGIInterpreterOptions process-group=a\n</WSGIInterpreterOptions>",
        "<WSGIInterpreterOptions> directive missing closing '>'",
    ),
    (
        "<WSGIInterpreterOptions a>\n</WSGIInterpreterOptions>",
        "<WSGIInterpreterOptions>: argument 'a' is not of the form key=value",
    ),
    (
        "<WSGIInterpreterOptions process-group=a Process-Group=b>\n</WSGIInterpreterOptions>",
        "<WSGIInterpreterOptions>: process-group given more than once",
    ),
    (
        "<WSGIInterpreterOptions group=a>\n</WSGIInterpreterOptions>",
        "<WSGIInterpreterOptions>: unknown selector 'group', expected process-group or application-group",
    ),
];

/// Options of WSGIDaemonProcess and the thing that is invalid.
const OPTIONS: &[(&str, &str)] = &[
    ("user=", "user"),
    ("group=", "group"),
    ("umask=", "umask"),
    ("umask=9", "umask"),
    ("home=", "home directory"),
    ("home=relative", "home directory"),
    ("cpu-priority=", "CPU priority"),
    ("cpu-time-limit=-1", "CPU time limit"),
    ("memory-limit=-1", "memory limit"),
    ("virtual-memory-limit=-1", "virtual memory limit"),
    ("stack-size=0", "stack size"),
    ("socket-user=", "socket user"),
    ("switch-interval=0", "switch interval"),
    ("server-metrics=maybe", "server metrics flag"),
    ("processes=", "process count"),
    ("processes=-1", "process count"),
    ("processes=0", "process count"),
    ("threads=", "thread count"),
    ("threads=-1", "thread count"),
    ("threads=70000", "thread count"),
    ("maximum-requests=-1", "request count"),
    ("listen-backlog=-1", "listen backlog"),
    ("startup-timeout=-1", "startup timeout"),
    ("shutdown-timeout=-1", "shutdown timeout"),
    ("deadlock-timeout=-1", "deadlock timeout"),
    ("inactivity-timeout=-1", "inactivity timeout"),
    ("request-timeout=-1", "request timeout"),
    ("interrupt-timeout=-1", "interrupt timeout"),
    ("graceful-timeout=-1", "graceful timeout"),
    ("eviction-timeout=-1", "eviction timeout"),
    ("restart-interval=-1", "restart interval"),
    ("connect-timeout=-1", "connect timeout"),
    ("socket-timeout=-1", "socket timeout"),
    ("queue-timeout=-1", "queue timeout"),
    ("response-socket-timeout=-1", "response socket timeout"),
    ("response-flush-delay=-1", "response flush delay"),
];

/// Lines that may stand nowhere below a server, or not in .htaccess.
const NOT_IN_HTACCESS: &[&str] = &[
    "WSGIScriptAlias /a /b",
    "WSGIScriptAliasMatch ^/a /b",
    "WSGIHandlerScript own /b",
    "WSGIImportScript /b process-group=app application-group=x",
    "WSGIDispatchScript /b",
    "WSGIProcessGroup app",
    "WSGIApplicationGroup app",
    "WSGIRestrictProcess app",
    "WSGIPassApacheRequest On",
    "WSGIDaemonProcess more",
    "WSGIPythonHome /usr",
    "WSGIPythonPath /usr",
    "WSGIRestrictEmbedded Off",
    "WSGIRestrictSignal Off",
];

one! {
    fn lines_are_refused_with_the_texts_of_the_contract() {
        refused(LINES.iter().map(|(line, text)| ((*line).to_owned(), (*text).to_owned())));
    }

    fn values_of_daemon_options_are_refused_with_the_texts_of_the_contract() {
        let line = |option: &str| format!("WSGIDaemonProcess app {option}");
        refused(OPTIONS.iter().map(|(option, thing)| {
            (line(option), format!("Invalid {thing} for WSGI daemon process."))
        }));
        let unknown = "Invalid option to WSGI daemon process definition.";
        let mut texts = vec![
            ("what=ever", unknown),
            ("threads", unknown),
            ("Threads=1", unknown),
            ("send-buffer-size=100", "Send buffer size must be >= 512 bytes, or 0 for system default."),
            ("receive-buffer-size=100", "Receive buffer size must be >= 512 bytes"),
            ("header-buffer-size=100", "Header buffer size must be >= 8192 bytes, or 0 for default."),
            ("response-buffer-size=100", "Response buffer size must be >= 65536 bytes, or 0 for default."),
            (
                "script-user=root script-group=root",
                "Only one of script-user and script-group allowed.",
            ),
        ];
        if is_root() {
            texts.push(("user=#54321", "Couldn't determine user name from uid."));
            let of_socket = "Couldn't determine user name from socket user.";
            texts.push(("socket-user=#54321", of_socket));
        } else {
            texts.push(("chroot=/", "Cannot chroot WSGI daemon process when not root."));
        }
        refused(texts.into_iter().map(|(option, text)| (line(option), text.to_owned())));
    }

    fn names_that_nobody_has_are_refused() {
        ours!("leaves it to httpd's own lookup, whose text differs");
        for option in ["user", "group", "socket-user"] {
            let line = format!("WSGIDaemonProcess app {option}=no-such-name-x");
            let thing = option.replace('-', " ");
            refused([(line, format!("Invalid {thing} for WSGI daemon process."))]);
        }
        let line = "WSGIDaemonProcess app script-user=no-such-name-x";
        refused([(line.to_owned(), "Couldn't determine uid from script user.".to_owned())]);
    }

    fn htaccess_cannot_say_what_is_not_for_a_folder() {
        let mut server = Httpd::with(
            "Alias /user @root@/user\n<Directory @root@/user>\nAllowOverride All\n\
             Options +ExecCGI\nAddHandler wsgi-script .py\n</Directory>",
        );
        let all = NOT_IN_HTACCESS.iter().enumerate();
        for (number, line) in all.clone() {
            server = server
                .file(&format!("user/{number}/.htaccess"), &format!("{line}\n"))
                .file(&format!("user/{number}/app.py"), include_str!("../apps/hello.py"));
        }
        let server = server.start();
        server.expect_log("not allowed here");
        for (number, line) in all {
            assert_eq!(server.get(&format!("/user/{number}/app.py")).status(), 500, "{line}");
        }
        assert_eq!(server.log_count("not allowed here"), NOT_IN_HTACCESS.len());
    }

    fn htaccess_needs_the_override_of_its_directives() {
        let mut server = Httpd::with("Alias /user @root@/user");
        let cases = [
            ("FileInfo", "WSGICallableObject bare", 200),
            ("AuthConfig", "WSGICallableObject bare", 500),
            ("AuthConfig", "WSGIAccessScript @root@/access.py", 200),
            ("FileInfo", "WSGIAccessScript @root@/access.py", 500),
            // Without an override the file is not even read.
            ("None", "WSGIAccessScript @root@/access.py", 200),
            ("All", "WSGIChunkedRequest maybe", 500),
        ];
        let mut lines = String::new();
        for (number, (allowed, line, _)) in cases.iter().enumerate() {
            lines += &format!(
                "<Directory @root@/user/{number}>\nAllowOverride {allowed}\nOptions +ExecCGI\n\
                 AddHandler wsgi-script .py\n</Directory>\n"
            );
            server = server
                .file(&format!("user/{number}/.htaccess"), &format!("{line}\n"))
                .file(&format!("user/{number}/app.py"), include_str!("../apps/environ.py"));
        }
        let server = server
            .more(&lines)
            .file("access.py", "def allow_access(environ, host):\n    return True\n")
            .start();
        server.expect_log("not allowed here").expect_log("must be one of");
        for (number, (allowed, line, status)) in cases.iter().enumerate() {
            let found = server.get(&format!("/user/{number}/app.py")).status();
            assert_eq!(found, *status, "{line} with AllowOverride {allowed}");
        }
    }

    fn variables_that_name_each_other_are_expanded_once() {
        let server = Httpd::with(
            "WSGIScriptAlias / @apps@/environ.py\nSetEnv own %{ENV:own}\nSetEnv one %{ENV:two}\n\
             SetEnv two %{ENV:one}\nSetEnv host %{HOST}\n\
             <Location /own>\nWSGIApplicationGroup %{ENV:own}\n</Location>\n\
             <Location /pair>\nWSGIApplicationGroup %{ENV:one}\n</Location>\n\
             <Location /host>\nWSGIApplicationGroup %{ENV:host}\n</Location>\n\
             <Location /none>\nWSGIApplicationGroup %{ENV:none}\n</Location>\n\
             <Location /group>\nWSGIProcessGroup %{ENV:own}\n</Location>\n\
             <Location /callable>\nWSGICallableObject %{ENV:own}\n</Location>",
        )
        .start();
        server.expect_log("No WSGI daemon process called '%{ENV:own}'");
        server.expect_log("WSGI0089");
        let group = |path: &str| {
            let response = server.request("GET", path, &[("Host", "localhost:80")], b"");
            let environ = Environ::parse(&response.ok());
            environ.text("mod_wsgi.application_group").unwrap().to_owned()
        };
        assert_eq!(group("/own"), "%{ENV:own}");
        assert_eq!(group("/pair"), "%{ENV:two}");
        assert_eq!(group("/host"), "localhost");
        assert_eq!(group("/none"), "%{ENV:none}");
        assert_eq!(server.get("/group").status(), 500);
        // The name of a callable is not expanded again: there is none of that name.
        let status = server.get("/callable").status();
        assert_eq!(status, if original::is_original() { 404 } else { 500 });
    }
}
