//! WSGIAuthUserScript and WSGIAuthGroupScript.

use crate::support::{
    Environ, Httpd, Mode, builder::Builder, curl::curl, original, rundir::replace,
};

/// Passwords by user; the name of the user says what is answered.
const USERS: &str = "\
import hashlib

ANSWERS = {'false': False, 'unknown': None, 'empty': '', 'bytes': b'x', 'one': 1, 'nul': 'a\\0b',
           'other': 'Some\\u00e9 One'}


def check_password(environ, user, password):
    if user in ANSWERS:
        return ANSWERS[user]
    if user == 'raise':
        raise LookupError('the list of users is gone')
    return (user, password) == ('alice', 's\\xc3\\xa9:cret')


def get_realm_hash(environ, user, realm):
    digest = hashlib.md5(f'{user}:{realm}:secret'.encode()).hexdigest()
    return {'alice': digest, 'bob': digest.encode(), 'empty': '', 'one': 1}.get(user)
";

/// Groups by user.
const GROUPS: &str = "\
ANSWERS = {'staff': ['readers', b'staff'], 'reader': ('readers',), 'none': [], 'null': None,
           'text': 'staff', 'item': ['staff', 1], 'keys': {'staff': 1}, 'more': iter(['two words'])}


def groups_for_user(environ, user):
    return ANSWERS[user]


";

/// The whole environ below /app for users of these lines.
fn protected(mode: Mode, lines: &str) -> Builder {
    Httpd::with(&format!(
        "WSGIScriptAlias /app @apps@/environ.py\n<Location /app>\nAuthType Basic\n\
         AuthName realm\nAuthBasicProvider wsgi\nWSGIAuthUserScript @root@/users.py\n{lines}\n\
         </Location>"
    ))
    .mode(mode)
    .one_child()
    .modules(&[
        "auth_basic",
        "auth_digest",
        "authn_core",
        "authn_file",
        "authz_user",
        "socache_shmcb",
    ])
    .file("users.py", USERS)
    .file("groups.py", GROUPS)
}

fn answer(server: &Httpd, credentials: &str) -> (u16, String) {
    let url = format!("http://127.0.0.1:{}/app", server.port());
    let answer = curl(&["-u", credentials, &url]);
    (answer.status, answer.text())
}

both_modes! {
    fn passwords_are_checked_by_the_script(mode) {
        let server = protected(mode, "Require valid-user").start();
        for text in ["AH01617", "AH01618", "AH01620", "WSGI0176", "WSGI0177", "WSGI0174"] {
            server.allow_log(text);
        }
        server.expect_traceback("LookupError: the list of users is gone");
        assert_eq!(server.get("/app").status(), 401);
        let (status, body) = answer(&server, "alice:s\u{e9}:cret");
        assert_eq!(status, 200);
        Environ::parse(&body).is("REMOTE_USER", "alice");
        Environ::parse(&body).lacks("HTTP_AUTHORIZATION");
        let (status, body) = answer(&server, "other:x");
        assert_eq!(status, 200);
        Environ::parse(&body).is("REMOTE_USER", "Some\\xc3\\xa9 One");
        for (user, expected) in [
            ("alice", 401), ("false", 401), ("unknown", 401), ("empty", 500), ("bytes", 500),
            ("one", 500), ("raise", 500),
        ] {
            assert_eq!(answer(&server, &format!("{user}:wrong")).0, expected, "{user}");
        }
        assert_eq!(server.log_count("WSGI0176"), 1);
        assert_eq!(server.log_count("WSGI0177"), 2);
        assert_eq!(answer(&server, "alice:s\u{e9}:cret").0, 200);
    }

    fn a_user_script_without_the_function_or_that_cannot_be_loaded_lets_nobody_in(mode) {
        for (script, tag, last) in [
            ("other = 1\n", "WSGI0043", None),
            ("1 / 0\n", "WSGI0109", Some("ZeroDivisionError: division by zero")),
        ] {
            let server = protected(mode, "Require valid-user").file("users.py", script).start();
            server.expect_log(tag).allow_log("WSGI0174");
            if let Some(last) = last {
                server.expect_traceback(last);
            }
            assert_eq!(answer(&server, "alice:x").0, 500, "{script}");
            assert_eq!(server.log_count(tag), 1);
            replace(&server.path("users.py"), USERS, 5);
            assert_eq!(answer(&server, "alice:s\u{e9}:cret").0, 200, "{script}");
        }
    }

    fn groups_are_those_the_script_names(mode) {
        let lines = "WSGIAuthGroupScript @root@/groups.py\nRequire wsgi-group staff \"two words\"";
        let users = "def check_password(environ, user, password):\n    return True\n";
        let server = protected(mode, lines).file("users.py", users).start();
        for text in ["WSGI0059", "WSGI0060", "AH01631", "AH01627", "WSGI0174"] {
            server.allow_log(text);
        }
        for text in ["WSGI0050", "WSGI0051", "TypeError"] {
            server.allow_log(text);
        }
        server.expect_traceback("KeyError: 'nobody'");
        assert_eq!(server.get("/app").status(), 401);
        // A denial would be turned into its opposite by `Require not`.
        let failed = if original::is_original() { 401 } else { 500 };
        for (user, expected) in [
            ("staff", 200), ("keys", 200), ("more", 200), ("reader", 401), ("none", 401),
            ("null", failed), ("item", failed), ("nobody", failed), ("staff", 200),
        ] {
            assert_eq!(answer(&server, &format!("{user}:x")).0, expected, "{user}");
        }
        assert_eq!(server.log_count("WSGI0059"), 1);
        assert_eq!(server.log_count("WSGI0060"), 1);
    }
}

one! {
    fn a_user_name_with_a_nul_is_refused() {
        ours!("cuts the name there");
        let server = protected(Mode::Embedded, "Require valid-user").start();
        server.expect_log("WSGI0176");
        assert_eq!(answer(&server, "nul:x").0, 500);
    }

    fn one_name_is_not_a_list_of_groups() {
        ours!("takes its letters for groups");
        let lines = "WSGIAuthGroupScript @root@/groups.py\nRequire wsgi-group s";
        let users = "def check_password(environ, user, password):\n    return True\n";
        let server = protected(Mode::Embedded, lines).file("users.py", users).start();
        server.expect_log("WSGI0051");
        assert_eq!(answer(&server, "text:x").0, 500);
    }

    fn a_group_script_that_fails_lets_nobody_in() {
        let lines = "WSGIAuthGroupScript @root@/groups.py\nRequire wsgi-group staff";
        let users = "def check_password(environ, user, password):\n    return True\n";
        let server = protected(Mode::Embedded, lines)
            .file("users.py", users)
            .file("groups.py", "other = 1\n")
            .start();
        server.expect_log("WSGI0052").allow_log("AH01631");
        assert_ne!(answer(&server, "staff:x").0, 200);
        replace(&server.path("groups.py"), GROUPS, 5);
        assert_eq!(answer(&server, "staff:x").0, 200);
    }

    fn a_failing_group_script_lets_nobody_in_who_must_not_be_in_a_group() {
        ours!("lets in whoever its script fails for");
        let lines = "WSGIAuthGroupScript @root@/groups.py\n<RequireAll>\nRequire valid-user\n\
                     Require not wsgi-group staff\n</RequireAll>";
        let users = "def check_password(environ, user, password):\n    return True\n";
        let server = protected(Mode::Embedded, lines).file("users.py", users).start();
        server.expect_log("WSGI0060").expect_log("WSGI0051").allow_log("AH01631");
        assert_eq!(answer(&server, "reader:x").0, 200);
        assert_eq!(answer(&server, "staff:x").0, 401);
        assert_eq!(answer(&server, "null:x").0, 500);
    }

    fn a_provider_without_a_script_lets_nobody_in() {
        let server = Httpd::with(
            "<Location />\nAuthType Basic\nAuthName realm\nAuthBasicProvider wsgi\n\
             Require valid-user\n</Location>",
        )
        .modules(&["auth_basic", "authn_core", "authz_user"])
        .start();
        server.expect_log("WSGI0041").allow_log("WSGI1046");
        assert_eq!(answer(&server, "alice:x").0, 500);
    }

    fn a_user_whom_the_script_does_not_know_is_left_to_the_next_provider() {
        let lines = "AuthBasicProvider wsgi file\nAuthUserFile @root@/passwords\nRequire valid-user";
        // The password is `secret`, as `htpasswd -s` writes it.
        let passwords = "unknown:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n";
        let server = protected(Mode::Embedded, lines).file("passwords", passwords).start();
        server.expect_log("AH01617");
        assert_eq!(answer(&server, "unknown:secret").0, 200);
        assert_eq!(answer(&server, "unknown:wrong").0, 401);
    }

    fn hashes_of_digest_authentication_come_from_the_script() {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\n<Location /app>\nAuthType Digest\n\
             AuthName realm\nAuthDigestProvider wsgi\nWSGIAuthUserScript @root@/users.py\n\
             Require valid-user\n</Location>",
        )
        .modules(&["auth_digest", "authn_core", "authz_user"])
        .file("users.py", USERS)
        .one_child()
        .start();
        for text in ["AH01790", "AH01791", "AH01792", "AH01793", "AH01794", "WSGI0178", "WSGI0179"] {
            server.allow_log(text);
        }
        // mod_auth_digest speaks of its secret at the start.
        server.allow_log("AH01757").allow_log("AH01760");
        let url = format!("http://127.0.0.1:{}/app", server.port());
        let status = |credentials: &str| curl(&["--digest", "-u", credentials, &url]).status;
        for (credentials, expected) in [
            ("alice:secret", 200), ("bob:secret", 200), ("alice:wrong", 401), ("eve:secret", 401),
            ("empty:secret", 500), ("one:secret", 500), ("alice:secret", 200),
        ] {
            assert_eq!(status(credentials), expected, "{credentials}");
        }
        assert_eq!(server.log_count("WSGI0178"), 1);
        assert_eq!(server.log_count("WSGI0179"), 1);
    }
}
