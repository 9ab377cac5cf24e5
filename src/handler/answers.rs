//! Answers daemons that ask for httpd's scoreboard, in a thread of each child.

use wsgi_core::level::Level;
use wsgi_ipc::process::spawn_quiet;

use crate::{
    apache::{Server, log, module::MainState, scoreboard},
    supervisor,
};

/// Starts the thread where a daemon group may ask.
pub(crate) fn child_start(server: Server<'static>, main: &MainState) {
    let Some(resolved) = main.resolved.get() else { return };
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
