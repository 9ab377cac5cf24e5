//! Zope with RelStorage on SQLite, mounted by paste.deploy, in one group of four processes with a
//! thread each: how its users run it.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::http::Connection;
use crate::support::{Httpd, load, poll, ports, rundir};

const CONFIGURATION: &str = "\
%define INSTANCE @root@/zope
instancehome $INSTANCE
clienthome $INSTANCE/var
%import relstorage
<zodb_db main>
  mount-point /
  <relstorage>
    blob-dir $INSTANCE/blobs
    shared-blob-dir true
    keep-history false
    <sqlite3>
      data-dir $INSTANCE/db
    </sqlite3>
  </relstorage>
</zodb_db>
";

/// The site with its database, made once per run, or why there is none: by a Python without any httpd,
/// so one that dies of it is too new for a library.
fn made_site() -> &'static Result<PathBuf, String> {
    static SITE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    SITE.get_or_init(|| {
        let root = rundir::run().path.join("zope");
        std::fs::create_dir_all(&root).unwrap();
        rundir::copy(&rundir::run().apps.join("zope"), &root.join("zope"));
        let text = CONFIGURATION.replace("@root@", root.to_str().unwrap());
        std::fs::write(root.join("zope/zope.conf"), text).unwrap();
        let done = Command::new(rundir::venv().unwrap().join("bin/python"))
            .arg(root.join("zope/prepare.py"))
            .env_clear()
            .output()
            .unwrap();
        if let Some(signal) = done.status.signal() {
            return Err(format!("Zope ends this Python with signal {signal}"));
        }
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(root)
    })
}

fn prepared_site() -> &'static PathBuf {
    made_site().as_ref().unwrap()
}

/// Files that a slow reader asks for.
const FILES: u32 = 4;

/// Bytes of the body that follows.
fn length(reader: &mut Connection) -> usize {
    let mut length = 0;
    while let Some(piece) = reader.piece().unwrap() {
        length += piece.len();
    }
    length
}

/// The server, once all four processes have answered.
fn zope() -> Httpd {
    let server = Httpd::with(
        "WSGIDaemonProcess app processes=4 threads=1 python-home=@venv@\nWSGIProcessGroup app\n\
         WSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias / @root@/zope/zope_site.py",
    )
    .many_clients()
    .tree("", prepared_site())
    .file("zope/zope.conf", CONFIGURATION)
    .start();
    assert_eq!(answering(&server).len(), 4);
    server
}

/// The processes that answer when many ask at once.
fn answering(server: &Httpd) -> BTreeSet<String> {
    let (port, mut found) = (server.port(), BTreeSet::new());
    poll("four processes to answer", || {
        let asked = at_once(8, || get(port, "/site/pid"));
        found.extend(asked);
        (found.len() >= 4).then(|| found.clone())
    })
}

fn get(port: u16, target: &str) -> String {
    let mut connection = Connection::open(port);
    connection.request("GET", target, &[], b"");
    connection.response().ok()
}

/// What `count` threads get that do the same.
fn at_once<T: Send>(count: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let running: Vec<_> = (0..count).map(|_| scope.spawn(&work)).collect();
        running.into_iter().map(|one| one.join().expect("a client")).collect()
    })
}

/// What ab says: requests a second, after it has found no failed one.
#[track_caller]
fn ab(port: u16, target: &str, requests: u32, clients: u32) -> f64 {
    let (requests, clients) = (requests.to_string(), clients.to_string());
    let address = format!("http://127.0.0.1:{port}{target}");
    let text = rundir::output_of("ab", &["-q", "-l", "-n", &requests, "-c", &clients, &address]);
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().unwrap_or_default().to_owned()
    };
    assert_eq!(value("Complete requests:"), requests, "{text}");
    assert_eq!(value("Failed requests:"), "0", "{text}");
    assert!(!text.contains("Non-2xx"), "{text}");
    value("Requests per second:").parse().unwrap()
}

/// The same site by waitress with four threads; its port.
struct Waitress(Child, u16);

impl Waitress {
    fn start() -> Self {
        let port = ports::take();
        let child = Command::new(rundir::venv().unwrap().join("bin/python"))
            .args(["-m", "waitress", "--threads=4"])
            .arg(format!("--listen=127.0.0.1:{}", port.number))
            .arg("zope_site:application")
            .current_dir(prepared_site().join("zope"))
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("waitress");
        let started = Self(child, port.number);
        poll("waitress", || load::ask(started.1, "/site/hello").filter(|status| *status == 200));
        started
    }
}

impl Drop for Waitress {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Ends a test, by name, when there is no venv with Zope and all it is made of.
macro_rules! needs_zope {
    () => {
        needs_modules!(
            "Zope2",
            "AccessControl",
            "BTrees",
            "paste",
            "persistent",
            "relstorage",
            "waitress"
        );
        if let Err(why) = made_site() {
            crate::support::original::skipped(why);
            return;
        }
    };
}

one! {
    fn zope_behind_a_virtual_host_makes_the_right_addresses() {
        needs_zope!();
        let server = zope();
        assert_eq!(server.get("/site/hello").ok(), "Hello from http://localhost/site");
        let front = server.get("/++vh++https:www.example.com:443/++/site/hello").ok();
        assert_eq!(front, "Hello from https://www.example.com/site");
        assert_eq!(server.get("/site/nothing").status(), 404);
    }

    fn zope_serves_more_than_waitress_and_loses_nothing() {
        needs_zope!();
        let server = zope();
        let waitress = Waitress::start();
        // The best of three: what else the machine does slows now one, now the other.
        let best = |rate: f64, port: u16| rate.max(ab(port, "/site/hello", 1000, 8));
        let (ours, others) = (0..3).fold((0.0, 0.0), |(ours, others), _| {
            (best(ours, server.port()), best(others, waitress.1))
        });
        assert!(ours > others, "{ours} requests a second, waitress {others}");
        println!("zope: {ours} requests a second, waitress {others}");
    }

    fn concurrent_increments_are_all_counted() {
        needs_zope!();
        let server = zope();
        let before: u32 = server.get("/site/value").ok().parse().unwrap();
        server.allow_log("ConflictError").allow_log("Conflict");
        // Zope tries three times more; a client whose luck was worse asks again.
        let port = server.port();
        at_once(100, || {
            poll("an increment", || {
                load::ask(port, "/site/increment").filter(|status| *status == 200)
            })
        });
        let after: u32 = server.get("/site/value").ok().parse().unwrap();
        assert_eq!(after - before, 100);
    }

    fn a_conflict_rewinds_the_request_body() {
        needs_zope!();
        let server = zope();
        server.allow_log("ConflictError");
        let text = "x".repeat(100_000);
        let body = format!("key=one&text={text}");
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let response = server.request("POST", "/site/conflict", &form, body.as_bytes());
        assert_eq!(response.ok(), format!("3 {text}"));
    }

    fn blobs_leave_without_holding_a_process() {
        needs_zope!();
        let server = zope();
        ab(server.port(), "/site/file", 200, 20);
        // More readers than processes, each of more than the system's buffers take.
        let mut slow: Vec<_> = (0..8).map(|_| server.connect()).collect();
        for reader in &mut slow {
            for _ in 0..FILES {
                reader.request("GET", "/site/file", &[], b"");
            }
        }
        for reader in &mut slow {
            assert_eq!(reader.final_head().status, 200);
        }
        let start = Instant::now();
        server.get("/site/hello").ok();
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        for mut reader in slow {
            assert_eq!(length(&mut reader), 2_600_000);
            for _ in 1..FILES {
                assert_eq!(reader.final_head().status, 200);
                assert_eq!(length(&mut reader), 2_600_000);
            }
        }
    }

    fn never_more_requests_are_inside_than_threads() {
        needs_zope!();
        let server = zope();
        let port = server.port();
        let inside = at_once(24, || get(port, "/site/inside"));
        assert!(inside.iter().all(|count| count == "1"), "{inside:?}");
    }
}
