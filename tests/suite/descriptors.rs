//! An httpd child that has no descriptor left: what cannot be done is refused in clear words, and
//! the child goes on.

use crate::support::builder::Builder;
use crate::support::process::Process;
use crate::support::{Connection, Httpd, Mode};

/// Enough for a file.
static BODY: [u8; 300_000] = [b'x'; 300_000];

fn builder(mode: Mode) -> Builder {
    Httpd::with(
        "WSGIScriptAlias /files @apps@/files.py\nWSGIScriptAlias / @apps@/input.py\n\
         MaxKeepAliveRequests 0\nKeepAliveTimeout 20",
    )
    .mode(mode)
    .file("data.bin", &"0123456789".repeat(30_000))
    .one_child()
}

/// The only child.
fn child(server: &Httpd) -> Process {
    let children = server.processes_named("apache2");
    let is_child = |one: &&Process| one.parent() == server.pid();
    children.iter().find(is_child).expect("a child of httpd").clone()
}

/// A request on a connection that stays.
fn ask(connection: &mut Connection, method: &str, path: &str, body: &[u8]) -> u16 {
    connection.request(method, path, &[], body);
    connection.response().status()
}

/// Connections made while there was room, on which everything needed has been used once.
fn connections<const N: usize>(server: &Httpd) -> [Connection; N] {
    std::array::from_fn(|_| {
        let mut connection = server.connect();
        assert_eq!(ask(&mut connection, "POST", "/digest", &BODY), 200);
        assert_eq!(ask(&mut connection, "GET", "/files/plain", b""), 200);
        connection
    })
}

/// With the usual room everything works again, in the same child.
fn recovers(server: &Httpd, before: &Process) {
    before.leave_descriptors(usize::MAX);
    assert!(server.post("/digest", &BODY).ok().starts_with("300000 "));
    assert_eq!(server.get("/files/plain").ok().len(), 300_000);
    assert_eq!(child(server), *before, "the child was replaced");
}

both_modes! {
    fn an_upload_that_no_file_is_left_for_is_507(mode) {
        ours!("has no files");
        let server = builder(mode).start();
        let [mut connection] = connections(&server);
        let child = child(&server);
        child.leave_descriptors(0);
        assert_eq!(ask(&mut connection, "POST", "/digest", &BODY), 507);
        let record = server.wait_for_log("WSGI1031");
        assert!(record.line.contains("Too many open files"), "{}", record.line);
        server.expect_log("WSGI1031");
        recovers(&server, &child);
    }
}

one! {
    fn a_file_that_cannot_be_received_is_503() {
        ours!("passes no files");
        needs_threads!("one child has one connection");
        let server = builder(Mode::Daemon).start();
        let [mut first, others @ ..] = connections::<3>(&server);
        let child = child(&server);
        child.leave_descriptors(0);
        assert_eq!(ask(&mut first, "GET", "/files/plain", b""), 503);
        let record = server.wait_for_log("WSGI1034");
        assert!(record.line.contains("no descriptor left for the file"), "{}", record.line);
        // Enough for the file and not for its place in the response, or just enough: a connection to
        // the daemon may have to be made, and takes one more.
        for (number, mut other) in others.into_iter().enumerate() {
            child.leave_descriptors(number + 1);
            other.request("GET", "/files/plain", &[], b"");
            if let Ok(Some(answer)) = other.try_response() {
                let is_whole = answer.status() == 200 && answer.body.len() == 300_000;
                assert!(is_whole || answer.status() == 503 || !answer.complete, "looks complete");
            }
        }
        server.expect_log("WSGI1034");
        recovers(&server, &child);
    }

    fn small_requests_need_no_descriptor() {
        ours!("connects for each request");
        needs_threads!("connects for each request");
        let server = builder(Mode::Daemon).start();
        let [mut connection] = connections(&server);
        let child = child(&server);
        child.leave_descriptors(0);
        for _ in 0..3 {
            assert_eq!(ask(&mut connection, "POST", "/digest", b"short"), 200);
        }
        recovers(&server, &child);
    }
}
