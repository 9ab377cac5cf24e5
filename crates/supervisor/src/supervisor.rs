//! The supervisor: hears httpd, the signals and the daemons, and lets the groups act.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use wsgi_core::{
    control::{ToSupervisor, decode, encode},
    level::Level,
    status::inquiry::{Answer, Inquiry},
};
use wsgi_ipc::{inquiries, logline::ErrorLog, process, socket};

use crate::{
    check,
    desk::{Desk, Question},
    embedded::Embedded,
    event::{Poller, Token},
    group::{Context, ForDaemons, Group, Handover},
    memory::OutOfMemory,
};

/// Longest message of httpd's parent.
const LONGEST_MESSAGE: usize = 256 << 10;

/// The supervisor of one httpd.
#[derive(Debug)]
pub(crate) struct Supervisor {
    control: OwnedFd,
    poller: Poller,
    log: ErrorLog,
    groups: Vec<Group>,
    /// Groups of the configuration that is being handed over.
    incoming: Vec<Handover>,
    /// Part of it could not be taken over.
    is_incomplete: bool,
    last_id: u64,
    is_stopping: bool,
    /// When to end unless a configuration comes.
    unclaimed_until: Option<Instant>,
    memory: OutOfMemory,
    desk: Desk,
    embedded: Option<Embedded>,
}

impl Supervisor {
    /// A supervisor without groups.
    pub(crate) fn new(control: OwnedFd, log: ErrorLog) -> io::Result<Self> {
        let poller = Poller::create()?;
        poller.add(&control, Token::Httpd)?;
        Ok(Self {
            control,
            poller,
            log,
            groups: Vec::new(),
            incoming: Vec::new(),
            is_incomplete: false,
            last_id: 0,
            is_stopping: false,
            unclaimed_until: None,
            memory: OutOfMemory::watch(),
            desk: Desk::default(),
            embedded: None,
        })
    }

    /// Works until httpd stops or is gone, and all processes have ended.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        loop {
            self.each_group(Group::tend);
            self.groups.retain(|group| !group.is_over());
            if self.is_stopping && self.groups.is_empty() {
                return Ok(());
            }
            let now = Instant::now();
            if self.unclaimed_until.is_some_and(|until| now >= until) {
                self.unclaimed_until = None;
                self.log.log(Level::NOTICE, "The module is no longer configured; ending.");
                self.stop();
                continue;
            }
            let deadlines = self.groups.iter().filter_map(|group| group.deadline(now));
            let deadline = deadlines.chain(self.unclaimed_until).min();
            let limit = deadline.map(|deadline| deadline.saturating_duration_since(now));
            for token in self.poller.wait(limit)? {
                self.handle(token);
            }
        }
    }

    fn each_group(&mut self, mut act: impl FnMut(&mut Group, &mut Context<'_>)) {
        let now = Instant::now();
        for group in &mut self.groups {
            act(group, &mut Context { poller: &self.poller, last_id: &mut self.last_id, now });
        }
    }

    /// Lets the groups act until one says that it was meant.
    fn find_group(&mut self, mut act: impl FnMut(&mut Group, &mut Context<'_>) -> bool) {
        let now = Instant::now();
        // A member that ended in this round is of no group any more: then nobody is meant.
        self.groups.iter_mut().any(|group| {
            act(group, &mut Context { poller: &self.poller, last_id: &mut self.last_id, now })
        });
    }

    fn handle(&mut self, token: Token) {
        match token {
            Token::Httpd => self.hear_httpd(),
            Token::Signal => self.hear_signals(),
            Token::Member(id) => self.find_group(|group, context| group.hear(id, context)),
            Token::Setup(id) => self.find_group(|group, context| group.hear_setup(id, context)),
            Token::Orphan(id) => {
                self.find_group(|group, context| group.note_orphan_end(id, context));
            }
            Token::Inquiry => {
                let question = self.desk.hear_child(&self.poller);
                self.answer(question);
            }
            Token::Control => self.accept_client(),
            Token::Client(id) => {
                let question = self.desk.hear_client(id, &self.poller);
                self.answer(question);
            }
        }
    }

    fn hear_signals(&mut self) {
        while let Some(signal) = self.poller.next_signal() {
            if signal == libc::SIGCHLD {
                // Signals are merged: all children that have ended, ours and those that daemons
                // have left behind (we are their subreaper).
                while let Some((pid, end)) = process::reap_any() {
                    let end = self.memory.explain(end);
                    self.find_group(|group, context| group.note_end(pid, end, context));
                }
            } else {
                // Somebody wants the end, or the kernel says that httpd's parent is dead.
                self.stop();
            }
        }
    }

    fn stop(&mut self) {
        if !self.is_stopping {
            self.is_stopping = true;
            self.incoming.clear();
            self.each_group(|group, context| group.end(true, context.now));
        }
    }

    fn hear_httpd(&mut self) {
        match socket::receive_packet(self.control.as_fd(), LONGEST_MESSAGE) {
            Ok(Some((bytes, descriptors))) => match decode(&bytes) {
                Ok(message) => self.obey(message, descriptors),
                Err(error) => self.complain(&format!("malformed message: {error}")),
            },
            // A message that is too long, or one whose descriptors we have no room for.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.complain(&error.to_string());
            }
            // httpd's parent is gone.
            Ok(None) | Err(_) => {
                self.poller.remove(&self.control);
                self.stop();
            }
        }
    }

    fn accept_client(&mut self) {
        if let Err(error) = self.desk.accept(&self.poller) {
            self.log.log(
                Level::WARNING,
                &format!("WSGI1218: Somebody was sent away from the control socket: {error}."),
            );
        }
    }

    fn answer(&mut self, question: Option<Question>) {
        let Some(Question { inquiry, asker }) = question else { return };
        let (mut answer, question) = match &inquiry {
            Ok(inquiry) => self.respond(inquiry),
            Err(text) => (Answer::Refused { text: text.clone() }, None),
        };
        let mut all = Vec::new();
        if let (Ok(inquiry), Some((_, epoch))) = (&inquiry, question) {
            let meant = |group: &&Group| inquiry.group().is_none_or(|name| group.name() == name);
            all = self.groups.iter().filter(meant).flat_map(|group| group.asked(epoch)).collect();
            if let Answer::Groups { asked, .. } | Answer::Done { asked, .. } = &mut answer {
                asked.clone_from(&all);
            }
        }
        // Before any daemon has the socket: the first answer is the supervisor's, whatever a daemon
        // says. Whoever has asked may have gone.
        let answered = encode(&answer).map_err(io::Error::other);
        let answered = answered.and_then(|bytes| inquiries::answer(asker.as_fd(), 0, &bytes));
        if let (Ok(()), Some((question, _))) = (answered, question) {
            for group in &self.groups {
                group.ask(question, &all, asker.as_fd());
            }
        }
    }

    /// The supervisor's answer, and what the daemons that are meant are to be asked: all of them,
    /// or the one with a number.
    fn respond(&mut self, inquiry: &Inquiry) -> (Answer, Option<(ForDaemons, Option<u64>)>) {
        let now = Instant::now();
        let meant = inquiry.group();
        if let Some(name) = meant.filter(|name| !self.groups.iter().any(|g| g.name() == *name)) {
            let text = format!("there is no daemon process group '{name}'");
            return (Answer::Refused { text }, None);
        }
        let groups = self.groups.iter_mut();
        let mut groups = groups.filter(|group| meant.is_none_or(|name| group.name() == name));
        let done = |text: String| Answer::Done { text, asked: Vec::new() };
        match inquiry {
            Inquiry::Status => {
                let groups = groups.map(|group| group.report());
                let embedded = self.embedded.as_ref().and_then(Embedded::report);
                let groups = groups.chain(embedded).collect();
                (Answer::Groups { groups, asked: Vec::new() }, Some((ForDaemons::Report, None)))
            }
            Inquiry::Stack { epoch, thread, request, .. } => {
                if !groups.any(|group| group.answering(Some(*epoch)) > 0) {
                    return (Answer::Refused { text: "the process has ended".to_owned() }, None);
                }
                let question = ForDaemons::Stack(Some((*thread, *request)));
                (done("asked".to_owned()), Some((question, Some(*epoch))))
            }
            Inquiry::Dump { .. } => {
                let asked: usize = groups.map(|group| group.answering(None)).sum();
                let question = ForDaemons::Stack(None);
                (done(format!("{asked} processes asked")), Some((question, None)))
            }
            Inquiry::Reload { .. } => {
                let renewed = groups.map(|group| group.renew(now)).count();
                (done(format!("{renewed} groups reloaded")), None)
            }
            Inquiry::Drain { group: name } => {
                groups.for_each(|group| group.drain(now));
                (done(format!("group '{name}' drained")), None)
            }
        }
    }

    fn complain(&mut self, reason: &str) {
        self.is_incomplete = true;
        self.log.log(
            Level::ERROR,
            &format!("WSGI1212: Unable to take over the configuration from httpd: {reason}."),
        );
    }

    fn obey(&mut self, message: ToSupervisor, mut descriptors: Vec<OwnedFd>) {
        match message {
            _ if self.is_stopping => {}
            ToSupervisor::Group(spec) => {
                let questions = if descriptors.len() == 5 { descriptors.pop() } else { None };
                match <[OwnedFd; 4]>::try_from(descriptors) {
                    Ok([listener, slots, table, error_log]) => {
                        let spec = *spec;
                        let handover =
                            Handover { spec, listener, slots, table, error_log, questions };
                        self.incoming.push(handover);
                    }
                    Err(found) => {
                        let name = &spec.engine.process_group;
                        let count = found.len();
                        self.complain(&format!("group '{name}' came with {count} descriptors"));
                    }
                }
            }
            ToSupervisor::Commit => {
                self.unclaimed_until = None;
                self.commit();
            }
            ToSupervisor::Unclaimed(seconds) => {
                let claim = Duration::from_secs(u64::from(seconds));
                self.unclaimed_until = Some(Instant::now() + claim);
            }
            ToSupervisor::Inquiries => {
                if let Err(error) = self.desk.open(descriptors, &self.poller) {
                    self.complain(&format!("no questions can be answered: {error}"));
                }
            }
            ToSupervisor::Embedded(spec) => match Embedded::open(spec, &descriptors) {
                Ok(embedded) => self.embedded = Some(embedded),
                Err(error) => self.complain(&format!("what runs embedded is not seen: {error}")),
            },
            ToSupervisor::Stop => self.stop(),
            ToSupervisor::Check { group, candidates, limit } => {
                check::run(self.control.as_fd(), group, candidates, limit, descriptors);
            }
        }
    }

    /// The configuration is complete: groups are new, known or gone.
    fn commit(&mut self) {
        let now = Instant::now();
        let incoming = std::mem::take(&mut self.incoming);
        // A group that is missing because its message was lost is better kept as it is.
        let is_complete = !std::mem::take(&mut self.is_incomplete);
        for group in &mut self.groups {
            let is_kept = |handover: &Handover| handover.spec.engine.process_group == group.name();
            if is_complete && !incoming.iter().any(is_kept) {
                group.end_when_idle(now);
            }
        }
        for handover in incoming {
            let name = handover.spec.engine.process_group.clone();
            if let Err(error) = self.take_over(handover, now) {
                self.complain(&format!("group '{name}': {error}"));
            }
        }
    }

    fn take_over(&mut self, handover: Handover, now: Instant) -> io::Result<()> {
        let name = &handover.spec.engine.process_group;
        if let Some(group) = self.groups.iter_mut().find(|group| group.name() == name) {
            return group.reconfigure(handover, now);
        }
        let mut context = Context { poller: &self.poller, last_id: &mut self.last_id, now };
        let group = Group::new(handover, &mut context)?;
        self.groups.push(group);
        Ok(())
    }
}
