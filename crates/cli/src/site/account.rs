//! Whom httpd's children and the application run as.

use anyhow::{Context, Result, bail};
use wsgi_httpd::{User, group, is_root};

use crate::options::Server;

/// Whom everything runs as; none is the one who calls.
pub(super) fn account(options: &Server) -> Result<Option<User>> {
    let given = &options.application;
    let group = match &given.group {
        Some(name) => Some(
            group(name).with_context(|| format!("there is no group \"{name}\" (see --group)"))?,
        ),
        None => None,
    };
    let Some(name) = &given.user else {
        if is_root() {
            bail!(
                "started as root, and applications do not run as root: name their user with \
                 --user (Debian's for httpd is www-data)"
            );
        }
        let own = rustix::process::getegid().as_raw();
        if group.is_some_and(|group| group != own) {
            bail!("only root can change the group: leave --group away, or start this with sudo");
        }
        return Ok(None);
    };
    let mut user =
        User::named(name).with_context(|| format!("there is no user \"{name}\" (see --user)"))?;
    if !is_root() {
        if user.uid == rustix::process::geteuid().as_raw() {
            return Ok(None);
        }
        bail!(
            "no permission to run as {name}: only root can; leave --user away, or start this with sudo"
        );
    }
    if user.uid == 0 {
        bail!("--user {name} is root, and applications do not run as root: name another user");
    }
    user.gid = group.unwrap_or(user.gid);
    Ok(Some(user))
}
