//! What httpd's children and operators ask the supervisor, and the answers: JSON, one packet each.
//!
//! The supervisor answers for itself and passes the question on to the daemons that it concerns;
//! each of them answers to whoever has asked. Nobody waits for anybody but the one who asks.
//!
//! Daemons run the code of others, so none is believed who it is: each gets a token with the
//! question, the supervisor's answer says whose it is, and [`vouched`] compares.

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
        /// Who else was asked.
        #[serde(default)]
        asked: Vec<Asked>,
    },
    /// Of a daemon process: its threads.
    Process(ProcessReport),
    /// Of a daemon process: a thread's stack.
    Stack(StackReport),
    /// The order was carried out, or the question was passed on.
    Done {
        /// What was done.
        text: String,
        /// Who else was asked.
        #[serde(default)]
        asked: Vec<Asked>,
    },
    /// Nothing was done.
    Refused {
        /// Why.
        text: String,
    },
}

/// A process that was asked, as the supervisor tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What its answers come with.
    pub token: u64,
    /// The group.
    pub group: String,
    /// Number of the process in its group.
    pub epoch: u64,
    /// Its process id.
    pub pid: u32,
}

/// The answers, each with its token, of those who were asked, about nobody but themselves. The first
/// is the supervisor's: no daemon has the socket before it has answered.
pub fn vouched(answers: impl IntoIterator<Item = (u64, Answer)>) -> Vec<Answer> {
    let mut answers = answers.into_iter();
    let Some((_, first)) = answers.next() else { return Vec::new() };
    let asked = match &first {
        Answer::Groups { asked, .. } | Answer::Done { asked, .. } => asked.clone(),
        _ => Vec::new(),
    };
    let theirs = answers.filter_map(|(token, answer)| {
        let who = asked.iter().find(|asked| asked.token == token)?;
        match answer {
            Answer::Process(report) => Some(Answer::Process(ProcessReport {
                group: who.group.clone(),
                epoch: who.epoch,
                ..report
            })),
            Answer::Stack(report) => Some(Answer::Stack(StackReport {
                group: who.group.clone(),
                epoch: who.epoch,
                pid: who.pid,
                ..report
            })),
            Answer::Groups { .. } | Answer::Done { .. } | Answer::Refused { .. } => None,
        }
    });
    let theirs: Vec<Answer> = theirs.collect();
    [first].into_iter().chain(theirs).collect()
}

/// A group as the supervisor sees it. Times are seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GroupReport {
    /// Its name.
    pub name: String,
    /// `serving`, `failing`, `drained` or `ending`; `embedded` for httpd's own children.
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
    fn nobody_answers_for_somebody_else() {
        let process = |group: &str, epoch| {
            Answer::Process(ProcessReport { group: group.to_owned(), epoch, threads: Vec::new() })
        };
        let who = |token, group: &str| Asked { token, group: group.to_owned(), epoch: 1, pid: 9 };
        let groups = |asked| Answer::Groups { groups: Vec::new(), asked };
        let answers = [
            (0, groups(vec![who(7, "hostile"), who(8, "victim")])),
            (7, groups(vec![who(1, "victim")])),
            (7, process("victim", 5)),
            (1, process("victim", 1)),
            (0, process("victim", 1)),
            (8, process("victim", 1)),
        ];
        let expected = [process("hostile", 1), process("victim", 1)];
        assert_eq!(vouched(answers)[1..], expected);
        assert!(vouched([]).is_empty());
    }

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
            asked: Vec::new(),
        };
        let text = encode(&answer).unwrap();
        assert_eq!(decode::<Answer>(&text).unwrap(), answer);
    }
}
