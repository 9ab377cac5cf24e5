//! Starts the supervisor, hands it configurations, and stops it with httpd.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::CStr,
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    time::{Duration, Instant},
};

use wsgi_core::{
    control::{self, ToSupervisor},
    level::Level,
};
use wsgi_ipc::socket;

use super::{board::BoardMemory, inquiries::Inquiries, memory::GroupMemory, questions::Questions};
use crate::{
    apache::{
        Server, log,
        module::{self, MainState},
        mpm,
        process::{self, ChildNews, ChildWatcher},
    },
    resolved::{Group, Installation, Resolved},
};

/// A supervisor that lived shorter than this died while starting.
const SHORT_LIFE: Duration = Duration::from_secs(1);

/// Seconds that httpd may take to read a configuration.
const CLAIM: u32 = 30;

/// How often in a row it may die while starting before starts are spaced out.
const QUICK_STARTS: u32 = 3;

/// Grace beyond the daemons' own shutdown-timeout when httpd stops.
const GRACE: Duration = Duration::from_secs(1);

/// Longest wait at a stop when a group has `shutdown-timeout=0` (none).
const LONGEST_STOP: Duration = Duration::from_secs(300);

/// What outlives configurations: it hangs on httpd's process pool. Only the parent's one thread
/// touches it.
#[derive(Default)]
struct Parent {
    groups: BTreeMap<String, GroupMemory>,
    /// How daemons ask httpd's children, once a group may.
    questions: Option<Questions>,
    /// What httpd's children run embedded, once they may.
    board: Option<BoardMemory>,
    /// How httpd's children and the operator ask the supervisor.
    inquiries: Option<Inquiries>,
    /// No supervisor answers there.
    is_unattended: bool,
    running: Option<Running>,
    quick_deaths: u32,
    pid: u32,
}

struct Running {
    pid: i32,
    control: OwnedFd,
    since: Instant,
}

const PARENT: &CStr = c"mod_wsgi_rs:parent";

fn parent(server: Server<'_>) -> Option<&RefCell<Parent>> {
    let pool = server.process_pool()?;
    Some(pool.typed_data(PARENT, RefCell::<Parent>::default))
}

/// Makes the running supervisor (or a new one) serve this configuration. Called at every start
/// and restart, in the parent, with the configuration complete.
pub(crate) fn hand_over(server: Server<'_>, main: &MainState) -> Result<(), String> {
    let resolved = main.resolved.get().ok_or("configuration not resolved")?;
    let parent = parent(server).ok_or("no process pool")?;
    let mut parent = parent.try_borrow_mut().map_err(|error| error.to_string())?;
    parent.pid = process::own_pid();
    parent.open_board(server, resolved);
    if resolved.groups.is_empty() && parent.running.is_none() {
        parent.open_control(server, resolved);
        stop_with(server);
        return Ok(());
    }
    parent.attend();
    for (name, group) in &resolved.groups {
        let memory = parent
            .memory(name, group)
            .map_err(|error| format!("cannot create the socket of group \"{name}\": {error}"))?;
        for (code, text) in memory.size_buffers(group.definition.buffers) {
            let text = format!("WSGIDaemonProcess {name}: {text}");
            log::server(server, Level::WARNING, Some(code), &text);
        }
        let link = memory
            .link(group.definition.buffers)
            .map_err(|error| format!("group \"{name}\": {error}"))?;
        // Set once for a configuration; a second post_config gets a configuration of its own.
        group.link.set(link).ok();
    }
    parent.open_questions(resolved).map_err(|error| error.to_string())?;
    parent.open_inquiries(server, resolved).map_err(|error| error.to_string())?;
    parent.start_and_configure(server, main, resolved)?;
    stop_with(server);
    Ok(())
}

impl Parent {
    fn memory(&mut self, name: &str, group: &Group) -> io::Result<&GroupMemory> {
        match self.groups.entry(name.to_owned()) {
            std::collections::btree_map::Entry::Occupied(entry) => {
                let memory = entry.into_mut();
                memory.fit(group)?;
                Ok(memory)
            }
            std::collections::btree_map::Entry::Vacant(entry) => {
                Ok(entry.insert(GroupMemory::create(group)?))
            }
        }
    }

    fn open_questions(&mut self, resolved: &Resolved) -> io::Result<()> {
        let may_ask = resolved.groups.values().any(|group| group.spec.engine.server_metrics);
        if may_ask && self.questions.is_none() {
            self.questions = Some(Questions::new()?);
        }
        Ok(())
    }

    /// Without it httpd serves all the same, and nobody sees what runs embedded.
    fn open_board(&mut self, server: Server<'_>, resolved: &Resolved) {
        if resolved.embedded.is_none() {
            return;
        }
        let opened = match self.board.take() {
            Some(memory) => Ok(memory),
            None => BoardMemory::create(),
        };
        let opened = opened.and_then(|memory| Ok((memory.board()?, memory)));
        match opened {
            Ok((board, memory)) => {
                // Set once for a configuration, as the groups' links.
                resolved.board.set(board).ok();
                self.board = Some(memory);
            }
            Err(error) => {
                let text = format!("no status of embedded applications: {error}");
                log::server(server, Level::INFO, None, &text);
            }
        }
    }

    fn open_inquiries(&mut self, server: Server<'_>, resolved: &Resolved) -> io::Result<()> {
        let inquiries = match self.inquiries.take() {
            Some(inquiries) => inquiries,
            None => Inquiries::open(server)?,
        };
        // Set once for a configuration, as the groups' links.
        resolved.inquirer.set(inquiries.inquirer()?).ok();
        self.inquiries = Some(inquiries);
        Ok(())
    }

    /// Without a supervisor it is httpd's children that answer operators.
    fn open_control(&mut self, server: Server<'_>, resolved: &Resolved) {
        if resolved.board.get().is_some() && self.inquiries.is_none() {
            let opened = Inquiries::open(server).inspect_err(|error| {
                let text = format!("no control socket: {error}");
                log::server(server, Level::INFO, None, &text);
            });
            self.inquiries = opened.ok();
            self.is_unattended = true;
        }
    }

    /// There will be a supervisor. Children of the last configuration may still be waiting for
    /// operators, so that it gets a control socket of its own.
    fn attend(&mut self) {
        if std::mem::take(&mut self.is_unattended)
            && let Some(inquiries) = self.inquiries.take()
        {
            inquiries.end();
        }
    }

    fn start_and_configure(
        &mut self,
        server: Server<'_>,
        main: &MainState,
        resolved: &Resolved,
    ) -> Result<(), String> {
        let mut handed = Err(io::ErrorKind::BrokenPipe.into());
        if self.running.is_some() {
            handed = self.configure(server, main, resolved);
        }
        if handed.as_ref().is_err_and(socket::is_peer_gone) {
            // There is none, or it has died and httpd has not noticed yet or had nobody to tell.
            if let Some(died) = self.running.take() {
                process::wait(died.pid, GRACE);
            }
            self.start().map_err(|error| format!("cannot start the supervisor: {error}"))?;
            handed = self.configure(server, main, resolved);
        }
        if let (Some(running), Some(pool)) = (&self.running, server.configuration_pool()) {
            process::watch::<Watcher>(running.pid, pool);
        }
        handed.map_err(|error| format!("cannot hand the configuration to the supervisor: {error}"))
    }

    fn start(&mut self) -> io::Result<()> {
        let program: PathBuf = Installation::find().map_err(io::Error::other)?.supervisor();
        let (ours, theirs) = socket::pair()?;
        let pid = process::start(&program, theirs.as_fd()).map_err(|error| {
            io::Error::new(error.kind(), format!("\"{}\": {error}", program.display()))
        })?;
        self.running = Some(Running { pid, control: ours, since: Instant::now() });
        Ok(())
    }

    fn configure(
        &self,
        server: Server<'_>,
        main: &MainState,
        resolved: &Resolved,
    ) -> io::Result<()> {
        let Some(running) = &self.running else { return Ok(()) };
        let control = running.control.as_fd();
        if let Some(inquiries) = &self.inquiries {
            let message = control::encode(&ToSupervisor::Inquiries)?;
            socket::send_packet(control, &message, &inquiries.descriptors())?;
        }
        if let Some(board) = &self.board {
            let message = control::encode(&ToSupervisor::Embedded(board.spec()))?;
            socket::send_packet(control, &message, &[board.descriptor()])?;
        }
        for (name, group) in &resolved.groups {
            let Some(memory) = self.groups.get(name) else { continue };
            let home = main.server(group.definition.server).unwrap_or(server);
            let stderr = io::stderr();
            let error_log = home.error_log().unwrap_or_else(|| stderr.as_fd());
            let [listener, slots, table] = memory.descriptors();
            let mut descriptors = vec![listener, slots, table, error_log];
            if group.spec.engine.server_metrics {
                descriptors.extend(self.questions.as_ref().and_then(Questions::askers));
            }
            let message = control::encode(&ToSupervisor::Group(Box::new(group.spec.clone())))?;
            socket::send_packet(control, &message, &descriptors)?;
        }
        socket::send_packet(control, &control::encode(&ToSupervisor::Commit)?, &[])
    }

    /// httpd restarts: whether the module is in the new configuration shows when that hands itself
    /// over, or does not.
    fn let_go(&self) {
        let Some(running) = &self.running else { return };
        if let Ok(message) = control::encode(&ToSupervisor::Unclaimed(CLAIM)) {
            // One that cannot be told has gone, or goes on as it was.
            socket::send_packet(running.control.as_fd(), &message, &[]).ok();
        }
    }

    fn stop(&mut self, limit: Duration) {
        if let Some(inquiries) = self.inquiries.take() {
            inquiries.end();
        }
        let Some(running) = self.running.take() else { return };
        let told = control::encode(&ToSupervisor::Stop)
            .map_err(io::Error::other)
            .and_then(|stop| socket::send_packet(running.control.as_fd(), &stop, &[]));
        // A supervisor that cannot be told sees the end of its control socket instead.
        drop(running.control);
        if told.is_err() || !process::wait(running.pid, limit) {
            process::kill(running.pid);
            process::wait(running.pid, GRACE);
        }
    }
}

/// Ties the supervisor's end to httpd's: at a full stop the configuration goes while the server
/// record can still be asked.
fn stop_with(server: Server<'_>) {
    let (parent_pid, limit) = (process::own_pid(), longest_stop(server));
    server.at_configuration_end(move |server| {
        // A child's exit runs the cleanups it inherited.
        if process::own_pid() != parent_pid {
            return;
        }
        let Some(Ok(mut parent)) = parent(server).map(RefCell::try_borrow_mut) else { return };
        if mpm::is_exiting() {
            process::close_listeners();
            parent.stop(limit);
        } else {
            parent.let_go();
        }
    });
}

fn longest_stop(server: Server<'_>) -> Duration {
    let resolved = module::server_state(server).and_then(|state| state.main().resolved.get());
    let groups = resolved.into_iter().flat_map(|resolved| resolved.groups.values());
    let limits = groups.map(|group| group.definition.shutdown_timeout.unwrap_or(LONGEST_STOP));
    limits.max().unwrap_or_default() + GRACE
}

/// In an httpd child: lets go of what only the parent and the daemons need.
pub(crate) fn leave_to_child(server: Server<'_>) {
    let Some(parent) = parent(server) else { return };
    let Ok(mut parent) = parent.try_borrow_mut() else { return };
    if parent.pid == process::own_pid() {
        return; // httpd -X: parent and child in one
    }
    // Closes this child's copy of the control socket: the parent's end must be its only one.
    parent.running = None;
    parent.groups.clear();
    parent.inquiries = None;
    parent.board = None;
    if let Some(questions) = &mut parent.questions {
        questions.leave_asking();
    }
}

/// In an httpd child that has just started: the control socket, where no supervisor answers.
pub(crate) fn unattended(server: Server<'_>) -> Option<OwnedFd> {
    let parent = parent(server)?.try_borrow().ok()?;
    parent.inquiries.as_ref().filter(|_| parent.is_unattended)?.control()
}

/// In an httpd child: what daemons may ask, where one may.
pub(crate) fn questions(server: Server<'_>) -> Option<Questions> {
    let parent = parent(server)?.try_borrow().ok()?;
    parent.questions.clone()
}

/// httpd's news about the supervisor.
struct Watcher;

impl ChildWatcher for Watcher {
    fn news(pid: i32, news: ChildNews) {
        let Some(server) = Server::main() else { return };
        if news != ChildNews::Ended || mpm::is_exiting() {
            return;
        }
        if let Err(why) = restart(server, pid) {
            log::server(server, Level::CRIT, Some(1003), &why);
        }
    }
}

/// Starts another supervisor in the place of one that has died.
fn restart(server: Server<'_>, pid: i32) -> Result<(), String> {
    let state = module::server_state(server).ok_or("no configuration record")?;
    let resolved = state.main().resolved.get().ok_or("configuration not resolved")?;
    let parent = parent(server).ok_or("no process pool")?;
    let mut parent = parent.try_borrow_mut().map_err(|error| error.to_string())?;
    let Some(died) = parent.running.take_if(|running| running.pid == pid) else { return Ok(()) };
    let is_quick = died.since.elapsed() < SHORT_LIFE;
    parent.quick_deaths = if is_quick { parent.quick_deaths + 1 } else { 0 };
    log::server(
        server,
        Level::ERROR,
        Some(1002),
        &format!("wsgi-supervisor (pid {pid}) has died; starting it again"),
    );
    if parent.quick_deaths >= QUICK_STARTS {
        // The parent has nothing else to do; its children serve on.
        std::thread::sleep(SHORT_LIFE);
    }
    parent.start_and_configure(server, state.main(), resolved)
}
