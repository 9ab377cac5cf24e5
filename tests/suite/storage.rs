//! What `<Directory>`, `<Files>`, `.htaccess` and Options say about a script holds for every URL
//! below its alias: what follows the script's name in the URL is path info and changes none of it.

use std::os::unix::fs::symlink;

use crate::support::{Environ, Httpd};

/// URLs of one script: without and with path info, and with some that httpd takes out.
const URLS: [&str; 4] = ["/app", "/app/", "/app/a/b.html", "/app/a//b/"];

both_modes! {
    fn a_section_that_closes_the_script_closes_all_its_urls(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @root@/site/hello.py\nWSGIScriptAlias /file @root@/file/hello.py\n\
             WSGIScriptAlias /access @root@/access/hello.py\n\
             <Directory @root@/site>\nRequire all denied\n</Directory>\n\
             <Directory @root@/file>\n<Files hello.py>\nRequire all denied\n</Files>\n</Directory>\n\
             <Directory @root@/access>\nAllowOverride AuthConfig\n</Directory>",
        )
        .mode(mode)
        .file("site/hello.py", include_str!("../apps/hello.py"))
        .file("file/hello.py", include_str!("../apps/hello.py"))
        .file("access/hello.py", include_str!("../apps/hello.py"))
        .file("access/.htaccess", "Require all denied\n")
        .start();
        for alias in ["/app", "/file", "/access"] {
            for url in URLS {
                let url = url.replace("/app", alias);
                assert_eq!(server.get(&url).status(), 403, "{url}");
            }
        }
        server.allow_log("AH01630");
    }

    fn a_link_is_followed_only_where_options_allow_it(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @root@/open/hello.py\nWSGIScriptAlias /closed @root@/closed/hello.py\n\
             WSGIScriptAlias /owner @root@/owner/hello.py\n\
             <Directory @root@/open>\nOptions FollowSymLinks\n</Directory>\n\
             <Directory @root@/closed>\nOptions None\n</Directory>\n\
             <Directory @root@/owner>\nOptions SymLinksIfOwnerMatch\n</Directory>",
        )
        .mode(mode)
        .file("real.py", include_str!("../apps/hello.py"))
        .file("open/x", "")
        .file("closed/x", "")
        .file("owner/x", "")
        .start();
        for folder in ["open", "closed", "owner"] {
            symlink(server.path("real.py"), server.path(folder).join("hello.py")).unwrap();
        }
        for url in URLS {
            assert_eq!(server.get(url).ok(), "Hello, WSGI\n", "{url}");
            assert_eq!(server.get(&url.replace("/app", "/owner")).ok(), "Hello, WSGI\n", "{url}");
            assert_eq!(server.get(&url.replace("/app", "/closed")).status(), 403, "{url}");
        }
        server.allow_log("AH00037");
    }

    fn path_info_is_what_httpd_makes_of_the_path(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\nMergeSlashes Off\nAllowEncodedSlashes On",
        )
        .mode(mode)
        .start();
        for (url, path_info) in [
            ("/app", ""),
            ("/app/", "/"),
            ("/app/a/b/", "/a/b/"),
            ("/app/a//b", "/a/b"),
            ("/app/a/./b", "/a/b"),
            ("/app/a/../b", "/b"),
            ("/app/.a", "/.a"),
            ("/app/a%2Fb", "/a/b"),
            ("/app/a%20b", "/a b"),
        ] {
            let found = Environ::parse(&server.get(url).ok());
            found.is("PATH_INFO", path_info);
            found.is("SCRIPT_NAME", "/app");
        }
    }

    fn a_script_that_comes_and_goes_is_seen_at_once(mode) {
        let server = Httpd::with("WSGIScriptAlias /app @root@/site/hello.py")
            .mode(mode)
            .file("site/x", "")
            .start();
        let script = server.path("site/hello.py");
        assert_eq!(server.get("/app/x").status(), 404);
        std::fs::write(&script, include_str!("../apps/hello.py")).unwrap();
        assert_eq!(server.get("/app/x").ok(), "Hello, WSGI\n");
        std::fs::remove_file(&script).unwrap();
        assert_eq!(server.get("/app/x").status(), 404);
        std::fs::create_dir(&script).unwrap();
        assert!([403, 404].contains(&server.get("/app/x").status()));
        server.allow_log("WSGI0135");
    }
}
