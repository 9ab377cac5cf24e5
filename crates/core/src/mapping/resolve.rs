//! Which configuration wins for a request, and the defaults of what nobody configured.

use std::borrow::Cow;

use super::expand::{self, Lookups};
use crate::{
    decide::Changes,
    directives::{AliasOptions, DispatchScript, HandlerScript, MapHead, RequestBuffering, Scoped},
    forwarded::Trust,
};

/// Everything a request needs to know; nothing is left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// Process group; "" is embedded.
    pub process_group: Cow<'a, str>,
    /// Application group; "" is the main interpreter.
    pub application_group: Cow<'a, str>,
    /// Whether nobody has said what the application group is.
    pub is_default_group: bool,
    /// Name of the callable.
    pub callable_object: Cow<'a, str>,
    /// Whether the application sees the Authorization header.
    pub pass_authorization: bool,
    /// Whether a changed script is loaded again.
    pub script_reloading: bool,
    /// Whether httpd's error pages replace those of the application.
    pub error_override: bool,
    /// Whether bodies of unknown length are accepted.
    pub chunked_request: bool,
    /// Whether HEAD is shown as GET.
    pub map_head_to_get: MapHead,
    /// Whether an embedded application gets httpd's request record.
    pub pass_apache_request: bool,
    /// Whether the request leaves the inactivity timer alone.
    pub ignore_activity: bool,
    /// Whether files may be sent by sendfile.
    pub enable_sendfile: bool,
    /// Which headers of which proxies are believed; None for none.
    pub trust: Option<Trust<'a>>,
    /// Directories of the files that X-Sendfile may name; none: it is a header like others.
    pub sendfile_roots: &'a [String],
    /// What becomes of the request's body; None as the process group says.
    pub request_buffering: Option<RequestBuffering>,
    /// The process groups that may be used ("" is embedded); None for any.
    pub restrict_process: Option<&'a [String]>,
}

/// What is set for the directory, else for the server. Unlike `Scoped::merge` it copies nothing:
/// this runs for every request.
fn pick<'a, T>(
    server: &'a Scoped,
    dir: &'a Scoped,
    field: impl Fn(&'a Scoped) -> &'a Option<T>,
) -> Option<&'a T> {
    field(dir).as_ref().or(field(server).as_ref())
}

/// The script bound to a handler name: the directory's map lies over the server's.
pub fn handler_script<'a>(
    server: &'a Scoped,
    dir: &'a Scoped,
    handler: &str,
) -> Option<&'a HandlerScript> {
    dir.handler_scripts.0.get(handler).or_else(|| server.handler_scripts.0.get(handler))
}

/// The dispatch script in force: the directory's, else the server's.
pub fn dispatch_script<'a>(server: &'a Scoped, dir: &'a Scoped) -> Option<&'a DispatchScript> {
    pick(server, dir, |scoped| &scoped.dispatch_script)
}

/// Why the changes of a dispatch script cannot be made: a value that is no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not UTF-8")]
pub struct NotText(&'static str);

impl Resolved<'_> {
    /// Whether WSGIRestrictProcess lets the request run in the process group that was chosen.
    pub fn is_permitted(&self) -> bool {
        let permitted = |names: &[String]| names.iter().any(|name| *name == self.process_group);
        self.restrict_process.is_none_or(permitted)
    }

    /// Makes the changes of a dispatch script; its values are expanded as if configured.
    pub fn change(&mut self, changes: Changes, lookups: &dyn Lookups) -> Result<(), NotText> {
        let text = |value: Option<Vec<u8>>, name| {
            value.map(String::from_utf8).transpose().map_err(|_| NotText(name))
        };
        let process_group = text(changes.process_group, "process_group")?;
        let application_group = text(changes.application_group, "application_group")?;
        let callable_object = text(changes.callable_object, "callable_object")?;
        if let Some(value) = process_group {
            self.process_group = expand::process_group(Some(&value), lookups).into_owned().into();
        }
        if let Some(value) = application_group {
            let expanded = expand::application_group(Some(&value), lookups);
            self.application_group = expanded.into_owned().into();
            self.is_default_group = false;
        }
        if let Some(value) = callable_object {
            let expanded = expand::callable_object(Some(&value), lookups);
            self.callable_object = expanded.into_owned().into();
        }
        Ok(())
    }
}

fn trust<'a>(server: &'a Scoped, dir: &'a Scoped) -> Option<Trust<'a>> {
    let headers = pick(server, dir, |scoped| &scoped.trusted_proxy_headers)?;
    let proxies = pick(server, dir, |scoped| &scoped.trusted_proxies).map(Vec::as_slice);
    Some(Trust { headers, proxies })
}

/// What holds for a request of `server` and `dir` (each merged already). `alias` are the options
/// of the script alias that mapped it, `handler` the handler script that answers for it.
pub fn resolve<'a>(
    server: &'a Scoped,
    dir: &'a Scoped,
    alias: Option<&'a AliasOptions>,
    handler: Option<&'a HandlerScript>,
    lookups: &dyn Lookups,
) -> Resolved<'a> {
    let flag = |field: fn(&Scoped) -> &Option<bool>| pick(server, dir, field).copied();
    let process_group = handler
        .and_then(|handler| handler.process_group.as_ref())
        .or(alias.and_then(|alias| alias.process_group.as_ref()))
        .or(pick(server, dir, |scoped| &scoped.process_group));
    let application_group = handler
        .and_then(|handler| handler.application_group.as_ref())
        .or(alias.and_then(|alias| alias.application_group.as_ref()))
        .or(pick(server, dir, |scoped| &scoped.application_group));
    // The alias names its callable literally, unlike the directive.
    let of_alias = alias.and_then(|alias| alias.callable_object.as_deref());
    let callable_object = match (handler, of_alias) {
        (Some(_), _) => Cow::Borrowed("handle_request"),
        (None, Some(name)) => Cow::Borrowed(name),
        (None, None) => {
            let name = pick(server, dir, |scoped| &scoped.callable_object);
            expand::callable_object(name.map(String::as_str), lookups)
        }
    };
    let pass_authorization = handler
        .and_then(|handler| handler.pass_authorization)
        .or(alias.and_then(|alias| alias.pass_authorization))
        .or(flag(|scoped| &scoped.pass_authorization));
    Resolved {
        process_group: expand::process_group(process_group.map(String::as_str), lookups),
        is_default_group: application_group.is_none(),
        application_group: expand::application_group(
            application_group.map(String::as_str),
            lookups,
        ),
        callable_object,
        pass_authorization: pass_authorization.unwrap_or(false),
        script_reloading: flag(|scoped| &scoped.script_reloading).unwrap_or(true),
        error_override: flag(|scoped| &scoped.error_override).unwrap_or(false),
        chunked_request: flag(|scoped| &scoped.chunked_request).unwrap_or(false),
        map_head_to_get: pick(server, dir, |scoped| &scoped.map_head_to_get)
            .copied()
            .unwrap_or_default(),
        pass_apache_request: flag(|scoped| &scoped.pass_apache_request).unwrap_or(false),
        ignore_activity: flag(|scoped| &scoped.ignore_activity).unwrap_or(false),
        enable_sendfile: flag(|scoped| &scoped.enable_sendfile).unwrap_or(false),
        trust: trust(server, dir),
        sendfile_roots: pick(server, dir, |scoped| &scoped.sendfile_roots)
            .map(Vec::as_slice)
            .unwrap_or_default(),
        request_buffering: pick(server, dir, |scoped| &scoped.request_buffering).copied(),
        restrict_process: pick(server, dir, |scoped| &scoped.restrict_process).map(Vec::as_slice),
    }
}
