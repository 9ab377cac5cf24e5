//! The access_checker hook: WSGIAccessScript.

use wsgi_core::{
    decide::{Question, Verdict},
    level::Level,
};

use super::ask::ask;
use crate::{
    apache::{
        Request,
        hook::{RequestHook, Status},
        log,
    },
    request::subject,
};

/// Asks `allow_access` whether the client's host may come in.
pub(crate) struct CheckAccess;

impl RequestHook for CheckAccess {
    const NAME: &'static str = "access_checker";

    fn run(request: Request<'_>) -> Status {
        let script = request.dir_config().and_then(|dir| dir.config.access_script.as_ref());
        let Some(script) = script else { return Status::Declined };
        let host = request.client_host().unwrap_or_else(|| request.client_address());
        match ask(request, script, &Question::Access { host: host.to_bytes() }) {
            Verdict::Granted => Status::Ok,
            Verdict::Unknown => Status::Declined,
            Verdict::Denied => {
                if !request.may_satisfy_as_user() {
                    let text = format!("Client denied by access script: {}", subject(request));
                    log::request(request, Level::ERROR, Some(57), &text);
                }
                Status::Http(403)
            }
            // Anything else has failed, which is logged.
            _ => Status::Http(403),
        }
    }
}
