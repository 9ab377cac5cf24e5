//! `cargo xtask matrix`: the tests in a newer Debian, once for each Python that it has.
//!
//! The system is made with debootstrap below `target/matrix` and kept. What is mounted in it is
//! mounted in a namespace of its own, which ends with the command: nothing stays mounted, whatever
//! becomes of us.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use wsgi_httpd::{is_root, program};

use crate::project::Project;

/// The suite with the newest Pythons.
const SUITE: &str = "forky";

/// What compiling xtask needs, and `kill` for the tests; the rest it installs itself.
const PACKAGES: &str = "gcc libc6-dev ca-certificates procps";

/// Installs the Pythons of the suite and prints their versions. An archive of a suite in the
/// making may be older than it says.
const PYTHONS: &str = "\
set -e
echo 'Acquire::Check-Valid-Until \"false\";' > /etc/apt/apt.conf.d/90matrix
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
versions=$(apt-cache search --names-only '^python3\\.[0-9]+-dev$' | sed 's/^python\\(3[.][0-9]*\\)-dev.*/\\1/' | sort -V)
for version in $versions; do packages=\"$packages python$version-dev python$version-venv\"; done
apt-get -qq install --yes --no-install-recommends python3 python3-venv $packages $0 >&2
echo $versions
";

/// Runs the tests with one Python after the other.
pub(crate) fn run(project: &Project, filters: &[String]) -> Result<ExitCode> {
    if let Some(why) = obstacle() {
        println!("xtask: matrix is skipped: {why}");
        return Ok(ExitCode::SUCCESS);
    }
    let system = project.cache().join("matrix").join(SUITE);
    if !bootstrap(&system)? {
        println!("xtask: matrix is skipped: debootstrap cannot make {SUITE}, see above");
        return Ok(ExitCode::SUCCESS);
    }
    let versions = program::output(&mut inside(project, &system, PYTHONS, PACKAGES))?;
    let versions: Vec<&str> = versions.split_whitespace().collect();
    println!("xtask: matrix: Python {} of {SUITE}", versions.join(", "));
    let mut failed = Vec::new();
    for version in versions {
        println!("\nxtask: matrix: Python {version}");
        let script = tests(project, version, filters);
        if !program::succeeds(&mut inside(project, &system, &script, ""))? {
            failed.push(version);
        }
    }
    if failed.is_empty() {
        println!("xtask: matrix ok");
        return Ok(ExitCode::SUCCESS);
    }
    println!("xtask: matrix FAILED with Python {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// What keeps this machine from it.
fn obstacle() -> Option<&'static str> {
    if !is_root() {
        return Some("it needs root");
    }
    if !program::exists("debootstrap") {
        return Some("it needs debootstrap (Debian: apt-get install debootstrap)");
    }
    (!program::exists("unshare")).then_some("it needs unshare (Debian: util-linux)")
}

/// Makes the system, unless it is there; false when that is not possible.
fn bootstrap(system: &Path) -> Result<bool> {
    let stamp = system.with_extension("made");
    if stamp.exists() {
        return Ok(true);
    }
    if system.exists() {
        fs::remove_dir_all(system)
            .with_context(|| format!("cannot remove {}", system.display()))?;
    }
    fs::create_dir_all(system)?;
    println!("xtask: making {SUITE} in {}", system.display());
    let Some(mirror) = mirror() else {
        println!("xtask: apt names no mirror of Debian on this machine");
        return Ok(false);
    };
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", SUITE]).arg(system).arg(mirror);
    // An older debootstrap does not know the suite, which is made like any other.
    let scripts = Path::new("/usr/share/debootstrap/scripts");
    if !scripts.join(SUITE).exists() {
        command.arg(scripts.join("sid"));
    }
    if !program::succeeds(&mut command)? {
        return Ok(false);
    }
    fs::write(stamp, "")?;
    Ok(true)
}

/// Where this machine gets its own packages from.
fn mirror() -> Option<String> {
    let folder = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten();
    let lists = folder.filter_map(Result::ok).map(|entry| entry.path());
    let all = std::iter::once(PathBuf::from("/etc/apt/sources.list")).chain(lists);
    all.filter_map(|list| fs::read_to_string(list).ok()).find_map(|text| archive(&text))
}

/// The first address of Debian's main archive in a list of sources of either form.
fn archive(sources: &str) -> Option<String> {
    let lines = sources.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut words = lines.flat_map(str::split_whitespace);
    let is_archive =
        |word: &&str| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian");
    words.find(is_archive).map(str::to_owned)
}

/// A script that runs in the system, with the repository and the Rust tools at their places.
fn inside(project: &Project, system: &Path, script: &str, argument: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--", "sh", "-c"]);
    command.arg(mounts(project, &rust_folders()));
    // `$0` to `$2` of the outer script.
    command.arg(system).arg(script).arg(argument);
    command
}

/// Where rustup and cargo keep what they have.
fn rust_folders() -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let folder = |name: &str, default: &str| {
        env::var_os(name).map_or_else(|| home.join(default), PathBuf::from)
    };
    vec![folder("RUSTUP_HOME", ".rustup"), folder("CARGO_HOME", ".cargo")]
}

/// The outer script: mounts, then changes into the system, which trusts whom this machine trusts.
/// Its target folder is its own: what is built against other libraries must not lie where this
/// system looks.
fn mounts(project: &Project, rust: &[PathBuf]) -> String {
    let root = project.root.display();
    let mut script = "set -e\nmount -t proc proc \"$0/proc\"\nmount --rbind /dev \"$0/dev\"\n\
                      mount --rbind /sys \"$0/sys\"\nmount -t tmpfs -o mode=1777 tmp \"$0/tmp\"\n\
                      cp -L /etc/resolv.conf \"$0/etc/resolv.conf\"\n\
                      authorities=/etc/ssl/certs/ca-certificates.crt\n\
                      test ! -e $authorities || { mkdir -p \"$0/etc/ssl/certs\" && cp -L $authorities \"$0$authorities\"; }\n"
        .to_owned();
    for folder in rust.iter().map(PathBuf::as_path).chain([project.root.as_path()]) {
        let folder = folder.display();
        script.push_str(&format!(
            "mkdir -p \"$0{folder}\"\nmount --bind \"{folder}\" \"$0{folder}\"\n"
        ));
    }
    let [rustup, cargo] = [0, 1].map(|index| {
        rust.get(index).map(|folder| folder.display().to_string()).unwrap_or_default()
    });
    script.push_str(&format!(
        "mkdir -p \"$0/var/tmp/target\"\nmount --bind \"$0/var/tmp/target\" \"$0{root}/target\"\n\
         export RUSTUP_HOME=\"{rustup}\" CARGO_HOME=\"{cargo}\" HOME=/root\n\
         export PATH=\"{cargo}/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\n\
         cd \"{root}\"\nexec chroot \"$0\" /bin/sh -c \"$1\" \"$2\"\n"
    ));
    script
}

/// The inner script: the tests with one Python, which everything built here is for.
fn tests(project: &Project, version: &str, filters: &[String]) -> String {
    let filters: Vec<String> = filters.iter().map(|word| format!("'{word}'")).collect();
    format!(
        "set -e\ncd '{}'\nln -sf python{version} /usr/bin/python3\n\
         export CARGO_TARGET_DIR=/var/tmp/target/python{version} PYO3_PYTHON=/usr/bin/python3\n\
         exec cargo xtask test --only unit --only event {}\n",
        project.root.display(),
        filters.join(" ")
    )
}

#[cfg(test)]
mod tests_of_scripts {
    use super::*;

    #[test]
    fn everything_is_mounted_below_the_system_only() {
        let project = Project { root: "/src".into(), target: "/src/target".into() };
        let script = mounts(&project, &["/r".into(), "/c".into()]);
        for line in script.lines().filter(|line| line.starts_with("mount")) {
            let place = line.rsplit(' ').next().unwrap();
            assert!(place.starts_with("\"$0/"), "{line}");
        }
        assert!(script.contains("mount --bind \"$0/var/tmp/target\" \"$0/src/target\""));
    }

    #[test]
    fn packages_come_from_where_those_of_the_machine_do() {
        let old = "# deb http://c/debian x\ndeb https://a/debian-security x\ndeb https://a/debian/ x main";
        assert_eq!(archive(old).unwrap(), "https://a/debian/");
        assert_eq!(archive("Types: deb\nURIs: http://b/debian\n").unwrap(), "http://b/debian");
        assert_eq!(archive("deb http://c/ubuntu x main"), None);
    }

    #[test]
    fn every_python_builds_for_itself() {
        let project = Project { root: "/src".into(), target: "/src/target".into() };
        let script = tests(&project, "3.14", &["hello".to_owned()]);
        assert!(script.contains("CARGO_TARGET_DIR=/var/tmp/target/python3.14"));
        assert!(script.ends_with("--only event 'hello'\n"), "{script}");
    }
}
