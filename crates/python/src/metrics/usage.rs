//! What the process uses of the machine, and what that says about itself.

use std::{ffi::CStr, fs, time::Duration};

use wsgi_core::metrics::{Cpu, Usage};

/// Everything.
pub(super) fn current() -> Usage {
    let Some(usage) = resources(libc::RUSAGE_SELF) else { return Usage::default() };
    let (memory, peak) = (resident(), u64::try_from(usage.ru_maxrss).unwrap_or(0));
    // The kernel's peak may lag behind.
    let memory_peak = peak.saturating_mul(1024).max(memory);
    Usage { cpu: cpu_of(&usage), memory, memory_peak }
}

/// CPU time of the process.
pub(super) fn cpu() -> Cpu {
    resources(libc::RUSAGE_SELF).as_ref().map(cpu_of).unwrap_or_default()
}

/// CPU time of this thread.
pub(crate) fn thread_cpu() -> Cpu {
    resources(libc::RUSAGE_THREAD).as_ref().map(cpu_of).unwrap_or_default()
}

fn resources(of: libc::c_int) -> Option<libc::rusage> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: memory of the right size, which the function fills.
    if unsafe { libc::getrusage(of, usage.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: filled by the successful call.
    Some(unsafe { usage.assume_init() })
}

fn cpu_of(usage: &libc::rusage) -> Cpu {
    Cpu { user: duration(usage.ru_utime), system: duration(usage.ru_stime) }
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let microseconds = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(microseconds)
}

/// Bytes of the process's memory that are in RAM; 0 where the system does not tell (chroot).
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    // SAFETY: takes and returns numbers.
    let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(0);
    pages.unwrap_or(0).saturating_mul(page)
}

/// The version of CPython, as numbers.
pub(super) fn python_version() -> String {
    // SAFETY: callable at any time.
    let version = unsafe { pyo3_ffi::Py_GetVersion() };
    // SAFETY: a static C string of libpython.
    let version = unsafe { CStr::from_ptr(version) }.to_string_lossy();
    version.split(' ').next().unwrap_or_default().to_owned()
}

/// The machine's name.
pub(super) fn host_name() -> String {
    let mut name = [0u8; 256];
    // SAFETY: a buffer and less than its length, so that it ends with a NUL.
    if unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) } != 0 {
        return String::new();
    }
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_memory_and_its_threads_less_cpu_time_than_itself() {
        let usage = current();
        assert!(usage.memory > 100_000 && usage.memory_peak >= usage.memory / 2, "{usage:?}");
        let (thread, process) = (thread_cpu(), cpu());
        // Only together: the kernel divides each into its parts by samples of its own.
        assert!(thread.user + thread.system <= process.user + process.system);
    }
}
