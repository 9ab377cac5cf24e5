//! Sockets and buffers between httpd, a group and the client.

use std::time::Duration;

use crate::support::{Httpd, poll};

/// Answers with the buffer sizes of the unix stream sockets of its process, listeners first.
const SOCKETS_APP: &str = "\
import os, socket

def application(environ, start_response):
    lines = []
    for name in os.listdir('/proc/self/fd'):
        try:
            copy = os.dup(int(name))
        except OSError:
            continue
        try:
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=copy)
        except OSError:  # a file, or a path to a socket
            os.close(copy)
            continue
        with one:
            kind = [one.getsockopt(socket.SOL_SOCKET, option)
                    for option in (socket.SO_DOMAIN, socket.SO_TYPE)]
            if kind != [socket.AF_UNIX, socket.SOCK_STREAM]:
                continue
            listens = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            sizes = [one.getsockopt(socket.SOL_SOCKET, option)
                     for option in (socket.SO_SNDBUF, socket.SO_RCVBUF)]
            lines.append('%s %d %d' % ('listener' if listens else 'connection', *sizes))
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return ['\\n'.join(sorted(lines, reverse=True)).encode()]
";

/// A group with these options, and the same application embedded at `/embedded`.
fn sockets(options: &str) -> Httpd {
    Httpd::with(&format!(
        "WSGIDaemonProcess app threads=3 {options}\n\
         WSGIScriptAlias /embedded @root@/app.py\n\
         WSGIScriptAlias / @root@/app.py process-group=app application-group=%{{GLOBAL}}"
    ))
    .file("app.py", SOCKETS_APP)
    .one_child()
    .start()
}

/// A group with the application that streams.
fn streams(options: &str) -> Httpd {
    Httpd::with(&format!(
        "WSGIDaemonProcess app threads=1 {options}\nWSGIProcessGroup app\n\
         WSGIScriptAlias / @root@/app.py\nSetOutputFilter DEFLATE"
    ))
    .modules(&["filter", "deflate"])
    .file("app.py", STREAM_APP)
    .start()
}

/// Sends what compresses to nearly nothing, then waits for a gate; or far more than fits anywhere.
const STREAM_APP: &str = "\
import os, time

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    if environ['PATH_INFO'] == '/short':
        return [b'short']
    if environ['PATH_INFO'] == '/much':
        return (os.urandom(100_000) for _ in range(400))
    return waiting(environ)

def waiting(environ):
    for _ in range(8):
        yield b'0' * 10_000
    while not os.path.exists(os.path.join(environ['TEST_OUT'], 'gate')):
        time.sleep(0.005)
    yield b'end'
";

one! {
    fn the_listener_has_the_buffers_of_the_options() {
        let server = sockets("send-buffer-size=20000 receive-buffer-size=30000");
        let text = server.get("/").ok();
        // The kernel tells twice what was asked for.
        assert!(text.starts_with("listener 40000 60000"), "{text}");
    }

    fn connections_have_the_buffers_of_the_options_at_both_ends() {
        needs_threads!("children keep no connections");
        ours!("its connections have those of the system");
        let server = sockets("send-buffer-size=20000 receive-buffer-size=110000");
        let text = server.get("/").ok();
        assert!(text.contains("connection 40000 220000"), "{text}");
        // httpd's end of one that was kept: what one end sends the other receives.
        let text = poll("a kept connection", || {
            server.get("/").ok();
            Some(server.get("/embedded").ok()).filter(|text| text.contains("connection"))
        });
        assert!(text.contains("connection 220000 40000"), "{text}");
        let default = sockets("").get("/").ok();
        assert!(!default.contains("connection 40000"), "{default}");
    }

    fn small_buffers_carry_everything() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2 send-buffer-size=512 receive-buffer-size=512\n\
             WSGIProcessGroup app\nWSGIScriptAlias / @root@/app.py",
        )
        .file("app.py", "def application(environ, start_response):\n    \
                         body = environ['wsgi.input'].read()\n    \
                         start_response('200 OK', [])\n    return [body, body]\n")
        .start();
        let body: Vec<u8> = (0..500_000u32).map(|n| n.to_le_bytes()[0]).collect();
        let response = server.post("/", &body);
        assert_eq!(response.status(), 200);
        assert!(response.body == [body.as_slice(), &body].concat());
    }

    fn a_filter_collects_no_more_than_the_response_buffer() {
        let server = streams("response-buffer-size=65536 response-flush-delay=60000");
        let mut connection = server.connect();
        connection.request("GET", "/waiting", &[("Accept-Encoding", "gzip")], b"");
        // Nothing would come before the gate opens if the 80 000 bytes were not flushed.
        assert_eq!(connection.final_head().status, 200);
        assert!(connection.piece().unwrap().is_some());
        server.open_gate("gate");
        while connection.piece().unwrap().is_some() {}
        assert!(connection.is_complete());
    }

    fn a_client_that_takes_nothing_frees_its_thread_after_the_limit() {
        let server = streams("response-socket-timeout=1");
        server.expect_log("WSGI0120");
        let mut stalled = server.connect();
        stalled.request("GET", "/much", &[], b"");
        // The only thread of the group is free again long before httpd's Timeout of 20 s.
        let start = std::time::Instant::now();
        assert_eq!(server.get("/short").ok(), "short");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        server.wait_for_log("WSGI0120");
    }

    fn the_limit_of_one_response_is_not_that_of_the_next() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2 response-socket-timeout=1\n\
             WSGIScriptAlias /app @apps@/hello.py process-group=app\n\
             WSGIScriptAlias / @apps@/input.py",
        )
        .start();
        let mut connection = server.connect();
        connection.request("GET", "/app", &[], b"");
        assert_eq!(connection.response().ok(), "Hello, WSGI\n");
        // A body that comes slowly, on the same connection, is read with httpd's own limit.
        connection.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab");
        std::thread::sleep(Duration::from_millis(1500));
        connection.send(b"cd");
        assert_eq!(connection.response().status(), 200);
    }

    fn a_graceful_restart_changes_the_backlog() {
        needs_threads!("a child may not be waiting for each request");
        let server = Httpd::with("Include @root@/group.conf\nWSGIScriptAlias / @apps@/process.py")
            .file("group.conf", &group(0))
            .start();
        server.allow_log("WSGI0116").allow_log("AH00045");
        let refused = |gate: &str| {
            let mut busy = server.connect();
            busy.request("GET", &format!("/wait?{gate}"), &[], b"");
            server.wait_for_out(&format!("in-{gate}"));
            let mut others: Vec<_> = (0..4).map(|_| server.connect()).collect();
            for connection in &mut others {
                connection.request("GET", "/pid", &[], b"");
            }
            // They are turned away or queued when httpd has read them: it logs nothing for that.
            std::thread::sleep(Duration::from_millis(200));
            server.open_gate(gate);
            assert_eq!(busy.response().status(), 200);
            let answers = others.iter_mut().map(|connection| connection.response().status());
            answers.filter(|status| *status == 503).count()
        };
        let before = server.get("/pid").ok();
        assert!(refused("gate1") >= 2);
        std::fs::write(server.path("group.conf"), group(20)).expect("group.conf");
        server.graceful();
        poll("the new process", || {
            let answer = server.get("/pid");
            (answer.status() == 200 && answer.text() != before).then_some(())
        });
        assert_eq!(refused("gate2"), 0);
    }
}

/// The definition of a group whose requests do not wait for room in the queue.
fn group(backlog: u32) -> String {
    format!(
        "WSGIDaemonProcess app threads=1 connect-timeout=0 listen-backlog={backlog}\n\
         WSGIProcessGroup app\n"
    )
}
