//! The set-up of the machine: system packages, installed once and only when missing.
//!
//! `packages` says what is needed and what is missing; this file installs it or says how.
//! Debian's package `apache2` is not among them: its service would start on port 80.

mod packages;

use std::process::Command;

use anyhow::{Result, bail};

use wsgi_httpd::{is_root, program};

use crate::python;
pub(crate) use packages::Needs;

/// Makes sure that the system packages are there. Touches neither network nor system when
/// nothing is missing.
pub(crate) fn ensure(needs: Needs) -> Result<()> {
    if !packages::is_debian() {
        return check_by_hand(needs);
    }
    let missing = packages::missing(needs)?;
    if missing.is_empty() {
        return Ok(());
    }
    let Some(prefix) = privilege() else {
        bail!(
            "these system packages are missing; install them with\n\n    {}\n\nand repeat the command",
            packages::command_line(&missing)
        );
    };
    println!("xtask: installing system packages: {}", missing.join(" "));
    let _ = program::succeeds(&mut apt(prefix, &["update"]))?; // an unreachable extra source is no reason to stop
    let mut words = vec!["install", "--yes", "--no-install-recommends"];
    words.extend(missing.iter().map(String::as_str));
    program::run(&mut apt(prefix, &words))?;
    match packages::missing(needs)? {
        still if still.is_empty() => Ok(()),
        still => bail!("apt-get ended well, but these are still missing: {}", still.join(" ")),
    }
}

/// How to become root without asking: not at all, or by sudo.
fn privilege() -> Option<&'static [&'static str]> {
    if is_root() {
        return Some(&[]);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "true"]).stderr(std::process::Stdio::null());
    match program::succeeds(&mut sudo) {
        Ok(true) => Some(&["sudo", "-n"]),
        _ => None,
    }
}

/// An apt-get call that asks nothing and waits for a running one.
fn apt(prefix: &[&str], words: &[&str]) -> Command {
    let mut line = prefix.to_vec();
    line.extend([
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=300",
    ]);
    line.extend(words);
    let mut parts = line.into_iter();
    let mut command = Command::new(parts.next().unwrap_or("apt-get"));
    command.args(parts);
    command
}

/// On other systems: says what is needed, in the words of Debian, when it is not there.
fn check_by_hand(needs: Needs) -> Result<()> {
    let tools = packages::tools(needs);
    let missing: Vec<_> = tools.iter().filter(|tool| !program::exists(tool)).copied().collect();
    if missing.is_empty() && program::exists(python::SYSTEM) {
        return Ok(());
    }
    bail!(
        "this is not Debian, so nothing is installed here. Missing: {}.\nNeeded are httpd with its headers and \
         apxs, CPython with its headers and shared library at {}, libclang, a C compiler (Debian calls them {})",
        missing.join(" "),
        python::SYSTEM,
        packages::wanted(needs).join(" ")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_is_called_without_questions() {
        let command = apt(&["sudo", "-n"], &["update"]);
        let text = program::text(&command);
        assert!(text.starts_with("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get "), "{text}");
        assert!(program::text(&apt(&[], &["update"])).starts_with("env DEBIAN_FRONTEND"));
    }
}
