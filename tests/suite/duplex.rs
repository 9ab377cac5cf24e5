//! Responses in front of bodies that nobody has read, with WSGIRequestBuffering Off.

use std::process::Command;

use crate::support::curl::{curl, secure, ways};
use crate::support::rundir::output_of;
use crate::support::{Httpd, Mode, Port, ports};

/// More than all sockets on the way hold, in either direction.
const SIZE: usize = 20_000_000;

/// Sends a request with all of its body before it reads a byte of the response.
const CLIENT: &str = "\
import hashlib, socket, ssl, sys
port, tls, target, path = int(sys.argv[1]), sys.argv[2] == 'tls', sys.argv[3], sys.argv[4]
body = open(path, 'rb').read()
client = socket.create_connection(('localhost', port), timeout=20)
if tls:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = context.wrap_socket(client)
client.sendall(b'POST %s HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n'
               b'Content-Length: %d\\r\\n\\r\\n' % (target.encode(), len(body)))
client.sendall(body)
response = b''.join(iter(lambda: client.recv(1 << 20), b''))
assert response.startswith(b'HTTP/1.1 200'), response[:100]
print(response.count(b'x'), response.rstrip()[-100:].decode())
";

/// An unbuffered server, and where the body is.
fn server(mode: Mode, port: &Port) -> (Httpd, String) {
    let lines = "WSGIScriptAlias / @apps@/input.py\nWSGIRequestBuffering Off\nTimeout 10";
    let body = "0123456789abcde\n".repeat(SIZE / 16);
    let server = secure(lines, port).mode(mode).file("upload.bin", &body).start();
    let path = server.path("upload.bin").display().to_string();
    (server, path)
}

/// What the application says of the body.
fn expected(path: &str) -> String {
    format!("{SIZE} {}", output_of("sha256sum", &[path]).split_whitespace().next().unwrap())
}

fn sends_all_first(port: u16, kind: &str, target: &str, path: &str) -> String {
    let port = port.to_string();
    let done = Command::new("python3")
        .args(["-c", CLIENT, &port, kind, target, path])
        .output()
        .expect("python3");
    String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
}

both_modes! {
    fn a_large_response_in_front_of_a_large_unread_body_does_not_deadlock(mode) {
        ours!("waits for its socket-timeout");
        let tls = ports::take();
        let (server, path) = server(mode, &tls);
        for (port, kind) in [(server.port(), "plain"), (tls.number, "tls")] {
            // Many blocks, one block, and little more than what the sockets hold.
            for (size, count) in [(100_000, SIZE / 100_000), (SIZE, 1), (70_000, 120)] {
                let target = format!("/large_first?{size},{count}");
                let text = sends_all_first(port, kind, &target, &path);
                assert!(text.starts_with(&format!("{} ", size * count)), "{kind} {target}: {text}");
                assert!(text.contains(&expected(&path)), "{kind} {target}: {text}");
            }
        }
    }

    fn nor_does_it_over_http_2(mode) {
        needs_threads!("mod_http2 works with threads only");
        ours!("waits for its socket-timeout");
        let tls = ports::take();
        let (server, path) = server(mode, &tls);
        for (base, option, _) in ways(&server, &tls).into_iter().filter(|way| way.2 == "2") {
            let url = format!("{base}/large_first?100000,{}", SIZE / 100_000);
            let answer = curl(&[option, "--data-binary", &format!("@{path}"), &url]);
            assert_eq!((answer.status, answer.exit), (200, 0), "{}", answer.error);
            let (large, digest) = answer.body.split_at(SIZE);
            assert!(large.iter().all(|byte| *byte == b'x'));
            assert_eq!(digest, expected(&path).as_bytes());
        }
    }

    fn a_pause_of_the_client_changes_nothing(mode) {
        ours!("waits for its socket-timeout");
        let tls = ports::take();
        let (server, _) = server(mode, &tls);
        let mut client = server.connect();
        client.send(
            "POST /large_first?100000,150 HTTP/1.1\r\nHost: localhost\r\n\
             Content-Length: 8000000\r\n\r\n",
        );
        let half = vec![b'y'; 4_000_000];
        client.try_send(&half).unwrap();
        // Longer than httpd looks at a time, while the response waits for the client.
        std::thread::sleep(std::time::Duration::from_millis(1_500));
        client.try_send(&half).expect("the server takes it");
        let mut bytes = 0;
        client.final_head();
        while let Some(piece) = client.piece().unwrap() {
            bytes += piece.len();
        }
        assert!(client.is_complete() && bytes > 15_000_000, "{bytes} bytes");
    }
}
