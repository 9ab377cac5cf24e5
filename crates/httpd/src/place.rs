//! Putting files where a running httpd may have the old ones mapped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A folder that every user may enter, whatever the umask is.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {} to other users", path.display()))
}

/// Copies a file to its place by a rename, because a running httpd may have the
/// old one mapped. An unchanged file is left alone.
pub fn place(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    let is_program = fs::metadata(from)?.permissions().mode() & 0o100 != 0;
    let mode = if is_program { 0o755 } else { 0o644 };
    let mut name = to.as_os_str().to_owned();
    name.push(format!(".new{}", std::process::id()));
    let temporary = PathBuf::from(name);
    fs::write(&temporary, new)
        .and_then(|()| fs::set_permissions(&temporary, fs::Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&temporary, to))
        .with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placed_program_is_for_everybody_and_replaces_by_rename() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "one").unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o700)).unwrap();
        place(&from, &to).unwrap();
        let mapped = fs::File::open(&to).unwrap();
        fs::write(&from, "two").unwrap();
        place(&from, &to).unwrap();
        assert_eq!(std::io::read_to_string(mapped).unwrap(), "one");
        assert_eq!(fs::read_to_string(&to).unwrap(), "two");
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_placed_text_is_no_program() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "text").unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o600)).unwrap();
        place(&from, &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o644);
    }
}
