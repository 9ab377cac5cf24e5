//! docs/quickstart.md, carried out: its files are written, its commands run by a shell, and what it
//! says they answer is what they answer. Only what needs the network or port 80 is put in other words.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::support::command::{self, Served, folder, other, said};
use crate::support::page::{self, Block};
use crate::support::{Httpd, conf, original, rundir};

/// The blocks of a section that are run.
fn section(title: &str) -> VecDeque<Block> {
    let blocks = page::section_of("quickstart.md", title).blocks.into_iter();
    blocks.filter(|block| block.excuse.is_none()).collect()
}

/// A shell in a folder, in which `mod-wsgi-rs` is the command under test.
fn shell(folder: &Path, line: &str) -> String {
    let mut command = other(Path::new("/bin/sh"), folder, &["-ec", line]);
    let own = command::program();
    let path = format!("{}:/usr/bin:/bin", own.parent().unwrap().display());
    said(&command.env("PATH", path).output().unwrap())
}

/// The Python package with the module under test, made once: tests of this page run side by side.
fn package() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let package = rundir::run().path.join("python package");
        rundir::copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../python"), &package);
        let server = rundir::run().module.parent().unwrap();
        std::os::unix::fs::symlink(server, package.join("mod_wsgi_rs/server")).unwrap();
        package
    })
}

/// A venv with the libraries of the suite and the Python package, as pip would leave it.
fn install(folder: &Path) {
    let site = fs::read_dir(folder.join("venv/lib")).unwrap().next().unwrap().unwrap().path();
    let libraries =
        fs::read_dir(rundir::venv().unwrap().join("lib")).unwrap().next().unwrap().unwrap();
    let libraries = libraries.path().join("site-packages");
    let text = format!("{}\n{}\n", libraries.display(), package().display());
    fs::write(site.join("site-packages/others.pth"), text).unwrap();
    let script = folder.join("venv/bin/mod-wsgi-rs");
    let text = format!(
        "#!{0}/venv/bin/python\nimport mod_wsgi_rs\nmod_wsgi_rs.main()\n",
        folder.display()
    );
    fs::write(&script, text).unwrap();
    rundir::mode(&script, 0o755);
}

/// Runs the lines of a block; a server stays.
fn run_block(folder: &Path, text: &str) -> (String, Option<Served>) {
    let mut said = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.contains("pip install") {
            install(folder);
        } else if let Some(at) =
            words.iter().position(|word| ["start-server", "runmodwsgi"].contains(word))
        {
            let (words, arguments) = words.split_at(at + 1);
            let program = folder.join(words[0]).display().to_string();
            let words: Vec<&str> =
                [program.as_str()].into_iter().chain(words[1..].iter().copied()).collect();
            return (said, Some(Served::by(folder, &words, arguments)));
        } else {
            said += &shell(folder, line);
        }
    }
    (said, None)
}

/// Carries a section out in a folder.
fn carry_out(title: &str, folder: &Path) {
    let mut served: Option<Served> = None;
    let mut answer = String::new();
    for block in section(title) {
        match (block.kind.as_str(), &block.file) {
            (_, Some(file)) => fs::write(folder.join(file), block.text).unwrap(),
            ("sh", None) => {
                let port = served.as_ref().map_or(8000, Served::port);
                let text = block.text.replace("localhost:8000", &format!("127.0.0.1:{port}"));
                let (said, started) = run_block(folder, &text);
                answer = said;
                served = started.or(served);
            }
            ("text", None) => {
                assert!(answer.contains(block.text.trim_end()), "{answer}\nis not {}", block.text)
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(served.is_some());
}

one! {
    fn flask() {
        needs_command!();
        if rundir::venv().is_none() {
            return original::skipped("needs WSGI_TEST_VENV");
        }
        carry_out("Flask", folder().path());
    }

    fn django() {
        needs_command!();
        if rundir::venv().is_none() {
            return original::skipped("needs WSGI_TEST_VENV");
        }
        carry_out("Django", folder().path());
    }

    fn one_process_group_for_each_customer() {
        needs_command!();
        needs_root!();
        let mut blocks = section("One process group for each customer");
        let site = tempfile::tempdir().unwrap();
        for name in ["alice", "bob"] {
            let path = site.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("app.wsgi"), format!(
                "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{name}\\n']\n")).unwrap();
            let venv = path.join("venv").display().to_string();
            rundir::output_of("/usr/bin/python3", &["-m", "venv", "--without-pip", &venv]);
            let owner = format!("{}:{}", conf::user(), conf::group());
            rundir::output_of("chown", &["-R", &owner, path.to_str().unwrap()]);
        }
        // Users and folders of this machine; the shared address is that of the test.
        let text = blocks.pop_front().unwrap().text;
        let text = ["alice", "bob"].iter().fold(text, |text, name| {
            text.replace(&format!("user={name}"), "user=@user@")
                .replace(&format!("group={name} home"), &format!("group={} home", conf::group()))
        });
        let text = text.replace("/srv/", "@root@/srv/").replace("*:80>", "127.0.0.1:@port@>");
        // httpd's own default, which the harness shortens.
        let server = Httpd::with(&format!("Timeout 60\n{text}")).tree("srv", site.path()).start();
        let root = server.path("");
        let (port, socket) = (server.port(), server.path("run/httpd.wsgi"));
        server.expect_log("drained by an operator");
        let mut answer = String::new();
        for block in blocks {
            if block.kind == "text" {
                let expected = block.text.trim_end().replace("/srv/", &format!("{}srv/", root.display()));
                assert!(answer.contains(&expected), "{answer}\nis not {expected}");
                continue;
            }
            for line in block.text.lines() {
                let line = line.replace("localhost:80/", &format!("127.0.0.1:{port}/"));
                let line = match line.strip_prefix("mod-wsgi-rs check") {
                    Some(_) => format!("mod-wsgi-rs check {} 2>&1", server.path("httpd.conf").display()),
                    None if line.starts_with("mod-wsgi-rs") => format!("{line} --socket {}", socket.display()),
                    None => format!("{line} --silent --show-error"),
                };
                answer = shell(&root, &line);
            }
        }
        shell(&root, &format!("mod-wsgi-rs reload alice --socket {}", socket.display()));
    }

    fn the_command_of_the_container_serves() {
        needs_command!();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/container/Containerfile");
        let text = fs::read_to_string(file).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("CMD ")).expect("CMD");
        let words: Vec<String> = serde_json::from_str(line).unwrap();
        assert!(words[0].ends_with("/bin/mod-wsgi-rs") && words[1] == "start-server", "{words:?}");
        let folder = folder();
        fs::write(folder.path().join("app.wsgi"), include_str!("../apps/hello.py")).unwrap();
        let arguments: Vec<&str> = words[2..].iter().map(String::as_str).collect();
        let served = Served::start(folder.path(), &arguments);
        assert_eq!(served.get("/").ok(), "Hello, WSGI\n");
        // Process 1 of a container must be httpd itself, which collects what its children leave.
        let first = fs::read_link(format!("/proc/{}/exe", served.pid())).unwrap();
        assert_eq!(PathBuf::from(conf::httpd_program()).canonicalize().unwrap(), first);
        assert_eq!(served.end_by(libc::SIGTERM), Some(0));
    }
}
