//! Who may see the status: whoever a `Require` beside `SetHandler wsgi-status` lets in. Where there
//! is none, or where the handler was not set in the configuration files of the server, whoever is
//! on this machine.

use super::HANDLER;
use crate::{
    apache::{Request, Server, tree},
    request::Failure,
};

/// Refuses whoever may not.
pub(super) fn check(request: Request<'_>) -> Result<(), Failure> {
    // httpd has carried out the Require lines that there are before it called a handler.
    let is_guarded = || request.has_handler_of_server() && request.server().is_some_and(is_guarded);
    if request.is_from_here() || is_guarded() {
        return Ok(());
    }
    let text = "wsgi-status answers only clients on this machine, because there is no Require \
                beside \"SetHandler wsgi-status\" in the server's configuration";
    Err(Failure::new(403, 1051, text))
}

/// Whether every `SetHandler wsgi-status` has a `Require` beside it. (Which of them is in force for
/// a request does not show; one that has none shall not profit from those that have.)
fn is_guarded(server: Server<'_>) -> bool {
    let is_ours = |line: &tree::Line<'_>| {
        let arguments = line.arguments.to_bytes();
        let arguments = arguments.strip_prefix(b"\"").unwrap_or(arguments);
        line.directive.to_bytes().eq_ignore_ascii_case(b"SetHandler")
            && arguments.get(..HANDLER.len()).is_some_and(|name| name.eq_ignore_ascii_case(HANDLER))
    };
    let mut lines = tree::lines(server).filter(is_ours).peekable();
    lines.peek().is_some() && lines.all(|line| line.has_beside(b"Require"))
}
