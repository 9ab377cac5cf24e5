//! The authorization provider `wsgi-group`: WSGIAuthGroupScript.

use std::ffi::CStr;

use wsgi_core::{
    decide::{Question, Verdict},
    directives::split_words,
    level::Level,
};

use super::ask::ask;
use crate::{
    apache::{
        Request, log,
        provider::{Authz, GroupProvider},
    },
    request::subject,
};

/// Asks `groups_for_user`. What fails is an error and no denial: `Require not` would make that no
/// objection.
pub(crate) struct Groups;

impl GroupProvider for Groups {
    fn check(request: Request<'_>, line: &CStr) -> Authz {
        let Some(user) = request.user() else { return Authz::DeniedNoUser };
        let script = request.dir_config().and_then(|dir| dir.config.auth_group_script.as_ref());
        let Some(script) = script else {
            let why = "Location of the group script is not given (WSGIAuthGroupScript)";
            let code = 58;
            tell(request, code, why);
            return Authz::GeneralError;
        };
        let groups = match ask(request, script, &Question::Groups { user: user.to_bytes() }) {
            Verdict::Groups(groups) => groups,
            // Anything else has failed, which is logged.
            _ => return Authz::GeneralError,
        };
        let shown = user.to_bytes().escape_ascii();
        if groups.is_empty() {
            let code = 59;
            tell(request, code, &format!("Authorization of user '{shown}' failed: in no group"));
            return Authz::Denied;
        }
        let wanted = split_words(&line.to_string_lossy());
        if groups.iter().any(|group| wanted.iter().any(|name| name.as_bytes() == group)) {
            return Authz::Granted;
        }
        let code = 60;
        let why = format!(
            "Authorization of user '{shown}' failed: not a member of designated groups '{}'",
            line.to_bytes().escape_ascii()
        );
        tell(request, code, &why);
        Authz::Denied
    }
}

fn tell(request: Request<'_>, code: u16, why: &str) {
    log::request(request, Level::ERROR, Some(code), &format!("{why}: {}", subject(request)));
}
