//! Users by name, as the system knows them.

use nix::unistd::{Group, User as Account};

/// A user by name with its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// Numeric user id.
    pub uid: u32,
    /// Numeric id of the primary group.
    pub gid: u32,
}

impl User {
    /// The user httpd's children run as when we start it as root: the distribution's web user.
    pub fn of_httpd() -> Option<Self> {
        ["www-data", "apache", "http", "nobody"].iter().find_map(|name| Self::named(name))
    }

    /// A user by name or by number with or without `#`.
    pub fn named(name: &str) -> Option<Self> {
        let number = name.strip_prefix('#').unwrap_or(name).parse::<u32>();
        let account = match number {
            Ok(uid) => Account::from_uid(uid.into()),
            Err(_) => Account::from_name(name),
        };
        account.ok().flatten().map(Self::from)
    }

    /// Who runs this process.
    pub fn own() -> Option<Self> {
        Account::from_uid(nix::unistd::geteuid()).ok().flatten().map(Self::from)
    }
}

impl From<Account> for User {
    fn from(account: Account) -> Self {
        Self { name: account.name, uid: account.uid.as_raw(), gid: account.gid.as_raw() }
    }
}

/// The id of a group by name or by number with or without `#`.
pub fn group(name: &str) -> Option<u32> {
    let number = name.strip_prefix('#').unwrap_or(name).parse::<u32>();
    let group = match number {
        Ok(gid) => Group::from_gid(gid.into()),
        Err(_) => Group::from_name(name),
    };
    group.ok().flatten().map(|group| group.gid.as_raw())
}

/// Whether this process is root's.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let root = User::named("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(User::named("#0"), Some(root));
        assert_eq!(User::named("no such user"), None);
        assert_eq!((group("root"), group("#0"), group("no such group")), (Some(0), Some(0), None));
    }
}
