//! The tables themselves, and the contexts.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::*;
use super::support::{Config, directive};

/// A correct line for every directive.
pub(super) const GOOD: &[&str] = &[
    "WSGIScriptAlias / /srv/app.wsgi",
    "WSGIScriptAliasMatch ^/(.*) /srv/$1.wsgi",
    "WSGIHandlerScript my-handler /srv/handler.py",
    "WSGIImportScript /srv/app.wsgi process-group=%{GLOBAL} application-group=%{GLOBAL}",
    "WSGIDispatchScript /srv/dispatch.py",
    "WSGIProcessGroup blog",
    "WSGIApplicationGroup %{GLOBAL}",
    "WSGICallableObject main",
    "WSGIRestrictProcess blog shop",
    "WSGIScriptReloading Off",
    "WSGIPassAuthorization On",
    "WSGIPassApacheRequest On",
    "WSGIErrorOverride On",
    "WSGIChunkedRequest On",
    "WSGIMapHEADToGET Off",
    "WSGIIgnoreActivity On",
    "WSGIEnableSendfile On",
    "WSGITrustedProxyHeaders X-Forwarded-For",
    "WSGITrustedProxies 10.0.0.0/8",
    "WSGIAccessScript /srv/access.py",
    "WSGIAuthUserScript /srv/auth.py",
    "WSGIAuthGroupScript /srv/groups.py",
    "WSGIGroupAuthoritative On",
    "WSGIPythonHome /srv/venv",
    "WSGIPythonPath /srv/lib:/srv/more",
    "WSGIPythonEggs /var/eggs",
    "WSGIPythonOptimize 1",
    "WSGIDontWriteBytecode On",
    "WSGIPythonWarnings default",
    "WSGIPythonHashSeed random",
    "WSGISwitchInterval 0.01",
    "WSGIDestroyInterpreter Off",
    "WSGIPerInterpreterGIL On",
    "WSGIFreeThreading On",
    "WSGIRestrictEmbedded On",
    "WSGIRestrictStdin On",
    "WSGIRestrictStdout On",
    "WSGIRestrictSignal Off",
    "WSGICaseSensitivity Off",
    "WSGISocketPrefix run/wsgi",
    "WSGISocketRotation Off",
    "WSGIAcceptMutex flock",
    "WSGIServerMetrics On",
    "WSGITelemetryService unix:/run/telemetry interval=2",
    "WSGISlowRequests 1.5",
    "WSGITelemetryOptions +CaptureUserAgent",
    "WSGIVerboseDebugging On",
    "<WSGIInterpreterOptions process-group=blog>",
    "WSGIDaemonProcess blog",
    "WSGILazyInitialization On",
    "WSGINewRelicConfigFile /etc/newrelic.ini",
    "WSGINewRelicEnvironment production",
    "WSGIPy3kWarningFlag On",
    "WSGIReloadMechanism Process",
    "WSGIOutputBuffering On",
    "WSGICatchExceptions On",
    "WSGIUserAuthoritative Off",
    "WSGIRequestBuffering 5000",
    "WSGISendfileRoot /srv/media",
];

/// A line for every name that is known in order to be refused.
const REFUSED: &[&str] = &["WSGIAuthScript /srv/auth.py", "WSGIPythonExecutable /usr/bin/python3"];

#[test]
fn there_are_49_names_and_44_options_and_ours() {
    let names: BTreeSet<_> = DIRECTIVES.iter().map(|directive| directive.name).collect();
    assert_eq!(DIRECTIVES.len(), names.len());
    let is_removed = |directive: &&Directive| directive.status == Status::Removed;
    assert_eq!(DIRECTIVES.iter().filter(|one| !is_removed(one) && !one.is_extension).count(), 49);
    let options: BTreeSet<_> = daemon::OPTIONS.iter().map(|option| option.name).collect();
    assert_eq!(daemon::OPTIONS.len(), options.len());
    assert_eq!(daemon::OPTIONS.iter().filter(|option| !option.is_extension).count(), 44);
    let lines = GOOD.iter().chain(REFUSED);
    let of_lines: BTreeSet<_> = lines.map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(of_lines, names);
}

#[test]
fn help_is_a_sentence() {
    let of_options = daemon::OPTIONS.iter().map(|option| (option.name, option.help));
    let of_directives = DIRECTIVES.iter().map(|directive| (directive.name, directive.help));
    for (name, help) in of_options.chain(of_directives) {
        assert!(help.ends_with('.') && help.len() < 120 && !help.contains('|'), "{name}: {help}");
    }
}

#[test]
fn every_directive_stands_where_the_contract_says() {
    for line in GOOD {
        let directive = directive(line.split(' ').next().unwrap());
        let places = match directive.context {
            Context::Global => [true, false, false, false],
            Context::Server => [true, true, false, false],
            Context::ServerOrDirectory => [true, true, true, false],
            Context::FileInfo => [true, true, true, true],
            Context::AuthConfig => [false, false, true, true],
        };
        let found = [
            Config::default().main(line),
            Config::default().server(1, line),
            Config::default().directory(line),
            Config::default().htaccess(line),
        ];
        for (allowed, outcome) in places.into_iter().zip(found) {
            match outcome {
                Ok(_) => assert!(allowed, "{line}"),
                Err(text) => {
                    assert!(!allowed, "{line}: {text}");
                    let standard = ["not allowed", "cannot occur within <VirtualHost> section"];
                    assert!(standard.iter().any(|part| text.contains(part)), "{line}: {text}");
                }
            }
        }
    }
}

#[test]
fn what_does_not_act_is_said_once() {
    for line in GOOD {
        let directive = directive(line.split(' ').next().unwrap());
        let mut config = Config::default();
        let mut apply = || {
            config.global.close_block();
            match directive.context {
                Context::AuthConfig => config.directory(line),
                _ => config.main(line),
            }
        };
        let (first, second) = (apply(), apply());
        match directive.status {
            Status::Acts | Status::NotNeeded => assert_eq!(first, Ok(vec![]), "{line}"),
            Status::Inert | Status::Removed => {
                let notices = first.unwrap();
                assert_eq!(notices.len(), 1, "{line}");
                let is_loud = notices[0].level == NoticeLevel::Warning;
                assert_eq!(is_loud, directive.status == Status::Removed, "{line}");
                assert!(notices[0].text.contains(directive.name), "{line}");
                assert_eq!(second, Ok(vec![]), "{line}");
            }
        }
    }
}

#[test]
fn htaccess_writes_no_warning_per_request() {
    let notices = Config::default().htaccess("WSGITrustedProxyHeaders X-Unknown").unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].level, NoticeLevel::Debug);
}

#[test]
fn names_that_mattered_are_refused_with_what_to_write_instead() {
    for line in REFUSED {
        let name = line.split(' ').next().unwrap();
        let mut config = Config::default();
        let outcome = match directive(name).context {
            Context::AuthConfig => config.directory(line),
            _ => config.main(line),
        };
        let text = outcome.unwrap_err();
        assert_eq!(
            text,
            format!("{name} has been removed from mod_wsgi: {}", directive(name).help)
        );
    }
}

proptest! {
    #[test]
    fn no_line_panics_anywhere(row in 0..GOOD.len(), arguments in ARGUMENTS) {
        let name = GOOD[row].split(' ').next().unwrap();
        let line = format!("{name} {arguments}");
        let mut config = Config::default();
        let outcomes = [
            config.main(&line),
            config.server(1, &line),
            config.directory(&line),
            config.htaccess(&line),
        ];
        for text in outcomes.into_iter().filter_map(Result::err) {
            prop_assert!(!text.is_empty() && text.len() < 2000);
            prop_assert!(!text.contains(['\n', '\r', '\x1b']), "{text:?}");
        }
    }

    #[test]
    fn no_option_of_a_group_panics(option in 0..daemon::OPTIONS.len(), value in ".{0,20}") {
        let name = daemon::OPTIONS[option].name;
        let _ = Config::default().main(&format!("WSGIDaemonProcess blog {name}={value}"));
    }
}

/// What a line may contain, with more of what means something than chance would give.
const ARGUMENTS: &str =
    "((On|Off|/|%\\{[A-Z:]{1,6}\\}|[a-z-]{1,9}=|[0-9.]{1,5}|[\"'#$<>=]|.){1} ?){0,8}";
