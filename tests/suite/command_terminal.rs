//! `mod-wsgi-rs` at a terminal: what it shows there, colours, Ctrl-C, and a terminal that goes away.
//! Skipped by name where there is no tmux.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::command::{self, folder};
use crate::support::process::{self, Process};
use crate::support::{Connection, Port, original, poll, ports};

/// Ends a test, by name, without tmux.
macro_rules! needs_tmux {
    () => {
        needs_command!();
        if Command::new("tmux").arg("-V").output().is_err() {
            original::skipped("needs tmux");
            return;
        }
    };
}

/// A terminal with a shell line in it, in a tmux server of its own.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn run(folder: &Path, line: &str) -> Terminal {
        let socket = folder.join("tmux").display().to_string();
        let terminal = Terminal { socket };
        let folder = folder.to_str().unwrap();
        let tmpdir = format!("TMPDIR={folder}");
        terminal.tmux(&[
            "new-session",
            "-d",
            "-x",
            "150",
            "-y",
            "40",
            "-c",
            folder,
            "-e",
            &tmpdir,
            line,
        ]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-f", "/dev/null", "-S", &self.socket]).args(arguments);
        command.env_remove("NO_COLOR").env("TERM", "xterm-256color");
        String::from_utf8_lossy(&command.output().expect("tmux").stdout).into_owned()
    }

    /// What the screen shows, with its colours.
    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    #[track_caller]
    fn wait_for(&self, words: &str) -> String {
        let found = |screen: &String| screen.contains(words);
        poll(words, || Some(self.screen()).filter(found))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// The line that serves the demo page, with what comes after it.
fn line(port: &Port, more: &str) -> String {
    let user = command::identity().join(" ");
    let program = command::program();
    let number = port.number;
    format!("{} start-server --host 127.0.0.1 --port {number} {user} {more}", program.display())
}

/// The processes of the server on a port.
fn processes(folder: &Path) -> Vec<Process> {
    // Not the shell and the terminal, whose command lines name the folder, too.
    let is_server = |one: &Process| {
        ["mod-wsgi-rs", "wsgi-", "apache2", "httpd"].iter().any(|name| one.name().starts_with(name))
    };
    process::users_of(&folder.join("root")).into_iter().filter(is_server).collect()
}

one! {
    fn ctrl_c_ends_a_server_in_order_and_colours_are_for_terminals() {
        needs_tmux!();
        let folder = folder();
        let port = ports::take();
        let root = folder.path().join("root");
        let more = format!("--server-root {} ; echo ended with $? ; sleep 60", root.display());
        let terminal = Terminal::run(folder.path(), &line(&port, &more));
        let screen = terminal.wait_for("Ctrl-C ends it");
        assert!(screen.contains("Loading the application once"), "{screen}");
        assert!(screen.contains("\u{1b}[1m"), "no bold in {screen:?}");
        let mut connection = Connection::open(port.number);
        connection.request("GET", "/", &[("Connection", "close")], b"");
        assert!(connection.response().ok().contains("<html"));
        let running = processes(folder.path());
        assert!(!running.is_empty());
        terminal.tmux(&["send-keys", "C-c"]);
        terminal.wait_for("ended with 0");
        poll("the server to be gone", || running.iter().all(|one| !one.is_alive()).then_some(()));
    }

    fn an_error_is_one_red_word_at_a_terminal() {
        needs_tmux!();
        let folder = folder();
        let (program, user) = (command::program(), command::identity().join(" "));
        let program = program.display();
        let terminal = Terminal::run(folder.path(), &format!(
            "{program} start-server nothing {user}; echo ended with $?; \
             NO_COLOR=1 {program} start-server nowhere {user}; sleep 60"));
        terminal.wait_for("ended with 1");
        let screen = terminal.wait_for("nowhere");
        let red = screen.lines().find(|line| line.contains("error:")).unwrap();
        assert!(red.contains("\u{1b}[1m\u{1b}[31m") || red.contains("\u{1b}[1;31m"), "{red:?}");
        let plain = screen.lines().rfind(|line| line.contains("error:")).unwrap();
        assert!(!plain.trim_end().trim_start_matches("\u{1b}[0m").contains('\u{1b}'), "{plain:?}");
    }

    fn a_server_ends_with_its_terminal_and_with_the_command() {
        needs_tmux!();
        for killed in [false, true] {
            let folder = folder();
            let port = ports::take();
            let root = folder.path().join("root");
            let more = format!("--server-root {}", root.display());
            let terminal = Terminal::run(folder.path(), &format!("exec {}", line(&port, &more)));
            terminal.wait_for("Ctrl-C ends it");
            let running = processes(folder.path());
            if killed {
                let own = |one: &&Process| one.command().contains("start-server");
                running.iter().find(own).expect("the command").signal(libc::SIGKILL);
            } else {
                terminal.tmux(&["kill-server"]);
            }
            poll("the server to be gone", || running.iter().all(|one| !one.is_alive()).then_some(()));
            assert_eq!(processes(folder.path()), []);
            fs::remove_dir_all(&root).unwrap();
        }
    }

    fn help_is_there_for_every_command() {
        needs_command!();
        let folder = folder();
        for words in [&["--help"][..], &["start-server", "--help"], &["check", "--help"], &["help", "install"]] {
            let text = command::said(&command::run(folder.path(), words));
            assert!(text.contains("Usage: mod-wsgi-rs") && !text.contains('\u{1b}'), "{words:?}: {text}");
        }
        let done = command::run(folder.path(), &["start-server", "--no-such-option"]);
        assert_eq!(done.status.code(), Some(2));
    }
}
