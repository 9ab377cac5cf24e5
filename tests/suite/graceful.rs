//! Graceful restarts of httpd.

use std::time::{Duration, Instant};

use crate::support::{Connection, Httpd, daemon, poll};

both_modes! {
    fn a_graceful_restart_takes_a_new_configuration_and_new_code(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias / @root@/app.py\nInclude @root@/extra.conf\n",
        )
        .mode(mode)
        .file("extra.conf", "SetEnv GENERATION one\n")
        .file("app.py", "COUNT = 1\ndef application(environ, start_response):\n    \
                         start_response('200 OK', [])\n    \
                         return [environ['GENERATION'].encode()]\n")
        .start();
        server.allow_log("AH00045").allow_log("WSGI01");
        assert_eq!(server.get("/").ok(), "one");
        for name in ["two", "three"] {
            std::fs::write(server.path("extra.conf"), format!("SetEnv GENERATION {name}\n")).unwrap();
            server.graceful();
            poll("the new generation", || (server.get("/").text() == name).then_some(()));
        }
    }

    fn processes_do_not_pile_up_over_graceful_restarts(mode) {
        let server = Httpd::with("WSGIScriptAlias / @apps@/process.py").mode(mode).start();
        server.allow_log("AH00045").allow_log("WSGI01");
        server.get("/pid").ok();
        let count = server.processes().len();
        for _ in 0..3 {
            server.graceful();
            poll("an answer", || (server.get("/pid").status() == 200).then_some(()));
        }
        poll("the old processes to go", || (server.processes().len() <= count).then_some(()));
    }
}

mod mpm {
    use super::*;

    both_modes! {
        fn a_graceful_restart_goes_on_serving(mode) {
            let server = Httpd::serving("process.py", mode);
            server.allow_log("AH00045").allow_log("WSGI01");
            server.get("/pid").ok();
            server.graceful();
            poll("an answer", || (server.get("/pid").status() == 200).then_some(()));
        }

        fn new_children_serve_at_once_after_a_graceful_restart(mode) {
            ours!("httpd looks for children that have ended once a second");
            let server = Httpd::serving("process.py", mode);
            server.allow_log("AH00045").allow_log("WSGI01");
            server.get("/pid").ok();
            let quick = (0..4).filter(|_| {
                let start = Instant::now();
                server.graceful();
                server.get("/pid").ok();
                start.elapsed() < Duration::from_millis(800)
            });
            // A busy machine may have other work once.
            assert!(quick.count() >= 3);
        }
    }

    one! {
        fn a_graceful_restart_under_load_loses_no_request() {
            ours!("it kills daemons and unlinks their socket");
            let server = daemon::serving("process.py", "processes=2 threads=3");
            server.allow_log("AH00045");
            let port = server.port();
            server.get("/pid").ok();
            std::thread::scope(|scope| {
                let clients: Vec<_> = (0..3)
                    .map(|_| {
                        scope.spawn(move || {
                            (0..120).all(|_| {
                                let mut connection = Connection::open(port);
                                connection.request("GET", "/pid", &[("Connection", "close")], b"");
                                connection.response().status() == 200
                            })
                        })
                    })
                    .collect();
                for _ in 0..2 {
                    server.graceful();
                    std::thread::sleep(Duration::from_millis(150));
                }
                for client in clients {
                    assert!(client.join().unwrap(), "a request was lost");
                }
            });
        }
    }
}
