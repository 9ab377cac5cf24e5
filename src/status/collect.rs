//! Asks the supervisor and the daemons, and adds what httpd's children can see of the counters.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wsgi_core::status::{
    inquiry::{Answer, Inquiry, StackReport},
    report::{Counted, Report},
};

use crate::{
    apache::{Request, module},
    resolved::Resolved,
};

/// How long answers are waited for. The supervisor and the daemons' watchers wait for nobody, so
/// that one which has not answered by then is stopped, or the machine is.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a Python stack is waited for: somebody must let go of the interpreter's lock for it.
const STACK_PATIENCE: Duration = Duration::from_secs(2);

fn resolved(request: Request<'_>) -> Option<&Resolved> {
    module::server_state(request.server()?)?.main_handle().resolved.get()
}

/// All that is known now.
pub(super) fn report(request: Request<'_>) -> Report {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let Some(resolved) = resolved(request) else {
        return Report::new(Vec::new(), Vec::new(), time, None);
    };
    let counted = resolved.groups.iter().map(|(name, group)| Counted {
        name: name.clone(),
        processes: group.spec.processes,
        threads: group.spec.threads,
        totals: group.link.get().map(|link| link.tallies.totals()).unwrap_or_default(),
    });
    let counted: Vec<Counted> = counted.collect();
    let mut report = match counted.is_empty() {
        true => Report::new(counted, Vec::new(), time, None),
        false => of_daemons(resolved, counted, time),
    };
    if let Some(board) = resolved.board.get()
        && let Some(embedded) = board.report()
    {
        report.add_embedded(embedded, board.totals());
    }
    report
}

fn of_daemons(resolved: &Resolved, counted: Vec<Counted>, time: f64) -> Report {
    let (answers, problem) = ask(resolved, &Inquiry::Status, PATIENCE);
    Report::new(counted, answers, time, problem)
}

/// The answers, and what is missing.
fn ask(resolved: &Resolved, inquiry: &Inquiry, limit: Duration) -> (Vec<Answer>, Option<String>) {
    let asked = resolved.inquirer.get().map(|inquirer| inquirer.ask(inquiry, limit));
    match asked {
        None => (Vec::new(), Some("there is no supervisor to ask".to_owned())),
        Some(Err(error)) => (Vec::new(), Some(format!("the supervisor cannot be asked: {error}"))),
        Some(Ok((answers, true))) => (answers, None),
        Some(Ok((answers, false))) => {
            let seconds = limit.as_secs();
            let knows = answers.iter().any(|answer| matches!(answer, Answer::Groups { .. }));
            let who = if knows { "a daemon process" } else { "the supervisor" };
            let text = format!("{who} has not answered within {seconds} s");
            (answers, Some(text))
        }
    }
}

/// The Python stack of one request.
pub(super) fn stack(request: Request<'_>, inquiry: &Inquiry) -> StackReport {
    let problem = |problem: &str| StackReport {
        group: inquiry.group().unwrap_or_default().to_owned(),
        epoch: 0,
        pid: 0,
        thread: 0,
        request: None,
        application_group: None,
        lines: Vec::new(),
        problem: Some(problem.to_owned()),
    };
    let Some(resolved) = resolved(request) else { return problem("not configured") };
    let (answers, missing) = ask(resolved, inquiry, STACK_PATIENCE);
    // The first answer is the supervisor's.
    let refused = match answers.first() {
        Some(Answer::Refused { text }) => Some(text.clone()),
        _ => None,
    };
    let was_asked = matches!(answers.first(), Some(Answer::Done { .. }));
    let stack = answers.into_iter().find_map(|answer| match answer {
        Answer::Stack(stack) => Some(stack),
        _ => None,
    });
    match (stack, refused) {
        (Some(stack), _) => stack,
        (None, Some(text)) => problem(&text),
        (None, None) if was_asked => problem(
            "no answer within 2 s: a thread of the process holds the interpreter lock and does \
             not let go of it (a long call in C code, for instance)",
        ),
        (None, None) => problem(&missing.unwrap_or_else(|| "the process has ended".to_owned())),
    }
}
