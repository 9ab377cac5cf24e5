//! Clients that read slowly or not at all hold no thread of a daemon.

use std::path::Path;

use crate::support::builder::Builder;
use crate::support::curl::{secure, slowly, ways};
use crate::support::{Connection, Httpd, Tmpfs, daemon, poll};

/// Far more than all sockets on the way hold.
const BLOCKS: usize = 3_000;

/// A group of one thread with these options.
fn one_thread(options: &str) -> Builder {
    daemon::configured("slow.py", &format!("threads=1 {options}"))
}

/// Waits for a mark that the application sets.
fn wait_for(server: &Httpd, name: &str) {
    let path = server.path("out").join(name);
    poll(name, || path.exists().then_some(()));
}

/// What the application sends.
fn expected(blocks: usize) -> Vec<u8> {
    (0..blocks)
        .flat_map(|number| format!("{:x<9999}\n", format!("{number:08}.")).into_bytes())
        .collect()
}

/// A client that has asked and read no more than the head.
fn asks(server: &Httpd, target: &str) -> (Connection, crate::support::http::Head) {
    let mut client = server.connect();
    client.request("GET", target, &[], b"");
    let head = client.final_head();
    assert_eq!(head.status, 200);
    (client, head)
}

one! {
    fn a_client_that_does_not_read_holds_no_thread() {
        ours!("its thread waits for the client");
        let server = one_thread("").start();
        for target in [format!("/large?{BLOCKS}"), format!("/whole?{BLOCKS}")] {
            std::fs::remove_file(server.path("out/produced")).ok();
            let (mut client, head) = asks(&server, &target);
            wait_for(&server, "produced");
            assert_eq!(server.get("/quick").ok(), "quick");
            let response = client.rest_of(head, Vec::new()).unwrap();
            assert!(response.complete && response.body == expected(BLOCKS), "{target}");
        }
    }

    fn slow_clients_of_tls_and_http_2_hold_no_thread() {
        ours!("its thread waits for the client");
        let port = crate::support::ports::take();
        let lines = "WSGIDaemonProcess app threads=1\nWSGIProcessGroup app\n\
                     WSGIScriptAlias / @apps@/slow.py";
        let server = secure(lines, &port).start();
        for (base, option, _) in ways(&server, &port) {
            std::fs::remove_file(server.path("out/produced")).ok();
            let url = format!("{base}/large?{BLOCKS}");
            let body = slowly(&[option, &url], || {
                wait_for(&server, "produced");
                assert_eq!(server.get("/quick").ok(), "quick");
            });
            assert!(body == expected(BLOCKS), "{option} {base}: {} bytes", body.len());
        }
    }

    fn without_a_spool_a_thread_waits_for_its_client() {
        ours!("has no such option");
        let server = one_thread("response-spool-limit=0").start();
        let (mut client, head) = asks(&server, &format!("/large?{BLOCKS}"));
        // The second request waits for the thread, which waits for the first client.
        let mut second = server.connect();
        second.patience(std::time::Duration::from_millis(500));
        second.request("GET", "/quick", &[], b"");
        assert!(second.head().is_err(), "the thread was free");
        assert!(!server.path("out/produced").exists());
        let response = client.rest_of(head, Vec::new()).unwrap();
        assert!(response.complete && response.body == expected(BLOCKS));
    }

    fn a_full_spool_makes_the_thread_wait() {
        ours!("has no such option");
        let server = one_thread("response-spool-limit=1000000").start();
        let (mut client, head) = asks(&server, &format!("/large?{BLOCKS}"));
        let mut second = server.connect();
        second.patience(std::time::Duration::from_millis(500));
        second.request("GET", "/quick", &[], b"");
        assert!(second.head().is_err(), "the thread was free");
        let response = client.rest_of(head, Vec::new()).unwrap();
        assert!(response.complete && response.body == expected(BLOCKS));
    }

    fn a_daemon_that_dies_behind_a_slow_client_is_seen_by_it() {
        ours!("cannot tell a truncated body");
        let server = one_thread("").start();
        let (mut client, head) = asks(&server, &format!("/dies?{BLOCKS}"));
        server.wait_for_log("signal 9");
        assert_eq!(server.get("/quick").ok(), "quick");
        server.expect_log("WSGI0119").allow_log("signal 9");
        let response = client.rest_of(head, Vec::new()).unwrap();
        assert!(!response.complete, "the end is missing");
        // Everything that the application sent before arrives.
        assert!(response.body == expected(BLOCKS), "{} bytes", response.body.len());
    }

    fn a_slow_client_that_goes_ends_the_application() {
        ours!("its thread waits for the client");
        let server = one_thread("response-spool-limit=20000000").start();
        let (client, _) = asks(&server, "/large?1000000000");
        std::thread::sleep(std::time::Duration::from_millis(100));
        client.reset();
        wait_for(&server, "ended");
        assert!(!server.path("out/produced").exists());
        assert_eq!(server.get("/quick").ok(), "quick");
    }

    fn a_full_disk_makes_the_thread_wait_and_nothing_is_lost() {
        ours!("its thread waits for the client");
        needs_root!();
        let folder = Tmpfs::new();
        let server = one_thread("").environment("TMPDIR", folder.path()).start();
        let (mut client, head) = asks(&server, &format!("/large?{BLOCKS}"));
        let mut second = server.connect();
        second.patience(std::time::Duration::from_millis(500));
        second.request("GET", "/quick", &[], b"");
        assert!(second.head().is_err(), "the thread was free");
        let response = client.rest_of(head, Vec::new()).unwrap();
        assert!(response.complete && response.body == expected(BLOCKS));
        server.expect_log("WSGI1030");
        // What was written is given back.
        assert_eq!(server.get("/whole?60").ok().len(), 600_000);
    }

    /// What slowhttptest does with -H, -B and -X.
    fn slow_heads_uploads_and_readers_keep_nobody_from_the_application() {
        ours!("its threads wait for clients");
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/slow.py",
        )
        .many_clients()
        .start();
        let open = |bytes: &str| {
            let mut client = server.connect();
            client.send(bytes);
            client
        };
        let mut slow = Vec::new();
        for number in 0..10 {
            slow.push(open("GET /quick HTTP/1.1\r\nHost: localhost\r\nX-Slow: "));
            slow.push(open(
                "POST /quick HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nx",
            ));
            slow.push(open(&format!(
                "GET /large?{BLOCKS}&{number} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )));
        }
        for _ in 0..20 {
            let start = std::time::Instant::now();
            assert_eq!(server.get("/quick").ok(), "quick");
            let took = start.elapsed();
            assert!(took.as_secs() < 5, "it took {took:?} beside slow clients");
        }
    }

    fn a_folder_for_temporary_files_that_cannot_be_used_has_a_successor() {
        ours!("its thread waits for the client");
        needs_root!();
        // Only its owner may enter such a folder, and httpd's children run as another user.
        let closed = tempfile::tempdir().unwrap();
        for folder in [Path::new("/nonexistent/folder"), closed.path()] {
            let folder = folder.to_str().unwrap();
            let server = one_thread("").environment("TMPDIR", folder).start();
            let (mut client, head) = asks(&server, &format!("/large?{BLOCKS}"));
            wait_for(&server, "produced");
            let response = client.rest_of(head, Vec::new()).unwrap();
            assert!(response.complete && response.body == expected(BLOCKS), "{folder}");
        }
    }
}
