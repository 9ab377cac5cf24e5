//! A request of ours on its way to an answer: what was decided about it (`Job`), what its
//! application is told (`environ`, `forwarded` for what proxies say, `withheld` for what it is not
//! told), the body that httpd has read for it (`stored`) or reads while it runs (`incoming`), how the
//! answer leaves (`respond`), what logs show of it (`notes`), and the one place where a failure
//! becomes a status and a log record (`failure`).

mod environ;
mod failure;
mod forwarded;
mod incoming;
pub(crate) mod notes;
mod respond;
mod stored;
mod withheld;

pub(crate) use environ::{
    Transfer, encode as encode_head, encode_dispatch as encode_dispatch_head, is_plain_header,
    request_uri,
};
pub(crate) use failure::{Failure, subject};
pub(crate) use incoming::{Incoming, PIECE};
pub(crate) use respond::Responder;
pub(crate) use stored::{Stored, memory_of, no_room};

use wsgi_core::{chroot, mapping::Resolved as Choice};

use crate::{apache::Request, resolved::Resolved};

/// A request that may run, with everything that was decided about it.
pub(crate) struct Job<'r> {
    /// The request.
    pub(crate) request: Request<'r>,
    /// The configuration.
    pub(crate) resolved: &'r Resolved,
    /// Where and how it runs.
    pub(crate) choice: Choice<'r>,
    /// The script's file.
    pub(crate) script: &'r [u8],
    /// Whether it is one of WSGIHandlerScript.
    pub(crate) is_handler_script: bool,
    /// Modification time of the script, µs since the epoch.
    pub(crate) script_modified: i64,
    /// Whether a body may follow.
    pub(crate) has_body: bool,
    /// Root directory of the processes it runs in, where that is not httpd's.
    pub(crate) root: Option<&'r str>,
}

impl Job<'_> {
    /// A path as the application sees it; None for one that is outside of its root directory.
    pub(crate) fn seen<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        match self.root {
            None => Some(path),
            Some(root) => chroot::inside(root, path),
        }
    }
}
