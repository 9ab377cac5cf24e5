//! A server of its own as the pages have it run for long: the unit of the operations guide and the
//! image of the Containerfile, in a copy of the file system.

use std::fs;
use std::path::Path;

use super::first_run::built;
use crate::support::{Inside, System, original, page};

const APPLICATION: &str = include_str!("../apps/hello.py");

/// What an example says, by the word at the beginning of its lines.
fn values<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    text.lines().filter_map(|line| line.strip_prefix(word)).collect()
}

/// The wheel in a folder of the copy.
fn take_wheel(system: &System, folder: &str) -> String {
    let wheel = built("wheel", ".whl");
    let to = format!("{folder}/{}", wheel.file_name().unwrap().display());
    system.take(&wheel, &to);
    to
}

/// Serves with a command line, which the shell becomes.
#[track_caller]
fn serve<'s>(system: &'s System, line: &str) -> Inside<'s> {
    let server = system.serve(system.shell(&format!("exec {line}")), 8000);
    assert_eq!(server.answer, "Hello, WSGI\n\n200");
    server
}

/// A copy of the file system, or the end of the test, by name.
macro_rules! system {
    () => {
        match System::new() {
            Ok(system) => system,
            Err(why) => return original::skipped(&why),
        }
    };
}

one! {
    fn the_unit_of_a_service_is_sound_and_its_command_serves() {
        needs_xtask!();
        let system = system!();
        let section = page::section_of("operations.md", "As a service");
        let unit = &section.blocks.iter().find(|block| block.kind == "ini").expect("a unit").text;
        system.write("/etc/systemd/system/shop.service", unit);
        system.write("/srv/shop/app.wsgi", APPLICATION);
        let wheel = take_wheel(&system, "/srv/wheels");
        system.said("useradd --system shop && /usr/bin/python3 -m venv /srv/shop/venv");
        system.said(&format!("/srv/shop/venv/bin/pip install --no-index {wheel}"));
        if system.succeeds("command -v systemd-analyze") {
            let text = system.said("systemd-analyze verify --man=no /etc/systemd/system/shop.service");
            assert!(!text.contains("shop.service"), "{text}");
        }
        // What systemd does with these lines.
        assert_eq!(values(unit, "KillMode="), ["mixed"], "SIGTERM goes to the first process only");
        for folder in values(unit, "RuntimeDirectory=") {
            system.said(&format!("mkdir --mode=755 /run/{folder}"));
        }
        let server = serve(&system, values(unit, "ExecStart=")[0]);
        assert_eq!(server.status("PPid:"), server.id().to_string(), "systemd watches httpd");
        let owners = || system.said("stat --format %U /proc/[0-9]*; true");
        let of_user = owners().lines().filter(|owner| *owner == "shop").count();
        assert!(of_user > 1, "{of_user} processes of the user");
        assert_eq!(server.stop(), Some(0));
        assert!(!owners().lines().any(|owner| owner == "shop"), "something of it is left");
    }

    fn the_image_of_the_containerfile_serves_as_process_1() {
        needs_xtask!();
        let system = system!();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/container");
        let text = fs::read_to_string(folder.join("Containerfile")).unwrap().replace("\\\n", " ");
        take_wheel(&system, "/context");
        system.write("/context/app.wsgi", APPLICATION);
        system.write("/context/requirements.txt", "");
        let (mut directory, mut user) = ("/", "root");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').unwrap();
            match word {
                // This machine stands for the image it begins with, and has those packages.
                "FROM" | "STOPSIGNAL" | "EXPOSE" | "CMD" => (),
                "RUN" if rest.starts_with("apt-get") => (),
                "RUN" => drop(system.said(&format!("cd {directory}; export PIP_NO_INDEX=1; {rest}"))),
                "COPY" => {
                    let to = rest.rsplit(' ').next().unwrap();
                    system.said(&format!("mkdir -p {to}; cd /context; cp {rest}"));
                }
                "WORKDIR" => directory = rest,
                "USER" => user = rest,
                _ => panic!("{line}?"),
            }
        }
        let words: Vec<String> = serde_json::from_str(values(&text, "CMD ")[0]).unwrap();
        let namespace = "unshare --pid --fork --kill-child --mount-proc";
        let identity = format!("setpriv --reuid {user} --regid {user} --init-groups");
        let line = format!("{namespace} {identity} env --chdir {directory} {}", words.join(" "));
        let server = serve(&system, &line);
        assert!(server.status("NSpid:").ends_with("\t1"), "{}", server.status("NSpid:"));
        assert_eq!(values(&text, "STOPSIGNAL "), ["SIGTERM"]);
        assert_eq!(server.stop(), Some(0));
    }
}
