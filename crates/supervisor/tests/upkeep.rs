//! What a supervisor must not do while it looks after its groups: spin, miss a change, or carry
//! something from one identity to another.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints its server's log then"
)]

mod rig;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use rig::{READY, Rig, kill};
use wsgi_core::control::{GroupSpec, Identity, ReloadMode};

/// How often the supervisor wakes up in half a second.
fn wakes(rig: &Rig) -> u64 {
    let switches = || -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", rig.supervisor_pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    };
    let before = switches();
    thread::sleep(Duration::from_millis(500));
    switches() - before
}

#[test]
fn nothing_is_looked_at_once_its_option_has_gone() {
    // Seen in review: the deadline of the last look at memory stayed in the past for ever.
    let rig = Rig::start();
    let mut spec = rig.spec(&rig.stand_in("ready", READY));
    spec.memory_soft_limit = 1 << 40;
    rig.configure(&spec);
    let old = rig.wait_ready(1)[0];
    spec.memory_soft_limit = 0;
    rig.configure(&spec);
    rig.wait("its successor", || (rig.ready().first()?.epoch > old.epoch).then_some(()));
    // Longer than from one look to the next.
    thread::sleep(Duration::from_millis(1200));
    let woken = wakes(&rig);
    assert!(woken < 20, "{woken} times in half a second");
}

/// A stand-in that has loaded a script and notes what it is to load.
const LOADED: &str = "names = [script['path'] for script in configure['preload']]\n\
    open('preload-%d' % configure['epoch'], 'w').write(' '.join(names))\n\
    script = {'path': os.path.abspath('app'), 'application_group': ''}\n\
    control.send(json.dumps({'Loaded': script}).encode())\n\
    control.send(b'\"Ready\"')\n\
    wait()\n";

#[test]
fn scripts_of_one_user_are_not_loaded_as_another() {
    // Seen in review: a daemon says what it has loaded, and its word was taken for what the
    // processes of the next configuration load, whoever they run as.
    if !rustix::process::getuid().is_root() {
        return;
    }
    let rig = Rig::start();
    rig.write("app", "");
    std::os::unix::fs::chown(rig.folder.path(), Some(65534), None).unwrap();
    let identity = |uid| Some(Identity { uid, gid: 65534, groups: vec![65534] });
    let mut spec = rig.spec(&rig.stand_in("loaded", LOADED));
    let preload_of_next = |spec: &GroupSpec| {
        let newest = rig.ready().iter().map(|process| process.epoch).max();
        rig.configure(spec);
        rig.wait("the next process", || {
            let process = *rig.ready().first()?;
            let list = rig.folder.path().join(format!("preload-{}", process.epoch));
            (Some(process.epoch) > newest).then(|| fs::read_to_string(list).unwrap())
        })
    };
    spec.identity = identity(65534);
    assert_eq!(preload_of_next(&spec), "");
    assert!(preload_of_next(&spec).ends_with("/app"), "the same user has loaded it");
    // Whatever it may do in the folder: everybody may write there.
    fs::set_permissions(rig.folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .unwrap();
    spec.identity = identity(65533);
    assert_eq!(preload_of_next(&spec), "");
}

/// A stand-in that ends when it is told to end.
const STAYING: &str = "control.send(b'\"Ready\"')\n\
    while control.recv(1 << 20)[:3] not in (b'\"St', b'{\"D', b''): pass\n";

#[test]
fn a_change_just_before_a_restart_reloads_a_kept_group() {
    // Seen in review: the restart took the changed files for those that the group had loaded.
    let rig = Rig::start();
    let mut spec = rig.spec(&rig.stand_in("staying", STAYING));
    spec.keeps_on_restart = true;
    spec.reload_on = vec![format!("{}/*.conf", rig.folder.path().display())];
    rig.configure(&spec);
    let kept = rig.wait_ready(1)[0];
    rig.write("settings.conf", "changed");
    rig.configure(&spec);
    rig.wait("new code", || (rig.ready().first()?.epoch > kept.epoch).then_some(()));
}

/// A stand-in that reads `settings.conf` and, on trial, needs long for its second version.
const SLOW: &str = "loaded = open('settings.conf').read()\n\
    if configure['is_trial'] and loaded == 'two': time.sleep(4)\n\
    open('loaded-%d' % configure['epoch'], 'w').write(loaded)\n\
    control.send(b'\"Ready\"')\n\
    wait()\n";

#[test]
fn a_change_while_another_one_loads_is_loaded_as_well() {
    // Seen in review: the process on trial had read the files before they changed again, and the
    // group went on with that.
    let rig = Rig::start();
    rig.write("settings.conf", "one");
    let mut spec = rig.spec(&rig.stand_in("slow", SLOW));
    spec.engine.reload = ReloadMode::Rolling;
    spec.reload_on = vec![format!("{}/*.conf", rig.folder.path().display())];
    rig.configure(&spec);
    rig.wait_ready(1);
    rig.write("settings.conf", "two");
    // The trial: a second look has found the files at rest.
    rig.wait("a trial", || rig.log().contains("reloads on have changed").then_some(()));
    thread::sleep(Duration::from_millis(300));
    rig.write("settings.conf", "three!");
    let start = Instant::now();
    rig.wait("the last version", || {
        let names: Vec<_> = rig.ready().iter().map(|p| format!("loaded-{}", p.epoch)).collect();
        let read = |name: &String| fs::read_to_string(rig.folder.path().join(name)).ok();
        (names.iter().filter_map(read).collect::<Vec<_>>() == ["three!"]).then_some(())
    });
    assert!(start.elapsed() < Duration::from_secs(15));
}

/// A stand-in that tells of a change to a script it has not loaded, and then that it has had its
/// time.
const LIAR: &str = "open('trial-%d' % configure['epoch'], 'w').write(str(configure['is_trial']))\n\
    script = {'path': '/etc/passwd', 'application_group': ''}\n\
    control.send(b'\"Ready\"')\n\
    if configure['epoch'] == 1:\n\
    \x20   control.send(json.dumps({'Changed': {'script': script, 'mtime': 1}}).encode())\n\
    \x20   time.sleep(0.1)\n\
    \x20   control.send(json.dumps({'Retire': 'maximum_requests'}).encode())\n\
    wait()\n";

#[test]
fn a_script_that_was_never_loaded_has_not_changed() {
    // Seen in review: every path that a daemon named was kept by the supervisor and tried.
    let rig = Rig::start();
    let mut spec = rig.spec(&rig.stand_in("liar", LIAR));
    spec.engine.reload = ReloadMode::Rolling;
    rig.configure(&spec);
    let second =
        rig.wait("its successor", || rig.ready().into_iter().find(|process| process.epoch > 1));
    let trial = fs::read_to_string(rig.folder.path().join("trial-2")).unwrap();
    assert_eq!((second.epoch, trial.as_str()), (2, "False"));
}

#[test]
fn a_dead_process_has_no_busy_threads() {
    // Seen in review: until its slots were used again, which may be never, a killed process counted
    // as busy, so that nobody told when the others were.
    let rig = Rig::start();
    rig.configure(&rig.spec(&rig.stand_in("ready", READY)));
    let first = rig.wait_ready(1)[0];
    assert!(rig.group.slots.begin(first.first_slot, first.epoch, 77));
    rig.group.slots.add_kept(first.first_slot);
    kill(first.pid, libc::SIGKILL);
    rig.wait("its successor", || (rig.ready().first()?.epoch > first.epoch).then_some(()));
    assert_eq!(rig.group.slots.active(), (None, 0));
    assert_eq!(rig.group.slots.count_kept(0, 0), (0, 0));
    let started = rig.group.slots.find(77).unwrap();
    assert_eq!(started.epoch, first.epoch, "httpd still finds who began the request");
}
