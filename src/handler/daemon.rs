//! Applications in daemon processes: finds the group and relays the exchange.

use wsgi_core::directives::{NamedServer, Visibility, visibility};

use super::ownership;
use crate::{
    apache::{Server, hook::Status, module},
    client,
    request::{Failure, Job, subject},
    resolved::Group,
};

/// The group `name`, if requests of this server may use it.
pub(super) fn group<'r>(
    job: &Job<'r>,
    server: Server<'_>,
    name: &str,
) -> Result<&'r Group, Failure> {
    let group = job.resolved.groups.get(name).ok_or_else(|| unknown(job, name))?;
    if !is_visible(group, server) {
        let text = format!(
            "Daemon process called '{name}' cannot be accessed by this WSGI application as it \
             belongs to another virtual host: {}",
            subject(job.request)
        );
        return Err(Failure::new(500, 152, text));
    }
    if group.definition.threads == 0 {
        let text = format!(
            "Daemon process group '{name}' has no threads: it runs service scripts and takes no \
             requests: {}",
            subject(job.request)
        );
        return Err(Failure::new(500, 1011, text));
    }
    Ok(group)
}

/// Runs a request in a process of the group.
pub(super) fn run(job: &Job<'_>, group: &Group) -> Result<Status, Failure> {
    ownership::check(job, group)?;
    if job.seen(job.script).is_none() {
        let root = job.root.unwrap_or_default();
        let text = format!(
            "The WSGI script is not located within the chroot directory '{root}' of daemon \
             process '{}': {}",
            group.definition.name,
            subject(job.request)
        );
        return Err(Failure::new(500, 81, text));
    }
    let link = group.link.get().ok_or_else(|| Failure::internal("group without sockets"))?;
    client::relay(job, group, link)
}

fn unknown(job: &Job<'_>, name: &str) -> Failure {
    let text = format!(
        "No WSGI daemon process called '{name}' has been configured: {}",
        subject(job.request)
    );
    Failure::new(500, 150, text)
}

/// Groups of a virtual host are for servers of its name.
fn is_visible(group: &Group, server: Server<'_>) -> bool {
    let Some(state) = module::server_state(server) else { return false };
    let main = state.main();
    let home = main.server(group.definition.server);
    let name =
        |server: Option<Server<'_>>| Some(server?.hostname()?.to_string_lossy().into_owned());
    let (home_name, own_name) = (name(home), name(Some(server)));
    let home = NamedServer { id: group.definition.server, name: home_name.as_deref() };
    let own = NamedServer { id: main.number_of(server), name: own_name.as_deref() };
    visibility(home, own) == Visibility::Visible
}
