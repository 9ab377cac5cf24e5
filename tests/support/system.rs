//! A copy of this machine's file system, in which a test is root: what it writes is kept in memory,
//! what it starts ends with it, its network is its own, and nothing of it reaches the machine.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use super::command::said;
use super::{poll, process, rundir};

/// Mounts the copy below the folder `$0`, with the folders that follow in it, and stays in it until
/// standard input ends, which it does when the test has ended, however that was. The shell waits for whatever loses its parent.
const SET_UP: &str = r#"
set -e
ip link set lo up
mount -t tmpfs tmpfs "$0"
mkdir "$0/upper" "$0/work" "$0/root"
mount -t overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" overlay "$0/root"
mount -t proc proc "$0/root/proc"
mount -t tmpfs -o mode=755 tmpfs "$0/root/run"
mkdir -m 1777 "$0/root/run/lock"
mount -t tmpfs -o mode=1777 tmpfs "$0/root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$0/root/dev"
for device in null zero full random urandom; do
    : >"$0/root/dev/$device"
    mount --bind "/dev/$device" "$0/root/dev/$device"
done
mkdir -m 1777 "$0/root/dev/shm"
number=0
for path in "$@"; do
    # Those of another file system are not in the copy, and what is below /tmp is hidden.
    if [ -z "$(ls -A "$0/root$path" 2>/dev/null)" ]; then
        number=$((number + 1))
        mkdir -p "$0/root$path" "$0/upper$number" "$0/work$number"
        mount -t overlay -o "lowerdir=$path,upperdir=$0/upper$number,workdir=$0/work$number" \
            overlay "$0/root$path"
    fi
done
ln -s /proc/self/fd "$0/root/dev/fd"
printf '#!/bin/sh\nexit 101\n' >"$0/root/usr/sbin/policy-rc.d"
chmod 755 "$0/root/usr/sbin/policy-rc.d"
exec chroot "$0/root" sh -c 'cd / && exec 3<&0 && echo ready && { cat <&3 >&2 & wait; }'
"#;

/// A copy that exists as long as the value.
pub struct System {
    first: Child,
    input: Option<ChildStdin>,
    inside: i32,
    folder: tempfile::TempDir,
}

impl System {
    /// Makes one, or says what this machine lacks for it.
    pub fn new() -> Result<System, String> {
        if !rundir::is_root() {
            return Err("needs root".to_owned());
        }
        let folder = tempfile::tempdir_in(&rundir::run().path).expect("folder");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--net", "--pid", "--fork", "--"]);
        command.args(["sh", "-c", SET_UP]).arg(folder.path()).args(used_inside());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut first = command.spawn().map_err(|error| format!("needs unshare: {error}"))?;
        let input = first.stdin.take();
        let mut line = String::new();
        let output = first.stdout.take().expect("output");
        BufReader::new(output).read_line(&mut line).expect("output");
        if line != "ready\n" {
            drop(input);
            let done = first.wait_with_output().expect("unshare");
            let why = String::from_utf8_lossy(&done.stderr).trim().replace('\n', "; ");
            return Err(format!("needs mounts and a network of its own: {why}"));
        }
        let inside = process::tree(first.id() as i32).get(1).expect("its first process").pid;
        Ok(System { first, input, inside, folder })
    }

    /// Where it is mounted, for those inside.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A shell that will run a line inside.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.inside.to_string()]);
        command.args(["--mount", "--net", "--pid", "--root", "--wd"]);
        command.args(["--", "sh", "-c", line]).stdin(Stdio::null());
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", "/root");
        command
    }

    /// Runs a line.
    pub fn run(&self, line: &str) -> Output {
        self.shell(line).output().expect("nsenter")
    }

    /// What a line writes, both streams, when it succeeds.
    #[track_caller]
    pub fn said(&self, line: &str) -> String {
        said(&self.run(&format!("{{ {line}\n}} 2>&1"))).trim_end().to_owned()
    }

    /// Whether a line succeeds.
    pub fn succeeds(&self, line: &str) -> bool {
        self.run(line).status.success()
    }

    /// Copies a file of the machine into the copy.
    #[track_caller]
    pub fn take(&self, from: &Path, to: &str) {
        let mut command = self.shell("mkdir -p \"${0%/*}\" && cat >\"$0\"");
        command.arg(to).stdin(File::open(from).expect("file to take in"));
        said(&command.output().expect("nsenter"));
    }

    /// Writes a file.
    #[track_caller]
    pub fn write(&self, path: &str, text: &str) {
        let file = self.folder.path().join("text");
        std::fs::write(&file, text).expect("file");
        self.take(&file, path);
    }
}

/// A server that runs in a copy, seen from outside.
pub struct Inside<'s> {
    /// It ends with the copy.
    _system: &'s System,
    child: Child,
    /// Its first answer, and the status of that on a line of its own.
    pub answer: String,
}

impl System {
    /// Starts a command of the copy and waits for its server to answer.
    #[track_caller]
    pub fn serve(&self, mut command: Command, port: u16) -> Inside<'_> {
        let mut child = command.spawn().expect("nsenter");
        let ask = format!("curl --silent --write-out '\\n%{{http_code}}' http://localhost:{port}/");
        let answer = poll("an answer from inside", || {
            assert!(child.try_wait().expect("wait").is_none(), "{command:?} has ended");
            let answer = String::from_utf8_lossy(&self.run(&ask).stdout).into_owned();
            (!answer.ends_with("\n000")).then_some(answer)
        });
        Inside { _system: self, child, answer }
    }
}

impl Inside<'_> {
    /// The process that was started.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// httpd itself: the first process below the one that was started that is one.
    fn httpd(&self) -> i32 {
        let is_httpd = |pid: i32| {
            let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            program.ends_with("apache2") || program.ends_with("httpd")
        };
        let tree = process::tree(self.child.id() as i32);
        tree.iter().map(|one| one.pid).find(|pid| is_httpd(*pid)).expect("httpd")
    }

    /// What a line of httpd's /proc/PID/status says.
    pub fn status(&self, word: &str) -> String {
        let text = fs::read_to_string(format!("/proc/{}/status", self.httpd())).expect("status");
        let mut values = text.lines().filter_map(|line| line.strip_prefix(word));
        values.next().expect(word).trim().to_owned()
    }

    /// Asks httpd to end, as service managers do; the exit status of the whole.
    pub fn stop(mut self) -> Option<i32> {
        let kill = ["-TERM".to_owned(), self.httpd().to_string()];
        assert!(Command::new("kill").args(kill).status().expect("kill").success());
        self.child.wait().expect("wait").code()
    }
}

/// Where the repository is, what was built of it, and the venv.
fn used_inside() -> Vec<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("repository");
    let others = ["CARGO_TARGET_DIR", "WSGI_TEST_VENV"].map(std::env::var_os);
    let others = others.into_iter().flatten().map(PathBuf::from).filter(|path| path.is_absolute());
    std::iter::once(repository.to_owned()).chain(others).collect()
}

impl Drop for System {
    fn drop(&mut self) {
        drop(self.input.take());
        self.first.wait().expect("unshare");
    }
}
