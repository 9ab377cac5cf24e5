//! TCP ports for private servers: one lock file per port, so that two runs never collide.

use std::fs::File;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// First port tried; the range stays below the kernel's ephemeral ports.
const FIRST: u16 = 18_000;
/// Number of ports tried.
const COUNT: u16 = 8_000;

/// A port that is this process's until the value is dropped.
pub struct Port {
    /// The number.
    pub number: u16,
    _lock: File,
}

/// Takes a free port of 127.0.0.1.
pub fn take() -> Port {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let folder = std::env::temp_dir().join("mod_wsgi_rs-ports");
    std::fs::create_dir_all(&folder).expect("folder of port locks");
    let start = (std::process::id() as u16).wrapping_mul(97);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let number = FIRST + start.wrapping_add(step) % COUNT;
        let Ok(lock) = File::create(folder.join(format!("{number}.lock"))) else { continue };
        if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
            return Port { number, _lock: lock };
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}

/// The sockets that listen on a port, as links of `/proc/<pid>/fd` name them.
pub fn listeners(port: u16) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let (address, listens) = (format!(":{port:04X}"), "0A");
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_meant = fields.get(1)?.ends_with(&address) && *fields.get(3)? == listens;
        is_meant.then(|| format!("socket:[{}]", fields[9]))
    };
    table.lines().filter_map(inode).collect()
}
