//! The system's users and their groups.

use nix::unistd::{Gid, Uid, User, getgrouplist};
use wsgi_core::directives::Account;

use crate::apache::{process, text::c_string};

/// Whom httpd's children run as.
pub(super) fn own() -> Account {
    let (uid, gid) = if process::is_root() {
        process::httpd_identity()
    } else {
        (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
    };
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let (name, home) = match user {
        Some(user) => (user.name, user.dir.to_string_lossy().into_owned()),
        None => (format!("#{uid}"), "/".to_owned()),
    };
    Account { name, uid, gid, home }
}

/// All groups of an account, the primary one first (`getgrouplist`).
pub(super) fn groups_of(account: &Account) -> Vec<u32> {
    let primary = Gid::from_raw(account.gid);
    let listed = getgrouplist(&c_string(&account.name), primary).unwrap_or_default();
    let others = listed.into_iter().filter(|group| *group != primary);
    std::iter::once(primary).chain(others).map(Gid::as_raw).collect()
}
