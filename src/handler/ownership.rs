//! Whether script and directory belong to whom `script-user` or `script-group` names, looked at
//! again for each request: it is the script that will run that counts, not the URL's file.

use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt, path::Path};

use wsgi_core::ownership::{Flaw, ScriptOwner};

use crate::{
    facts::file_facts,
    request::{Failure, Job, subject},
    resolved::Group,
};

/// What is looked at.
#[derive(Clone, Copy)]
enum Part {
    Script,
    Directory,
}

/// Refuses a script that belongs to somebody else or that others may write to.
pub(super) fn check(job: &Job<'_>, group: &Group) -> Result<(), Failure> {
    let Some(owner) = group.definition.script_owner else { return Ok(()) };
    let script = Path::new(OsStr::from_bytes(job.script));
    let directory = script.parent().unwrap_or(script);
    for (part, path) in [(Part::Script, script), (Part::Directory, directory)] {
        let text = match file_facts(path).map(|found| owner.flaw(found)) {
            Ok(None) => continue,
            Ok(Some(flaw)) => refusal(job, group, owner, part, flaw),
            Err(error) => unknown(job, owner, part, &error),
        };
        return Err(text);
    }
    Ok(())
}

fn refusal(job: &Job<'_>, group: &Group, owner: ScriptOwner, part: Part, flaw: Flaw) -> Failure {
    let code = match (owner, part, flaw) {
        (ScriptOwner::Group(_), Part::Script, Flaw::OtherOwner(_)) => 155,
        (ScriptOwner::Group(_), Part::Script, _) => 157,
        (ScriptOwner::Group(_), Part::Directory, Flaw::OtherOwner(_)) => 160,
        (ScriptOwner::Group(_), Part::Directory, _) => 161,
        (ScriptOwner::User(_), Part::Script, Flaw::OtherOwner(_)) => 164,
        (ScriptOwner::User(_), Part::Script, Flaw::WritableToGroup) => 166,
        (ScriptOwner::User(_), Part::Script, Flaw::WritableToWorld) => 168,
        (ScriptOwner::User(_), Part::Directory, Flaw::OtherOwner(_)) => 171,
        (ScriptOwner::User(_), Part::Directory, Flaw::WritableToWorld) => 172,
        (ScriptOwner::User(_), Part::Directory, Flaw::WritableToGroup) => 173,
    };
    let (what, name) = (part.words(), &group.definition.name);
    let text = match (owner, flaw) {
        (ScriptOwner::User(required), Flaw::OtherOwner(found)) => format!(
            "{what} has owner with uid {found}, which does not match user with uid {required} \
             required for daemon process '{name}' (script-user)"
        ),
        (ScriptOwner::Group(required), Flaw::OtherOwner(found)) => format!(
            "{what} has group with gid {found}, which does not match group with gid {required} \
             required for daemon process '{name}' (script-group)"
        ),
        (_, Flaw::WritableToGroup) => format!("{what} is writable to group"),
        (_, Flaw::WritableToWorld) => format!("{what} is writable to world"),
    };
    Failure::new(403, code, format!("{text}: {}", subject(job.request)))
}

fn unknown(job: &Job<'_>, owner: ScriptOwner, part: Part, error: &io::Error) -> Failure {
    let code = match (owner, part) {
        (ScriptOwner::Group(_), Part::Script) => 153,
        (ScriptOwner::Group(_), Part::Directory) => 158,
        (ScriptOwner::User(_), Part::Script) => 162,
        (ScriptOwner::User(_), Part::Directory) => 169,
    };
    let text = format!("Unable to look at {}: {error}: {}", part.words(), subject(job.request));
    Failure::new(403, code, text)
}

impl Part {
    fn words(self) -> &'static str {
        match self {
            Self::Script => "WSGI script file",
            Self::Directory => "Parent directory of WSGI script file",
        }
    }
}
