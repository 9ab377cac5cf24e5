//! The command line: every command and option with its help, and nothing else. What an option
//! becomes is decided in `site` and `conf`.

pub(crate) mod absent;
mod application;
mod capacity;
mod content;
mod listen;
mod operation;
pub(crate) mod reference;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use application::{Application, Kind};
pub(crate) use capacity::{Capacity, Timeouts};
pub(crate) use content::Content;
pub(crate) use listen::Listen;
pub(crate) use operation::{Layout, Logs};

/// Python web applications under Apache httpd
///
/// Errors are one line that says what is wrong and what to do; the command then ends with 1.
#[derive(Debug, Parser)]
#[command(name = "mod-wsgi-rs", version, infer_long_args = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve an application under a private httpd, in the foreground
    ///
    /// APP is the path of a script, a module with its callable (shop.wsgi:application), the directory
    /// of a Django project (with manage.py), or a directory of static files. Without APP a page is
    /// served that shows the server works. Ctrl-C ends it; nothing is left running.
    StartServer(Box<Server>),

    /// Write the files of such a server, with a script apachectl to start and stop it
    SetupServer(Box<Server>),

    /// Try every application of a configuration, without serving it
    ///
    /// Loads each application that the configuration mounts as its group would: as the same user,
    /// with the same Python, in the same kind of interpreter, in a process of its own that then
    /// ends. The command ends with 1 when one of them would not work.
    Check(Check),

    /// Show the process groups of a running server, their processes and requests
    Status {
        /// Which server and group.
        #[command(flatten)]
        talk: Talk,
        /// Print what the server answers as JSON
        #[arg(long)]
        json: bool,
    },

    /// Show which Python code every thread of a running server runs
    Dump(Talk),

    /// Replace the processes of a running server, each when its successor is ready
    Reload(Talk),

    /// End the processes of a group after their requests, until it is reloaded
    Drain {
        /// The process group
        #[arg(value_name = "GROUP")]
        group: String,
        /// Which server.
        #[command(flatten)]
        place: Where,
    },

    /// Print the lines of httpd's configuration that load the module
    ModuleConfig(Python),

    /// Print where the module is
    ModuleLocation,

    /// Copy the module into an httpd, as apxs does
    #[command(visible_alias = "install-module")]
    Install(Install),

    /// Remove what install has put there
    Uninstall(Install),

    /// Print docs/command.md (internal)
    #[command(hide = true)]
    Reference,

    /// httpd itself, ending with the command (internal)
    #[command(hide = true)]
    RunHttpd {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<std::ffi::OsString>,
    },
}

/// Options of a server; of one given twice the last counts.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct Server {
    #[command(flatten)]
    pub(crate) application: Application,
    #[command(flatten)]
    pub(crate) listen: Listen,
    #[command(flatten)]
    pub(crate) content: Content,
    #[command(flatten)]
    pub(crate) capacity: Capacity,
    #[command(flatten)]
    pub(crate) timeouts: Timeouts,
    #[command(flatten)]
    pub(crate) logs: Logs,
    #[command(flatten)]
    pub(crate) layout: Layout,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Configuration of httpd [default: the one httpd was built with]
    #[arg(value_name = "HTTPD.CONF")]
    pub(crate) configuration: Option<PathBuf>,

    /// Define a name, as httpd -D (repeatable)
    #[arg(short = 'D', long = "define", value_name = "NAME")]
    pub(crate) defines: Vec<String>,

    /// The program httpd [default: $HTTPD, that of apxs, or the system's]
    #[arg(long, value_name = "FILE")]
    pub(crate) httpd_executable: Option<PathBuf>,
}

/// Which running server, and which of its groups.
#[derive(Debug, Args)]
pub(crate) struct Talk {
    /// The process group [default: all]
    #[arg(value_name = "GROUP")]
    pub(crate) group: Option<String>,
    #[command(flatten)]
    pub(crate) place: Where,
}

/// Which running server.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// Port of a server that start-server runs
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    pub(crate) port: u16,

    /// The --host of such a server
    #[arg(long, value_name = "IP")]
    pub(crate) host: Option<String>,

    /// The --server-root of such a server
    #[arg(long, value_name = "DIR")]
    pub(crate) server_root: Option<PathBuf>,

    /// Control socket: that of another httpd lies beside its PidFile [default: that of a server on
    /// the port, or of the system's httpd]
    #[arg(long, value_name = "FILE")]
    pub(crate) socket: Option<PathBuf>,
}

/// Options of `module-config`.
#[derive(Debug, Args)]
pub(crate) struct Python {
    /// Python installation or virtual environment [default: $VIRTUAL_ENV, or the Python of the command]
    #[arg(long, value_name = "DIR")]
    pub(crate) python_home: Option<PathBuf>,
}

/// Options of `install` and `uninstall`.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Directory of httpd's modules [default: that of apxs, or the system's]
    #[arg(long, value_name = "DIR")]
    pub(crate) modules_directory: Option<PathBuf>,

    /// The apxs of the httpd [default: $APXS, or apxs on PATH]
    #[arg(long, value_name = "FILE")]
    pub(crate) apxs: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_a_help_text() {
        for command in Cli::command().get_subcommands().filter(|one| !one.is_hide_set()) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument);
            }
        }
    }
}
