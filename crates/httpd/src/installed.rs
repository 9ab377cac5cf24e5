//! The httpd of this machine: its program, its modules, and what it says about itself.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{Apxs, program};

/// Names of httpd's program: as built, and as Debian calls it.
const PROGRAMS: &[&str] = &["httpd", "apache2"];

/// Where programs of the system are that an ordinary user's PATH does not have.
const FOLDERS: &[&str] = &["/usr/sbin", "/usr/local/sbin", "/usr/local/apache2/bin"];

/// Where distributions keep httpd's modules.
const MODULES: &[&str] = &[
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
    "/usr/local/apache2/modules",
];

/// What the user has said about where httpd is.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The program.
    pub program: Option<PathBuf>,
    /// The folder of modules.
    pub modules: Option<PathBuf>,
    /// The apxs to ask for both.
    pub apxs: Option<PathBuf>,
}

/// An installed httpd.
#[derive(Debug, Clone)]
pub struct Httpd {
    /// Its program.
    pub program: PathBuf,
    /// The folder of its modules.
    pub modules: PathBuf,
    /// The folder of its configuration, where that is known.
    pub configuration: Option<PathBuf>,
    /// What `httpd -V` says.
    facts: String,
    /// The modules that are part of the program.
    built_in: String,
}

impl Httpd {
    /// Finds it: as the user says, as `$HTTPD` says, by apxs, on PATH, or where systems have it.
    pub fn find(wanted: &Wanted) -> Result<Self> {
        let apxs = Apxs::new(wanted.apxs.as_deref());
        let program = wanted
            .program
            .clone()
            .or_else(|| env::var_os("HTTPD").map(PathBuf::from))
            .or_else(|| apxs.httpd().ok().filter(|path| path.exists()))
            .or_else(|| on_path(PROGRAMS));
        let Some(program) = program else {
            bail!(
                "no httpd found: install it (Debian: apache2-bin), or name its program with \
                 --httpd-executable"
            );
        };
        let facts = facts(&program)?;
        let built_in = program::output(Command::new(&program).arg("-l")).unwrap_or_default();
        let root = fact(&facts, "HTTPD_ROOT").map(PathBuf::from);
        let modules = wanted
            .modules
            .clone()
            .or_else(|| apxs.modules().ok())
            .or_else(|| root.as_ref().map(|root| root.join("modules")))
            .filter(|path| path.is_dir())
            .or_else(|| MODULES.iter().map(PathBuf::from).find(|path| path.is_dir()));
        let Some(modules) = modules else {
            bail!(
                "no modules found for {}: name their folder with --modules-directory",
                program.display()
            );
        };
        let configuration = apxs.configuration().ok().or(root).filter(|path| path.is_dir());
        Ok(Self { program, modules, configuration, facts, built_in })
    }

    /// Whether a module (`mod_ssl`) is part of the program.
    fn has_built_in(&self, name: &str) -> bool {
        self.built_in.lines().any(|line| line.trim() == format!("{name}.c"))
    }

    /// How a module becomes available.
    pub fn module(&self, name: &str) -> Module {
        let file = self.modules.join(format!("mod_{name}.so"));
        match (self.has_built_in(&format!("mod_{name}")) || self.has_built_in(name), file.exists())
        {
            (true, _) => Module::BuiltIn,
            (false, true) => Module::File(file),
            (false, false) => Module::Missing(file),
        }
    }

    /// Its version: `2.4.62`.
    pub fn version(&self) -> &str {
        let text = self.facts.split("Apache/").nth(1).unwrap_or_default();
        text.split_whitespace().next().unwrap_or("unknown")
    }

    /// Its configuration file, as compiled in.
    pub fn configuration_file(&self) -> Option<PathBuf> {
        let file = PathBuf::from(fact(&self.facts, "SERVER_CONFIG_FILE")?);
        let root = fact(&self.facts, "HTTPD_ROOT").unwrap_or_default();
        Some(Path::new(root).join(file))
    }

    /// The file of the module that brings a directive, for advice.
    pub fn module_with(&self, directive: &str) -> Option<PathBuf> {
        // A directive's name is a C string of its own in the module's file.
        let needle = [b"\0", directive.as_bytes(), b"\0"].concat();
        let mut files: Vec<_> =
            std::fs::read_dir(&self.modules).ok()?.flatten().map(|entry| entry.path()).collect();
        files.sort();
        files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "so")).find(
            |path| {
                let bytes = std::fs::read(path).unwrap_or_default();
                bytes.windows(needle.len()).any(|window| window == needle)
            },
        )
    }
}

/// How a module of httpd becomes available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Module {
    /// It always is.
    BuiltIn,
    /// By loading this file.
    File(PathBuf),
    /// Not at all: there is no such file.
    Missing(PathBuf),
}

/// What an httpd says about itself. It would read its configuration for that, which need not be
/// there; without one it says it all the same and then fails.
fn facts(program: &Path) -> Result<String> {
    let mut command = Command::new(program);
    command.args(["-V", "-f", "/dev/null"]).stdin(std::process::Stdio::null());
    let output = command
        .output()
        .with_context(|| format!("cannot start {} (see --httpd-executable)", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !text.contains("Server version: Apache/") {
        bail!("{} is no httpd: name its program with --httpd-executable", program.display());
    }
    Ok(text)
}

/// One of the `-D NAME="value"` lines of `httpd -V`.
fn fact<'a>(facts: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("-D {name}=\"");
    let line = facts.lines().find_map(|line| line.trim().strip_prefix(&start))?;
    line.strip_suffix('"')
}

/// The first of these programs that PATH or the system's folders have.
fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        env::split_paths(&path).chain(FOLDERS.iter().map(PathBuf::from)).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = "Server version: Apache/2.4.62 (Debian)\n -D HTTPD_ROOT=\"/etc/apache2\"\n \
                         -D SERVER_CONFIG_FILE=\"apache2.conf\"\n";

    fn httpd(modules: &Path) -> Httpd {
        Httpd {
            program: PathBuf::new(),
            modules: modules.to_path_buf(),
            configuration: None,
            facts: FACTS.to_owned(),
            built_in: "Compiled in modules:\n  core.c\n  mod_so.c\n  mod_unixd.c\n".to_owned(),
        }
    }

    #[test]
    fn facts_are_read_from_what_httpd_says() {
        let httpd = httpd(Path::new("/nowhere"));
        assert_eq!(httpd.version(), "2.4.62");
        assert_eq!(httpd.configuration_file(), Some(PathBuf::from("/etc/apache2/apache2.conf")));
        assert_eq!(httpd.module("unixd"), Module::BuiltIn);
        assert_eq!(httpd.module("ssl"), Module::Missing("/nowhere/mod_ssl.so".into()));
    }

    #[test]
    fn the_module_of_a_directive_is_found_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mod_proxy.so"), b"x\0ProxyPass\0ProxyVia\0").unwrap();
        let httpd = httpd(folder.path());
        assert_eq!(httpd.module_with("ProxyPass"), Some(folder.path().join("mod_proxy.so")));
        assert_eq!(httpd.module_with("Proxy"), None);
        assert!(matches!(httpd.module("proxy"), Module::File(_)));
    }

    #[test]
    fn a_program_that_is_no_httpd_is_refused_by_name() {
        let wanted = Wanted { program: Some("/bin/false".into()), ..Wanted::default() };
        let text = format!("{:#}", Httpd::find(&wanted).unwrap_err());
        assert!(text.starts_with("/bin/false is no httpd"), "{text}");
    }
}
