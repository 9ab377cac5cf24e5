//! The supervisor and what belongs to it, as httpd's parent keeps them over its configurations.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    time::{Duration, Instant},
};

use wsgi_core::{
    control::{self, ToSupervisor},
    level::Level,
};
use wsgi_ipc::{room, socket};

use super::{board::BoardMemory, inquiries::Inquiries, memory::GroupMemory, questions::Questions};
use crate::{
    apache::{Server, log, module::MainState, process},
    resolved::{Group, Installation, Resolved},
};

/// Seconds that httpd may take to read a configuration.
const CLAIM: u32 = 30;

/// Grace beyond the daemons' own shutdown-timeout when httpd stops.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// A supervisor that lived shorter than this died while starting.
pub(super) const SHORT_LIFE: Duration = Duration::from_secs(1);

/// How often in a row it may die while starting before starts are spaced out.
const QUICK_STARTS: u32 = 3;

/// Descriptors of a group in httpd's parent, and of everything else of ours.
const GROUP_FILES: u64 = 5;
const OTHER_FILES: u64 = 100;

/// What outlives configurations: it hangs on httpd's process pool. Only the parent's one thread
/// touches it.
#[derive(Default)]
pub(super) struct Parent {
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

/// The supervisor that runs.
struct Running {
    pid: i32,
    control: OwnedFd,
    since: Instant,
}

impl Parent {
    /// Takes a configuration over, which the supervisor then serves. Without daemon groups there
    /// need not be one.
    pub(super) fn take_over(
        &mut self,
        server: Server<'_>,
        main: &MainState,
        resolved: &Resolved,
    ) -> Result<(), String> {
        self.pid = process::own_pid();
        self.open_board(server, resolved);
        if resolved.groups.is_empty() && self.running.is_none() {
            self.open_control(server, resolved);
            return Ok(());
        }
        self.attend();
        let groups = resolved.groups.len() as u64;
        // Where the system does not allow it, what cannot be opened says so.
        room::make(groups.saturating_mul(GROUP_FILES).saturating_add(OTHER_FILES)).ok();
        self.open_links(server, resolved)?;
        self.open_questions(resolved).map_err(|error| error.to_string())?;
        self.open_inquiries(server, resolved).map_err(|error| error.to_string())?;
        self.start_and_configure(server, main, resolved)
    }

    /// The ways from httpd's children to the groups.
    fn open_links(&mut self, server: Server<'_>, resolved: &Resolved) -> Result<(), String> {
        for (name, group) in &resolved.groups {
            let memory = self.memory(name, group).map_err(|error| {
                format!("cannot create the socket of group \"{name}\": {error}{}", remedy(&error))
            })?;
            for (code, text) in memory.size_buffers(group.definition.buffers) {
                let text = format!("WSGIDaemonProcess {name}: {text}");
                log::server(server, Level::WARNING, Some(code), &text);
            }
            let link = memory
                .link(group.definition.buffers)
                .map_err(|error| format!("group \"{name}\": {error}{}", remedy(&error)))?;
            // Set once for a configuration; a second post_config gets a configuration of its own.
            group.link.set(link).ok();
        }
        Ok(())
    }

    fn memory(&mut self, name: &str, group: &Group) -> io::Result<&GroupMemory> {
        match self.groups.entry(name.to_owned()) {
            Entry::Occupied(entry) => {
                let memory = entry.into_mut();
                memory.fit(group)?;
                Ok(memory)
            }
            Entry::Vacant(entry) => Ok(entry.insert(GroupMemory::create(group)?)),
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

    /// Hands a configuration to the supervisor, or to a new one.
    pub(super) fn start_and_configure(
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
    pub(super) fn let_go(&self) {
        let Some(running) = &self.running else { return };
        if let Ok(message) = control::encode(&ToSupervisor::Unclaimed(CLAIM)) {
            // One that cannot be told has gone, or goes on as it was.
            socket::send_packet(running.control.as_fd(), &message, &[]).ok();
        }
    }

    /// httpd stops: ends the supervisor, which has so long to end everything.
    pub(super) fn stop(&mut self, limit: Duration) {
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

    /// The process id of the supervisor that runs.
    pub(super) fn supervisor(&self) -> Option<i32> {
        self.running.as_ref().map(|running| running.pid)
    }

    /// A supervisor has died: whether it died while starting, again and again. `None` when it is
    /// not the one that runs.
    pub(super) fn note_death(&mut self, pid: i32) -> Option<bool> {
        let died = self.running.take_if(|running| running.pid == pid)?;
        let is_quick = died.since.elapsed() < SHORT_LIFE;
        self.quick_deaths = if is_quick { self.quick_deaths + 1 } else { 0 };
        Some(self.quick_deaths >= QUICK_STARTS)
    }

    /// In a child: lets go of what only the parent and the daemons need.
    pub(super) fn leave_to_child(&mut self) {
        if self.pid == process::own_pid() {
            return; // httpd -X: parent and child in one
        }
        // Closes this child's copy of the control socket: the parent's end must be its only one.
        self.running = None;
        self.groups.clear();
        self.inquiries = None;
        self.board = None;
        if let Some(questions) = &mut self.questions {
            questions.leave_asking();
        }
    }

    /// The control socket, where no supervisor answers.
    pub(super) fn unattended(&self) -> Option<OwnedFd> {
        self.inquiries.as_ref().filter(|_| self.is_unattended)?.control()
    }

    /// What daemons may ask, where one may.
    pub(super) fn questions(&self) -> Option<Questions> {
        self.questions.clone()
    }
}

/// What helps where a group cannot be made.
fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EMFILE) => "; let httpd open more files (LimitNOFILE= of its unit, ulimit -Hn)",
        _ => "",
    }
}
