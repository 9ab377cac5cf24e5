//! Groups that cannot start: they alone answer 503 and go on trying.

use crate::support::process::Process;
use crate::support::{Httpd, Response, poll, rundir};

/// A server with a group `app` of these options, at `/app`, and a group that has no trouble.
fn beside_another(options: &str) -> Httpd {
    Httpd::with(&format!(
        "WSGIDaemonProcess app threads=1 {options}\n\
         WSGIDaemonProcess other threads=1\n\
         WSGIScriptAlias /app @apps@/process.py process-group=app\n\
         WSGIScriptAlias / @apps@/hello.py process-group=other"
    ))
    .file("home/here", "")
    .start()
}

/// The group answers 503, the other one as always.
#[track_caller]
fn fails_alone(server: &Httpd) -> Response {
    server.expect_log("WSGI1211").expect_log("WSGI1008");
    server.wait_for_log("WSGI1211");
    let response = server.get("/app/pid");
    assert_eq!(response.status(), 503);
    assert_eq!(response.header("Retry-After"), Some("1"));
    assert_eq!(server.get("/").ok(), "Hello, WSGI\n");
    response
}

one! {
    fn a_group_whose_home_goes_fails_alone_until_it_is_back() {
        ours!("its processes sleep 20 seconds before the next attempt");
        let server = beside_another("home=@root@/home");
        server.expect_log("WSGI0009");
        let pid = server.get("/app/pid").ok().parse().expect("a number");
        std::fs::rename(server.path("home"), server.path("away")).expect("rename");
        Process::of(pid).expect("the daemon").signal(libc::SIGKILL);
        fails_alone(&server);
        std::fs::rename(server.path("away"), server.path("home")).expect("rename");
        poll("the group to serve again", || {
            (server.get("/app/pid").status() == 200).then_some(())
        });
    }

    fn a_user_without_a_home_directory_needs_home() {
        ours!("its processes sleep 20 seconds before the next attempt");
        needs_root!();
        let entry = rundir::output_of("getent", &["passwd", "nobody"]);
        let home = entry.split(':').nth(5).unwrap_or_default().to_owned();
        if home.is_empty() || std::path::Path::new(&home).exists() {
            crate::support::original::skipped("needs a user without a home directory");
            return;
        }
        let server = beside_another("user=nobody");
        server.expect_log("WSGI0010");
        fails_alone(&server);
        assert!(server.wait_for_log("WSGI0010").line.contains(&home));
        let server = beside_another("user=nobody home=@root@/home");
        server.get("/app/pid").ok();
    }

    fn a_group_without_room_for_python_fails_alone() {
        ours!("it does not tell why");
        let server = beside_another("virtual-memory-limit=20000000");
        server.allow_log("WSGI00").allow_log("WSGI1204").allow_log("WSGI0207");
        fails_alone(&server);
    }
}
