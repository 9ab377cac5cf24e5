//! Defects that were found after the fact; the first line of each test says where it was seen.

use std::time::{Duration, Instant};

use crate::support::{Httpd, Mode};

/// An application whose body is `lines` (indented once), as a generator.
fn streaming(lines: &str) -> String {
    let body: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "import time\n\ndef body(environ):\n{body}\ndef application(environ, start_response):\n    \
         start_response('200 OK', [('Content-Type', 'text/plain')])\n    return body(environ)\n"
    )
}

one! {
    fn the_time_a_slow_client_takes_is_not_the_daemons_silence() {
        // Seen in review: with socket-timeout=2 a body that came after 1.7 s and 1.5 s of work were
        // a 504.
        ours!("it reads the body before it turns to the daemon");
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2 socket-timeout=2\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @root@/app.py",
        )
        .file("app.py", &streaming(
            "text = environ['wsgi.input'].read(5)\ntime.sleep(1.5)\nyield text",
        ))
        .start();
        let mut connection = server.connect();
        connection.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n");
        std::thread::sleep(Duration::from_millis(1700));
        connection.send("hello");
        assert_eq!(connection.response().ok(), "hello");
    }

    fn a_supervisor_that_is_dead_at_a_restart_does_not_end_httpd() {
        // Seen in review: kill -9 of the supervisor and a graceful restart within the same second.
        ours!("it has no supervisor");
        let server = Httpd::serving("hello.py", Mode::Daemon);
        server.allow_log("AH00045").allow_log("WSGI1");
        let response = server.get("/").ok();
        let tree = server.processes();
        let supervisor = tree
            .iter()
            .find(|process| {
                let name = std::fs::read_to_string(format!("/proc/{}/comm", process.pid));
                name.is_ok_and(|name| name.trim() == "wsgi-supervisor")
            })
            .expect("a supervisor");
        supervisor.signal(libc::SIGKILL);
        server.signal(libc::SIGUSR1);
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(server.get("/").ok(), response);
    }

    fn small_blocks_in_a_steady_stream_reach_the_client() {
        // Seen in review: a block every 3 ms was held back until 64 KiB had come together.
        ours!("it flushes every block");
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2\nWSGIProcessGroup app\nWSGIScriptAlias / @root@/app.py",
        )
        .file("app.py", &streaming("for _ in range(1500):\n    yield b'0123456789'\n    time.sleep(0.002)"))
        .start();
        let mut connection = server.connect();
        connection.request("GET", "/", &[], b"");
        let start = Instant::now();
        assert_eq!(connection.final_head().status, 200);
        connection.piece().unwrap().expect("a piece");
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        while connection.piece().unwrap().is_some() {}
    }

    fn a_client_that_does_not_read_holds_up_no_other_stream() {
        needs_threads!("a child has one client");
        // Seen in review: the one flusher of a child waited for a client that had stopped reading.
        ours!("it flushes every block");
        let server = Httpd::with("WSGIScriptAlias / @root@/app.py\nSendBufferSize 16384")
            .one_child()
            .file("app.py", &streaming(
                "if environ['PATH_INFO'] == '/flood':\n    for _ in range(20000):\n        \
                 yield b'x' * 1000\n        time.sleep(0.00001)\n    return\n\
                 yield b'one'\nyield b'two'\ntime.sleep(6)\nyield b'three'",
            ))
            .start();
        let mut stuck = server.connect();
        stuck.request("GET", "/flood", &[], b"");
        std::thread::sleep(Duration::from_secs(3));
        let mut connection = server.connect();
        connection.request("GET", "/", &[], b"");
        let start = Instant::now();
        assert_eq!(connection.final_head().status, 200);
        let mut text = Vec::new();
        while text.len() < 6 {
            text.extend(connection.piece().unwrap().expect("a piece"));
        }
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        stuck.reset();
        while connection.piece().unwrap().is_some() {}
    }

    fn a_large_head_waits_for_a_thread_like_a_small_one() {
        // Seen in review: headers that did not fit the socket's buffer were sent again and again
        // after connect-timeout, until the listener's queue was full of dead connections (503).
        ours!("not a defect of it");
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=1 connect-timeout=1\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @root@/app.py",
        )
        .file("app.py", &streaming(
            "time.sleep(float(environ['QUERY_STRING']))\nyield b'done'",
        ))
        .start();
        server.get("/?0").ok();
        let mut busy = server.connect();
        busy.request("GET", "/?5", &[], b"");
        std::thread::sleep(Duration::from_millis(300));
        let value = "x".repeat(8000);
        let names: Vec<String> = (0..60).map(|number| format!("X-{number}")).collect();
        let headers: Vec<_> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
        assert_eq!(server.request("GET", "/?0", &headers, b"").ok(), "done");
        assert_eq!(busy.response().ok(), "done");
    }

    fn a_request_of_an_old_child_is_found_in_a_group_of_another_size() {
        // Seen in review: after a graceful restart with another threads= a queued request that a
        // new process ran was taken for one that nobody had begun (504 by queue-timeout).
        ours!("it has no queue across restarts");
        let group = |threads| format!(
            "WSGIDaemonProcess app processes=1 threads={threads} queue-timeout=3\n"
        );
        let server = Httpd::with(
            "Include @root@/group.conf\nWSGIProcessGroup app\nWSGIScriptAlias / @root@/app.py",
        )
        .file("group.conf", &group(1))
        .file("app.py", &streaming(
            "time.sleep(float(environ['QUERY_STRING']))\nyield b'done'",
        ))
        .start();
        server.allow_log("AH00045");
        server.get("/?0").ok();
        std::thread::scope(|scope| {
            let port = server.port();
            let first = scope.spawn(move || server_get(port, "/?6"));
            std::thread::sleep(Duration::from_millis(300));
            let second = scope.spawn(move || server_get(port, "/?6"));
            std::thread::sleep(Duration::from_millis(300));
            std::fs::write(server.path("group.conf"), group(2)).unwrap();
            server.graceful();
            assert_eq!(second.join().unwrap(), 200);
            assert_eq!(first.join().unwrap(), 200);
        });
    }

    fn a_script_that_is_the_index_of_a_directory_runs_by_its_alias() {
        // Seen in review: mod_dir makes the directory's request that of the script, without our
        // record: 403 for want of ExecCGI, and else another process group than the alias names.
        let server = Httpd::with(
            "DirectoryIndex index.wsgi\nWSGIDaemonProcess app threads=2\n\
             WSGIScriptAlias /index.wsgi @root@/app.py process-group=app application-group=%{GLOBAL}",
        )
        .file("app.py",
            "def application(environ, start_response):\n    \
             start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
             return [environ['mod_wsgi.process_group'].encode()]\n")
        .start();
        assert_eq!(server.get("/index.wsgi").ok(), "app");
        assert_eq!(server.get("/").ok(), "app");
    }

    fn a_restart_that_finds_no_descriptor_free_keeps_the_process() {
        // Seen in review: a kept process whose application had opened all files it may could not
        // take the new error log, thought that its supervisor was dead, and ended.
        ours!("it keeps no process");
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2 on-restart=keep\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @root@/app.py application-group=%{GLOBAL}",
        )
        .file("app.py",
            "import os, time\n\
             def application(environ, start_response):\n\
             \x20   start_response('200 OK', [])\n\
             \x20   if environ['QUERY_STRING']:\n\
             \x20       files = [os.open('@root@/out/full', os.O_WRONLY | os.O_CREAT)]\n\
             \x20       try:\n\
             \x20           while True: files.append(os.dup(files[0]))\n\
             \x20       except OSError: os.write(files[0], b'full')\n\
             \x20       while not os.access('@root@/out/go', os.F_OK): time.sleep(0.01)\n\
             \x20       for file in files: os.close(file)\n\
             \x20   return [str(os.getpid()).encode()]\n")
        .start();
        let first = server.get("/").ok();
        let mut filling = server.connect();
        filling.request("GET", "/?fill", &[("Connection", "close")], b"");
        server.wait_for_out("full");
        server.graceful();
        // The message has come by then: the supervisor sends it before httpd goes on.
        std::thread::sleep(Duration::from_millis(200));
        std::fs::write(server.path("out/go"), "").unwrap();
        assert_eq!(filling.response().ok(), first);
        assert_eq!(server.get("/").ok(), first);
        assert_eq!(server.log_count("Shutdown requested"), 0);
    }
}

both_modes! {
    fn a_transfer_encoding_of_the_application_does_not_break_the_framing(mode) {
        // Seen in review: `Transfer-Encoding: chunked` (passed on from elsewhere by the
        // application) was announced, but the body was sent without chunks on a kept connection.
        ours!("not looked at");
        let server = Httpd::with("WSGIScriptAlias / @root@/app.py")
            .mode(mode)
            .file("app.py", "def application(environ, start_response):\n    \
                             start_response('200 OK', [('Transfer-Encoding', 'chunked')])\n    \
                             return iter([b'hello ', b'world'])\n")
            .start();
        let mut connection = server.connect();
        for _ in 0..2 {
            connection.request("GET", "/", &[], b"");
            assert_eq!(connection.response().ok(), "hello world");
        }
    }
}

fn server_get(port: u16, target: &str) -> u16 {
    let mut connection = crate::support::Connection::open(port);
    connection.request("GET", target, &[("Connection", "close")], b"");
    connection.response().status()
}
