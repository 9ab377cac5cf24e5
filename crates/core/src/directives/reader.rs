//! Whom processes run as, as far as the permissions of files go: what `httpd -t` can know before
//! a process fails.

use super::site::{Facts, FileFacts};
use super::value::shown;

/// Whom the processes run as.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// User id.
    pub uid: u32,
    /// All group ids.
    pub gids: &'a [u32],
}

impl Reader<'_> {
    /// Whether the permission bits let the user do `wanted` (4 read, 2 write, 1 enter). Where an
    /// access list has a say, only the kernel knows: nothing is refused.
    pub(super) fn may(&self, file: FileFacts, wanted: u32) -> bool {
        let bits = if self.uid == 0 || file.has_access_list {
            0o7
        } else if file.uid == self.uid {
            file.mode >> 6
        } else if self.gids.contains(&file.gid) {
            file.mode >> 3
        } else {
            file.mode
        };
        bits & wanted == wanted
    }

    /// Name of the user for messages.
    pub(super) fn name(&self, facts: &dyn Facts) -> String {
        match facts.user_by_id(self.uid) {
            Some(account) => shown(&account.name),
            None => format!("#{}", self.uid),
        }
    }

    /// Whether the user can enter a directory: it and every one on the way.
    pub fn check_directory(&self, path: &str, facts: &dyn Facts) -> Result<(), String> {
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
        for folder in ends.filter_map(|end| path.get(..end)).filter(|name| !name.ends_with('/')) {
            self.check_entry(folder, facts)?;
        }
        Ok(())
    }

    /// Whether the user can enter a directory, once arrived there.
    pub fn check_entry(&self, folder: &str, facts: &dyn Facts) -> Result<(), String> {
        let file = facts.stat(folder).map_err(|error| format!("{}: {error}", shown(folder)))?;
        if !file.is_dir {
            return Err(format!("{} is not a directory", shown(folder)));
        }
        if !self.may(file, 1) {
            let user = self.name(facts);
            return Err(format!("the user {user} may not enter {}", shown(folder)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directives::tests::support::World;

    const BLOG: Reader<'static> = Reader { uid: 1000, gids: &[1001] };

    #[test]
    fn every_directory_on_the_way_counts() {
        let world = World::default()
            .folder("/srv", 0o755)
            .folder("/srv/closed", 0o700)
            .folder("/srv/closed/site", 0o755)
            .file("/srv/file", 0o755, "");
        assert_eq!(BLOG.check_directory("/srv", &world), Ok(()));
        assert_eq!(BLOG.check_directory("/srv/", &world), Ok(()));
        assert_eq!(BLOG.check_directory("/", &world), Ok(()));
        for (path, expected) in [
            ("/srv/closed/site", "the user 'blog' may not enter '/srv/closed'"),
            ("/srv/file", "'/srv/file' is not a directory"),
            ("/srv/none", "'/srv/none': No such file or directory"),
        ] {
            assert_eq!(BLOG.check_directory(path, &world), Err(expected.to_owned()));
        }
        let unknown = Reader { uid: 4711, gids: &[] };
        let error = unknown.check_directory("/srv/closed", &world).unwrap_err();
        assert!(error.contains("#4711"), "{error}");
    }

    #[test]
    fn an_access_list_may_let_the_user_in() {
        let closed =
            FileFacts { mode: 0o700, uid: 0, gid: 0, is_dir: true, has_access_list: false };
        assert!(!BLOG.may(closed, 1));
        assert!(BLOG.may(FileFacts { has_access_list: true, ..closed }, 1));
        assert!(BLOG.may(FileFacts { gid: 1001, mode: 0o710, ..closed }, 1));
        assert!(!BLOG.may(FileFacts { uid: 1000, mode: 0o077, ..closed }, 1));
    }

    #[test]
    fn permissions_are_those_of_owner_group_or_others() {
        let file = FileFacts { mode: 0o750, uid: 5, gid: 6, is_dir: true, has_access_list: false };
        assert!(Reader { uid: 5, gids: &[] }.may(file, 7));
        assert!(Reader { uid: 7, gids: &[1, 6] }.may(file, 5));
        assert!(!Reader { uid: 7, gids: &[6] }.may(file, 2));
        assert!(!Reader { uid: 7, gids: &[7] }.may(file, 1));
        assert!(Reader { uid: 0, gids: &[] }.may(file, 7));
        // The owner's bits hold for the owner, even where others have more.
        let file = FileFacts { mode: 0o077, ..file };
        assert!(!Reader { uid: 5, gids: &[6] }.may(file, 1));
    }
}
