//! Which system packages each command needs, and which of them are missing.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// How much of the list a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Building and serving.
    Build,
    /// The test suite as well.
    Test,
    /// The benchmarks as well.
    Bench,
}

/// httpd with its headers, CPython with its headers, bindgen's libclang, a C compiler.
const BUILD: &[&str] =
    &["apache2-bin", "apache2-dev", "gcc", "libc6-dev", "libclang-dev", "python3", "python3-dev"];

/// What the tests call besides: ab, a browser and what drives it, curl, what makes Debian packages,
/// ip, openssl, venv, a terminal, and one C extension from Debian.
const TEST: &[&str] = &[
    "apache2-utils",
    "chromium",
    "curl",
    "dpkg-dev",
    "iproute2",
    "nodejs",
    "openssl",
    "python3-lxml",
    "python3-venv",
    "tmux",
];

/// What the benchmarks call besides.
const BENCH: &[&str] = &["strace", "valgrind", "wrk"];

/// All packages of a level.
pub(crate) fn wanted(needs: Needs) -> Vec<&'static str> {
    match needs {
        Needs::Build => BUILD.to_vec(),
        Needs::Test => BUILD.iter().chain(TEST).copied().collect(),
        Needs::Bench => BUILD.iter().chain(TEST).chain(BENCH).copied().collect(),
    }
}

/// The programs that stand for the packages on systems without dpkg.
pub(crate) fn tools(needs: Needs) -> &'static [&'static str] {
    match needs {
        Needs::Build => &["apxs", "cc"],
        Needs::Test => &["apxs", "cc", "curl", "openssl"],
        Needs::Bench => &["ab", "apxs", "cc", "curl", "openssl", "strace", "valgrind", "wrk"],
    }
}

/// Whether packages are installed the Debian way here.
pub(crate) fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    is_debian_release(&release)
}

/// Reads `/etc/os-release`: Debian itself, or a system that says it is like Debian.
fn is_debian_release(release: &str) -> bool {
    release
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| matches!(*key, "ID" | "ID_LIKE"))
        .any(|(_, value)| value.trim_matches('"').split_whitespace().any(|word| word == "debian"))
}

/// The packages of a level that dpkg does not have installed.
pub(crate) fn missing(needs: Needs) -> Result<Vec<String>> {
    let wanted = wanted(needs);
    // dpkg-query ends with 1 when it does not know one of them: only its output counts.
    let output = Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${db:Status-Status}\\n"])
        .args(&wanted)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .context("cannot start dpkg-query")?;
    Ok(not_installed(&wanted, &String::from_utf8_lossy(&output.stdout)))
}

/// What of the wanted is not among the `package status` lines as installed.
fn not_installed(wanted: &[&str], listing: &str) -> Vec<String> {
    let is_installed =
        |name: &str| listing.lines().any(|line| line.split_once(' ') == Some((name, "installed")));
    wanted.iter().filter(|name| !is_installed(name)).map(|name| (*name).to_owned()).collect()
}

/// The one command that installs the given packages.
pub(crate) fn command_line(packages: &[String]) -> String {
    let list = packages.join(" ");
    format!("sudo sh -c 'apt-get update && apt-get install --yes --no-install-recommends {list}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count() {
        let listing = "gcc installed\nlibc6-dev installed\napache2-dev config-files\n";
        let missing = not_installed(&["gcc", "libc6-dev", "apache2-dev", "curl"], listing);
        assert_eq!(missing, ["apache2-dev", "curl"]);
    }

    #[test]
    fn derivatives_of_debian_are_known_by_id_like() {
        assert!(is_debian_release("NAME=x\nID=debian\n"));
        assert!(is_debian_release("ID=mint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian_release("ID=fedora\nVERSION_ID=43\nVARIANT=debian\n"));
    }

    #[test]
    fn the_package_with_a_service_is_never_installed() {
        assert!(!wanted(Needs::Bench).contains(&"apache2"));
    }

    #[test]
    fn the_printed_command_is_one_line() {
        let line = command_line(&["gcc".to_owned(), "curl".to_owned()]);
        assert!(line.ends_with("gcc curl'") && !line.contains('\n'), "{line}");
    }
}
