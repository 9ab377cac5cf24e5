//! Whether an application has been loaded yet: for `startup-timeout`.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// The first attempt of a request to load its script, and whether any has succeeded.
#[derive(Debug, Default)]
pub(crate) struct Startup {
    first_attempt: OnceLock<Instant>,
    is_over: AtomicBool,
}

impl Startup {
    /// A request is about to load its script.
    pub(crate) fn note_attempt(&self) {
        self.first_attempt.get_or_init(Instant::now);
    }

    /// A request has its script.
    pub(crate) fn note_loaded(&self) {
        if !self.is_over.load(Ordering::Relaxed) && self.first_attempt.get().is_some() {
            self.is_over.store(true, Ordering::Relaxed);
        }
    }

    /// Since when requests have been trying in vain.
    pub(crate) fn pending_since(&self) -> Option<Instant> {
        self.first_attempt.get().copied().filter(|_| !self.is_over.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_pending_from_the_first_attempt_to_the_first_success() {
        let startup = Startup::default();
        startup.note_loaded();
        assert_eq!(startup.pending_since(), None, "nothing was attempted");
        startup.note_attempt();
        let first = startup.pending_since();
        startup.note_attempt();
        assert!(first.is_some() && startup.pending_since() == first);
        startup.note_loaded();
        startup.note_attempt();
        assert_eq!(startup.pending_since(), None, "it is over for good");
    }
}
