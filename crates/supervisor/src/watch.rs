//! Files whose change reloads a group (`reload-on=`): looked at from time to time, off every
//! request's path.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    os::unix::fs::MetadataExt,
    time::{Duration, Instant},
};

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_secs(1);

/// A look at many files is made as seldom as to cost this part of a processor.
const SHARE: u32 = 50;

/// What there is to see of a set of files.
#[derive(Debug)]
pub(crate) struct Watch {
    patterns: Vec<String>,
    /// What the group has loaded.
    known: u64,
    /// What the last look has seen.
    last: u64,
    next: Instant,
}

impl Watch {
    /// Watches what matches these patterns.
    pub(crate) fn new(patterns: &[String], now: Instant) -> Self {
        let seen = look(patterns);
        Self { patterns: patterns.to_vec(), known: seen, last: seen, next: now + SHORTEST }
    }

    /// When to look again.
    pub(crate) fn deadline(&self) -> Instant {
        self.next
    }

    /// Looks, if it is time, whether the files have changed: and have not between the last two
    /// looks, because many files are seldom written at once.
    pub(crate) fn has_changed(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        let start = Instant::now();
        let seen = look(&self.patterns);
        self.next = now + SHORTEST.max(start.elapsed() * SHARE);
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
        let mut now = Instant::now();
        let mut watch = Watch::new(&[pattern], now);
        let mut look = || {
            now = watch.deadline();
            watch.has_changed(now)
        };
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
