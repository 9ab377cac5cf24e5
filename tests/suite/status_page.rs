//! The live page of `wsgi-status` in a browser, under load. docs/status.md.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Connection, Httpd, load, original};

/// Where `playwright-core` is, if that and a browser are here.
fn modules() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("WSGI_TEST_NODE")?);
    let has_browser = Path::new("/usr/bin/chromium").exists();
    (has_browser && folder.join("node_modules/playwright-core").exists()).then_some(folder)
}

fn serving() -> Httpd {
    Httpd::with(
        "WSGIDaemonProcess app processes=2 threads=3\nWSGIDaemonProcess stuck threads=3 shutdown-timeout=1\n\
         WSGIScriptAlias /stuck @apps@/status.py process-group=stuck application-group=%{GLOBAL}\n\
         WSGIScriptAlias / @apps@/status.py process-group=app application-group=%{GLOBAL}\n\
         Timeout 120\n<Location /wsgi-status>\nSetHandler wsgi-status\nRequire all granted\n</Location>",
    )
    .start()
}

fn get(server: &Httpd, target: &str) -> Connection {
    let mut connection = server.connect();
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    connection
}

one! {
    fn a_person_sees_what_goes_on() {
        ours!("has no such page");
        let Some(modules) = modules() else {
            return original::skipped("needs chromium, and playwright-core in WSGI_TEST_NODE");
        };
        let server = serving();
        let hostile = "/blocked/<img/src=x/onerror=pwned=1><script>pwned=1</script>&\"'`${pwned=1}";
        let mut blocked = get(&server, hostile);
        let _holder = get(&server, "/stuck/holds");
        server.wait_for_out("in-holds");
        let mut browser = Command::new("node");
        browser.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/browser/status.cjs"));
        browser.arg(format!("http://127.0.0.1:{}/wsgi-status", server.port())).arg(hostile);
        browser.args(std::env::var_os("WSGI_TEST_SCREENSHOTS"));
        browser.env("WSGI_TEST_NODE", modules).stdin(Stdio::null());
        let (tally, done) = load::during(server.port(), 3, "/slow", || browser.output());
        let done = done.expect("node");
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.success(), "{said}");
        tally.all_served();
        server.open_gate("gate");
        blocked.response().ok();
    }
}
