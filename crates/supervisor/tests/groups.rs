//! The supervisor with stand-ins for daemons: small programs that do what a test wants of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints its server's log then"
)]

mod rig;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use rig::{GroupFiles, READY, Rig, is_alive, kill};
use wsgi_core::control::{Identity, ReloadMode, ToSupervisor};
use wsgi_ipc::scoreboard::{End, GroupState, ProcessState};

#[test]
fn processes_are_started_replaced_when_killed_and_end_with_stop() {
    let mut rig = Rig::start();
    let mut spec = rig.spec(&rig.stand_in("ready", READY));
    spec.processes = 3;
    rig.configure(&spec);
    let first = rig.wait_ready(3);
    let mut blocks: Vec<u32> = first.iter().map(|process| process.first_slot).collect();
    blocks.sort_unstable();
    assert_eq!(blocks, [0, 4, 8], "each has its own slots");

    let victim = first[1];
    kill(victim.pid, libc::SIGKILL);
    let state = rig.wait("the table to know the death", || {
        let state = rig.group.table.process(victim.epoch)?.state;
        matches!(state, ProcessState::Ended(_)).then_some(state)
    });
    assert_eq!(state, ProcessState::Ended(End::Signaled(9)));
    let second = rig.wait_ready(3);
    let new = second.iter().find(|process| process.epoch > 3).unwrap();
    assert_ne!(new.first_slot, victim.first_slot, "the dead one's slots still speak");
    let log = rig.log();
    let pid = victim.pid;
    assert!(
        log.contains(&format!("pid={pid} terminated by signal 9 after 0 requests in ")),
        "{log}"
    );
    assert!(log.contains(&format!("pid={pid} has died; deregistering and restarting it.")));

    rig.send(&ToSupervisor::Stop);
    assert!(rig.wait_end().success());
    assert!(second.iter().all(|process| !is_alive(process.pid)));
    assert!(rig.processes(|state| !matches!(state, ProcessState::Ended(_))).is_empty());
}

#[test]
fn a_process_that_ignores_its_end_is_killed_after_the_shutdown_timeout() {
    let mut rig = Rig::start();
    let code = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ncontrol.send(b'\"Ready\"')\n\
                time.sleep(600)\n";
    let mut spec = rig.spec(&rig.stand_in("deaf", code));
    spec.shutdown_timeout = 1;
    rig.configure(&spec);
    let process = rig.wait_ready(1)[0];
    let start = Instant::now();
    rig.control = None;
    assert!(rig.wait_end().success(), "the end of the control socket is a stop as well");
    assert!(start.elapsed() >= Duration::from_secs(2), "timeout and a second of grace");
    assert!(!is_alive(process.pid));
}

#[test]
fn everything_ends_when_httpds_parent_is_killed() {
    let mut rig = Rig::start_below_parent();
    let mut spec = rig.spec(&rig.stand_in("ready", READY));
    spec.processes = 2;
    rig.configure(&spec);
    let processes = rig.wait_ready(2);
    let stat = fs::read_to_string(format!("/proc/{}/stat", processes[0].pid)).unwrap();
    let parent = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap();
    let supervisor: u32 = parent.parse().unwrap();
    kill(rig.supervisor_pid(), libc::SIGKILL);
    rig.wait_end();
    // Our end of the control socket is still open, as httpd's children may hold copies.
    rig.wait("the end of all", || {
        let is_gone = processes.iter().all(|process| !is_alive(process.pid));
        (is_gone && !is_alive(supervisor)).then_some(())
    });
}

#[test]
fn repeated_deaths_at_start_back_off_and_the_group_says_why() {
    let rig = Rig::start();
    let code = "control.send(b'{\"Failed\": \"no Python here\"}')\nsys.exit(1)\n";
    rig.configure(&rig.spec(&rig.stand_in("failing", code)));
    assert_eq!(rig.wait_failing(), "no Python here");
    std::thread::sleep(Duration::from_millis(700));
    let attempts = rig.processes(|_| true).len();
    assert!((3..=6).contains(&attempts), "{attempts} attempts");
    assert!(rig.log().contains("WSGI1211: Daemon process group 'tested' cannot be started"));

    rig.configure(&rig.spec(&rig.stand_in("ready", READY)));
    rig.wait_ready(1);
    assert_eq!(rig.group.table.group(), GroupState::Serving);
}

#[test]
fn a_child_that_cannot_become_a_daemon_says_at_which_step() {
    let rig = Rig::start();
    let mut spec = rig.spec(&rig.folder.path().join("missing"));
    rig.configure(&spec);
    assert!(rig.wait_failing().contains("No such file or directory"), "{}", rig.log());
    assert!(rig.log().contains("WSGI0025: "), "{}", rig.log());

    spec.program = rig.stand_in("ready", READY).to_str().unwrap().to_owned();
    spec.working_directory = Some("/nowhere/at/all".into());
    rig.configure(&spec);
    rig.wait("the other reason", || {
        rig.wait_failing().contains("home directory '/nowhere/at/all'").then_some(())
    });
    assert!(rig.log().contains("WSGI0010: "), "{}", rig.log());
}

#[test]
fn a_new_configuration_replaces_processes_once_the_new_ones_are_ready() {
    let rig = Rig::start();
    let mut spec = rig.spec(&rig.stand_in("ready", READY));
    spec.processes = 2;
    rig.configure(&spec);
    let old = rig.wait_ready(2);

    let slow = format!("time.sleep(0.5)\n{READY}");
    spec.program = rig.stand_in("slow", &slow).to_str().unwrap().to_owned();
    rig.configure(&spec);
    rig.wait("new processes", || {
        (rig.processes(|state| state == ProcessState::Starting).len() == 2).then_some(())
    });
    assert_eq!(rig.ready(), old, "the old ones serve until then");
    let new = rig.wait("the change", || {
        let ready = rig.ready();
        (ready.len() == 2 && ready.iter().all(|process| process.epoch > 2)).then_some(ready)
    });
    rig.wait("the end of the old", || {
        old.iter().all(|process| !is_alive(process.pid)).then_some(())
    });

    assert!(rig.group.slots.begin(new[0].first_slot, new[0].epoch, 77));
    rig.send(&ToSupervisor::Commit);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(new.iter().all(|process| is_alive(process.pid)), "a request still runs");
    rig.group.slots.end(new[0].first_slot);
    rig.wait("the end of a group without definition", || {
        new.iter().all(|process| !is_alive(process.pid)).then_some(())
    });
}

#[test]
fn a_configuration_that_cannot_start_ends_the_old_processes_too() {
    let rig = Rig::start();
    let mut spec = rig.spec(&rig.stand_in("ready", READY));
    rig.configure(&spec);
    let old = rig.wait_ready(1)[0];
    spec.program = "/nowhere/daemon".into();
    rig.configure(&spec);
    rig.wait_failing();
    assert!(!is_alive(old.pid) || rig.ready().is_empty());
}

#[test]
fn a_changed_script_replaces_the_whole_group_at_once() {
    let rig = Rig::start();
    let code = "control.send(b'\"Ready\"')\n\
                flag = 'changed' if configure['epoch'] == 1 else 'never'\n\
                while not os.path.exists(flag): time.sleep(0.01)\n\
                control.send(b'\"Stale\"')\n";
    let stale =
        format!("if configure['epoch'] > 1:\n    control.send(b'\"Ready\"')\n    wait()\n{code}");
    let mut spec = rig.spec(&rig.stand_in("stale", &stale));
    spec.processes = 2;
    rig.configure(&spec);
    let old = rig.wait_ready(2);
    fs::write(rig.folder.path().join("changed"), "").unwrap();
    rig.wait("the replacement of both", || {
        let ready = rig.ready();
        (ready.len() == 2 && ready.iter().all(|process| process.epoch > 2)).then_some(())
    });
    rig.wait("the end of the old", || {
        old.iter().all(|process| !is_alive(process.pid)).then_some(())
    });
}

#[test]
fn processes_that_retire_are_replaced_one_after_the_other() {
    let rig = Rig::start();
    let code = "control.send(b'\"Ready\"')\n\
                if configure['epoch'] <= 2: control.send(b'{\"Retire\": \"maximum_requests\"}')\n\
                message = control.recv(1 << 20).decode()\n\
                open('told-%d' % configure['epoch'], 'w').write(message)\n";
    let slow = format!("if configure['epoch'] > 2: time.sleep(0.3)\n{code}");
    let mut spec = rig.spec(&rig.stand_in("retiring", &slow));
    spec.processes = 2;
    spec.graceful_timeout = 7;
    rig.configure(&spec);
    rig.wait("the first two", || (rig.ready().len() == 2).then_some(()));
    let mut fewest = 2;
    rig.wait("both replacements", || {
        let ready = rig.ready();
        fewest = fewest.min(ready.len());
        assert!(ready.len() <= 3, "one at a time: {ready:?}");
        ready.iter().all(|process| process.epoch > 2).then_some(())
    });
    assert_eq!(fewest, 2, "never below its capacity");
    let told = rig.wait("the drain", || {
        fs::read_to_string(rig.folder.path().join("told-1")).ok().filter(|text| !text.is_empty())
    });
    assert_eq!(told, r#"{"Drain":{"reason":"maximum_requests","limit":7}}"#);
    assert!(rig.log().contains("is to be replaced (maximum_requests)."), "{}", rig.log());
}

/// A stand-in that loads `app` and reports the change of a script when a file `change` is there;
/// one that is on trial loads unless there is a file `broken`.
const ROLLING: &str = "while configure['is_trial'] and os.path.exists('hanging'): time.sleep(0.01)\n\
    if configure['is_trial'] and os.path.exists('broken'):\n\
    \x20   control.send(b'{\"Failed\": \"it is broken\"}')\n\
    \x20   sys.exit(1)\n\
    script = {'path': os.path.abspath('app'), 'application_group': ''}\n\
    control.send(b'\"Ready\"')\n\
    control.send(json.dumps({'Loaded': script}).encode())\n\
    names = [s['path'].rpartition('/')[2] for s in configure['preload']]\n\
    open('preload-%d' % configure['epoch'], 'w').write(' '.join(names))\n\
    control.settimeout(0.01)\n\
    seen = 0\n\
    while True:\n\
    \x20   try:\n\
    \x20       if control.recv(1 << 20)[:3] in (b'\"St', b'{\"D'): break\n\
    \x20   except TimeoutError: pass\n\
    \x20   if configure['epoch'] <= 2 and os.path.exists('change'):\n\
    \x20       mtime = int(open('change').read() or 0)\n\
    \x20       if mtime == seen: continue\n\
    \x20       seen = mtime\n\
    \x20       control.send(json.dumps({'Changed': {'script': script, 'mtime': mtime}}).encode())\n";

impl Rig {
    /// Two processes of [`ROLLING`].
    fn rolling(&self) -> Vec<u32> {
        fs::write(self.folder.path().join("app"), "").unwrap();
        let mut spec = self.spec(&self.stand_in("rolling", ROLLING));
        spec.processes = 2;
        spec.engine.reload = ReloadMode::Rolling;
        self.configure(&spec);
        self.wait_ready(2).iter().map(|process| process.pid).collect()
    }
}

#[test]
fn changed_code_goes_live_only_when_it_has_loaded() {
    let rig = Rig::start();
    let old = rig.rolling();
    rig.write("broken", "");
    rig.write("change", "1");
    rig.wait("the verdict", || rig.log().contains("WSGI1215: ").then_some(()));
    assert!(rig.log().contains("does not load: it is broken; still serving the version of"));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(rig.log().matches("WSGI1215: ").count(), 1, "one attempt for one change");
    assert!(old.iter().all(|pid| is_alive(*pid)));
    assert_eq!(rig.ready().len(), 2);

    fs::remove_file(rig.folder.path().join("broken")).unwrap();
    rig.write("change", "2");
    let mut fewest = 2;
    rig.wait("the new code", || {
        let ready = rig.ready();
        fewest = fewest.min(ready.len());
        (ready.len() == 2 && ready.iter().all(|process| !old.contains(&process.pid))).then_some(())
    });
    assert_eq!(fewest, 2, "never below its capacity");
    for process in rig.ready() {
        let name = format!("preload-{}", process.epoch);
        let seen = rig.wait("its list", || {
            // It is there before its text is.
            fs::read_to_string(rig.folder.path().join(&name)).ok().filter(|text| !text.is_empty())
        });
        assert_eq!(seen, "app", "loaded before it was ready");
    }
}

#[test]
fn code_that_loads_for_ever_gives_way_to_the_next_change() {
    let rig = Rig::start();
    let old = rig.rolling();
    rig.write("hanging", "");
    rig.write("change", "1");
    rig.wait("the trial", || {
        (rig.processes(|state| state == ProcessState::Starting).len() == 1).then_some(())
    });
    rig.write("change", "2");
    rig.wait("another trial", || {
        (rig.processes(|state| state == ProcessState::Starting).len() == 1
            && rig.processes(|_| true).len() == 4)
            .then_some(())
    });
    assert_eq!(rig.ready().len(), 2, "the old code serves all the time");
    fs::remove_file(rig.folder.path().join("hanging")).unwrap();
    rig.wait("the new code", || {
        let ready = rig.ready();
        (ready.len() == 2 && ready.iter().all(|process| !old.contains(&process.pid))).then_some(())
    });
}

#[test]
fn watched_files_reload_the_group() {
    let rig = Rig::start();
    let mut spec = rig.spec(&rig.stand_in("ready", READY));
    spec.reload_on = vec![format!("{}/*.conf", rig.folder.path().display())];
    rig.configure(&spec);
    let old = rig.wait_ready(1)[0];
    rig.write("settings.conf", "changed");
    rig.wait("another process", || (rig.ready().first()?.epoch > old.epoch).then_some(()));
    assert!(rig.log().contains("Files that 'tested' reloads on have changed."));
}

#[test]
fn an_unchanged_group_may_keep_its_processes_over_a_restart() {
    let rig = Rig::start();
    let mut spec = rig.spec(&rig.stand_in("rolling", ROLLING));
    spec.keeps_on_restart = true;
    rig.configure(&spec);
    let kept = rig.wait_ready(1)[0];
    rig.configure(&spec);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(rig.wait_ready(1)[0], kept);
    spec.socket_timeout = 77;
    rig.configure(&spec);
    rig.wait("another process", || (rig.ready().first()?.epoch > kept.epoch).then_some(()));
}

#[test]
fn a_process_that_has_grown_is_replaced() {
    let rig = Rig::start();
    let code = "open('preload-%d' % configure['epoch'], 'w').write(str(configure['preload']))\n\
                control.send(b'\"Ready\"')\n\
                time.sleep(0.2)\n\
                if configure['epoch'] == 1: ballast = bytearray(os.urandom(1) * (80 << 20))\n\
                wait()\n";
    let mut spec = rig.spec(&rig.stand_in("growing", code));
    spec.memory_soft_limit = 60 << 20;
    rig.configure(&spec);
    let first = rig.wait_ready(1)[0];
    rig.wait("another process", || (rig.ready().first()?.epoch > first.epoch).then_some(()));
    assert!(rig.log().contains("more than its memory-soft-limit=62914560."), "{}", rig.log());
}

#[test]
fn the_supervisor_ends_when_nobody_claims_its_groups() {
    let mut rig = Rig::start();
    rig.configure(&rig.spec(&rig.stand_in("ready", READY)));
    rig.wait_ready(1);
    rig.send(&ToSupervisor::Unclaimed(1));
    rig.configure(&rig.spec(&rig.stand_in("ready", READY)));
    rig.send(&ToSupervisor::Unclaimed(1));
    assert!(rig.wait_end().success());
}

#[test]
fn a_process_is_replaced_when_it_has_reached_its_age() {
    let rig = Rig::start();
    let mut spec = rig.spec(&rig.stand_in("ready", READY));
    spec.restart_interval = 1;
    rig.configure(&spec);
    let first = rig.wait_ready(1)[0];
    let start = Instant::now();
    rig.wait("its replacement", || (rig.ready().first()?.epoch > first.epoch).then_some(()));
    assert!(start.elapsed() >= Duration::from_millis(900));
}

#[test]
fn a_process_that_finishes_requests_may_take_longer_unless_httpd_stops() {
    let mut rig = Rig::start();
    let code = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ncontrol.send(b'\"Ready\"')\n\
                time.sleep(600)\n";
    let mut spec = rig.spec(&rig.stand_in("busy", code));
    spec.shutdown_timeout = 1;
    rig.configure(&spec);
    let busy = rig.wait_ready(1)[0];
    assert!(rig.group.slots.begin(busy.first_slot, busy.epoch, 77));
    spec.program = rig.stand_in("ready", READY).to_str().unwrap().to_owned();
    rig.configure(&spec);
    rig.wait("the replacement", || (rig.ready().first()?.epoch > 1).then_some(()));
    std::thread::sleep(Duration::from_millis(2500));
    assert!(is_alive(busy.pid), "nothing in flight is cut");
    rig.send(&ToSupervisor::Stop);
    assert!(rig.wait_end().success());
    assert!(!is_alive(busy.pid));
}

#[test]
fn a_dead_supervisor_takes_its_processes_with_it_and_the_next_one_goes_on() {
    let mut rig = Rig::start();
    let code = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.7), os._exit(0)))\n\
                control.send(b'\"Ready\"')\nwhile True: time.sleep(600)\n";
    let spec = rig.spec(&rig.stand_in("orphan", code));
    rig.configure(&spec);
    let old = rig.wait_ready(1)[0];
    kill(rig.supervisor_pid(), libc::SIGKILL);
    rig.wait_end();
    rig.restart_supervisor();
    rig.configure(&spec);
    let new = rig.wait("a process of the new supervisor", || {
        rig.ready().into_iter().find(|process| process.epoch > old.epoch)
    });
    assert_ne!(new.first_slot, old.first_slot, "the old one still uses its slots");
    let state = rig.wait("the orphan's end", || {
        let state = rig.group.table.process(old.epoch)?.state;
        matches!(state, ProcessState::Ended(_)).then_some(state)
    });
    assert_eq!(state, ProcessState::Ended(End::Unknown));
    assert!(!is_alive(old.pid));
}

#[test]
fn processes_have_exactly_what_they_need() {
    let rig = Rig::start();
    let code = "signals = open('/proc/self/status').read()\n\
                open('status', 'w').write(signals)\n\
                open('seen', 'w').write(json.dumps({\n\
                'files': sorted(int(name) for name in os.listdir('/proc/self/fd')),\n\
                'lang': os.environ.get('LANG'), 'all': os.environ.get('LC_ALL'),\n\
                'notify': os.environ.get('NOTIFY_SOCKET'), 'path': os.environ.get('PATH'),\n\
                'umask': os.umask(0), 'uid': os.getresuid(), 'gid': os.getresgid(),\n\
                'groups': os.getgroups(), 'cwd': os.getcwd(),\n\
                'leads': os.getpgrp() == os.getpid(),\n\
                'title': open('/proc/self/cmdline').read().split('\\0')[0],\n\
                'ignored': [l.split()[1] for l in signals.splitlines() if l.startswith('SigBlk')],\n\
                'stdin': os.readlink('/proc/self/fd/0')}))\n\
                control.send(b'\"Ready\"')\nwait()\n";
    // The interpreter is what is executed: a script's name would replace the title.
    let mut spec = rig.spec(&rig.stand_in("seen.py", code));
    let is_root = rustix::process::geteuid().is_root();
    spec.umask = Some(0o027);
    spec.lang = Some("xx_XX.UTF-8".into());
    spec.locale = Some("C.UTF-8".into());
    if is_root {
        spec.identity = Some(Identity { uid: 65534, gid: 65534, groups: vec![65534, 100] });
        fs::set_permissions(rig.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    }
    rig.configure(&spec);
    rig.wait_ready(1);
    let seen = fs::read_to_string(rig.folder.path().join("seen")).unwrap();
    for expected in [
        "\"lang\": \"xx_XX.UTF-8\"",
        "\"all\": \"C.UTF-8\"",
        "\"notify\": null",
        "\"umask\": 23",
        "\"leads\": true",
        "\"ignored\": [\"0000000000000000\"]",
        "\"stdin\": \"/dev/null\"",
    ] {
        assert!(seen.contains(expected), "{expected} not in {seen}");
    }
    let session =
        |status: &str| status.lines().find(|line| line.starts_with("NSsid")).map(str::to_owned);
    let status = fs::read_to_string(rig.folder.path().join("status")).unwrap();
    assert_eq!(session(&status), session(&fs::read_to_string("/proc/self/status").unwrap()));
    if is_root {
        assert!(seen.contains("\"uid\": [65534, 65534, 65534]"), "{seen}");
        assert!(seen.contains("\"gid\": [65534, 65534, 65534]"), "{seen}");
        assert!(seen.contains("\"groups\": [100, 65534]"), "{seen}");
    }
    // Those beyond 5 are the interpreter's own: the script and the listing.
    assert!(seen.contains("\"files\": [0, 1, 2, 3, 4, 5, 6, 7]"), "{seen}");
}

#[test]
fn groups_are_independent_and_malformed_messages_harmless() {
    let rig = Rig::start();
    let control = rig.control.as_ref().unwrap();
    use std::os::fd::AsFd;
    wsgi_ipc::socket::send_packet(control.as_fd(), b"nonsense", &[]).unwrap();
    let other = GroupFiles::create();
    let spec = rig.spec(&rig.stand_in("ready", READY));
    let mut broken = rig.spec(&rig.folder.path().join("missing"));
    broken.engine.process_group = "broken".into();
    rig.send_with(&ToSupervisor::Group(Box::new(broken)), &other);
    rig.configure(&spec);
    rig.wait_ready(1);
    rig.wait("the broken group to fail", || {
        matches!(other.table.group(), GroupState::Failing(_)).then_some(())
    });
    assert_eq!(rig.group.table.group(), GroupState::Serving);
    assert!(rig.log().contains("WSGI1212: "), "{}", rig.log());
}

#[test]
fn a_process_killed_again_and_again_is_always_replaced() {
    let rig = Rig::start();
    rig.configure(&rig.spec(&rig.stand_in("ready", READY)));
    for _ in 0..8 {
        let process = rig.wait_ready(1)[0];
        kill(process.pid, libc::SIGKILL);
        rig.wait("the death to be known", || {
            (rig.group.table.process(process.epoch)?.state != ProcessState::Ready).then_some(())
        });
    }
    rig.wait_ready(1);
    assert_eq!(rig.group.table.group(), GroupState::Serving);
}

#[test]
fn a_process_that_dies_as_soon_as_it_is_ready_is_started_more_and_more_slowly() {
    let rig = Rig::start();
    let code = "control.send(b'\"Ready\"')\nsys.exit(1)\n";
    rig.configure(&rig.spec(&rig.stand_in("brief", code)));
    rig.wait("the first deaths", || (rig.processes(|_| true).len() > 1).then_some(()));
    std::thread::sleep(Duration::from_millis(700));
    let attempts = rig.processes(|_| true).len();
    assert!((2..=6).contains(&attempts), "{attempts} attempts");
    assert_eq!(rig.group.table.group(), GroupState::Serving);
}

#[test]
fn a_flood_of_messages_is_not_heard() {
    let rig = Rig::start();
    let code = "control.send(b'\"Ready\"')\ncontrol.settimeout(5)\n\
                try:\n    while True: control.send(b'\"Ready\"')\n\
                except OSError: pass\nwait()\n";
    rig.configure(&rig.spec(&rig.stand_in("flood", code)));
    rig.wait_ready(1);
    std::thread::sleep(Duration::from_millis(300));
    let stat = fs::read_to_string(format!("/proc/{}/stat", rig.supervisor_pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    assert!(ticks < 20, "{ticks} ticks of CPU");
}
