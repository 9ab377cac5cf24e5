//! What httpd's children and operators ask the supervisor, and the answers: JSON, one packet each.
//!
//! The supervisor answers for itself and passes the question on to the daemons that it concerns;
//! each of them answers to whoever has asked. Nobody waits for anybody but the one who asks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::activity::Doing;

/// A question, or an order. Orders are taken from the control socket only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub enum Inquiry {
    /// What are the groups and their processes doing?
    Status,
    /// Which Python code does a thread run?
    Stack {
        /// The group.
        group: String,
        /// Number of the process in its group.
        epoch: u64,
        /// Number of the thread in its process.
        thread: u32,
        /// Which request of the thread is meant.
        request: u64,
    },
    /// Which Python code do all threads of a group, or of all groups, run?
    Dump {
        /// The group; all without.
        group: Option<String>,
    },
    /// Replaces the processes of a group, or of all groups, as a restart of httpd would; one that
    /// was drained serves again.
    Reload {
        /// The group; all without.
        group: Option<String>,
    },
    /// Ends the processes of a group after their requests and starts no others.
    Drain {
        /// The group.
        group: String,
    },
}

impl Inquiry {
    /// Whether it changes something.
    pub fn is_order(&self) -> bool {
        matches!(self, Self::Reload { .. } | Self::Drain { .. })
    }

    /// The group that is meant, if it is one.
    pub fn group(&self) -> Option<&str> {
        match self {
            Self::Status => None,
            Self::Dump { group } | Self::Reload { group } => group.as_deref(),
            Self::Stack { group, .. } | Self::Drain { group } => Some(group),
        }
    }
}

/// One answer; most questions have several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answer {
    /// The supervisor's own: all groups.
    Groups {
        /// The groups by name.
        groups: Vec<GroupReport>,
    },
    /// Of a daemon process: its threads.
    Process(ProcessReport),
    /// Of a daemon process: a thread's stack.
    Stack(StackReport),
    /// The order was carried out, or the question was passed on.
    Done {
        /// What was done.
        text: String,
    },
    /// Nothing was done.
    Refused {
        /// Why.
        text: String,
    },
}

/// A group as the supervisor sees it. Times are seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GroupReport {
    /// Its name.
    pub name: String,
    /// `serving`, `failing`, `drained` or `ending`.
    pub state: String,
    /// Why it cannot serve.
    pub reason: Option<String>,
    /// Processes it should have.
    pub wanted_processes: u32,
    /// Worker threads of each.
    pub threads: u32,
    /// Requests that wait for a thread.
    pub queue: Option<u32>,
    /// Processes that have ended, by their reason.
    pub ends: BTreeMap<String, u64>,
    /// The last ones, the newest first.
    pub ended: Vec<EndedReport>,
    /// Its processes.
    pub processes: Vec<MemberReport>,
}

/// A process as the supervisor sees it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MemberReport {
    /// Its number in its group.
    pub epoch: u64,
    /// Its process id.
    pub pid: u32,
    /// `starting`, `ready` or `draining`.
    pub state: String,
    /// When it was started.
    pub started: f64,
    /// Requests it has begun.
    pub requests: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Its threads; missing where it has not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<Vec<ThreadReport>>,
}

/// A process that has ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EndedReport {
    /// Its process id.
    pub pid: u32,
    /// When it ended.
    pub ended: f64,
    /// How, in words.
    pub how: String,
    /// Why: a name as in the counts.
    pub reason: String,
    /// Requests it had begun.
    pub requests: u64,
    /// Seconds it had lived.
    pub age: f64,
}

/// What the threads of a process are doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessReport {
    /// The group.
    pub group: String,
    /// Number of the process in its group.
    pub epoch: u64,
    /// Threads that have a request, and those that wait for one.
    pub threads: Vec<ThreadReport>,
}

/// A worker thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadReport {
    /// Its number in its process, from 1.
    pub thread: u32,
    /// What it does.
    pub doing: Doing,
    /// Its request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestReport>,
}

/// A request in progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestReport {
    /// Tells it from the next one of its thread.
    pub number: u64,
    /// Its method.
    pub method: String,
    /// Its URI, as long as that is not too long.
    pub uri: String,
    /// The interpreter.
    pub application_group: String,
    /// Seconds since it was taken.
    pub age: f64,
}

/// The Python stack of a thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StackReport {
    /// The group.
    pub group: String,
    /// The process's number in its group.
    pub epoch: u64,
    /// Its process id.
    pub pid: u32,
    /// The thread; 0 is one that the application has started.
    pub thread: u32,
    /// Its request, if it has one.
    pub request: Option<RequestReport>,
    /// The interpreter of a thread that the application has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_group: Option<String>,
    /// Lines, the outermost call first.
    pub lines: Vec<String>,
    /// Why there are none.
    pub problem: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{decode, encode};

    #[test]
    fn questions_are_readable_and_know_what_they_concern() {
        let text = encode(&Inquiry::Drain { group: "a".to_owned() }).unwrap();
        assert_eq!(text, br#"{"ask":"drain","group":"a"}"#);
        let reload: Inquiry = decode(br#"{"ask":"reload"}"#).unwrap();
        assert_eq!(reload, Inquiry::Reload { group: None });
        assert!(reload.is_order() && !Inquiry::Status.is_order());
        assert_eq!(Inquiry::Drain { group: "a".to_owned() }.group(), Some("a"));
        assert!(decode::<Inquiry>(br#"{"ask":"explode"}"#).is_err());
    }

    #[test]
    fn answers_cross_unchanged() {
        let answer = Answer::Groups {
            groups: vec![GroupReport { name: "a".to_owned(), ..GroupReport::default() }],
        };
        let text = encode(&answer).unwrap();
        assert_eq!(decode::<Answer>(&text).unwrap(), answer);
    }
}
