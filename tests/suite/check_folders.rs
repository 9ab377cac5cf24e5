//! `httpd -t -D WSGI_CHECK` and aliases whose scripts only requests name: directories and patterns.

use std::fs;
use std::path::Path;

use crate::check::{HELLO, check, line, write};
use crate::support::command::folder;

/// Asserts that the line about a mount and its script gives a verdict and has these words.
fn verdicts<'t>(text: &'t str, folder: &'t Path) -> impl Fn(&str, &str, &str, &str) {
    move |verdict, mount, script, words| {
        let start = format!("WSGI check {verdict}: {mount} {}/{script} (", folder.display());
        let is_it = |line: &str| line.starts_with(&start) && line.contains(words);
        assert!(text.lines().any(is_it), "{start}{words} in\n{text}");
    }
}

one! {
    fn scripts_of_a_directory_are_tried_at_their_urls() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        for name in ["apps", "apps/below.py", "empty", "root"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        write(path, "apps/a.wsgi", HELLO);
        write(path, "apps/b.py", "import no_such_module\n");
        write(path, "apps/module.py", "VALUE = 1\n");
        write(path, "apps/nothing.wsgi", "VALUE = 1\n");
        write(path, "apps/c.txt", "import no_such_module\n");
        write(path, "empty/readme", "");
        write(path, "root/main.py", HELLO);
        let (code, text) = check(path, "
            WSGIDaemonProcess shop
            WSGIScriptAlias /apps @root@/apps/
            WSGIScriptAlias /both @root@/apps process-group=shop application-group=own
            WSGIScriptAlias /joined/ @root@/apps
            WSGIScriptAlias /empty @root@/empty
            WSGIScriptAlias / @root@/root
            <Location /apps/a.wsgi>\nWSGIProcessGroup shop\n</Location>");
        assert_eq!(code, Some(1), "{text}");
        let says = verdicts(&text, path);
        says("ok", "/apps/a.wsgi", "apps/a.wsgi", "process group shop");
        says("FAILED", "/apps/b.py", "apps/b.py", "No module named 'no_such_module'");
        says("ok", "/apps/module.py", "apps/module.py", "embedded");
        says("FAILED", "/apps/nothing.wsgi", "apps/nothing.wsgi", "it has no \"application\"");
        says("ok", "/both/a.wsgi", "apps/a.wsgi", "process group shop");
        says("FAILED", "/both/b.py", "apps/b.py", "process group shop");
        // Requests find no slash there either.
        says("FAILED", "/joined/a.wsgi", "appsa.wsgi", "No such file");
        says("ok", "/main.py", "root/main.py", "embedded");
        says("skipped", "/empty", "empty", "no file in it ends with .wsgi or .py");
        assert!(!text.contains("c.txt") && !text.contains("below.py"), "{text}");
        assert!(!text.contains("WSGIImportScript"), "{text}");
    }

    fn a_directory_without_scripts_is_no_failure() {
        needs_command!();
        let folder = folder();
        fs::create_dir(folder.path().join("apps")).unwrap();
        let (code, text) = check(folder.path(), "WSGIScriptAlias /apps @root@/apps/");
        assert_eq!(code, Some(0), "{text}");
        assert!(line(&text, "/apps").contains("nothing was tried there"), "{text}");
    }

    fn of_many_scripts_the_first_are_tried() {
        needs_command!();
        let folder = folder();
        fs::create_dir(folder.path().join("apps")).unwrap();
        for number in 0..202 {
            write(folder.path(), &format!("apps/{number:03}.py"), HELLO);
        }
        let (code, text) = check(folder.path(), "
            WSGIScriptAlias /apps @root@/apps/
            WSGIApplicationGroup %{GLOBAL}");
        assert_eq!(code, Some(0), "{text}");
        assert_eq!(text.matches("WSGI check ok").count(), 200, "{text}");
        assert!(line(&text, "/199.py").contains("check ok"), "{text}");
        assert!(text.contains("only the first 200 of 202 scripts were tried"), "{text}");
    }

    fn the_target_of_a_pattern_is_tried_where_it_is_known() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        for name in ["apps", "sites", "sites/one", "sites/two"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        write(path, "one.py", HELLO);
        write(path, "apps/a.wsgi", HELLO);
        write(path, "apps/b.wsgi", "import no_such_module\n");
        write(path, "apps/c.py", "import no_such_module\n");
        write(path, "sites/one/app.wsgi", "from no_such_module import nothing\n");
        let (code, text) = check(path, r"
            WSGIDaemonProcess shop
            WSGIScriptAliasMatch ^/one(/|$) @root@/one.py
            WSGIScriptAliasMatch ^/apps/([a-z]+) @root@/apps/$1.wsgi process-group=shop
            WSGIScriptAliasMatch ^/sites/([^/]+) @root@/sites/$1/app.wsgi
            WSGIScriptAliasMatch ^/none/([^/]+) @root@/apps/$1.none
            WSGIScriptAliasMatch ^/two/([^/]+)/([^/]+) @root@/$1/$2.wsgi
            WSGIScriptAliasMatch ^/all.* @root@/apps$0
            WSGIScriptAliasMatch ^/folder @root@/apps
            WSGIScriptAliasMatch ^/gone/(.*) @root@/gone/$1.py");
        assert_eq!(code, Some(1), "{text}");
        let says = verdicts(&text, path);
        says("ok", "^/one(/|$)", "one.py", "embedded");
        says("ok", "^/apps/([a-z]+)", "apps/a.wsgi", "process group shop");
        says("FAILED", "^/apps/([a-z]+)", "apps/b.wsgi", "ModuleNotFoundError");
        says("FAILED", "^/sites/([^/]+)", "sites/one/app.wsgi", "ModuleNotFoundError");
        says("skipped", "^/none/([^/]+)", "apps/$1.none", "no script fits");
        says("skipped", "^/two/([^/]+)/([^/]+)", "$1/$2.wsgi", "more than one part");
        says("skipped", "^/all.*", "apps$0", "the URL itself");
        says("skipped", "^/folder", "apps", "its target is a directory");
        says("FAILED", "^/gone/(.*)", "gone/$1.py", "cannot be read: No such file");
        assert!(!text.contains("c.py") && !text.contains("sites/two"), "{text}");
    }
}
