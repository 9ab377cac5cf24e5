//! The process table: what the supervisor knows about the processes of a group.
//!
//! It is not sealed against writing, because a supervisor that httpd had to start again maps it
//! for writing once more. What keeps others out: daemons never get the descriptor, its mode is
//! 0400, and httpd's children map it read-only and close the descriptor.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::atomic::{Ordering, fence},
};

use crate::memory::{self, Access, Mapping};

/// Processes the table remembers; process `epoch` stands at `epoch % PROCESSES`.
pub const PROCESSES: u64 = 1024;

/// Longest reason of [`GroupState::Failing`] in bytes.
const REASON: usize = 256;

// Words of the head: a sequence number (odd while the state is being written), state, length and
// text of the reason, and the newest epoch.
const SEQUENCE: usize = 0;
const STATE: usize = 1;
const LENGTH: usize = 2;
const TEXT: usize = 3;
const NEWEST: usize = TEXT + REASON / 8;
const HEAD: usize = 64;

// Words of an entry.
const ENTRY: usize = 8;
const EPOCH: usize = 0;
const PID_STATE: usize = 1;
const ENDED: usize = 2;
const SLOTS: usize = 3;
const START_TIME: usize = 4;

const WORDS: usize = HEAD + PROCESSES as usize * ENTRY;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// The kernel killed it because there was no memory left.
    OutOfMemory,
    /// It is gone, but it was not this supervisor's child.
    Unknown,
}

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// Started, import scripts may be running; takes no requests yet.
    Starting,
    /// Takes requests.
    Ready,
    /// Finishes what it runs, takes nothing new.
    Draining,
    /// It is gone.
    Ended(End),
}

/// One process of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Number of the process in its group, never used again.
    pub epoch: u64,
    /// Its process id.
    pub pid: u32,
    /// Where it is in its life.
    pub state: ProcessState,
    /// First of its slots.
    pub first_slot: u32,
    /// Number of its slots.
    pub slots: u32,
    /// Its start time as the kernel counts it, to tell it from a later process with its id.
    pub start_time: u64,
}

/// What a group can do for new requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupState {
    /// Processes take requests, or will soon.
    Serving,
    /// No process could be started, for this reason.
    Failing(String),
}

/// Names the two ends of a table.
#[derive(Debug)]
pub enum ProcessTable {}

impl ProcessTable {
    /// Makes the memory of an empty table.
    pub fn create() -> io::Result<OwnedFd> {
        memory::create("wsgi-processes", WORDS, 0o400)
    }

    /// The supervisor's end.
    pub fn writer(memory: BorrowedFd<'_>) -> io::Result<TableWriter> {
        Ok(TableWriter { mapping: Mapping::map(memory, WORDS, Access::ReadWrite)? })
    }

    /// The end of httpd's children, which may then close the descriptor.
    pub fn reader(memory: BorrowedFd<'_>) -> io::Result<TableReader> {
        Ok(TableReader { mapping: Mapping::map(memory, WORDS, Access::ReadOnly)? })
    }
}

/// Writes the table; only one process at a time may.
#[derive(Debug)]
pub struct TableWriter {
    mapping: Mapping,
}

impl TableWriter {
    fn store(&self, index: usize, value: u64, order: Ordering) {
        if let Some(word) = self.mapping.word(index) {
            word.store(value, order);
        }
    }

    /// The highest epoch ever set, 0 in a new table.
    pub fn newest_epoch(&self) -> u64 {
        load(&self.mapping, NEWEST)
    }

    /// The state of the group as it was set last.
    pub fn group(&self) -> GroupState {
        read_group(&self.mapping)
    }

    /// Enters a process, in the place of one that is long gone.
    pub fn enter(&self, process: &Process) {
        let entry = entry(process.epoch);
        self.store(entry + EPOCH, 0, Ordering::Relaxed);
        // Nobody may see the new values beside the old epoch.
        fence(Ordering::Release);
        let slots = u64::from(process.first_slot) | u64::from(process.slots) << 32;
        self.store(entry + SLOTS, slots, Ordering::Relaxed);
        self.store(entry + START_TIME, process.start_time, Ordering::Relaxed);
        self.set_state(process);
        self.store(entry + EPOCH, process.epoch, Ordering::Release);
        let newest = self.newest_epoch().max(process.epoch);
        self.store(NEWEST, newest, Ordering::Relaxed);
    }

    /// Changes the state of a process that was entered.
    pub fn set_state(&self, process: &Process) {
        let (state, ended) = encode_state(process.state);
        let entry = entry(process.epoch);
        self.store(entry + ENDED, ended, Ordering::Relaxed);
        let pid_state = u64::from(process.pid) | state << 32;
        self.store(entry + PID_STATE, pid_state, Ordering::Release);
    }

    /// Sets the state of the group; a long reason is cut.
    pub fn set_group(&self, state: &GroupState) {
        let sequence = load(&self.mapping, SEQUENCE);
        self.store(SEQUENCE, sequence | 1, Ordering::Relaxed);
        fence(Ordering::Release);
        let (number, reason) = match state {
            GroupState::Serving => (0, ""),
            GroupState::Failing(reason) => (1, reason.as_str()),
        };
        let reason = &reason.as_bytes().get(..reason.floor_char_boundary(REASON));
        let reason = reason.unwrap_or_default();
        self.store(STATE, number, Ordering::Relaxed);
        self.store(LENGTH, reason.len() as u64, Ordering::Relaxed);
        for (index, chunk) in reason.chunks(8).enumerate() {
            let mut bytes = [0u8; 8];
            bytes.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.store(TEXT + index, u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
        self.store(SEQUENCE, (sequence | 1).wrapping_add(1), Ordering::Release);
    }

    /// All processes of the table that have not ended, as the last writer left them.
    pub fn unfinished(&self) -> Vec<Process> {
        (0..PROCESSES)
            .filter_map(|place| read_process(&self.mapping, place, None))
            .filter(|process| !matches!(process.state, ProcessState::Ended(_)))
            .collect()
    }
}

/// Reads the table.
#[derive(Debug)]
pub struct TableReader {
    mapping: Mapping,
}

impl TableReader {
    /// The process with this number, or `None` when the table does not know it (any more).
    pub fn process(&self, epoch: u64) -> Option<Process> {
        if epoch == 0 { None } else { read_process(&self.mapping, epoch, Some(epoch)) }
    }

    /// The state of the group.
    pub fn group(&self) -> GroupState {
        // A supervisor that dies in the middle of writing leaves the sequence odd for ever.
        for _ in 0..1000 {
            let before = load(&self.mapping, SEQUENCE);
            fence(Ordering::Acquire);
            let state = read_group(&self.mapping);
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && load(&self.mapping, SEQUENCE) == before {
                return state;
            }
            std::hint::spin_loop();
        }
        GroupState::Serving
    }
}

/// The state of the group, if nobody writes it meanwhile.
fn read_group(mapping: &Mapping) -> GroupState {
    if load(mapping, STATE) == 0 {
        return GroupState::Serving;
    }
    let length = usize::try_from(load(mapping, LENGTH)).unwrap_or(0).min(REASON);
    let mut bytes: Vec<u8> =
        (TEXT..TEXT + REASON / 8).flat_map(|index| load(mapping, index).to_le_bytes()).collect();
    bytes.truncate(length);
    GroupState::Failing(String::from_utf8_lossy(&bytes).into_owned())
}

fn entry(epoch: u64) -> usize {
    HEAD + (epoch % PROCESSES) as usize * ENTRY
}

/// A relaxed load, which read-only memory allows; 0 beyond the end.
fn load(mapping: &Mapping, index: usize) -> u64 {
    mapping.word(index).map_or(0, |word| word.load(Ordering::Relaxed))
}

/// The process at the place of `epoch`, if it is the expected one.
fn read_process(mapping: &Mapping, epoch: u64, expected: Option<u64>) -> Option<Process> {
    let entry = entry(epoch);
    let found = load(mapping, entry + EPOCH);
    if found == 0 || expected.is_some_and(|expected| expected != found) {
        return None;
    }
    fence(Ordering::Acquire);
    let pid_state = load(mapping, entry + PID_STATE);
    fence(Ordering::Acquire);
    let ended = load(mapping, entry + ENDED);
    let slots = load(mapping, entry + SLOTS);
    let start_time = load(mapping, entry + START_TIME);
    fence(Ordering::Acquire);
    (load(mapping, entry + EPOCH) == found).then_some(Process {
        epoch: found,
        pid: pid_state as u32,
        state: decode_state(pid_state >> 32, ended),
        first_slot: slots as u32,
        slots: (slots >> 32) as u32,
        start_time,
    })
}

fn encode_state(state: ProcessState) -> (u64, u64) {
    match state {
        ProcessState::Starting => (1, 0),
        ProcessState::Ready => (2, 0),
        ProcessState::Draining => (3, 0),
        ProcessState::Ended(End::Unknown) => (4, 0),
        ProcessState::Ended(End::Exited(status)) => (5, u64::from(status.cast_unsigned())),
        ProcessState::Ended(End::Signaled(signal)) => (6, u64::from(signal.cast_unsigned())),
        ProcessState::Ended(End::OutOfMemory) => (7, 0),
    }
}

fn decode_state(state: u64, ended: u64) -> ProcessState {
    let ended = (ended as u32).cast_signed();
    match state {
        1 => ProcessState::Starting,
        2 => ProcessState::Ready,
        3 => ProcessState::Draining,
        5 => ProcessState::Ended(End::Exited(ended)),
        6 => ProcessState::Ended(End::Signaled(ended)),
        7 => ProcessState::Ended(End::OutOfMemory),
        _ => ProcessState::Ended(End::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    fn process(epoch: u64, state: ProcessState) -> Process {
        Process { epoch, pid: 4242, state, first_slot: 30, slots: 15, start_time: 99 }
    }

    #[test]
    fn processes_are_found_by_epoch_until_their_place_is_needed() {
        let memory = ProcessTable::create().unwrap();
        let writer = ProcessTable::writer(memory.as_fd()).unwrap();
        let reader = ProcessTable::reader(memory.as_fd()).unwrap();
        assert_eq!(reader.process(0), None);
        assert_eq!(reader.process(1), None);
        for state in [
            ProcessState::Starting,
            ProcessState::Ready,
            ProcessState::Draining,
            ProcessState::Ended(End::Exited(3)),
            ProcessState::Ended(End::Signaled(9)),
            ProcessState::Ended(End::OutOfMemory),
            ProcessState::Ended(End::Unknown),
        ] {
            writer.enter(&process(1, state));
            assert_eq!(reader.process(1), Some(process(1, state)));
        }
        writer.enter(&process(1 + PROCESSES, ProcessState::Ready));
        assert_eq!(reader.process(1), None);
        assert_eq!(writer.newest_epoch(), 1 + PROCESSES);
    }

    #[test]
    fn a_second_supervisor_finds_what_the_first_left() {
        let memory = ProcessTable::create().unwrap();
        let first = ProcessTable::writer(memory.as_fd()).unwrap();
        first.enter(&process(1, ProcessState::Ended(End::Exited(0))));
        first.enter(&process(2, ProcessState::Draining));
        first.enter(&process(3, ProcessState::Ready));
        drop(first);
        let second = ProcessTable::writer(memory.as_fd()).unwrap();
        assert_eq!(second.newest_epoch(), 3);
        let epochs: Vec<u64> = second.unfinished().iter().map(|process| process.epoch).collect();
        assert_eq!(epochs, [2, 3]);
    }

    #[test]
    fn the_group_state_carries_its_reason() {
        let memory = ProcessTable::create().unwrap();
        let writer = ProcessTable::writer(memory.as_fd()).unwrap();
        let reader = ProcessTable::reader(memory.as_fd()).unwrap();
        assert_eq!(reader.group(), GroupState::Serving);
        let state = GroupState::Failing("exit code 1: no module named 'encodings'".into());
        writer.set_group(&state);
        assert_eq!(reader.group(), state);
        writer.set_group(&GroupState::Failing("ä".repeat(200)));
        assert_eq!(reader.group(), GroupState::Failing("ä".repeat(128)));
        writer.set_group(&GroupState::Serving);
        assert_eq!(reader.group(), GroupState::Serving);
    }

    #[test]
    fn whatever_stands_in_the_memory_is_read_without_harm() {
        let memory = ProcessTable::create().unwrap();
        let mapping = Mapping::map(memory.as_fd(), WORDS, Access::ReadWrite).unwrap();
        for index in 0..WORDS {
            mapping.word(index).unwrap().store(u64::MAX, Ordering::Relaxed);
        }
        let reader = ProcessTable::reader(memory.as_fd()).unwrap();
        assert_eq!(reader.group(), GroupState::Serving, "an odd sequence never settles");
        assert_eq!(reader.process(5), None);
        mapping.word(SEQUENCE).unwrap().store(2, Ordering::Relaxed);
        assert!(matches!(reader.group(), GroupState::Failing(_)));
    }
}
