//! The environment of daemon processes: `env=`, `env-file=`, `lang=`, `locale=` and what httpd
//! leaves to them.

use crate::support::{Httpd, builder::Builder, poll, rundir};

/// A group `app` with these options, whose application evaluates its query.
fn group(options: &str) -> Builder {
    Httpd::with(&format!(
        "WSGIDaemonProcess app threads=1 {options}\nWSGIProcessGroup app\n\
         WSGIScriptAlias / @apps@/evaluate.py"
    ))
}

#[track_caller]
fn variable(server: &Httpd, name: &str) -> String {
    server.get(&format!("/?imp('os').environ.get('{name}','-')")).ok().trim_matches('\'').to_owned()
}

one! {
    fn variables_of_the_group_are_in_the_environment() {
        ours!("has no such options");
        let server = group(
            "env=PLAIN=one env=\"SPACED=two words\" env=EMPTY= env=SIGN=a=b env=PLAIN=last \
             env-file=@root@/env env=HOME=/somewhere",
        )
        .environment("FROM_HTTPD", "inherited")
        .environment("PLAIN", "of httpd")
        .file("env", "# settings\n\nexport FILE='from the file'\nQUOTED=\"a \\\"b\\\"\"\nPLAIN=file\n")
        .start();
        for (name, value) in [
            ("PLAIN", "last"), ("SPACED", "two words"), ("EMPTY", ""), ("SIGN", "a=b"),
            ("FILE", "from the file"), ("QUOTED", "a \"b\""), ("FROM_HTTPD", "inherited"),
            ("HOME", "/somewhere"),
        ] {
            assert_eq!(variable(&server, name), value, "{name}");
        }
        // Scripts that are loaded at start see them too, and C code does.
        assert_eq!(
            server.get("/?imp('subprocess').check_output(['sh','-c','echo%20$SIGN']).decode()").ok(),
            "'a=b\\n'"
        );
    }

    fn each_group_has_its_own() {
        ours!("has no such options");
        let server = Httpd::with(
            "WSGIDaemonProcess one threads=1 env=NAME=one\nWSGIDaemonProcess two threads=1\n\
             WSGIScriptAlias /one @apps@/evaluate.py process-group=one\n\
             WSGIScriptAlias /two @apps@/evaluate.py process-group=two",
        )
        .start();
        let name = |group| server.get(&format!("/{group}?imp('os').environ.get('NAME')")).ok();
        assert_eq!((name("one").as_str(), name("two").as_str()), ("'one'", "None"));
    }

    fn a_file_that_only_root_may_read_is_read() {
        ours!("has no such options");
        needs_root!();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "SECRET=s3cret\n").unwrap();
        rundir::mode(&file, 0o600);
        let server = group(&format!("env-file={}", file.display())).start();
        assert_eq!(variable(&server, "SECRET"), "s3cret");
        let readable = format!("/?imp('os').access('{}',4)", file.display());
        assert_eq!(server.get(&readable).ok(), "False");
    }

    fn a_changed_file_counts_after_a_restart() {
        ours!("has no such options");
        let server = group("env-file=@root@/env on-restart=keep").file("env", "NAME=old\n").start();
        server.allow_log("AH00045");
        assert_eq!(variable(&server, "NAME"), "old");
        std::fs::write(server.path("env"), "NAME=new\n").unwrap();
        let pid = server.get("/?imp('os').getpid()").ok();
        assert_eq!(variable(&server, "NAME"), "old");
        server.graceful();
        // Processes that would be kept are replaced, because the group is another one now. They
        // serve until their successors are ready.
        poll("the new value", || (variable(&server, "NAME") == "new").then_some(()));
        assert_ne!(server.get("/?imp('os').getpid()").ok(), pid);
    }

    fn what_is_no_variable_is_refused_without_showing_secrets() {
        ours!("has no such options");
        let refused = |options: &str, text: &str| {
            let said = group(options)
                .file("bad", "GOOD=1\nthis is a s3cret\n")
                .file("folder/x", "")
                .refused();
            assert!(said.contains(text), "{options}: {said}");
            assert!(!said.contains("s3cret"), "{said}");
        };
        let variable = "Invalid environment variable for WSGI daemon process.";
        for option in ["env=", "env=NAME", "env==value", "env=1A=x", "env=A-B=x", "\"env=A B=x\""] {
            let text = if option.starts_with('"') { "Invalid option to WSGI daemon" } else { variable };
            refused(option, text);
        }
        let file = "Invalid environment file for WSGI daemon process.";
        for option in ["env-file=", "env-file=relative", "env-file=@root@/missing"] {
            refused(option, file);
        }
        refused("env-file=@root@/bad", "in its line 2");
        refused("env-file=@root@/folder", "not a regular file");
        refused("env-file=/dev/zero", "not a regular file");
    }

    fn processes_speak_utf_8_where_httpd_does_not() {
        ours!("inherits the locale of httpd");
        // The harness starts httpd with LANG=C.
        let server = group("").start();
        assert_eq!(variable(&server, "LANG"), "C.UTF-8");
        let encoding = "/?imp('locale').setlocale(imp('locale').LC_CTYPE)";
        assert_eq!(server.get(encoding).ok(), "'C.UTF-8'");
        // What a child process is told.
        let names = "/?imp('subprocess').check_output(['/usr/bin/python3','-c',\
                     'import%20sys;print(sys.getfilesystemencoding())']).decode()";
        assert_eq!(server.get(names).ok(), "'utf-8\\n'");
        drop(server);
        let server = group("").environment("LC_ALL", "POSIX").start();
        assert_eq!(variable(&server, "LC_ALL"), "C.UTF-8");
    }

    fn the_group_may_ask_for_another_locale() {
        ours!("inherits the locale of httpd");
        for (options, name, value) in
            [("lang=C", "LANG", "C"), ("locale=POSIX", "LC_ALL", "POSIX"), ("env=LANG=C", "LANG", "C")]
        {
            let server = group(options).start();
            assert_eq!(variable(&server, name), value, "{options}");
        }
    }
}
