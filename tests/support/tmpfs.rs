//! A file system that is soon full.

use std::process::Command;

/// A file system of one megabyte.
pub struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    /// Mounts it, which takes root.
    pub fn new() -> Tmpfs {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let options = "size=1m,mode=1777";
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs", path]).status();
        assert!(done.is_ok_and(|status| status.success()), "mount");
        Tmpfs(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
