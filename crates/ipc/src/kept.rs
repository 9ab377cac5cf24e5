//! Connections that are kept, by the processor on which the other end was served last.
//!
//! A thread that is woken on the processor of the one that wakes it, and then sleeps, runs next;
//! waking another processor costs more than all system calls of a small request.

use std::{os::fd::OwnedFd, sync::Arc};

/// The processor that runs this thread. Beyond 65,536 of them two may look alike, which costs no
/// more than speed.
pub fn current_processor() -> u16 {
    (rustix::thread::sched_getcpu() & 0xffff) as u16
}

/// Connections, the most recently used ones last.
#[derive(Debug, Default)]
pub struct Kept(Vec<(Arc<OwnedFd>, u16)>);

impl Kept {
    /// Keeps a connection whose other end was served on that processor.
    pub fn put(&mut self, socket: Arc<OwnedFd>, processor: u16) {
        self.0.push((socket, processor));
    }

    /// The most recently used connection of that processor, otherwise that of any.
    pub fn take(&mut self, processor: u16) -> Option<Arc<OwnedFd>> {
        let last = self.0.len().checked_sub(1)?;
        let near = self.0.iter().rposition(|(_, place)| *place == processor);
        Some(self.0.remove(near.unwrap_or(last)).0)
    }

    /// Closes those for which `is_good` is false.
    pub fn retain(&mut self, is_good: impl Fn(&OwnedFd) -> bool) {
        self.0.retain(|(socket, _)| is_good(socket));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> Arc<OwnedFd> {
        Arc::new(crate::socket::stream_pair().unwrap().0)
    }

    #[test]
    fn the_latest_of_the_processor_is_taken_then_the_latest_of_any() {
        let sockets: Vec<_> = (0..5).map(|_| socket()).collect();
        let mut kept = Kept::default();
        for (socket, processor) in sockets.iter().zip([1, 0, 1, 0, 2]) {
            kept.put(Arc::clone(socket), processor);
        }
        let mut take = |processor| {
            let taken = kept.take(processor)?;
            sockets.iter().position(|socket| Arc::ptr_eq(socket, &taken))
        };
        assert_eq!([0; 5].map(&mut take), [Some(3), Some(1), Some(4), Some(2), Some(0)]);
        assert_eq!(take(0), None);
    }

    #[test]
    fn what_has_ended_is_forgotten() {
        let (good, bad) = (socket(), socket());
        let mut kept = Kept::default();
        kept.put(Arc::clone(&good), 0);
        kept.put(Arc::clone(&bad), 0);
        kept.retain(|socket| !std::ptr::eq(socket, &raw const *bad));
        assert!(Arc::ptr_eq(&kept.take(0).unwrap(), &good));
        assert!(kept.take(0).is_none());
    }

    #[test]
    fn a_thread_runs_on_a_processor_of_this_machine() {
        let there = std::fs::read_to_string("/proc/stat").unwrap();
        assert!(there.contains(&format!("\ncpu{} ", current_processor())));
    }
}
