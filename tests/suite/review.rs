//! What `httpd -t` warns of although it accepts it: names, options and scripts that do not fit
//! together.

use crate::support::Httpd;

/// The warnings of `httpd -t` with these codes, each with the line it is about.
#[track_caller]
fn warnings(lines: &str) -> Vec<String> {
    let text = Httpd::with(lines).modules(&["authn_core", "auth_basic", "authz_user"]).accepted();
    text.lines()
        .filter_map(|line| Some(line.split_once("WSGI10")?.1.to_owned()))
        .map(|rest| format!("WSGI10{rest}"))
        .collect()
}

/// Asserts the one warning of a configuration: its code, its text, and the line it names, counted
/// from the first of `lines`.
#[track_caller]
fn warned(lines: &str, code: &str, text: &str, line: usize) {
    let found = warnings(lines);
    let [warning] = found.as_slice() else { panic!("{lines}\n{found:#?}") };
    assert!(warning.starts_with(code) && warning.contains(text), "{warning}");
    // The lines of the test stand behind those of the harness, whose number varies.
    let number = |warning: &str| -> usize {
        let (_, rest) = warning.split_once("httpd.conf:").expect("a place");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a line number")
    };
    let at_first = warnings(&format!("WSGIProcessGroup nobody-{}\n", "x".repeat(9)));
    assert_eq!(number(warning), number(&at_first[0]) + line, "{warning}");
}

one! {
    fn a_group_that_is_nowhere_is_told_with_the_nearest_name() {
        ours!("finds out at the first request");
        let (code, meant) = ("WSGI1042", "perhaps 'blog' is meant");
        warned("WSGIDaemonProcess blog\nWSGIProcessGroup blgo", code, meant, 1);
        warned("WSGIDaemonProcess blog\nWSGIScriptAlias / /a process-group=bolg", code, meant, 1);
        warned(
            "<Location />\nWSGIHandlerScript h /a process-group=blo\n</Location>\n\
             WSGIDaemonProcess blog", code, meant, 1,
        );
        warned("<VirtualHost *:1>\nWSGIProcessGroup wiki\n</VirtualHost>", code, "'wiki'", 1);
        assert!(warnings(
            "WSGIProcessGroup blog\nWSGIDaemonProcess blog\n\
             <Location /a>\nWSGIProcessGroup %{ENV:x}\n</Location>\n\
             <Location /b>\nWSGIProcessGroup %{HOST}\n</Location>"
        )
        .is_empty());
        // What must be there before a script is loaded is an error, with the same help.
        let said = Httpd::refuses(
            "WSGIDaemonProcess blog\nWSGIScriptAlias / /a process-group=blgo application-group=x",
        );
        assert!(said.contains("WSGI process group not yet configured."), "{said}");
        assert!(said.contains(meant), "{said}");
    }

    fn a_group_of_another_virtual_host_is_told() {
        ours!("finds out at the first request");
        let host = |name: &str, lines: &str| {
            format!("<VirtualHost *:1>\nServerName {name}\n{lines}\n</VirtualHost>\n")
        };
        let own = host("one.test", "WSGIDaemonProcess app\nWSGIProcessGroup app");
        warned(
            &format!("{own}{}", host("two.test", "WSGIProcessGroup app")),
            "WSGI1043", "another ServerName", 7,
        );
        let lines = format!("{own}{}", host("ONE.test", "WSGIProcessGroup app"));
        assert!(warnings(&lines).is_empty());
    }

    fn a_group_of_service_scripts_takes_no_requests() {
        ours!("finds out at the first request");
        warned(
            "WSGIDaemonProcess service threads=0\nWSGIProcessGroup service",
            "WSGI1044", "threads=0", 1,
        );
    }

    fn options_that_get_in_each_others_way_are_told() {
        ours!("says nothing");
        let code = "WSGI1045";
        for (option, text) in [
            ("interrupt-timeout=5", "no effect without request-timeout="),
            // Timeout of the harness is 20.
            ("request-timeout=30", "request-timeout=30 is longer than socket-timeout"),
            ("queue-timeout=30", "queue-timeout=30 is longer than socket-timeout"),
            ("inactivity-timeout=9 restart-interval=9", "inactivity-timeout=9 is never reached"),
            ("reload=off reload-on=/srv/*.py", "reload-on= has no effect with reload=off"),
            ("threads=0 maximum-requests=9", "no effect has maximum-requests="),
        ] {
            warned(&format!("\nWSGIDaemonProcess app {option}"), code, text, 1);
        }
        let unknown = Httpd::refuses("WSGIDaemonProcess app requst-timeout=5");
        assert!(unknown.contains("perhaps request-timeout="), "{unknown}");
    }

    fn a_provider_without_its_script_is_told() {
        ours!("finds out at the first request");
        let section = |path: &str, lines: &str| {
            format!("<Location {path}>\nAuthType Basic\nAuthName x\n{lines}\n</Location>\n")
        };
        let (basic, group) = ("AuthBasicProvider wsgi", "Require wsgi-group staff");
        let (users, groups) =
            ("WSGIAuthUserScript @root@/a.py", "WSGIAuthGroupScript @root@/a.py");
        warned(&section("/a", basic), "WSGI1046", "no WSGIAuthUserScript names one", 3);
        warned(
            &section("/a", &format!("<RequireAny>\n{group}\n</RequireAny>")),
            "WSGI1046", "no WSGIAuthGroupScript names one", 4,
        );
        let complete = section("/a", &format!("{basic}\n{users}\n{group}\n{groups}"));
        assert!(warnings(&complete).is_empty());
        // A script of another section may well be the one; that of another virtual host is not.
        let apart = format!("{}{}", section("/a", basic), section("/", users));
        assert!(warnings(&apart).is_empty());
        let host = |lines: &str| format!("<VirtualHost *:1>\n{lines}</VirtualHost>\n");
        warned(
            &format!("{}{}", host(&section("/a", users)), host(&section("/a", basic))),
            "WSGI1046", "AuthBasicProvider wsgi", 11,
        );
    }

    fn a_server_that_starts_has_the_warnings_in_its_log_once() {
        ours!("says nothing");
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2 interrupt-timeout=5\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/hello.py\n\
             <Location /other>\nWSGIProcessGroup apps\n</Location>",
        )
        .start();
        server.expect_log("WSGI1042").expect_log("WSGI1045").expect_log("WSGI0150");
        assert_eq!(server.get("/").ok(), "Hello, WSGI\n");
        assert_eq!(server.get("/other").status(), 500);
        for code in ["WSGI1042", "WSGI1045"] {
            assert_eq!(server.log_count(code), 1, "{code}");
        }
    }
}
