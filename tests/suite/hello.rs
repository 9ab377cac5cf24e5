//! The first request, on every MPM.

mod mpm {
    use crate::support::{Httpd, Mode};

    both_modes! {
        fn an_application_answers_a_request(mode) {
            let server = Httpd::serving("hello.py", mode);
            let response = server.get("/");
            assert_eq!(response.ok(), "Hello, WSGI\n");
            assert_eq!(response.head.version, "HTTP/1.1");
            assert_eq!(response.head.reason, "OK");
            assert_eq!(response.header("content-type"), Some("text/plain"));
            assert_eq!(response.header("content-length"), Some("12"));
        }

        fn requests_of_one_connection_are_answered_in_turn(mode) {
            let server = Httpd::serving("hello.py", mode);
            let mut connection = server.connect();
            for _ in 0..20 {
                connection.request("GET", "/", &[], b"");
                assert_eq!(connection.response().ok(), "Hello, WSGI\n");
            }
        }

        fn pipelined_requests_are_answered_in_order(mode) {
            let server = Httpd::with("WSGIScriptAlias / @apps@/environ.py").mode(mode).start();
            let mut connection = server.connect();
            let requests: String =
                (0..5).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
            connection.send(requests);
            for n in 0..5 {
                assert!(connection.response().ok().contains(&format!("'PATH_INFO'\tstr\t'/{n}'")));
            }
        }
    }

    one! {
        fn the_daemon_answers_from_a_process_of_its_own() {
            let server = Httpd::serving("environ.py", Mode::Daemon);
            let text = server.get("/").ok();
            assert!(text.contains("'mod_wsgi.process_group'\tstr\t'app'"), "{text}");
        }
    }
}
