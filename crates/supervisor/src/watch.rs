//! Files whose change reloads a group (`reload-on=`): looked at from time to time, off every
//! request's path.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    io,
    os::unix::fs::MetadataExt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_secs(1);

/// A look at many files is made as seldom as to cost this part of a processor.
const SHARE: u32 = 50;

/// Bytes of the stack of the thread that looks.
const STACK: usize = 256 << 10;

/// A set of files that a thread looks at: a file system that hangs holds nobody else up.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Changes that the thread has seen; it ends when this is dropped.
    changes: Arc<AtomicU64>,
    acted_on: u64,
    next: Instant,
}

impl Watch {
    /// Watches what matches these patterns.
    pub(crate) fn new(patterns: &[String], now: Instant) -> io::Result<Self> {
        let changes = Arc::new(AtomicU64::new(0));
        let (patterns, seen) = (patterns.to_vec(), Arc::downgrade(&changes));
        let looking = thread::Builder::new().name("wsgi-watch".to_owned()).stack_size(STACK);
        looking.spawn(move || keep_looking(&patterns, &seen))?;
        Ok(Self { changes, acted_on: 0, next: now + SHORTEST })
    }

    /// When to ask again.
    pub(crate) fn deadline(&self) -> Instant {
        self.next
    }

    /// Whether, since this was last asked, files have changed.
    pub(crate) fn has_changed(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + SHORTEST;
        let changes = self.changes.load(Ordering::Relaxed);
        std::mem::replace(&mut self.acted_on, changes) != changes
    }
}

fn keep_looking(patterns: &[String], changes: &Weak<AtomicU64>) {
    let mut looks = Looks::new(look(patterns));
    let mut pause = SHORTEST;
    loop {
        thread::sleep(pause);
        let Some(changes) = changes.upgrade() else { return };
        let start = Instant::now();
        if looks.add(look(patterns)) {
            changes.fetch_add(1, Ordering::Relaxed);
        }
        pause = SHORTEST.max(start.elapsed() * SHARE);
    }
}

/// What looks at a set of files have seen.
#[derive(Debug)]
struct Looks {
    /// What the group has loaded.
    known: u64,
    /// What the last look has seen.
    last: u64,
}

impl Looks {
    fn new(seen: u64) -> Self {
        Self { known: seen, last: seen }
    }

    /// Whether the files have changed: and have not between the last two looks, because many files
    /// are seldom written at once.
    fn add(&mut self, seen: u64) -> bool {
        let is_settled = std::mem::replace(&mut self.last, seen) == seen;
        is_settled && std::mem::replace(&mut self.known, seen) != seen
    }
}

/// A number for names, sizes and modification times of all files that match.
fn look(patterns: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let matches = patterns.iter().filter_map(|pattern| glob::glob(pattern).ok());
    for path in matches.flatten().flatten() {
        let status = path.metadata().ok();
        let status = status.map(|status| (status.mtime(), status.mtime_nsec(), status.size()));
        (path, status).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_change_counts_when_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let pattern = format!("{}/**/*.py", folder.path().display());
        fs::write(folder.path().join("a.py"), "one").unwrap();
        let patterns = [pattern];
        let mut looks = Looks::new(look(&patterns));
        let mut look = || looks.add(super::look(&patterns));
        assert!(!look() && !look());
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("below/b.py"), "new").unwrap();
        assert!(!look(), "it may be one of many");
        assert!(look());
        assert!(!look());
        fs::write(folder.path().join("other.txt"), "not watched").unwrap();
        assert!(!look() && !look());
        fs::remove_file(folder.path().join("a.py")).unwrap();
        assert!(!look());
        assert!(look());
    }
}
