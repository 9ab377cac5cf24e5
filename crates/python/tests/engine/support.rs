//! A runtime shared by the tests of this binary and an exchange in memory.

use std::io::Write as _;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};

use wsgi_core::{
    control::EngineSpec,
    exchange::{BodyError, Exchange, Outcome, Pace, SendError, Source},
    head::{RequestHead, RequestHeadBuilder, ResponseHead, flag},
    level::Level,
};
use wsgi_python::{Notices, Runtime};

/// Records outside requests.
pub(crate) static PROCESS_LOG: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

struct Recorder;

impl Notices for Recorder {
    fn log(&self, level: Level, record: &str, _source: Option<Source<'_>>) {
        let lines = record.split('\n').map(|line| (level, line.to_owned()));
        PROCESS_LOG.lock().unwrap().extend(lines);
    }
}

/// The runtime, in embedded placement (a changed script is run again). It is started by a thread
/// that lives as long as the process, as in a daemon.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<&'static Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            send.send(Runtime::start(spec(), Box::new(Recorder)).unwrap()).unwrap();
            loop {
                std::thread::park();
            }
        });
        receive.recv().unwrap()
    })
}

fn spec() -> EngineSpec {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine");
    EngineSpec {
        process_group: "group".to_owned(),
        maximum_processes: 3,
        httpd_processes: 5,
        threads_per_process: 15,
        multithread: true,
        apache_version: (2, 4, 71),
        server_description: "Apache/2.4".to_owned(),
        mpm_name: "event".to_owned(),
        python_path: vec![folder.display().to_string()],
        home: Some("/tmp".to_owned()),
        user: Some(("someone".to_owned(), "/home/someone".to_owned())),
        ..EngineSpec::default()
    }
}

/// A script in a temporary folder of its own.
pub(crate) struct Script {
    folder: tempfile::TempDir,
}

impl Script {
    /// Writes the source.
    pub(crate) fn new(source: &str) -> Self {
        let script = Self { folder: tempfile::tempdir().unwrap() };
        script.write(source);
        script
    }

    /// Replaces the source; its modification time is a new one.
    pub(crate) fn write(&self, source: &str) {
        static AGE: AtomicU32 = AtomicU32::new(1);
        let mut file = std::fs::File::create(self.path()).unwrap();
        file.write_all(source.as_bytes()).unwrap();
        let age = std::time::Duration::from_secs(AGE.fetch_add(1, Ordering::Relaxed).into());
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
    }

    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("app.wsgi")
    }

    fn mtime(&self) -> i64 {
        let modified = std::fs::metadata(self.path()).unwrap().modified().unwrap();
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_micros()).unwrap()
    }

    /// A GET request.
    pub(crate) fn get(&self) -> Answer {
        self.serve(&Call::default())
    }

    /// A POST request with a body that arrives in the given pieces.
    pub(crate) fn post(&self, pieces: &[&[u8]]) -> Answer {
        let body = pieces.iter().map(|piece| Ok(piece.to_vec())).collect();
        self.serve(&Call { body, ..Call::default() })
    }

    /// Any request; the thread is not used for another one.
    pub(crate) fn serve(&self, call: &Call) -> Answer {
        let answer = self.serve_on(call);
        runtime().thread_end();
        answer
    }

    /// Any request, on a thread that goes on.
    pub(crate) fn serve_on(&self, call: &Call) -> Answer {
        let path = self.path();
        let bytes = path.as_os_str().as_encoded_bytes();
        let mut builder = RequestHeadBuilder::new();
        builder.entry(b"REQUEST_METHOD", Some(if call.is_head { b"HEAD" } else { b"GET" }));
        builder.entry(b"SCRIPT_FILENAME", Some(bytes));
        for (key, value) in &call.entries {
            builder.entry(key, value.as_deref());
        }
        let flags = if call.is_head { flag::HEAD } else { 0 };
        let mut head = RequestHead::empty();
        head.request_id = 7;
        head.flags = flags | flag::SCRIPT_RELOADING;
        head.script_mtime = if path.exists() { self.mtime() } else { 0 };
        head.request_start = 1_700_000_000_500_000;
        head.script = bytes;
        head.application_group = call.group.as_bytes();
        head.callable = call.callable.as_bytes();
        let (exchange, bytes) = (Memory::new(call), builder.finish(&head));
        let head = RequestHead::decode(&bytes).unwrap();
        let outcome = runtime().serve(&head, &exchange, 4, 0);
        Answer::new(outcome, exchange)
    }
}

/// What a request looks like.
pub(crate) struct Call {
    pub(crate) is_head: bool,
    pub(crate) group: &'static str,
    pub(crate) callable: &'static str,
    pub(crate) entries: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) body: Vec<Result<Vec<u8>, String>>,
    /// Blocks that are sent before the client goes away.
    pub(crate) patience: usize,
    /// Whether reading and writing panic.
    pub(crate) panics: bool,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            is_head: false,
            group: "",
            callable: "application",
            entries: Vec::new(),
            body: Vec::new(),
            patience: usize::MAX,
            panics: false,
        }
    }
}

/// An exchange in memory.
struct Memory {
    begun: AtomicUsize,
    patience: usize,
    panics: bool,
    body: Mutex<Vec<Result<Vec<u8>, String>>>,
    state: Mutex<Answer>,
}

/// What came out of a request.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) begun: usize,
    pub(crate) head: Option<ResponseHead<'static>>,
    pub(crate) blocks: Vec<(Vec<u8>, Pace)>,
    pub(crate) files: Vec<Vec<u8>>,
    pub(crate) log: Vec<(Level, String)>,
}

impl Memory {
    fn new(call: &Call) -> Self {
        let mut body = call.body.clone();
        body.reverse();
        Self {
            begun: AtomicUsize::new(0),
            patience: call.patience,
            panics: call.panics,
            body: Mutex::new(body),
            state: Mutex::new(Answer {
                outcome: Outcome::Stale,
                begun: 0,
                head: None,
                blocks: Vec::new(),
                files: Vec::new(),
                log: Vec::new(),
            }),
        }
    }
}

impl Exchange for Memory {
    fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    fn read_body(&self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        assert!(!self.panics, "a bug while reading");
        let mut body = self.body.lock().unwrap();
        match body.pop() {
            None => Ok(0),
            Some(Err(reason)) => Err(BodyError { reason }),
            Some(Ok(mut piece)) => {
                let count = piece.len().min(buffer.len());
                buffer[..count].copy_from_slice(&piece[..count]);
                let rest = piece.split_off(count);
                if !rest.is_empty() {
                    body.push(Ok(rest));
                }
                Ok(count)
            }
        }
    }

    fn send_head(&self, head: &ResponseHead<'_>) -> Result<(), SendError> {
        let mut state = self.state.lock().unwrap();
        assert!(state.head.is_none(), "the head is sent once");
        state.head = Some(head.clone().into_owned());
        Ok(())
    }

    fn write(&self, block: &[u8], pace: Pace) -> Result<(), SendError> {
        assert!(!self.panics, "a bug while writing");
        let mut state = self.state.lock().unwrap();
        assert!(state.head.is_some(), "the head comes first");
        if state.blocks.len() >= self.patience {
            return Err(SendError::ClientGone);
        }
        state.blocks.push((block.to_vec(), pace));
        Ok(())
    }

    fn send_file(&self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), SendError> {
        let file = std::fs::File::from(file.try_clone_to_owned().unwrap());
        let mut content = vec![0; usize::try_from(length).unwrap()];
        file.read_exact_at(&mut content, offset).unwrap();
        self.state.lock().unwrap().files.push(content);
        Ok(())
    }

    fn log(&self, level: Level, record: &str, _source: Option<Source<'_>>) {
        // As in httpd's log: each line for itself.
        let lines = record.split('\n').map(|line| (level, line.to_owned()));
        self.state.lock().unwrap().log.extend(lines);
    }
}

impl Answer {
    fn new(outcome: Outcome, exchange: Memory) -> Self {
        let begun = exchange.begun.load(Ordering::Relaxed);
        Self { outcome, begun, ..exchange.state.into_inner().unwrap() }
    }

    /// The body as sent.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.blocks.iter().flat_map(|(block, _)| block.clone()).collect()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body()).unwrap()
    }

    /// The status sent.
    pub(crate) fn status(&self) -> u16 {
        self.head.as_ref().map_or(0, |head| head.status)
    }

    /// Records of level error or worse.
    pub(crate) fn errors(&self) -> Vec<&str> {
        let errors = self.log.iter().filter(|(level, _)| *level <= Level::ERROR);
        errors.map(|(_, record)| record.as_str()).collect()
    }

    /// Whether some record contains a text.
    pub(crate) fn logged(&self, text: &str) -> bool {
        self.log.iter().any(|(_, record)| record.contains(text))
    }

    /// Asserts a response with this body and nothing in the error log.
    #[track_caller]
    pub(crate) fn assert_text(&self, wanted: &str) {
        assert_eq!(self.errors(), Vec::<&str>::new());
        assert_eq!((self.outcome, self.text().as_str()), (Outcome::Completed, wanted));
    }

    /// Asserts a 500 whose log contains a text.
    #[track_caller]
    pub(crate) fn assert_failed(&self, text: &str) {
        assert_eq!(self.outcome, Outcome::Failed(500), "{:?}", self.log);
        assert!(self.logged(text), "'{text}' is not in {:?}", self.log);
    }
}
