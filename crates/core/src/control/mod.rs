//! What httpd's parent, the supervisor and the daemons tell each other, beside the requests.
//!
//! Messages are JSON over SOCK_SEQPACKET sockets, one message a packet, descriptors attached as
//! SCM_RIGHTS. They are few and rare, so being readable in a trace is worth more than bytes.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    check::{Candidate, Finding},
    reason::Reason,
};

mod specs;

pub use specs::{
    Buffers, EmbeddedSpec, EngineSpec, GroupSpec, Identity, ImportScript, Limits, LogFormat,
    ReloadMode, TelemetrySpec,
};

/// Descriptors of a daemon process: standard error is the group's error log.
pub mod descriptor {
    /// The group's listening socket.
    pub const LISTENER: i32 = 3;
    /// The control socket to the supervisor.
    pub const CONTROL: i32 = 4;
    /// The group's request slots (`wsgi_ipc::scoreboard`).
    pub const SLOTS: i32 = 5;
    /// Where to ask httpd's children (`wsgi_ipc::questions`), if the group may; otherwise it is
    /// closed.
    pub const QUESTIONS: i32 = 6;
    /// The first number that is free.
    pub const END: i32 = 7;
}

/// Descriptor of the supervisor's control socket to httpd's parent.
pub const SUPERVISOR_CONTROL: i32 = 3;

/// From httpd's parent to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSupervisor {
    /// A group of the configuration being handed over.
    Group(Box<GroupSpec>),
    /// The configuration is complete: start what is new, replace what was there, end the rest.
    Commit,
    /// The configuration that was handed over has gone; another one follows within so many
    /// seconds, unless the module is in it no more.
    Unclaimed(u32),
    /// Where questions come in (`crate::status::inquiry`): attached are the socket of httpd's
    /// children and, if there is one, the control socket.
    Inquiries,
    /// Where httpd's children tell what they run embedded; the memory is attached.
    Embedded(EmbeddedSpec),
    /// httpd stops: drain everything, then exit.
    Stop,
    /// Nothing is to be served: have processes of this group try the candidates, report, and exit.
    Check {
        /// The group; its listener, slots and error log are attached.
        group: Box<GroupSpec>,
        /// What to try.
        candidates: Vec<Candidate>,
        /// Seconds for each.
        limit: u32,
    },
}

/// From the supervisor to a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToDaemon {
    /// First message: who the process is.
    Configure {
        /// The group.
        group: Box<GroupSpec>,
        /// Number of this process in its group, never used again.
        epoch: u64,
        /// First of its slots.
        first_slot: u32,
        /// What to load before it is ready, because the process whose place it takes has it.
        preload: Vec<ImportScript>,
        /// Whether it is of no use when one of them cannot be loaded.
        is_trial: bool,
    },
    /// In the place of `Configure`: load these and end.
    Check {
        /// The group.
        group: Box<GroupSpec>,
        /// What to try.
        candidates: Vec<Candidate>,
    },
    /// The group's error log was opened again: the attached descriptor takes the place of standard
    /// output and error.
    ErrorLog,
    /// Tell whoever has the other end of the attached socket what the threads are doing
    /// (`wsgi_core::status::inquiry`).
    Report {
        /// What the answer comes with.
        token: u64,
    },
    /// The same about Python stacks.
    Stack {
        /// What the answers come with.
        token: u64,
        /// The thread and its request; all threads without.
        of: Option<(u32, u64)>,
    },
    /// Another process of the group has loaded this: load it before somebody asks for it.
    Preload(ImportScript),
    /// Take no new request, finish what is running, end.
    Drain {
        /// Why.
        reason: Reason,
        /// Seconds for what is running; 0 is as long as it takes.
        limit: u32,
    },
    /// The same, within the shutdown timeout.
    Stop,
}

/// From a daemon to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromDaemon {
    /// Import scripts have run, worker threads take requests.
    Ready,
    /// A script has changed: this process drains, the whole group wants new processes.
    Stale,
    /// A script was loaded.
    Loaded(ImportScript),
    /// A loaded script has changed (modification time in µs); the process goes on with the old
    /// code (`reload=rolling`).
    Changed {
        /// The script.
        script: ImportScript,
        /// The file's modification time in µs.
        mtime: i64,
    },
    /// The process has had its time and serves on until another one has taken its place.
    Retire(Reason),
    /// The process cannot start, for this reason (already logged), and ends.
    Failed(String),
    /// The next candidate of `Check` was tried.
    Tried(Finding),
}

/// The bytes of a message.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(message)
}

/// Reads a message.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}
