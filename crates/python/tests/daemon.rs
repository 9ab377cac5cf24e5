//! The runtime as a daemon process uses it, from start to stop: import scripts, staleness, the
//! end of interpreters. One process holds one runtime, so this is one test.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use wsgi_core::{
    control::{EngineSpec, ImportScript},
    exchange::{BodyError, Exchange, Outcome, Pace, SendError, Source},
    head::{RequestHead, RequestHeadBuilder, ResponseHead, flag},
    level::Level,
};
use wsgi_python::{Notices, Runtime, StartError};

static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Log;

impl Notices for Log {
    fn log(&self, _level: Level, record: &str, _source: Option<Source<'_>>) {
        LOG.lock().unwrap().push(record.to_owned());
    }
}

#[derive(Default)]
struct Sink {
    begun: AtomicUsize,
    body: Mutex<Vec<u8>>,
}

impl Exchange for Sink {
    fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    fn read_body(&self, _buffer: &mut [u8]) -> Result<usize, BodyError> {
        Ok(0)
    }

    fn send_head(&self, _head: &ResponseHead<'_>) -> Result<(), SendError> {
        Ok(())
    }

    fn write(&self, block: &[u8], _pace: Pace) -> Result<(), SendError> {
        self.body.lock().unwrap().extend_from_slice(block);
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

    fn log(&self, _level: Level, record: &str, _source: Option<Source<'_>>) {
        LOG.lock().unwrap().push(record.to_owned());
    }
}

const SOURCE: &str = "import atexit, os, sys, threading, time, mod_wsgi\n\
    names = [os.path.basename(entry) for entry in sys.path]\n\
    assert names[0] == 'good' and names[2] == 'bad', names\n\
    group = mod_wsgi.application_group\n\
    atexit.register(lambda: print('atexit of', group))\n\
    def slow():\n\
    \x20   time.sleep(0.2)\n\
    \x20   print('thread of', group)\n\
    threading.Thread(target=slow).start()\n\
    def application(e, s):\n\
    \x20   s('200 OK', [])\n\
    \x20   return [b'hello']\n";

fn mtime(path: &Path) -> i64 {
    let modified = path.metadata().unwrap().modified().unwrap();
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

fn serve(runtime: &Runtime, path: &Path, group: &str, mtime: i64) -> (Outcome, usize, Vec<u8>) {
    let mut head = RequestHead::empty();
    head.flags = flag::SCRIPT_RELOADING;
    head.script_mtime = mtime;
    head.script = path.as_os_str().as_encoded_bytes();
    head.application_group = group.as_bytes();
    head.callable = b"application";
    let (sink, bytes) = (Sink::default(), RequestHeadBuilder::new().finish(&head));
    let outcome = runtime.serve(&RequestHead::decode(&bytes).unwrap(), &sink, 1, 5);
    (outcome, sink.begun.into_inner(), sink.body.into_inner().unwrap())
}

fn logged(text: &str) -> usize {
    LOG.lock().unwrap().iter().filter(|record| record.contains(text)).count()
}

#[test]
fn from_start_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.wsgi");
    std::fs::write(&path, SOURCE).unwrap();
    let missing = folder.path().join("missing.wsgi");
    let import = |path: &Path, group: &str| ImportScript {
        path: path.display().to_string(),
        application_group: group.to_owned(),
        is_default: false,
    };
    let bad = folder.path().join("bad");
    std::fs::create_dir(&bad).unwrap();
    std::fs::write(bad.join("bad.pth"), b"\xff\xfe\x80\n").unwrap();
    let good = folder.path().join("good");
    std::fs::create_dir(&good).unwrap();
    std::fs::write(good.join("extra.pth"), format!("{}\n", folder.path().display())).unwrap();
    let spec = EngineSpec {
        python_path: vec![good.display().to_string(), bad.display().to_string()],
        process_group: "g".to_owned(),
        is_daemon: true,
        import_scripts: vec![import(&path, ""), import(&missing, "a"), import(&path, "a")],
        ..EngineSpec::default()
    };
    let runtime = Runtime::start(spec.clone(), Box::new(Log)).unwrap();
    assert_eq!(Runtime::start(spec, Box::new(Log)).unwrap_err(), StartError::Twice);
    runtime.run_import_scripts(&|| false);
    assert_eq!(logged("Loading WSGI script"), 3);
    assert_eq!(logged("WSGI0106"), 1);
    assert_eq!(logged("WSGI0110"), 0, "{:?}", LOG.lock().unwrap());
    // Once for each of two interpreters; some versions of Python read any .pth file.
    assert!(matches!(logged("WSGI0094"), 0 | 2));

    requests(runtime, &path);
    runtime.stop();
    let log = LOG.lock().unwrap();
    for text in ["thread of ", "atexit of ", "thread of a", "atexit of a", "atexit of b"] {
        assert!(log.iter().any(|record| record == text), "'{text}' is not in {log:?}");
    }
}

/// Requests in threads of their own, as a daemon's worker threads are.
fn requests(runtime: &'static Runtime, path: &Path) {
    std::thread::scope(|scope| {
        for group in ["", "a", "b"] {
            scope.spawn(move || {
                let answer = serve(runtime, path, group, mtime(path));
                assert_eq!(answer, (Outcome::Completed, 1, b"hello".to_vec()));
                runtime.thread_end();
            });
        }
    });
    assert_eq!(logged("Loading WSGI script"), 4, "preloaded scripts are not loaded again");

    // A time that httpd saw before the script was loaded is no change of the file.
    assert_eq!(serve(runtime, path, "", mtime(path) - 1).0, Outcome::Completed);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
    let (outcome, begun, body) = serve(runtime, path, "", mtime(path));
    assert_eq!((outcome, begun, body), (Outcome::Stale, 0, Vec::new()));
}
