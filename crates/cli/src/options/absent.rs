//! Options of mod_wsgi-express that are not here on purpose, and what to use in their place.

use clap::error::{ContextKind, ContextValue, ErrorKind};

const DEBUGGER: &str = "an interactive debugger would need a server that serves one request at a time: use a remote one \
    (debugpy, remote-pdb) with --processes 1, or mod-wsgi-rs dump for Python stacks";
const PROFILER: &str = "profile with middleware (werkzeug.middleware.profiler) or from outside (py-spy) the process \
    that mod-wsgi-rs status names";
const COVERAGE: &str =
    "start it in the script, before the application is imported: coverage.Coverage().start()";
const RECORDER: &str = "record requests with middleware around the application";
const GDB: &str = "attach gdb -p to the process that mod-wsgi-rs status names";
const TELEMETRY: &str = "no collector is bundled: run one and name its socket with --telemetry-service, or see \
    mod-wsgi-rs status and --server-status";
const SERVICE_LOG: &str =
    "what a service prints is in the error log: give its script a logging handler with a file";

/// The options, without the dashes.
const ABSENT: &[(&str, &str)] = &[
    ("debug-mode", DEBUGGER),
    ("enable-debugger", DEBUGGER),
    ("debugger-startup", DEBUGGER),
    ("enable-profiler", PROFILER),
    ("profiler-directory", PROFILER),
    ("enable-coverage", COVERAGE),
    ("coverage-directory", COVERAGE),
    ("enable-recorder", RECORDER),
    ("recorder-directory", RECORDER),
    ("enable-gdb", GDB),
    ("gdb-executable", GDB),
    ("enable-telemetry", TELEMETRY),
    ("telemetry-ui-port", TELEMETRY),
    ("service-log-file", SERVICE_LOG),
];

/// What to say about a command line with one of them.
pub(crate) fn explain(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let name = option.trim_start_matches('-');
    let (_, instead) = ABSENT.iter().find(|(absent, _)| *absent == name)?;
    let is_unknown = error.kind() == ErrorKind::UnknownArgument;
    is_unknown.then(|| format!("there is no --{name} as in mod_wsgi-express: {instead}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Cli;
    use clap::{CommandFactory, Parser};

    #[test]
    fn each_is_explained_and_none_is_there() {
        for (name, instead) in ABSENT {
            let line = ["mod-wsgi-rs".to_owned(), "start-server".to_owned(), format!("--{name}")];
            let said = explain(&Cli::try_parse_from(line).unwrap_err()).unwrap();
            assert!(said.contains(name) && said.ends_with(instead), "{said}");
        }
        let error = Cli::try_parse_from(["mod-wsgi-rs", "start-server", "--other"]).unwrap_err();
        assert_eq!(explain(&error), None);
        Cli::command().debug_assert();
    }
}
