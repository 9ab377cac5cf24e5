//! Whether httpd's user may read a file, by the permission bits on the way to it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::User;

const READ: u32 = 4;
const ENTER: u32 = 1;

/// Whether the user may enter every folder above the path and read what is there. With no
/// user httpd runs as ourselves, and may what we may.
pub fn may_read(path: &Path, user: Option<&User>) -> bool {
    let Some(user) = user else { return true };
    let needed = if path.is_dir() { READ | ENTER } else { READ };
    allows(path, user, needed) && may_enter(path.parent(), user)
}

/// Whether the user may enter this folder and all above it.
fn may_enter(folder: Option<&Path>, user: &User) -> bool {
    folder.is_none_or(|folder| folder.ancestors().all(|above| allows(above, user, ENTER)))
}

/// Compares the bits of the class the user belongs to: owner, group or others.
fn allows(path: &Path, user: &User, needed: u32) -> bool {
    let Ok(metadata) = fs::metadata(path) else { return false };
    let shift = match () {
        () if metadata.uid() == user.uid => 6,
        () if metadata.gid() == user.gid => 3,
        () => 0,
    };
    (metadata.mode() >> shift) & needed == needed
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_closed_folder_on_the_way_counts() {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let file = folder.path().join("app.wsgi");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let stranger = User { name: "stranger".to_owned(), uid: 64_001, gid: 64_001 };
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!may_read(&file, Some(&stranger)));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        assert!(may_read(&file, Some(&stranger)));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(!may_read(&file, Some(&stranger)));
        assert!(may_read(&file, None));
    }
}
