//! `httpd -t -D WSGI_CHECK` and the scripts that no URL names: those that decide about requests, and
//! those that answer for a handler.

use std::{fs, path::Path};

use crate::check::{HELLO, check, check_with, line, write};
use crate::support::command::{self, folder, refused, run};
use crate::support::{ports, process, rundir};

/// What needs a user.
const AUTH: &[&str] = &["authn_core", "auth_basic", "auth_digest", "authz_user"];

/// A script with these functions, which tells where it was loaded.
fn deciding(folder: &Path, name: &str, functions: &[&str]) {
    let run = folder.join("run");
    fs::create_dir_all(&run).unwrap();
    rundir::mode(&run, 0o777);
    let mut text = format!(
        "import mod_wsgi\nopen('{}/{name}', 'a').write(\
         f'{{mod_wsgi.process_group!r}} {{mod_wsgi.application_group!r}}\\n')\n",
        run.display()
    );
    for function in functions {
        text += &format!("def {function}(*args):\n    raise LookupError\n");
    }
    write(folder, name, &text);
}

/// Where the script was loaded: process group and application group, a line each time.
fn places(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join("run").join(name)).unwrap_or_default()
}

one! {
    fn scripts_that_decide_are_tried_in_httpds_children() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        deciding(path, "access.py", &["allow_access"]);
        deciding(path, "basic.py", &["check_password"]);
        deciding(path, "digest.py", &["get_realm_hash"]);
        deciding(path, "either.py", &["get_realm_hash"]);
        deciding(path, "groups.py", &["groups_for_user"]);
        deciding(path, "dispatch.py", &["callable_object"]);
        let (code, text) = check_with(path, AUTH, "
            WSGIRestrictEmbedded On
            WSGIDaemonProcess shop
            WSGIProcessGroup shop
            WSGIDispatchScript @root@/dispatch.py application-group=%{SERVER}
            <Directory @root@>\nWSGIAccessScript @root@/access.py\n</Directory>
            <Location /again>\nWSGIAccessScript \"@root@/access.py\"\n</Location>
            <Location /basic>\nAuthType Basic\nWSGIAuthUserScript @root@/basic.py application-group=own
            WSGIAuthGroupScript @root@/groups.py\n</Location>
            <Directory '@root@/x'>\nAuthType \"Digest\"\n<Files x>
            WSGIAuthUserScript @root@/digest.py\n</Files>\n</Directory>
            <Location /either>\nWSGIAuthUserScript @root@/either.py\n</Location>");
        assert_eq!(code, Some(0), "{text}");
        for (directive, script, place) in [
            ("WSGIAccessScript", "access.py", "''"),
            ("WSGIAuthUserScript", "basic.py", "'own'"),
            ("WSGIAuthUserScript", "digest.py", "''"),
            ("WSGIAuthUserScript", "either.py", "''"),
            ("WSGIAuthGroupScript", "groups.py", "''"),
            ("WSGIDispatchScript", "dispatch.py", "'localhost:18000'"),
        ] {
            let found = line(&text, script);
            assert!(found.contains(&format!("check ok: {directive} ")), "{text}");
            assert!(found.contains("(embedded, Python"), "{text}");
            // What two sections say is tried once.
            let group = place.replace(":18000", "");
            assert_eq!(places(path, script), format!("'' {group}\n"), "{script}");
        }
    }

    fn a_script_without_the_function_it_is_asked_for_fails() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        deciding(path, "users.py", &["check_password"]);
        deciding(path, "nothing.py", &["check", "application"]);
        write(path, "number.py", "def process_group(environ):\n    return ''\napplication_group = 1\n");
        write(path, "broken.py", "import no_such_module\n");
        let (code, text) = check_with(path, AUTH, "
            WSGIHandlerScript bound @root@/nothing.py
            WSGIDispatchScript @root@/nothing.py
            <Directory @root@>\nAuthType 'Digest'\nWSGIAuthUserScript @root@/users.py\n</Directory>
            <Location /a>\nAuthType Basic\nWSGIAuthUserScript @root@/nothing.py
            WSGIAuthGroupScript @root@/nothing.py\nWSGIAccessScript @root@/nothing.py\n</Location>
            <Location /b>\nWSGIAuthUserScript @root@/nothing.py
            WSGIDispatchScript @root@/number.py\nWSGIAccessScript @root@/broken.py\n</Location>");
        assert_eq!(code, Some(1), "{text}");
        for fault in [
            "WSGIHandlerScript @/nothing.py: it has no \"handle_request\"",
            "WSGIDispatchScript @/nothing.py: it has none of \"process_group\", \"application_group\", \
             \"callable_object\": define",
            "WSGIDispatchScript @/number.py: its \"application_group\" is not callable",
            "WSGIAuthUserScript @/users.py: it has no \"get_realm_hash\"",
            "WSGIAuthUserScript @/nothing.py: it has no \"check_password\"",
            "WSGIAuthUserScript @/nothing.py: it has none of \"check_password\", \"get_realm_hash\"",
            "WSGIAuthGroupScript @/nothing.py: it has no \"groups_for_user\": define this function",
            "WSGIAccessScript @/nothing.py: it has no \"allow_access\"",
            "WSGIAccessScript @/broken.py: ModuleNotFoundError: No module named 'no_such_module'; install",
        ] {
            let (script, why) = fault.split_once(": ").unwrap();
            let script = script.replace('@', &path.display().to_string());
            let is_it = |line: &str| line.contains(&format!("FAILED: {script} (")) && line.contains(why);
            assert!(text.lines().any(is_it), "{fault} in\n{text}");
        }
        assert!(!text.contains("check ok"), "{text}");
        assert!(text.contains("httpd.conf:"), "{text}");
    }

    fn handler_scripts_are_tried_where_their_section_has_them_run() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        for name in ["server.py", "section.py", "option.py"] {
            deciding(path, name, &["handle_request"]);
        }
        deciding(path, "nowhere.py", &["handle_request"]);
        let (code, text) = check(path, "
            WSGIDaemonProcess shop
            WSGIDaemonProcess other
            WSGIHandlerScript one @root@/server.py application-group=%{GLOBAL}
            <Location /section>
            WSGIProcessGroup shop\nWSGIApplicationGroup mine\nWSGIHandlerScript two @root@/section.py
            <If \"true\">\nWSGIHandlerScript three @root@/option.py process-group=other\n</If>\n</Location>
            <Directory @root@>\nWSGIHandlerScript two @root@/nowhere.py process-group=none\n</Directory>");
        assert_eq!(code, Some(1), "{text}");
        assert!(line(&text, "server.py").contains("(embedded, "), "{text}");
        assert!(line(&text, "section.py").contains("(process group shop, "), "{text}");
        assert!(line(&text, "option.py").contains("(process group other, "), "{text}");
        assert!(line(&text, "nowhere.py").contains("no WSGIDaemonProcess defines"), "{text}");
        assert_eq!(places(path, "server.py"), "'' ''\n");
        assert_eq!(places(path, "section.py"), "'shop' 'mine'\n");
        assert_eq!(places(path, "option.py"), "'other' 'mine'\n");
        assert_eq!(places(path, "nowhere.py"), "");
    }

    fn an_application_that_may_not_run_embedded_fails_and_a_script_that_must_is_tried() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        deciding(path, "access.py", &["allow_access"]);
        deciding(path, "import.py", &[]);
        deciding(path, "app.py", &["application", "handle_request"]);
        let (code, text) = check(path, "
            WSGIRestrictEmbedded On
            WSGIScriptAlias /app @root@/app.py
            WSGIHandlerScript one @root@/app.py
            WSGIImportScript @root@/import.py process-group=%{GLOBAL} application-group=%{GLOBAL}
            <Location />\nWSGIAccessScript @root@/access.py\n</Location>");
        assert_eq!(code, Some(1), "{text}");
        for url in ["/app ", "WSGIHandlerScript "] {
            assert!(line(&text, url).contains("WSGIRestrictEmbedded is On"), "{text}");
        }
        for script in ["access.py", "import.py"] {
            assert!(line(&text, script).contains("check ok"), "{text}");
            assert_eq!(places(path, script), "'' ''\n");
        }
        assert_eq!(places(path, "app.py"), "");
    }

    fn start_server_refuses_a_script_without_its_function() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        write(path, "app.wsgi", HELLO);
        write(path, "access.py", HELLO);
        let root = path.join("root");
        let port = ports::take().number.to_string();
        let mut arguments = vec!["start-server", "app.wsgi", "--host-access-script", "access.py"];
        // What is wrong is said here nevertheless.
        arguments.push("--startup-log");
        arguments.extend(["--port", port.as_str(), "--server-root", root.to_str().unwrap()]);
        arguments.extend(command::identity());
        let text = refused(&run(path, &arguments));
        assert!(text.contains("the script of WSGIAccessScript does not load"), "{text}");
        assert!(text.contains("access.py): it has no \"allow_access\""), "{text}");
        assert_eq!(process::users_of(&root), []);
    }

    fn sections_of_another_virtual_host_do_not_count() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        deciding(path, "app.py", &["application"]);
        let (code, text) = check(path, "
            WSGIDaemonProcess one
            WSGIDaemonProcess two
            <VirtualHost *:18000>\nServerName one.example\nWSGIScriptAlias / @root@/app.py
            <Location />\nWSGIProcessGroup one\n</Location>\n</VirtualHost>
            <VirtualHost *:18000>\nServerName two.example\nWSGIProcessGroup one
            <Location />\nWSGIProcessGroup two\n</Location>\n</VirtualHost>");
        assert_eq!(code, Some(0), "{text}");
        assert!(line(&text, "app.py").contains("(process group one, "), "{text}");
    }
}
