//! `/proc`: the processes of a server, their descriptors, and signals to them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::poll;

/// One process, told apart from a later one with the same number by its start time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Process number.
    pub pid: i32,
    /// Start time in clock ticks since boot.
    pub started: u64,
}

/// What `/proc/<pid>/stat` says.
struct Stat {
    name: String,
    state: char,
    parent: i32,
    started: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses: the fields start after the last one.
    let (before, rest) = text.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        name,
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

impl Process {
    /// The process that has this number now.
    pub fn of(pid: i32) -> Option<Process> {
        Some(Process { pid, started: stat(pid)?.started })
    }

    /// True while it runs; a zombie does not.
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.state != 'Z')
    }

    /// True while it is in the process table, zombies included.
    pub fn exists(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started)
    }

    /// True for a zombie.
    pub fn is_zombie(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.state == 'Z')
    }

    /// Number of the parent.
    pub fn parent(&self) -> i32 {
        stat(self.pid).map_or(0, |stat| stat.parent)
    }

    /// The kernel's name of it (`comm`).
    pub fn name(&self) -> String {
        stat(self.pid).map_or(String::new(), |stat| stat.name)
    }

    /// Its command line, words separated by spaces.
    pub fn command(&self) -> String {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
        text.trim().to_owned()
    }

    /// A line of `/proc/<pid>/status`, without its name.
    pub fn status(&self, field: &str) -> String {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    }

    /// Where its descriptors lead.
    pub fn descriptors(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(format!("/proc/{}/fd", self.pid)) else { return Vec::new() };
        let links = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        links.map(|link| link.display().to_string()).collect()
    }

    /// Leaves it room for so many more descriptors; `usize::MAX` is the usual 1024.
    pub fn leave_descriptors(&self, room: usize) {
        let Ok(entries) = fs::read_dir(format!("/proc/{}/fd", self.pid)) else { return };
        let used: Vec<usize> =
            entries.flatten().filter_map(|one| one.file_name().to_str()?.parse().ok()).collect();
        let limit = (0..1024).filter(|number| !used.contains(number)).nth(room).unwrap_or(1024);
        self.set_limit("nofile", &format!("{limit}:"));
    }

    /// Sets a limit (`soft:hard`, either may be left out) as `prlimit` names it.
    pub fn set_limit(&self, resource: &str, limit: &str) {
        let id = |field: &str| self.status(field).split_whitespace().next()?.parse().ok();
        let (Some(uid), Some(gid)) = (id("Uid"), id("Gid")) else { return };
        let mut command = Command::new("prlimit");
        // As who it is: even root needs a capability for the limits of others.
        command.uid(uid).gid(gid).arg(format!("--{resource}={limit}"));
        let done = command.arg("--pid").arg(self.pid.to_string()).status().expect("prlimit");
        assert!(done.success(), "cannot set {resource} of {} to {limit}", self.command());
    }

    /// Waits until it has ended; how long that took.
    #[track_caller]
    pub fn wait_for_end(&self) -> Duration {
        let start = Instant::now();
        poll("a process to end", || (!self.is_alive()).then_some(()));
        start.elapsed()
    }

    /// Sends a signal, to this process only.
    pub fn signal(&self, number: i32) {
        if self.exists() {
            // SAFETY: kill takes two numbers; the process was just seen to be the one meant.
            unsafe { libc::kill(self.pid, number) };
        }
    }
}

/// Sends a signal to a process group whose first process nobody has waited for.
pub fn signal_group(leader: i32, number: i32) {
    // SAFETY: kill takes two numbers.
    unsafe { libc::kill(-leader, number) };
}

/// `root` and everything below it.
pub fn tree(root: i32) -> Vec<Process> {
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for pid in pids() {
        if let Some(stat) = stat(pid) {
            let process = Process { pid, started: stat.started };
            children.entry(stat.parent).or_default().push(process);
        }
    }
    let mut found: Vec<Process> = Process::of(root).into_iter().collect();
    let mut next = 0;
    while let Some(process) = found.get(next).cloned() {
        found.extend(children.remove(&process.pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// Processes that hold a file of `folder` open, stand in it, or name it: what escaped the tree.
pub fn users_of(folder: &Path) -> Vec<Process> {
    let text = folder.display().to_string();
    let own = std::process::id() as i32;
    let uses = |process: &Process| {
        process.command().contains(&text)
            || fs::read_link(format!("/proc/{}/cwd", process.pid))
                .is_ok_and(|link| link.starts_with(folder))
            || process.descriptors().iter().any(|link| link.starts_with(&text))
    };
    pids().into_iter().filter(|pid| *pid != own).filter_map(Process::of).filter(uses).collect()
}
