//! Answers daemons that ask for httpd's scoreboard, and operators who ask what is going on in an
//! httpd without a supervisor: a thread of each child for either.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    thread,
    time::Duration,
};

use wsgi_core::{
    control::{decode, encode},
    level::Level,
    status::inquiry::{Answer, Inquiry},
};
use wsgi_ipc::{
    inquiries::{self, Asked},
    process::spawn_quiet,
};

use crate::{
    apache::{Server, log, module::MainState, scoreboard},
    resolved::Resolved,
    supervisor,
};

/// How long to wait when this process has no descriptor left for an operator.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts the threads, each where somebody may ask it.
pub(crate) fn child_start(
    server: Server<'static>,
    main: &'static MainState,
    control: Option<OwnedFd>,
) {
    let Some(resolved) = main.resolved.get() else { return };
    if let Some(control) = control {
        // One that does not start leaves them to the other children.
        spawn_quiet("wsgi-operators", move || attend(resolved, &control)).ok();
    }
    let may_ask = resolved.groups.values().any(|group| group.spec.engine.server_metrics);
    let Some(questions) = may_ask.then(|| supervisor::questions(server)).flatten() else { return };
    let answer = move || {
        let make = || scoreboard::read().map(|metrics| metrics.encode());
        while questions.answer(make) {}
    };
    if let Err(error) = spawn_quiet("wsgi-answers", answer) {
        let text = format!("mod_wsgi.server_metrics() is not answered by this child: {error}");
        log::server(server, Level::WARNING, Some(1050), &text);
    }
}

/// Answers operators, one after the other.
fn attend(resolved: &Resolved, control: &OwnedFd) {
    loop {
        match inquiries::accept(control.as_fd()) {
            Ok(client) => {
                while let Asked::Question(bytes, asker) = inquiries::take(client.as_fd()) {
                    if let Ok(answer) = encode(&answer(resolved, &bytes)) {
                        // Whoever has asked may have gone.
                        inquiries::answer(asker.as_fd(), 0, &answer).ok();
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn answer(resolved: &Resolved, question: &[u8]) -> Answer {
    match decode(question) {
        Ok(Inquiry::Status) => {
            let embedded = resolved.board.get().and_then(supervisor::Board::report);
            Answer::Groups { groups: embedded.into_iter().collect(), asked: Vec::new() }
        }
        _ => Answer::Refused { text: "there is no daemon process group".to_owned() },
    }
}
