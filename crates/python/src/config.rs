//! Starting CPython: a `PyConfig` from an [`EngineSpec`].
//!
//! `Py_InitializeEx` would abort the process where a `PyStatus` can be reported.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pyo3_ffi as ffi;
use wsgi_core::{control::EngineSpec, level::Level};

use crate::log;

/// Why CPython could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A path or text of the configuration has a NUL byte.
    #[error("'{0}' contains a NUL byte")]
    Nul(String),
    /// CPython's own reason.
    #[error("cannot initialise Python{home}: {reason}")]
    Initialise {
        /// ` with python-home '…'`, or empty.
        home: String,
        /// CPython's text.
        reason: String,
    },
    /// The main interpreter could not be set up.
    #[error("cannot set up Python's main interpreter: {0}")]
    SetUp(String),
    /// There is one CPython per process.
    #[error("Python was started already in this process")]
    Twice,
}

/// A configuration being filled in; cleared when dropped.
struct Config(MaybeUninit<ffi::PyConfig>);

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: initialised by `Config::new`, cleared once.
        unsafe { ffi::PyConfig_Clear(self.0.as_mut_ptr()) }
    }
}

impl Config {
    fn new() -> Self {
        let mut config = MaybeUninit::uninit();
        // SAFETY: memory of the right size, which the function fills.
        unsafe { ffi::PyConfig_InitPythonConfig(config.as_mut_ptr()) };
        Self(config)
    }

    fn get(&mut self) -> &mut ffi::PyConfig {
        // SAFETY: initialised by `new`.
        unsafe { self.0.assume_init_mut() }
    }

    /// Sets one of the configuration's strings.
    fn set(
        &mut self,
        field: fn(&mut ffi::PyConfig) -> *mut *mut libc::wchar_t,
        path: &Path,
    ) -> Result<(), StartError> {
        let text = c_string(path.as_os_str().as_bytes())?;
        let config = self.0.as_mut_ptr();
        let target = field(self.get());
        // SAFETY: an initialised configuration, one of its own fields, a C string.
        check(unsafe { ffi::PyConfig_SetBytesString(config, target, text.as_ptr()) })
    }

    fn warn(&mut self, option: &str) -> Result<(), StartError> {
        if option.contains('\0') {
            return Err(StartError::Nul(option.to_owned()));
        }
        let wide: Vec<libc::wchar_t> = option
            .chars()
            .chain(['\0'])
            .map(|character| u32::from(character).cast_signed())
            .collect();
        let options = &raw mut self.get().warnoptions;
        // SAFETY: a list of an initialised configuration, a terminated wide string.
        check(unsafe { ffi::PyWideStringList_Append(options, wide.as_ptr()) })
    }
}

fn c_string(bytes: &[u8]) -> Result<CString, StartError> {
    CString::new(bytes).map_err(|_| StartError::Nul(String::from_utf8_lossy(bytes).into_owned()))
}

fn check(status: ffi::PyStatus) -> Result<(), StartError> {
    // SAFETY: a status that CPython returned.
    if unsafe { ffi::PyStatus_Exception(status) } == 0 {
        return Ok(());
    }
    let text = |pointer: *const std::ffi::c_char| {
        // SAFETY: CPython's statuses point to static strings, or null.
        (!pointer.is_null())
            .then(|| unsafe { std::ffi::CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
    };
    let message = text(status.err_msg).unwrap_or_else(|| format!("exit code {}", status.exitcode));
    let reason = match text(status.func) {
        Some(function) => format!("{function}: {message}"),
        None => message,
    };
    Err(StartError::Initialise { home: String::new(), reason })
}

/// Starts CPython; on success this thread is attached to the main interpreter.
pub(crate) fn initialise(spec: &EngineSpec) -> Result<(), StartError> {
    let name_home = |error| match (error, &spec.python_home) {
        (StartError::Initialise { reason, .. }, Some(home)) => {
            StartError::Initialise { home: format!(" with python-home '{home}'"), reason }
        }
        (error, _) => error,
    };
    let mut config = Config::new();
    fill(&mut config, spec).map_err(name_home)?;
    // SAFETY: a filled configuration; CPython is not initialised (Runtime starts it once).
    check(unsafe { ffi::Py_InitializeFromConfig(config.get()) }).map_err(name_home)
}

fn fill(config: &mut Config, spec: &EngineSpec) -> Result<(), StartError> {
    let plain = config.get();
    plain.parse_argv = 0;
    plain.optimization_level = spec.optimize.into();
    if spec.dont_write_bytecode {
        plain.write_bytecode = 0;
    }
    #[cfg(Py_GIL_DISABLED)]
    {
        // As `-X gil=`: without it such a build runs without its lock until an extension needs it.
        plain.enable_gil = i32::from(!spec.interpreters.free_threading);
    }
    if let Some(seed) = spec.hash_seed {
        plain.use_hash_seed = 1;
        plain.hash_seed = seed.into();
    }
    for option in &spec.warnings {
        config.warn(option)?;
    }
    let home = spec.python_home.as_ref().map(Path::new);
    if let Some(home) = home.filter(|home| !is_venv(home)) {
        config.set(|config| &raw mut config.home, home)?;
    }
    if let Some(executable) = executable(home) {
        // Without it CPython looks for `python3` on PATH; in a virtual environment it leads to
        // pyvenv.cfg and from there to the base installation.
        config.set(|config| &raw mut config.program_name, &executable)?;
        config.set(|config| &raw mut config.executable, &executable)?;
    }
    Ok(())
}

/// Whether this Python runs without interpreter locks: it can, and was told to.
pub(crate) fn runs_without_lock(spec: &EngineSpec) -> bool {
    cfg!(Py_GIL_DISABLED) && spec.interpreters.free_threading
}

/// What the process is told to do and cannot, or what means nothing because of what it does.
pub(crate) fn warn(spec: &EngineSpec) {
    if spec.interpreters.free_threading && !runs_without_lock(spec) {
        let text = "WSGI0200: WSGIFreeThreading On has no effect: this Python is not a \
                    free-threaded build.";
        log::process(Level::WARNING, text);
    }
    if runs_without_lock(spec) {
        for (tag, name) in spec.interpreters.idle_without_lock(spec.switch_interval.is_some()) {
            let text = format!("{tag}: {name} has no effect: Python runs without its lock.");
            log::process(Level::WARNING, &text);
        }
    }
}

fn is_venv(home: &Path) -> bool {
    home.join("pyvenv.cfg").is_file()
}

/// The interpreter program that belongs to the library in this process.
fn executable(home: Option<&Path>) -> Option<PathBuf> {
    let Some(home) = home else {
        return option_env!("WSGI_PYTHON_EXECUTABLE")
            .map(PathBuf::from)
            .filter(|path| path.exists());
    };
    if is_venv(home) {
        return Some(home.join("bin/python"));
    }
    let names = [concat_version(), "python3".to_owned(), "python".to_owned()];
    names.iter().map(|name| home.join("bin").join(name)).find(|path| path.exists())
}

/// `python3.11`.
fn concat_version() -> String {
    // SAFETY: callable before initialisation.
    let version = unsafe { ffi::Py_GetVersion() };
    // SAFETY: a static C string of libpython.
    let version = unsafe { std::ffi::CStr::from_ptr(version) };
    let version = version.to_string_lossy();
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next().unwrap_or("3"), numbers.next().unwrap_or_default());
    format!("python{major}.{minor}")
}
