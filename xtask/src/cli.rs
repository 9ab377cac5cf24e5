//! The command line: one table of commands, then one line per command that runs it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::project::Project;
use crate::test::Libraries;
use crate::{bench, build, install, lint, matrix, package, serve, soak, test};

/// Parses the arguments and runs the command.
pub(crate) fn run() -> Result<ExitCode> {
    let matches = commands().get_matches();
    let project = Project::find();
    match matches.subcommand() {
        Some(("serve", m)) => serve::run(&project, &serve_options(m)),
        Some(("build", m)) => build::run(&project, &paths(m, "python")).map(|()| ExitCode::SUCCESS),
        Some(("test", m)) => test::run(&project, &test_options(m)),
        Some(("lint", m)) if m.get_flag("write") => {
            lint::write(&project).map(|()| ExitCode::SUCCESS)
        }
        Some(("lint", _)) => lint::run(&project),
        Some(("install", m)) => {
            install::install(&project, &install_options(m)).map(|()| ExitCode::SUCCESS)
        }
        Some(("uninstall", m)) => {
            install::uninstall(path(m, "apxs").as_deref()).map(|()| ExitCode::SUCCESS)
        }
        Some(("wheel", m)) => {
            package::run(&project, package::Kind::Wheel, &package_options(m))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(("deb", m)) => {
            package::run(&project, package::Kind::Deb, &package_options(m))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(("bench", m)) => bench::run(&project, m.get_flag("gate"), &strings(m, "arguments")),
        Some(("matrix", m)) => matrix::run(&project, &matrix_options(m)),
        Some(("soak", m)) => soak::run(&project, &soak_options(m)),
        _ => Ok(ExitCode::FAILURE),
    }
}

/// All commands with their options and help texts.
fn commands() -> Command {
    Command::new("cargo xtask")
        .about("Developer commands of mod_wsgi_rs")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([serve_command(), build_command(), test_command(), lint_command()])
        .subcommands([install_command(), uninstall_command(), bench_command(), soak_command()])
        .subcommands([matrix_command()])
        .subcommands([
            package_command("wheel", "Build a wheel for pip into target/packages"),
            package_command("deb", "Build a Debian package into target/packages (needs dpkg-dev)"),
        ])
}

fn serve_command() -> Command {
    Command::new("serve")
        .about("Install what is missing, build, and serve an application in the foreground")
        .arg(
            Arg::new("script")
                .value_name("SCRIPT")
                .value_parser(value_parser!(PathBuf))
                .help("WSGI script file to serve instead of the example application"),
        )
        .arg(
            Arg::new("port")
                .long("port")
                .value_name("PORT")
                .value_parser(value_parser!(u16).range(1..))
                .help("Port on 127.0.0.1 [default: 8000, or the next free one]"),
        )
        .arg(
            Arg::new("embedded")
                .long("embedded")
                .action(ArgAction::SetTrue)
                .help("Run the application inside httpd's children instead of daemon processes"),
        )
}

fn build_command() -> Command {
    Command::new("build")
        .about("Build the module and all it needs at run time into target/stage")
        .arg(python_option())
}

fn test_command() -> Command {
    Command::new("test")
        .about("Install what is missing, build, and run every test")
        .args([only_option(), filter_option()])
        .arg(
            Arg::new("installable")
                .long("installable")
                .action(ArgAction::SetTrue)
                .help("Skip the tests of libraries that do not install with this Python"),
        )
}

fn only_option() -> Arg {
    Arg::new("only")
        .long("only")
        .value_name("PART")
        .action(ArgAction::Append)
        .value_parser(test::Part::names())
        .help("Run this part only (repeatable)")
}

fn filter_option() -> Arg {
    Arg::new("filter")
        .value_name("FILTER")
        .num_args(0..)
        .help("Run only the tests whose names contain one of these")
}

fn lint_command() -> Command {
    Command::new("lint").about("Check formatting, lints and the project's own rules").arg(
        Arg::new("write")
            .long("write")
            .action(ArgAction::SetTrue)
            .help("Write the generated pages in docs/ anew instead of checking"),
    )
}

fn install_command() -> Command {
    Command::new("install").about("Build, and install into the httpd that apxs describes").args([
        apxs_option(),
        python_option(),
        no_build_option(),
    ])
}

fn package_command(name: &'static str, about: &'static str) -> Command {
    Command::new(name).about(about).args([python_option(), no_build_option()])
}

fn no_build_option() -> Arg {
    Arg::new("no-build")
        .long("no-build")
        .action(ArgAction::SetTrue)
        .help("Take what target/stage holds already")
}

fn uninstall_command() -> Command {
    Command::new("uninstall").about("Remove exactly what install put there").arg(apxs_option())
}

fn bench_command() -> Command {
    Command::new("bench")
        .about("Compare with other servers, see benches/README.md")
        .arg(
            Arg::new("gate")
                .long("gate")
                .action(ArgAction::SetTrue)
                .help("Only check what a request costs against benches/budget.toml"),
        )
        .arg(
            Arg::new("arguments")
                .value_name("ARGUMENTS")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .help("Arguments of benches/run.py, or of benches/gate.py"),
        )
}

fn soak_command() -> Command {
    Command::new("soak")
        .about("Repeat the tests with larger numbers for a long time")
        .arg(
            Arg::new("minutes")
                .long("minutes")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..))
                .help("Start no new round after this many minutes [default: 30]"),
        )
        .arg(
            Arg::new("restarts")
                .long("restarts")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..))
                .help("Graceful restarts in a row, in every round [default: 1200]"),
        )
        .args([only_option(), filter_option()])
}

fn matrix_command() -> Command {
    Command::new("matrix")
        .about("Run the tests in a newer Debian with each of its Pythons (root, debootstrap)")
        .arg(
            Arg::new("python")
                .long("python")
                .value_name("VERSION")
                .action(ArgAction::Append)
                .help("Only this one of its Pythons, as 3.14 (repeatable)"),
        )
        .args([only_option(), filter_option()])
}

fn python_option() -> Arg {
    Arg::new("python")
        .long("python")
        .value_name("PATH")
        .action(ArgAction::Append)
        .value_parser(value_parser!(PathBuf))
        .help("Python to build for, repeatable, one per version [default: /usr/bin/python3]")
}

fn apxs_option() -> Arg {
    Arg::new("apxs")
        .long("apxs")
        .value_name("PATH")
        .value_parser(value_parser!(PathBuf))
        .help("The apxs of the httpd [default: $APXS, or apxs on PATH]")
}

fn serve_options(m: &ArgMatches) -> serve::Options {
    serve::Options {
        script: path(m, "script"),
        port: m.get_one::<u16>("port").copied(),
        is_embedded: m.get_flag("embedded"),
    }
}

fn test_options(m: &ArgMatches) -> test::Options {
    let only = strings(m, "only").iter().filter_map(|name| test::Part::named(name)).collect();
    let is_lenient = m.try_get_one::<bool>("installable").is_ok_and(|flag| flag == Some(&true));
    let libraries = if is_lenient { Libraries::Installable } else { Libraries::All };
    test::Options { only, filters: strings(m, "filter"), libraries }
}

fn soak_options(m: &ArgMatches) -> soak::Options {
    soak::Options {
        minutes: number(m, "minutes").unwrap_or(30),
        restarts: number(m, "restarts").unwrap_or(1200),
        tests: test_options(m),
    }
}

fn matrix_options(m: &ArgMatches) -> matrix::Options {
    matrix::Options { pythons: strings(m, "python"), tests: test_options(m) }
}

fn install_options(m: &ArgMatches) -> install::Options {
    install::Options {
        apxs: path(m, "apxs"),
        pythons: paths(m, "python"),
        is_built: m.get_flag("no-build"),
    }
}

fn package_options(m: &ArgMatches) -> package::Options {
    package::Options { pythons: paths(m, "python"), is_built: m.get_flag("no-build") }
}

fn path(m: &ArgMatches, name: &str) -> Option<PathBuf> {
    m.get_one::<PathBuf>(name).cloned()
}

fn paths(m: &ArgMatches, name: &str) -> Vec<PathBuf> {
    m.get_many::<PathBuf>(name).into_iter().flatten().cloned().collect()
}

fn strings(m: &ArgMatches, name: &str) -> Vec<String> {
    m.get_many::<String>(name).into_iter().flatten().cloned().collect()
}

fn number(m: &ArgMatches, name: &str) -> Option<u64> {
    m.get_one::<u64>(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_table_is_sound() {
        commands().debug_assert();
    }

    #[test]
    fn the_line_of_the_readme_is_understood() {
        let m = commands()
            .try_get_matches_from([
                "cargo xtask",
                "serve",
                "app.wsgi",
                "--port",
                "8080",
                "--embedded",
            ])
            .unwrap();
        let (_, m) = m.subcommand().unwrap();
        let options = serve_options(m);
        assert_eq!(options.script, Some(PathBuf::from("app.wsgi")));
        assert_eq!((options.port, options.is_embedded), (Some(8080), true));
    }

    #[test]
    fn arguments_of_the_benchmark_pass_through() {
        let m = commands()
            .try_get_matches_from(["cargo xtask", "bench", "--", "--rounds", "1"])
            .unwrap();
        let (_, m) = m.subcommand().unwrap();
        assert_eq!(strings(m, "arguments"), ["--rounds", "1"]);
    }
}
