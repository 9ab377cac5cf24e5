//! `cargo xtask matrix`: the tests in a newer Debian, once for each Python that it has.
//!
//! The system is made with debootstrap below `target/matrix` and kept. What is mounted and what runs
//! in it is in namespaces of its own, which end with the command: nothing stays mounted or running,
//! whatever becomes of us.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use wsgi_httpd::{is_root, program};

use crate::project::Project;
use crate::test::{self, Part};

/// The suite with the newest Pythons.
const SUITE: &str = "forky";

/// What compiling xtask needs, which is also enough for most libraries that have no wheels yet;
/// the rest it installs itself.
const PACKAGES: &str = "gcc libc6-dev ca-certificates";

/// The parts that are run: all but those that need downloads of their own.
const PARTS: [Part; 4] = [Part::Unit, Part::Event, Part::Worker, Part::Prefork];

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    /// Only these versions; all when empty.
    pub(crate) pythons: Vec<String>,
    /// Only these parts and tests.
    pub(crate) tests: test::Options,
}

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
pub(crate) fn run(project: &Project, options: &Options) -> Result<ExitCode> {
    if let Some(why) = obstacle() {
        println!("xtask: matrix is skipped: {why}");
        return Ok(ExitCode::SUCCESS);
    }
    let system = project.cache().join("matrix").join(SUITE);
    if !bootstrap(&system)? {
        println!("xtask: matrix is skipped: debootstrap cannot make {SUITE}, see above");
        return Ok(ExitCode::SUCCESS);
    }
    let versions = program::output(&mut inside(project, &system, "setup", PYTHONS, PACKAGES))?;
    let versions: Vec<&str> = versions.split_whitespace().collect();
    println!("xtask: matrix: Python {} of {SUITE}", versions.join(", "));
    let mut failed = Vec::new();
    for version in chosen(&versions, &options.pythons)? {
        println!("\nxtask: matrix: Python {version}");
        let script = tests(project, version, &options.tests);
        if !program::succeeds(&mut inside(
            project,
            &system,
            &format!("python{version}"),
            &script,
            "",
        ))? {
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

/// The versions that are wanted, of those that there are.
fn chosen<'v>(versions: &[&'v str], wanted: &[String]) -> Result<Vec<&'v str>> {
    if let Some(unknown) = wanted.iter().find(|one| !versions.contains(&one.as_str())) {
        bail!("{SUITE} has no Python {unknown}");
    }
    let is_wanted = |one: &&str| wanted.is_empty() || wanted.iter().any(|other| other == one);
    Ok(versions.iter().copied().filter(is_wanted).collect())
}

/// What keeps this machine from it.
fn obstacle() -> Option<&'static str> {
    if !is_root() {
        return Some("it needs root");
    }
    if !program::exists("debootstrap") {
        return Some("it needs debootstrap (Debian: apt-get install debootstrap)");
    }
    let tools = ["setpriv", "unshare"];
    let is_there = tools.iter().all(|tool| program::exists(tool));
    (!is_there).then_some("it needs setpriv and unshare (Debian: util-linux)")
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

/// A script that runs in the system, with the repository and the Rust tools at their places, and a
/// target folder of this name.
fn inside(project: &Project, system: &Path, target: &str, script: &str, argument: &str) -> Command {
    // Killed with us, and everything inside with it.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "unshare"]);
    command.args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]);
    command.args(["--", "sh", "-c"]).arg(mounts(project, &rust_folders(), target));
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
/// Its target folders are its own: what is built against other libraries must not lie where this
/// system looks. The shell stays: it is the first process of its namespace, which has to wait for
/// those whose parents have ended.
fn mounts(project: &Project, rust: &[PathBuf], target: &str) -> String {
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
        "target=\"$0/var/tmp/target/{target}\"\nmkdir -p \"$target\"\n\
         mount --bind \"$target\" \"$0{root}/target\"\n\
         export RUSTUP_HOME=\"{rustup}\" CARGO_HOME=\"{cargo}\" HOME=/root\n\
         export PATH=\"{cargo}/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\n\
         cd \"{root}\"\nchroot \"$0\" /bin/sh -c \"$1\" \"$2\" || exit $?\n"
    ));
    script
}

/// The inner script: the tests with one Python, which everything built here is for. What is built
/// takes no more of the disk than it must: there is one of it for each Python.
fn tests(project: &Project, version: &str, options: &test::Options) -> String {
    let parts = if options.only.is_empty() { &PARTS[..] } else { &options.only };
    let parts: String = parts.iter().map(|part| format!(" --only {}", part.name())).collect();
    let filters: String = options.filters.iter().map(|word| format!(" '{word}'")).collect();
    format!(
        "set -e\ncd '{}'\nln -sf python{version} /usr/bin/python3\n\
         unset CARGO_TARGET_DIR\nexport PYO3_PYTHON=/usr/bin/python3\n\
         export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only\n\
         exec cargo xtask test --installable{parts}{filters}\n",
        project.root.display()
    )
}

#[cfg(test)]
mod tests_of_scripts {
    use super::*;

    #[test]
    fn everything_is_mounted_below_the_system_only() {
        let project = Project { root: "/src".into(), target: "/src/target".into() };
        let script = mounts(&project, &["/r".into(), "/c".into()], "py");
        let mut places = script
            .lines()
            .filter(|line| line.starts_with("mount"))
            .map(|line| line.rsplit(' ').next().unwrap().trim_start_matches('"'));
        assert!(places.all(|place| place.starts_with("$0/")), "{script}");
        assert!(script.contains("mount --bind \"$target\" \"$0/src/target\""), "{script}");
        assert!(script.contains("target=\"$0/var/tmp/target/py\""), "{script}");
    }

    #[test]
    fn packages_come_from_where_those_of_the_machine_do() {
        let old = "# deb http://c/debian x\ndeb https://a/debian-security x\ndeb https://a/debian/ x main";
        assert_eq!(archive(old).unwrap(), "https://a/debian/");
        assert_eq!(archive("Types: deb\nURIs: http://b/debian\n").unwrap(), "http://b/debian");
        assert_eq!(archive("deb http://c/ubuntu x main"), None);
    }

    #[test]
    fn versions_are_chosen_among_those_that_there_are() {
        let all = ["3.13", "3.14"];
        assert_eq!(chosen(&all, &[]).unwrap(), all);
        assert_eq!(chosen(&all, &["3.14".to_owned()]).unwrap(), ["3.14"]);
        assert!(chosen(&all, &["3.9".to_owned()]).is_err());
    }

    #[test]
    fn the_parts_and_words_of_the_user_replace_ours() {
        let project = Project { root: "/src".into(), target: "/src/target".into() };
        let script = |only: &[Part], filters: &[String]| {
            let (only, filters) = (only.to_vec(), filters.to_vec());
            let libraries = test::Libraries::All;
            tests(&project, "3.14", &test::Options { only, filters, libraries })
        };
        let all = " --only unit --only event --only worker --only prefork\n";
        assert!(script(&[], &[]).ends_with(all));
        let some = script(&[Part::Event], &["hello".to_owned()]);
        assert!(some.ends_with("--installable --only event 'hello'\n"), "{some}");
        assert!(some.contains("ln -sf python3.14 /usr/bin/python3"));
    }
}
