//! When a file was last changed, as every part of the project compares it.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// A file's modification time, µs since the epoch, cut as httpd's `apr_time_t` is.
pub fn modification_time(path: &Path) -> io::Result<i64> {
    let status = fs::metadata(path)?;
    Ok(status.mtime().saturating_mul(1_000_000).saturating_add(status.mtime_nsec() / 1000))
}
