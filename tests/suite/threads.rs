//! Threads and processes that applications have and start.

use std::collections::BTreeMap;

use crate::support::{Connection, Httpd, Mode, original};

/// The application in a sub-interpreter at `/sub` and in the main one at `/main`.
fn server(mode: Mode) -> Httpd {
    Httpd::with(
        "WSGIScriptAlias /sub @apps@/threads.py application-group=sub\n\
         WSGIScriptAlias /main @apps@/threads.py application-group=%{GLOBAL}",
    )
    .mode(mode)
    .one_child()
    .start()
}

const BOTH: [&str; 2] = ["/sub", "/main"];

/// Asks a few clients at a time; by thread what it has answered: name and count.
fn answers(server: &Httpd, place: &str) -> BTreeMap<String, Vec<(String, u32)>> {
    let mut answers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for _ in 0..6 {
        let mut clients: Vec<Connection> = (0..3).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.request("GET", &format!("{place}/count"), &[], b"");
        }
        for client in &mut clients {
            let text = client.response().ok();
            let words: Vec<&str> = text.split(' ').collect();
            let [name, ident, count] = words[..] else { panic!("{text}") };
            let seen = (name.to_owned(), count.parse().unwrap());
            answers.entry(ident.to_owned()).or_default().push(seen);
        }
    }
    answers
}

both_modes! {
    fn what_is_local_to_a_thread_survives_its_requests(mode) {
        needs_threads!("a child has one client");
        let server = server(mode);
        for place in BOTH {
            let mut requests = 0;
            for (thread, mut seen) in answers(&server, place) {
                seen.sort_by_key(|(_, count)| *count);
                let counts: Vec<u32> = seen.iter().map(|(_, count)| *count).collect();
                let expected: Vec<u32> = (1..=u32::try_from(seen.len()).unwrap()).collect();
                assert_eq!(counts, expected, "{place}, thread {thread}");
                assert!(seen.iter().all(|(name, _)| *name == seen[0].0), "{thread}: {seen:?}");
                requests += seen.len();
            }
            assert_eq!(requests, 18);
        }
    }

    fn request_threads_appear_as_dummies(mode) {
        needs_threads!("a child has one client, and its main thread");
        let server = server(mode);
        // The thread that imports `threading` first is the main one for Python; which that is in
        // a sub-interpreter depends on who made it.
        for (_, seen) in answers(&server, "/main") {
            assert!(seen[0].0.starts_with("Dummy-"), "{seen:?}");
        }
        assert_eq!(server.get("/main/main").ok(), "MainThread");
    }

    fn threads_are_waited_for_at_the_end(mode) {
        // The original waits for those of the main interpreter only.
        let places = if original::is_original() { &BOTH[1..] } else { &BOTH };
        for place in places {
            let server = server(mode);
            assert_eq!(server.get(&format!("{place}/lasting")).ok(), "started");
            let note = server.path("out/finished");
            server.stop();
            assert!(note.exists(), "{place}");
        }
    }

    fn coroutines_run_inside_of_a_request(mode) {
        let server = server(mode);
        for place in BOTH {
            for _ in 0..2 {
                assert_eq!(server.get(&format!("{place}/coroutines")).ok(), "[2, 4, 6, 8]");
                assert_eq!(server.get(&format!("{place}/pool")).ok(), "[4, 3, 2, 1]");
            }
        }
    }

    fn applications_start_programs(mode) {
        let server = server(mode);
        for place in BOTH {
            server.get(&format!("{place}/program")).ok();
            server.without_descriptor_growth(|| {
                for _ in 0..3 {
                    let said = server.get(&format!("{place}/program")).ok();
                    assert_eq!(said, "('text', '', 3)");
                }
            });
            assert_eq!(server.get(&format!("{place}/python")).ok(), "True");
        }
    }

    fn applications_share_work_among_processes(mode) {
        let server = server(mode);
        for method in ["fork", "spawn"] {
            let said = server.get(&format!("/main/processes?{method}")).ok();
            assert_eq!(said, "[4, 3, 2, 1]", "{method}");
        }
        // What they were forked from is as it was.
        assert_eq!(server.get("/main/pool").ok(), "[4, 3, 2, 1]");
        let said = server.get("/sub/processes?spawn").ok();
        assert_eq!(said, "[4, 3, 2, 1]");
    }
}
