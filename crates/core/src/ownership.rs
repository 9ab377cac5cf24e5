//! `script-user` and `script-group`: who must own a script and its directory. Compared by number,
//! because names are looked up over the network on some machines, at every request.

use crate::directives::FileFacts;

/// Who must own the scripts of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptOwner {
    /// This user, and nobody else may write.
    User(u32),
    /// This group, and only its members and the owner may write.
    Group(u32),
}

/// What is wrong with a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It belongs to this user or group.
    OtherOwner(u32),
    /// Its group may write to it.
    WritableToGroup,
    /// Everybody may write to it.
    WritableToWorld,
}

impl ScriptOwner {
    /// What is wrong with a script or its directory.
    pub fn flaw(self, found: FileFacts) -> Option<Flaw> {
        let (required, owner) = match self {
            Self::User(uid) => (uid, found.uid),
            Self::Group(gid) => (gid, found.gid),
        };
        if owner != required {
            return Some(Flaw::OtherOwner(owner));
        }
        if matches!(self, Self::User(_)) && found.mode & 0o020 != 0 {
            return Some(Flaw::WritableToGroup);
        }
        (found.mode & 0o002 != 0).then_some(Flaw::WritableToWorld)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32) -> FileFacts {
        FileFacts { mode, uid: 10, gid: 20, is_dir: false, has_access_list: false }
    }

    #[test]
    fn a_user_must_own_it_and_write_alone() {
        let owner = ScriptOwner::User(10);
        assert_eq!(owner.flaw(file(0o755)), None);
        assert_eq!(owner.flaw(file(0o4700)), None);
        assert_eq!(owner.flaw(file(0o775)), Some(Flaw::WritableToGroup));
        assert_eq!(owner.flaw(file(0o757)), Some(Flaw::WritableToWorld));
        assert_eq!(ScriptOwner::User(20).flaw(file(0o600)), Some(Flaw::OtherOwner(10)));
        assert_eq!(ScriptOwner::User(0).flaw(file(0o777)), Some(Flaw::OtherOwner(10)));
    }

    #[test]
    fn a_group_must_own_it_and_may_write() {
        let owner = ScriptOwner::Group(20);
        assert_eq!(owner.flaw(file(0o664)), None);
        assert_eq!(owner.flaw(file(0o646)), Some(Flaw::WritableToWorld));
        assert_eq!(ScriptOwner::Group(10).flaw(file(0o600)), Some(Flaw::OtherOwner(20)));
    }
}
