//! `status`, `dump`, `reload` and `drain`: questions to a running server at its control socket
//! (docs/status.md).

mod show;

use std::env;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use wsgi_core::control::{decode, encode};
use wsgi_core::status::inquiry::{Answer, Inquiry, vouched};
use wsgi_ipc::inquiries;

use crate::options::{Talk, Where};
use crate::site;

/// How long answers are waited for; a stack needs the interpreter's lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where servers of the system have their sockets.
const SYSTEM: &[&str] = &["/run/apache2/apache2.wsgi", "/run/httpd/httpd.wsgi"];

/// What the server is doing.
pub(crate) fn status(options: &Talk, as_json: bool) -> Result<ExitCode> {
    let mut answers = ask(&options.place, &Inquiry::Status)?;
    if let Some(wanted) = &options.group {
        show::keep(&mut answers, wanted);
        if show::is_empty(&answers) {
            bail!("there is no process group \"{wanted}\": see mod-wsgi-rs status");
        }
    }
    print!("{}", if as_json { show::json(&answers)? } else { show::status(&answers) });
    Ok(ExitCode::SUCCESS)
}

/// Python stacks of all threads.
pub(crate) fn dump(options: &Talk) -> Result<ExitCode> {
    let group = options.group.clone();
    let answers = ask(&options.place, &Inquiry::Dump { group })?;
    refusal(&answers)?;
    print!("{}", show::stacks(&answers));
    Ok(ExitCode::SUCCESS)
}

/// New processes in the place of the old ones.
pub(crate) fn reload(options: &Talk) -> Result<ExitCode> {
    order(&options.place, &Inquiry::Reload { group: options.group.clone() })
}

/// The end of a group's processes.
pub(crate) fn drain(place: &Where, group: &str) -> Result<ExitCode> {
    order(place, &Inquiry::Drain { group: group.to_owned() })
}

fn order(place: &Where, inquiry: &Inquiry) -> Result<ExitCode> {
    let answers = ask(place, inquiry)?;
    refusal(&answers)?;
    let done = answers.iter().find_map(|answer| match answer {
        Answer::Done { text, .. } => Some(text.as_str()),
        _ => None,
    });
    println!("{}", done.context("the server has not answered: see its error log")?);
    Ok(ExitCode::SUCCESS)
}

/// An error when the server would not do it.
fn refusal(answers: &[Answer]) -> Result<()> {
    for answer in answers {
        if let Answer::Refused { text } = answer {
            bail!("the server refuses: {text} (mod-wsgi-rs status lists its process groups)");
        }
    }
    Ok(())
}

/// All answers that come in time.
fn ask(place: &Where, inquiry: &Inquiry) -> Result<Vec<Answer>> {
    let path = socket(place)?;
    let name = path.to_str().context("the path of the socket is not UTF-8")?;
    let server = inquiries::connect_to(name).with_context(|| {
        format!(
            "no server answers at {name}; is it running, and are you root or who started it? (see --socket)"
        )
    })?;
    let answers = inquiries::ask(server.as_fd(), &encode(inquiry)?, PATIENCE)?;
    if answers.all.is_empty() {
        bail!("nobody answers at {name}: only root and who started the server may ask");
    }
    // What a daemon says in another language than ours is no answer.
    let decoded = |(token, answer): &(u64, Vec<u8>)| Some((*token, decode(answer).ok()?));
    Ok(vouched(answers.all.iter().filter_map(decoded)))
}

/// The control socket: as named, of a private server, or of the system's.
fn socket(place: &Where) -> Result<PathBuf> {
    if let Some(socket) = &place.socket {
        return Ok(socket.clone());
    }
    if let Some(root) = &place.server_root {
        return Ok(root.join("httpd.wsgi"));
    }
    let own = site::usual_root(place.host.as_deref(), place.port);
    let own = is_ours(&own).then(|| own.join("httpd.wsgi"));
    let mut known = own.into_iter().chain(SYSTEM.iter().map(PathBuf::from));
    match known.find(|path| is_socket(path)) {
        Some(path) => Ok(path),
        None => bail!(
            "no running server found for port {} (in {}) nor in /run: name its --port, --server-root or \
             --socket",
            place.port,
            env::temp_dir().display()
        ),
    }
}

/// Whether a folder was made by this user: in the temporary directory anybody may make one of that
/// name, and answer there.
fn is_ours(folder: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    folder.symlink_metadata().is_ok_and(|found| found.is_dir() && found.uid() == own)
}

fn is_socket(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.file_type().is_socket())
}
