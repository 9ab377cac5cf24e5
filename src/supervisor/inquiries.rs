//! How questions reach the supervisor: from httpd's children by a socket that is made once and kept
//! for the life of the parent, from the operator by a control socket beside the PidFile.

use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    time::Duration,
};

use wsgi_core::{
    control::{decode, encode},
    level::Level,
    status::inquiry::{Answer, Inquiry, vouched},
};
use wsgi_ipc::{inquiries, socket};

use crate::apache::{Server, log};

/// The sockets, in httpd's parent.
pub(super) struct Inquiries {
    askers: OwnedFd,
    asked: OwnedFd,
    control: Option<(OwnedFd, PathBuf)>,
}

impl Inquiries {
    /// Makes the sockets. Without a control socket httpd serves all the same.
    pub(super) fn open(server: Server<'_>) -> io::Result<Self> {
        let (askers, asked) = socket::pair()?;
        let control = control_path(server).and_then(|path| {
            let listener = inquiries::listen_at(path.to_str()?);
            let listener = listener.inspect_err(|error| {
                let path = path.display();
                let text = format!("no control socket at \"{path}\": {error}");
                log::server(server, Level::INFO, None, &text);
            });
            Some((listener.ok()?, path))
        });
        Ok(Self { askers, asked, control })
    }

    /// The children's end.
    pub(super) fn inquirer(&self) -> io::Result<Inquirer> {
        Ok(Inquirer(self.askers.try_clone()?))
    }

    /// For the supervisor, in the order of [`wsgi_core::control::ToSupervisor::Inquiries`].
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let control = self.control.as_ref().map(|(listener, _)| listener.as_fd());
        [self.asked.as_fd()].into_iter().chain(control).collect()
    }

    /// A copy of the control socket.
    pub(super) fn control(&self) -> Option<OwnedFd> {
        self.control.as_ref()?.0.try_clone().ok()
    }

    /// httpd ends: so does the control socket.
    pub(super) fn end(self) {
        if let Some((_, path)) = self.control {
            // One that cannot be removed is replaced by the next start.
            fs::remove_file(path).ok();
        }
    }
}

/// Beside the PidFile, which no other server may have either, with `.wsgi` in place of `.pid`.
fn control_path(server: Server<'_>) -> Option<PathBuf> {
    let pid_file = server.pid_file()?.to_str().ok()?;
    Some(PathBuf::from(format!("{}.wsgi", pid_file.strip_suffix(".pid").unwrap_or(pid_file))))
}

/// How a child asks.
pub(crate) struct Inquirer(OwnedFd);

impl Inquirer {
    /// Asks, and gives the answers that come within `limit`, and whether these are all.
    pub(crate) fn ask(
        &self,
        inquiry: &Inquiry,
        limit: Duration,
    ) -> io::Result<(Vec<Answer>, bool)> {
        let answers = inquiries::ask(self.0.as_fd(), &encode(inquiry)?, limit)?;
        // A daemon's words: what is no answer is none.
        let decoded = |(token, bytes): &(u64, Vec<u8>)| Some((*token, decode(bytes).ok()?));
        let all = vouched(answers.all.iter().filter_map(decoded));
        Ok((all, answers.is_complete))
    }
}
