//! Connections of clients that send one request after the other at once: under the event MPM they
//! stay with their thread, or for some of them where there are many, and nobody else has to wait
//! for that.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::support::http::Connection;
use crate::support::{Httpd, Mode, poll};

/// The number of the thread that answers.
const THREAD: &str = "/app?environ.get(%22mod_wsgi.thread_id%22)";

/// Requests that one of many connections stays for, and the one that the listener has brought.
const TURN: usize = 9;

/// More kept connections than threads of the child may wait: a quarter of ten.
const MANY: usize = 3;

fn server(mode: Mode) -> Httpd {
    Httpd::with("WSGIScriptAlias /app @apps@/evaluate.py\n").mode(mode).one_child().start()
}

fn ask(connection: &mut Connection) -> String {
    connection.request("GET", THREAD, &[], b"");
    connection.response().ok()
}

/// How many requests in a row the same thread has answered.
fn turns(threads: &[String]) -> Vec<usize> {
    threads.chunk_by(|one, next| one == next).map(<[String]>::len).collect()
}

/// How many requests a client gets answered until `end`, one at once after the other.
fn quick_client(port: u16, end: Instant) -> usize {
    let request = format!("GET {THREAD} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut answered = 0;
    while Instant::now() < end {
        let mut connection = Connection::open(port);
        // httpd closes it after 100 (MaxKeepAliveRequests), and sooner when all threads are busy.
        for _ in 0..90 {
            let is_sent = connection.try_send(request.as_bytes()).is_ok();
            match connection.try_response() {
                Ok(Some(response)) if is_sent => drop(response.ok()),
                _ => break,
            }
            answered += 1;
        }
    }
    answered
}

one! {
    fn one_of_few_quick_clients_has_a_thread_of_its_own() {
        ours!("its connections go back to the listener after each response");
        needs_event!("connections stay with their threads anyhow");
        let server = server(Mode::Embedded);
        // Where the machine has other work, the test may not be quick enough at times.
        poll("a thread that answers all but the first request", || {
            let mut connection = server.connect();
            let threads: Vec<_> = (0..50).map(|_| ask(&mut connection)).collect();
            (turns(&threads[1..]).len() == 1).then_some(())
        });
    }

    fn one_of_many_quick_clients_has_a_thread_for_a_while() {
        ours!("its connections go back to the listener after each response");
        needs_event!("connections stay with their threads anyhow");
        let server = server(Mode::Embedded);
        let mut others: Vec<_> = (0..MANY).map(|_| server.connect()).collect();
        others.iter_mut().for_each(|connection| drop(ask(connection)));
        poll("turns of full length", || {
            let mut connection = server.connect();
            let threads: Vec<_> = (0..10 * TURN).map(|_| ask(&mut connection)).collect();
            // The same thread may have the next turn by chance.
            (turns(&threads).iter().filter(|turn| **turn == TURN).count() >= 3).then_some(())
        });
    }

    fn a_client_that_pauses_is_not_waited_for() {
        ours!("its connections go back to the listener after each response");
        needs_event!("connections stay with their threads anyhow");
        let server = server(Mode::Embedded);
        let mut connection = server.connect();
        let threads: Vec<_> = (0..20)
            .map(|_| {
                thread::sleep(Duration::from_millis(20));
                ask(&mut connection)
            })
            .collect();
        let turns = turns(&threads);
        assert!(turns.iter().all(|turn| *turn <= 2), "{turns:?}");
    }
}

both_modes! {
    fn quick_clients_progress_alike_and_leave_room_for_others(mode) {
        needs_threads!("a child with one thread serves one kept connection");
        let server = server(mode);
        let (port, end) = (server.port(), Instant::now() + Duration::from_secs(1));
        let answered: Vec<usize> = thread::scope(|scope| {
            let clients: Vec<_> =
                (0..6).map(|_| scope.spawn(move || quick_client(port, end))).collect();
            while Instant::now() < end {
                let start = Instant::now();
                server.get(THREAD).ok();
                assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
            }
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let (fewest, most) = (answered.iter().min().unwrap(), answered.iter().max().unwrap());
        assert!(*fewest * 2 >= *most, "{answered:?}");
    }
}
