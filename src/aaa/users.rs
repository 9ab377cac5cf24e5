//! The authentication provider `wsgi`: WSGIAuthUserScript.

use std::ffi::CStr;

use wsgi_core::{
    decide::{Question, Verdict},
    directives::AuthScript,
};

use super::ask::ask;
use crate::{
    apache::{
        Request,
        provider::{Authn, UserProvider},
    },
    request::{Failure, subject},
};

/// Asks `check_password` or `get_realm_hash`.
pub(crate) struct Users;

impl UserProvider for Users {
    fn check_password(request: Request<'_>, user: &CStr, password: &CStr) -> Authn {
        let code = 41;
        let Some(script) = script(request) else { return no_script(request, code) };
        let (user, password) = (user.to_bytes(), password.to_bytes());
        match ask(request, script, &Question::Password { user, password }) {
            Verdict::Granted => Authn::Granted,
            Verdict::Denied => Authn::Denied,
            Verdict::Unknown => Authn::UserNotFound,
            Verdict::Text(name) => {
                request.set_user(&name);
                Authn::Granted
            }
            // Anything else has failed, which is logged.
            _ => Authn::GeneralError,
        }
    }

    fn realm_hash(request: Request<'_>, user: &CStr, realm: &CStr) -> Result<Vec<u8>, Authn> {
        let code = 44;
        let Some(script) = script(request) else { return Err(no_script(request, code)) };
        let (user, realm) = (user.to_bytes(), realm.to_bytes());
        match ask(request, script, &Question::RealmHash { user, realm }) {
            Verdict::Text(hash) => Ok(hash),
            Verdict::Unknown => Err(Authn::UserNotFound),
            _ => Err(Authn::GeneralError),
        }
    }
}

fn script<'r>(request: Request<'r>) -> Option<&'r AuthScript> {
    request.dir_config()?.config.auth_user_script.as_ref()
}

/// The provider is in force, and nothing says what it is to ask.
fn no_script(request: Request<'_>, code: u16) -> Authn {
    let text = format!(
        "Location of the user authentication script is not given (WSGIAuthUserScript): {}",
        subject(request)
    );
    // httpd turns the provider's error into the status that the failure names too.
    Failure::new(500, code, text).report(request);
    Authn::GeneralError
}
