//! Starting CPython with all kinds of homes. A process starts Python once, so each case runs in
//! a process of its own: this program again, told by an environment variable.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use wsgi_core::{
    control::EngineSpec,
    exchange::{BodyError, Exchange, Pace, SendError, Source},
    head::{RequestHead, RequestHeadBuilder, ResponseHead},
    level::Level,
};
use wsgi_python::{Notices, Runtime};

const SPEC: &str = "WSGI_TEST_SPEC";

struct Quiet;

impl Notices for Quiet {
    fn log(&self, _level: Level, _record: &str, _source: Option<Source<'_>>) {}
}

/// The body of the answer.
struct Sink(Mutex<String>);

impl Exchange for Sink {
    fn begin(&self) {}

    fn read_body(&self, _buffer: &mut [u8]) -> Result<usize, BodyError> {
        Ok(0)
    }

    fn send_head(&self, _head: &ResponseHead<'_>) -> Result<(), SendError> {
        Ok(())
    }

    fn write(&self, block: &[u8], _pace: Pace) -> Result<(), SendError> {
        self.0.lock().unwrap().push_str(&String::from_utf8_lossy(block));
        Ok(())
    }

    fn send_file(
        &self,
        _file: BorrowedFd<'_>,
        _offset: u64,
        _length: u64,
    ) -> Result<(), SendError> {
        Ok(())
    }

    fn log(&self, level: Level, record: &str, _source: Option<Source<'_>>) {
        if level <= Level::ERROR {
            self.0.lock().unwrap().push_str(record);
        }
    }
}

/// Not a test of its own: starts Python as the parent process says and prints what it is.
#[test]
fn child() {
    let Some(spec) = std::env::var_os(SPEC) else { return };
    let spec: EngineSpec = wsgi_core::control::decode(spec.as_encoded_bytes()).unwrap();
    match Runtime::start(spec, Box::new(Quiet)) {
        Ok(runtime) => println!("ANSWER {}", answer(runtime)),
        Err(error) => println!("REFUSED {error}"),
    }
}

fn answer(runtime: &Runtime) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.wsgi");
    let source = "import sys, os\n\
        def application(e, s):\n\
        \x20   s('200 OK', [])\n\
        \x20   names = (sys.prefix, sys.executable, sys.flags.optimize, sys.dont_write_bytecode,\n\
        \x20            sys.flags.hash_randomization, hash('x') if sys.flags.hash_randomization else 0,\n\
        \x20            sys.warnoptions, os.path.dirname(os.__file__))\n\
        \x20   return [repr(names).encode()]\n";
    std::fs::write(&path, source).unwrap();
    let mut head = RequestHead::empty();
    head.script = path.as_os_str().as_encoded_bytes();
    head.callable = b"application";
    let (sink, bytes) = (Sink(Mutex::default()), RequestHeadBuilder::new().finish(&head));
    runtime.serve(&RequestHead::decode(&bytes).unwrap(), &sink, 1, 0);
    sink.0.into_inner().unwrap()
}

/// Runs `child` with a configuration; returns its line.
fn start(spec: &EngineSpec) -> String {
    let spec = String::from_utf8(wsgi_core::control::encode(spec).unwrap()).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(SPEC, spec)
        .env_remove("PYTHONHOME")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let found = text.split("ANSWER ").nth(1).map(|rest| rest.lines().next().unwrap().to_owned());
    found.or_else(|| text.split_once("REFUSED ").map(|(_, rest)| rest.to_owned())).unwrap_or(text)
}

fn with_home(home: &Path) -> EngineSpec {
    EngineSpec { python_home: Some(home.display().to_string()), ..EngineSpec::default() }
}

#[test]
fn the_default_is_the_python_of_the_build() {
    let text = start(&EngineSpec::default());
    assert!(text.starts_with("('/"), "{text}");
    assert!(!text.contains("''"), "sys.executable is set: {text}");
}

#[test]
fn a_virtual_environment_is_its_own_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let venv = folder.path().join("venv");
    let python = option_env!("PYO3_PYTHON").unwrap_or("python3");
    let made = Command::new(python).args(["-m", "venv", "--without-pip"]).arg(&venv).status();
    assert!(made.unwrap().success());
    let text = start(&with_home(&venv));
    let wanted = format!("('{0}', '{0}/bin/python', ", venv.display());
    assert!(text.starts_with(&wanted), "{text}");
}

#[test]
fn a_home_without_python_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let text = start(&with_home(folder.path()));
    let wanted =
        format!("cannot initialise Python with python-home '{}': ", folder.path().display());
    assert!(text.starts_with(&wanted), "{text}");
    let text =
        start(&EngineSpec { python_home: Some("/with\0nul".to_owned()), ..EngineSpec::default() });
    assert!(text.contains("contains a NUL byte"), "{text}");
}

#[test]
fn interpreter_options_act() {
    let spec = EngineSpec {
        optimize: 2,
        dont_write_bytecode: true,
        warnings: vec!["ignore".to_owned(), "error::UserWarning".to_owned()],
        hash_seed: Some(7),
        ..EngineSpec::default()
    };
    let first = start(&spec);
    assert!(first.contains(", 2, True, 1, "), "{first}");
    assert!(first.contains("['ignore', 'error::UserWarning']"), "{first}");
    assert_eq!(first, start(&spec), "a fixed seed gives the same hashes");
}
