//! What a process is told about itself, from what the configuration says.

use std::time::Duration;

use wsgi_core::{
    chroot,
    control::{EngineSpec, GroupSpec, Identity, ImportScript, TelemetrySpec},
    directives::{Account, HashSeed, PythonVersion, daemon::DaemonGroup},
    interpreters::{Rules, directories},
};

use super::{Embedded, surroundings::Surroundings};
use crate::apache::{Server, log, mpm, process};

/// Seconds between reports of WSGITelemetryService.
const TELEMETRY_INTERVAL: f64 = 1.0;

impl Surroundings<'_> {
    /// A daemon group, as the supervisor starts it.
    pub(super) fn group_spec(
        &self,
        group: &DaemonGroup,
        account: &Account,
        python: PythonVersion,
        home: Server<'_>,
    ) -> GroupSpec {
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
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

    /// Python in httpd's children.
    pub(super) fn embedded(&self, python: PythonVersion) -> Embedded {
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
        let micros = |seconds: f64| Duration::try_from_secs_f64(seconds).map_or(0, microseconds);
        Some(TelemetrySpec {
            socket: seen_below(root, socket),
            interval: micros(telemetry.interval.unwrap_or(TELEMETRY_INTERVAL)),
            slow_requests: micros(telemetry.slow_requests.unwrap_or(0.0)),
            captures_user_agent: telemetry.capture_user_agent,
        })
    }

    /// The scripts to load at start. Below a root directory they have other names there; a name
    /// that does not lead below it is taken for one that holds there.
    fn import_scripts(&self, group: &str, root: Option<&str>) -> Vec<ImportScript> {
        let scripts = self.typed.import_scripts.iter();
        scripts
            .filter(|script| script.process_group == group)
            .map(|script| ImportScript {
                path: seen_below(root, &script.path),
                application_group: script.application_group.clone(),
                is_default: false,
            })
            .collect()
    }
}

/// The name that a path has for the processes of a group: below a root directory another one.
fn seen_below(root: Option<&str>, path: &str) -> String {
    let seen = root.and_then(|root| chroot::inside(root, path.as_bytes()));
    seen.map_or_else(|| path.to_owned(), |seen| String::from_utf8_lossy(seen).into_owned())
}

/// The variable HOME.
fn home_of(group: &DaemonGroup, account: &Account) -> String {
    let given = group.environment.iter().find(|(name, _)| name == "HOME");
    given.map_or_else(|| account.home.clone(), |(_, home)| home.clone())
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
