//! httpd's regular expressions (PCRE in httpd's own dialect).

use std::{ffi::CStr, ops::Range, ptr::NonNull};

use super::pool::Pool;
use crate::ffi;

/// Number of groups with a `$n` of their own.
const GROUPS: usize = 10;

/// A compiled pattern that lives as long as the configuration.
#[derive(Clone, Copy)]
pub(crate) struct Regex(NonNull<ffi::ap_regex_t>);

// SAFETY: a compiled pattern is never written to after ap_pregcomp; httpd itself runs patterns
// of the configuration from all of its threads.
unsafe impl Send for Regex {}
// SAFETY: as above.
unsafe impl Sync for Regex {}

impl Regex {
    /// Compiles `pattern` as `ScriptAliasMatch` does; `None` when it is not valid.
    pub(crate) fn compile(pool: Pool<'_>, pattern: &CStr) -> Option<Self> {
        // SAFETY: a live pool and a NUL-terminated pattern.
        let regex = unsafe {
            ffi::ap_pregcomp(pool.as_ptr(), pattern.as_ptr(), ffi::AP_REG_EXTENDED.cast_signed())
        };
        NonNull::new(regex).map(Self)
    }

    /// Byte ranges of the whole match and of its groups, or `None` when there is no match.
    pub(crate) fn find(self, subject: &CStr) -> Option<[Option<Range<usize>>; GROUPS]> {
        let mut spans = [ffi::ap_regmatch_t { rm_so: -1, rm_eo: -1 }; GROUPS];
        // SAFETY: a live pattern, a NUL-terminated subject, room for GROUPS spans.
        let status = unsafe {
            ffi::ap_regexec(self.0.as_ptr(), subject.as_ptr(), GROUPS, spans.as_mut_ptr(), 0)
        };
        (status == 0).then(|| {
            spans.map(|span| {
                let start = usize::try_from(span.rm_so).ok()?;
                let end = usize::try_from(span.rm_eo).ok()?;
                Some(start..end)
            })
        })
    }
}
