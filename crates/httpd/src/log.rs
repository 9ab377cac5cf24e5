//! Shows what httpd logs while it runs.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// A log file and how far it was shown.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    shown: u64,
}

impl Log {
    /// Starts at the beginning of a file that need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, shown: 0 }
    }

    /// Prints the whole lines added since the last call.
    pub fn show(&mut self) {
        // A log that cannot be read or shown must not end the server.
        let _ = io::stderr().write_all(&self.added());
    }

    /// The whole lines added since the last call.
    pub fn added(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.shown))?;
            file.take(1 << 20).read_to_end(&mut text)
        });
        if read.is_err() {
            return Vec::new();
        }
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        text.truncate(end);
        self.shown += end as u64;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_new_lines_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log::new(path.clone());
        assert_eq!(log.added(), b"");
        std::fs::write(&path, "one\ntw").unwrap();
        assert_eq!(log.added(), b"one\n");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(log.added(), b"two\n");
        assert_eq!(log.added(), b"");
    }
}
