//! The folder of one run of the suite: copies of the module, the applications and the venv in a
//! place httpd's user may enter, so that a clone in a 0700 home works.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// What all servers of a run share.
pub struct RunDir {
    /// Root of everything the run writes.
    pub path: PathBuf,
    /// The copied module file.
    pub module: PathBuf,
    /// The copied applications.
    pub apps: PathBuf,
}

static RUN: OnceLock<RunDir> = OnceLock::new();

/// The folder of this run; made at first use, removed at exit.
pub fn run() -> &'static RunDir {
    RUN.get_or_init(|| {
        let path = tempfile::Builder::new()
            .prefix("wsgi-")
            .tempdir_in(base())
            .expect("folder of the run")
            .keep();
        mode(&path, 0o755);
        // SAFETY: the callback has no arguments, does not unwind and touches only a static.
        unsafe { libc::atexit(remove_run) };
        let apps = path.join("apps");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("apps"), &apps);
        let module = stage_module(&path);
        RunDir { path, module, apps }
    })
}

extern "C" fn remove_run() {
    if let Some(run) = RUN.get() {
        // Nobody is left to tell: the process is ending.
        let _ = fs::remove_dir_all(&run.path);
    }
}

/// A folder for temporary files whose parents everybody may enter.
fn base() -> PathBuf {
    let enterable = |path: &Path| {
        path.ancestors()
            .all(|at| fs::metadata(at).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
    };
    let temp = std::env::temp_dir();
    if enterable(&temp) { temp } else { PathBuf::from("/tmp") }
}

/// The file under test: `MOD_WSGI_SO`, or what `cargo xtask build` left.
fn module_under_test() -> PathBuf {
    if let Some(path) = std::env::var_os("MOD_WSGI_SO") {
        return PathBuf::from(path);
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/stage/mod_wsgi_rs.so")
}

/// Copies the module and the folder of binaries beside it.
fn stage_module(run: &Path) -> PathBuf {
    let source = module_under_test();
    assert!(
        source.exists(),
        "no module at {}: run `cargo xtask build` or set MOD_WSGI_SO",
        source.display()
    );
    let folder = run.join("module");
    fs::create_dir(&folder).expect("folder of the module");
    mode(&folder, 0o755);
    let target = folder.join(source.file_name().expect("name of the module"));
    copy(&source, &target);
    let beside = source.with_extension("");
    if beside.is_dir() {
        copy(&beside, &folder.join(beside.file_name().expect("name of the folder")));
    }
    println!("module under test: {}", source.display());
    target
}

/// The venv with Flask, Django, numpy and lxml, copied; `None` when `WSGI_TEST_VENV` is unset.
pub fn venv() -> Option<&'static Path> {
    static VENV: OnceLock<Option<PathBuf>> = OnceLock::new();
    VENV.get_or_init(|| {
        let source = PathBuf::from(std::env::var_os("WSGI_TEST_VENV")?);
        let target = run().path.join("venv");
        copy(&source, &target);
        Some(target)
    })
    .as_deref()
}

/// Why a test cannot use these modules of the venv; `None` when it can. A Python may be newer than
/// what some libraries can be had for.
pub fn lacks(modules: &[&str]) -> Option<String> {
    let Some(venv) = venv() else { return Some("needs WSGI_TEST_VENV".to_owned()) };
    let versions = fs::read_dir(venv.join("lib")).into_iter().flatten().flatten();
    let folders: Vec<_> = versions.map(|entry| entry.path().join("site-packages")).collect();
    let is_there = |name: &&&str| folders.iter().any(|folder| folder.join(name).exists());
    let missing: Vec<_> = modules.iter().filter(|name| !is_there(name)).copied().collect();
    (!missing.is_empty()).then(|| format!("the venv has no {}", missing.join(", ")))
}

/// Copies a file or a tree and lets everybody read it.
pub fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to).status();
    assert!(done.expect("cp").success(), "cannot copy {}", from.display());
    let done = Command::new("chmod").args(["-R", "a+rX"]).arg(to).status();
    assert!(done.expect("chmod").success(), "cannot chmod {}", to.display());
}

/// Sets permission bits.
pub fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).expect("permissions");
}

/// True when the suite runs as root: httpd then has a user of its own.
pub fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

/// Text of a command's standard output, trimmed.
pub fn output_of(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output();
    let done = done.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// Replaces a file, at once as a deployment would, and gives it another time than it had.
pub fn replace(path: &Path, text: &str, seconds: i64) {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).expect("file");
    let step = Duration::from_secs(seconds.unsigned_abs());
    let now = SystemTime::now();
    let time = if seconds < 0 { now - step } else { now + step };
    File::options().write(true).open(&fresh).expect("file").set_modified(time).expect("file");
    fs::rename(&fresh, path).expect("file");
}
