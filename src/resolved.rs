//! What follows from a complete configuration: the groups as they run, and what httpd's children
//! need to host Python themselves.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    ffi::CStr,
    fs,
    path::PathBuf,
    sync::{OnceLock, PoisonError},
    time::Duration,
};

use nix::unistd::{Gid, Uid, User, getgrouplist};
use wsgi_core::{
    chroot,
    control::{EngineSpec, GroupSpec, Identity, ImportScript, TelemetrySpec},
    directives::{
        Account, GlobalConfig, HashSeed, PythonVersion, Reader, check_python_home,
        daemon::{DaemonGroup, DaemonProcess, Defaults},
    },
    interpreters::{Rules, directories},
};

use crate::{
    apache::{Server, library, log, module::MainState, mpm, process, text::c_string, tree},
    facts::HttpdFacts,
    supervisor::{Board, Inquirer, Link},
};

/// Seconds between reports of WSGITelemetryService.
const TELEMETRY_INTERVAL: f64 = 1.0;

/// The configuration as it acts.
pub(crate) struct Resolved {
    /// Daemon groups by name.
    pub(crate) groups: BTreeMap<String, Group>,
    /// The library that hosts Python in httpd's children, where they need it.
    pub(crate) embedded: Option<Embedded>,
    /// Whom httpd's children run as.
    pub(crate) children: Identity,
    /// `WSGIRestrictEmbedded On`.
    pub(crate) restricts_embedded: bool,
    /// `WSGICaseSensitivity Off`.
    pub(crate) ignores_case: bool,
    /// The Python version of embedded applications.
    pub(crate) python: PythonVersion,
    /// Records about what has no effect.
    pub(crate) warnings: Vec<String>,
    /// Whether an access log may show notes of ours, so that they must be made.
    pub(crate) access_log_asks: bool,
    /// Whether ErrorLogFormat does.
    pub(crate) error_log_asks: bool,
    /// Where children tell what they run embedded, where they can.
    pub(crate) board: OnceLock<Board>,
    /// How children ask the supervisor; set when there is one.
    pub(crate) inquirer: OnceLock<Inquirer>,
}

/// A daemon group.
pub(crate) struct Group {
    /// As defined.
    pub(crate) definition: DaemonGroup,
    /// As the supervisor starts it.
    pub(crate) spec: GroupSpec,
    /// Whether httpd's children have threads that share their connections to the daemons. A child
    /// with one thread would keep connections that it seldom uses from the others.
    pub(crate) keeps_connections: bool,
    /// How requests reach it; set when its sockets exist.
    pub(crate) link: OnceLock<Link>,
}

/// Python in httpd's children.
pub(crate) struct Embedded {
    /// The library.
    pub(crate) library: PathBuf,
    /// What it is started with.
    pub(crate) spec: EngineSpec,
    /// The daemon's program of the same Python, to try applications.
    pub(crate) program: PathBuf,
    /// The process of the configuration: also the one that serves under `httpd -X`.
    pub(crate) parent: u32,
}

/// Files that lie beside the module.
pub(crate) struct Installation {
    folder: PathBuf,
    versions: Vec<PythonVersion>,
}

impl Installation {
    /// Looks beside the module.
    pub(crate) fn find() -> Result<Self, String> {
        let module = library::own_path().ok_or("the module cannot find its own file")?;
        let folder = module.with_file_name("mod_wsgi_rs");
        let mut versions: Vec<_> = fs::read_dir(&folder)
            .map_err(|error| {
                format!("\"{}\": {error}; install the module again", folder.display())
            })?
            .filter_map(|entry| version_of(entry.ok()?.file_name().to_str()?))
            .collect();
        versions.sort_unstable();
        Ok(Self { folder, versions })
    }

    /// The supervisor's program.
    pub(crate) fn supervisor(&self) -> PathBuf {
        self.folder.join("wsgi-supervisor")
    }

    /// The version used where no `python-home` decides: the newest.
    fn newest(&self) -> Result<PythonVersion, String> {
        let newest = self.versions.last().copied();
        newest.ok_or_else(|| {
            format!("no daemon program in \"{}\"; install the module again", self.folder.display())
        })
    }

    fn daemon(&self, version: PythonVersion) -> PathBuf {
        self.folder.join(format!("wsgi-daemon-{version}"))
    }

    fn embedded(&self, version: PythonVersion) -> PathBuf {
        self.folder.join(format!("wsgi-embedded-{version}.so"))
    }
}

fn version_of(program: &str) -> Option<PythonVersion> {
    let (major, minor) = program.strip_prefix("wsgi-daemon-")?.split_once('.')?;
    Some(PythonVersion { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

impl Resolved {
    /// Resolves what was typed; the error names the directive that does not fit.
    pub(crate) fn resolve(main: &MainState, server: Server<'_>) -> Result<Self, String> {
        let typed = main.typed.lock().unwrap_or_else(PoisonError::into_inner);
        let installation = Installation::find()?;
        let (own, memberships) = (own_account(), RefCell::default());
        let site = Surroundings { main, server, typed: &typed, installation, own, memberships };
        let python =
            site.python(typed.python_home.as_deref(), &site.own, None, "WSGIPythonHome")?;
        let mut groups = BTreeMap::new();
        let mut warnings = Vec::new();
        for (process, number) in typed.daemon_processes.iter().zip(1u32..) {
            let (group, version) = site.group(process, number)?;
            let place = format!("daemon process group '{}'", process.name);
            warnings.extend(no_own_lock(&group.spec.engine, version, &place));
            groups.insert(process.name.clone(), group);
        }
        let embedded = typed.children_need_python().then(|| site.embedded(python));
        if let Some(embedded) = &embedded {
            warnings.extend(no_own_lock(&embedded.spec, python, "embedded mode"));
        }
        Ok(Self {
            groups,
            embedded,
            warnings,
            access_log_asks: tree::lines(server).any(|line| names_note(&line, false)),
            error_log_asks: tree::lines(server).any(|line| names_note(&line, true)),
            children: Identity {
                uid: site.own.uid,
                gid: site.own.gid,
                groups: groups_of(&site.own),
            },
            board: OnceLock::new(),
            inquirer: OnceLock::new(),
            restricts_embedded: typed.restrict_embedded.unwrap_or(false),
            ignores_case: typed.case_sensitivity == Some(false),
            python,
        })
    }
}

/// Whether a line is an ErrorLogFormat, or is none, and names notes of ours.
fn names_note(line: &tree::Line<'_>, is_error_log: bool) -> bool {
    let has = |text: &CStr| text.to_bytes().windows(5).any(|word| word == b"wsgi:");
    let is_format = line.directive.to_bytes().eq_ignore_ascii_case(b"ErrorLogFormat");
    is_format == is_error_log && has(line.arguments)
}

/// The warning about interpreters that were to have a lock of their own and cannot.
fn no_own_lock(spec: &EngineSpec, python: PythonVersion, place: &str) -> Option<String> {
    const FIRST: PythonVersion = PythonVersion { major: 3, minor: 12 };
    let is_asked = python < FIRST && spec.interpreters.any_own_lock();
    is_asked.then(|| {
        format!(
            "WSGI0198: WSGIPerInterpreterGIL On has no effect in {place}: it needs Python {FIRST} or later, \
             and this is {python}"
        )
    })
}

/// What resolving looks at.
struct Surroundings<'c> {
    main: &'c MainState,
    server: Server<'c>,
    typed: &'c GlobalConfig,
    installation: Installation,
    own: Account,
    /// The groups of accounts that were asked for.
    memberships: RefCell<HashMap<(String, u32), Vec<u32>>>,
}

impl Surroundings<'_> {
    /// All groups of an account; asked once each, because a look into a system's user database may
    /// take half a millisecond, or the time of a server in the network.
    fn groups_of(&self, account: &Account) -> Vec<u32> {
        let key = (account.name.clone(), account.gid);
        self.memberships.borrow_mut().entry(key).or_insert_with(|| groups_of(account)).clone()
    }

    /// The groups that the processes of a daemon group have.
    fn groups_of_group(&self, group: &DaemonGroup, account: &Account) -> Vec<u32> {
        group.supplementary_groups.clone().unwrap_or_else(|| self.groups_of(account))
    }

    /// The Python version of a home, checked for the user who will use it.
    fn python(
        &self,
        home: Option<&str>,
        account: &Account,
        root: Option<&str>,
        directive: &str,
    ) -> Result<PythonVersion, String> {
        let Some(home) = home else { return self.installation.newest() };
        let facts = HttpdFacts::new(self.main, self.server).below(root);
        let groups = self.groups_of(account);
        let reader = Reader { uid: account.uid, gids: &groups };
        check_python_home(home, reader, &self.installation.versions, &facts)
            .map_err(|why| format!("{directive}: {why}"))
    }

    fn group(
        &self,
        process: &DaemonProcess,
        number: u32,
    ) -> Result<(Group, PythonVersion), String> {
        let context =
            format!("WSGIDaemonProcess {} ({}:{})", process.name, process.file, process.line);
        let home = self.main.server(process.server).unwrap_or(self.server);
        let defaults = Defaults {
            is_root: process::is_root(),
            account: &self.own,
            timeout: home.timeout(),
            python_home: self.typed.python_home.as_deref(),
        };
        let definition =
            process.resolve(number, &defaults).map_err(|why| format!("{context}: {why}"))?;
        let account = Account {
            name: definition.user.clone(),
            uid: definition.uid,
            gid: definition.gid,
            home: definition.user_home.clone(),
        };
        self.check_directories(&definition, &account).map_err(|why| format!("{context}: {why}"))?;
        let python = self.python(
            definition.python_home.as_deref(),
            &account,
            definition.chroot.as_deref(),
            &format!("{context}: python-home"),
        )?;
        let spec = self.group_spec(&definition, &account, python, home);
        let keeps_connections = mpm::threads() > 1;
        Ok((Group { definition, spec, keeps_connections, link: OnceLock::new() }, python))
    }

    /// What would keep the group from starting and can be known now.
    fn check_directories(&self, group: &DaemonGroup, account: &Account) -> Result<(), String> {
        let groups = self.groups_of_group(group, account);
        let reader = Reader { uid: account.uid, gids: &groups };
        let facts = || HttpdFacts::new(self.main, self.server);
        if let Some(root) = &group.chroot {
            reader.check_entry(root, &facts()).map_err(|why| {
                format!("Invalid chroot directory for WSGI daemon process. chroot={root}: {why}")
            })?;
        }
        if let Some(home) = &group.home {
            let facts = facts().below(group.chroot.as_deref());
            reader.check_directory(home, &facts).map_err(|why| {
                format!("Invalid home directory for WSGI daemon process. home={home}: {why}")
            })?;
        }
        Ok(())
    }

    fn group_spec(
        &self,
        group: &DaemonGroup,
        account: &Account,
        python: PythonVersion,
        home: Server<'_>,
    ) -> GroupSpec {
        let seconds = |time: std::time::Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let spec = GroupSpec {
            engine: EngineSpec {
                process_group: group.name.clone(),
                is_daemon: true,
                maximum_processes: group.processes,
                threads_per_process: group.threads,
                multithread: group.multithread(),
                multiprocess: group.multiprocess,
                run_once: group.run_once,
                python_home: group.python_home.clone(),
                python_path: directories(group.python_path.as_deref()),
                python_eggs: group.python_eggs.clone(),
                switch_interval: group.switch_interval.map(microseconds),
                telemetry: self.telemetry(group.chroot.as_deref()),
                server_metrics: group.server_metrics,
                home: group.home.clone(),
                first_gets_main: group.first_gets_main,
                reload: group.reload,
                user: Some((account.name.clone(), home_of(group, account))),
                import_scripts: self.import_scripts(&group.name, group.chroot.as_deref()),
                ..self.engine(&group.name)
            },
            processes: group.processes,
            threads: group.threads,
            program: self.installation.daemon(python).to_string_lossy().into_owned(),
            identity: group.switches_user.then(|| Identity {
                uid: group.uid,
                gid: group.gid,
                groups: self.groups_of_group(group, account),
            }),
            umask: group.umask,
            chroot: group.chroot.clone(),
            working_directory: group.working_directory.clone(),
            lang: group.lang.clone(),
            locale: group.locale.clone(),
            environment: group.environment.clone(),
            display_name: group.display_name.clone(),
            shutdown_timeout: group.shutdown_timeout.map_or(0, seconds),
            graceful_timeout: group.graceful_timeout.map_or(0, seconds),
            eviction_timeout: group.eviction_timeout.map_or(0, seconds),
            restart_interval: group.restart_interval.map_or(0, seconds),
            socket_timeout: seconds(group.socket_timeout),
            queue_timeout: group.queue_timeout.map_or(0, seconds),
            log_level: log::level_of(home),
            log_format: group.log_format,
            limits: group.limits,
            buffers: group.buffers,
            dumps_core: process::dumps_core(),
            memory_soft_limit: group.memory_soft_limit.unwrap_or(0),
            keeps_on_restart: group.keeps_on_restart,
            reload_on: group.reload_on.clone(),
            timers: group.timers,
            slots: 0,
        };
        // Old and new processes side by side, and some that have just died: their slots rest
        // until nobody looks for their requests any more.
        let blocks = group.processes.saturating_mul(2).saturating_add(32);
        // Service scripts need none, but memory has a size.
        let slots = spec.slots_per_process().saturating_mul(blocks).max(1);
        GroupSpec { slots, ..spec }
    }

    fn embedded(&self, python: PythonVersion) -> Embedded {
        let (threads, children) = (mpm::threads(), mpm::children());
        Embedded {
            library: self.installation.embedded(python),
            spec: EngineSpec {
                maximum_processes: children,
                threads_per_process: threads,
                multithread: threads != 1,
                multiprocess: children != 1,
                python_home: self.typed.python_home.clone(),
                python_path: directories(self.typed.interpreter.python_path.as_deref()),
                python_eggs: self.typed.python_eggs.clone(),
                telemetry: self.telemetry(None),
                server_metrics: self.typed.server_metrics.unwrap_or(false),
                import_scripts: self.import_scripts("", None),
                ..self.engine("")
            },
            program: self.installation.daemon(python),
            parent: std::process::id(),
        }
    }

    /// What all hosts of Python have in common, and the rules for those of a process group.
    fn engine(&self, process_group: &str) -> EngineSpec {
        let (base, blocks) = (&self.typed.interpreter, &self.typed.interpreter_blocks);
        EngineSpec {
            interpreters: Rules::of(process_group, base, blocks),
            leaves_interpreters: self.typed.destroy_interpreter == Some(false),
            httpd_processes: mpm::children(),
            httpd_threads: mpm::threads(),
            apache_version: mpm::server_version(),
            server_description: mpm::banner(),
            mpm_name: mpm::name(),
            build_date: mpm::build_date(),
            optimize: self.typed.python_optimize.unwrap_or(0),
            dont_write_bytecode: self.typed.dont_write_bytecode.unwrap_or(false),
            warnings: self.typed.python_warnings.clone(),
            hash_seed: match self.typed.python_hash_seed {
                Some(HashSeed::Fixed(seed)) => Some(seed),
                Some(HashSeed::Random) | None => None,
            },
            ignores_case: self.typed.case_sensitivity == Some(false),
            ..EngineSpec::default()
        }
    }

    /// Where the processes of a group report to; below a root directory the socket has another
    /// name there.
    fn telemetry(&self, root: Option<&str>) -> Option<TelemetrySpec> {
        let telemetry = &self.typed.telemetry;
        let socket = telemetry.socket.as_deref()?;
        let seen = root.and_then(|root| chroot::inside(root, socket.as_bytes()));
        let socket = seen
            .map_or_else(|| socket.to_owned(), |seen| String::from_utf8_lossy(seen).into_owned());
        let micros = |seconds: f64| Duration::try_from_secs_f64(seconds).map_or(0, microseconds);
        Some(TelemetrySpec {
            socket,
            interval: micros(telemetry.interval.unwrap_or(TELEMETRY_INTERVAL)),
            slow_requests: micros(telemetry.slow_requests.unwrap_or(0.0)),
            captures_user_agent: telemetry.capture_user_agent,
        })
    }

    /// The scripts to load at start. Below a root directory they have other names there; a name
    /// that does not lead below it is taken for one that holds there.
    fn import_scripts(&self, group: &str, root: Option<&str>) -> Vec<ImportScript> {
        let seen = |path: &str| {
            let seen = root.and_then(|root| chroot::inside(root, path.as_bytes()));
            seen.map_or_else(|| path.to_owned(), |seen| String::from_utf8_lossy(seen).into_owned())
        };
        let scripts = self.typed.import_scripts.iter();
        scripts
            .filter(|script| script.process_group == group)
            .map(|script| ImportScript {
                path: seen(&script.path),
                application_group: script.application_group.clone(),
                is_default: false,
            })
            .collect()
    }
}

/// The variable HOME.
fn home_of(group: &DaemonGroup, account: &Account) -> String {
    let given = group.environment.iter().find(|(name, _)| name == "HOME");
    given.map_or_else(|| account.home.clone(), |(_, home)| home.clone())
}

fn microseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Whom httpd's children run as.
fn own_account() -> Account {
    let (uid, gid) = if process::is_root() {
        process::httpd_identity()
    } else {
        (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
    };
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let (name, home) = match user {
        Some(user) => (user.name, user.dir.to_string_lossy().into_owned()),
        None => (format!("#{uid}"), "/".to_owned()),
    };
    Account { name, uid, gid, home }
}

/// All groups of an account, the primary one first (`getgrouplist`).
fn groups_of(account: &Account) -> Vec<u32> {
    let primary = Gid::from_raw(account.gid);
    let listed = getgrouplist(&c_string(&account.name), primary).unwrap_or_default();
    let others = listed.into_iter().filter(|group| *group != primary);
    std::iter::once(primary).chain(others).map(Gid::as_raw).collect()
}
