//! Every line that is refused, with the text the contract wants.

use super::support::{Config, World};

/// Applies a line where its directive may stand.
fn refusal(line: &str) -> String {
    let mut config = Config::default();
    let is_of_directory =
        ["WSGIAccess", "WSGIAuth", "WSGIGroup"].iter().any(|start| line.starts_with(start));
    let outcome = if is_of_directory { config.directory(line) } else { config.main(line) };
    outcome.expect_err(line)
}

/// Lines and what must be said about them.
const CASES: &[(&str, &str)] = &[
    ("WSGIScriptReloading yes", "WSGIScriptReloading must be one of: Off | On"),
    ("WSGIPassAuthorization 1", "WSGIPassAuthorization must be one of: Off | On"),
    ("WSGIErrorOverride Auto", "WSGIErrorOverride must be one of: Off | On"),
    ("WSGIChunkedRequest true", "WSGIChunkedRequest must be one of: Off | On"),
    ("WSGIRestrictEmbedded no", "WSGIRestrictEmbedded must be one of: Off | On"),
    ("WSGIMapHEADToGET maybe", "WSGIMapHEADToGET must be one of: Off | On | Auto"),
    ("WSGIScriptReloading", "WSGIScriptReloading takes one argument, "),
    ("WSGIScriptReloading On Off", "WSGIScriptReloading takes one argument, "),
    ("WSGIProcessGroup", "WSGIProcessGroup takes one argument, "),
    ("WSGIProcessGroup a b", "WSGIProcessGroup takes one argument, "),
    ("WSGICallableObject \"\"", "WSGICallableObject takes one argument, "),
    ("WSGIPythonHome", "WSGIPythonHome takes one argument, "),
    ("WSGIRestrictProcess", "WSGIRestrictProcess requires at least one argument, "),
    ("WSGIScriptAlias", "WSGIScriptAlias requires at least two arguments, "),
    ("WSGIScriptAlias /", "WSGIScriptAlias requires at least two arguments, "),
    ("WSGIScriptAlias / ''", "WSGIScriptAlias requires at least two arguments, "),
    ("WSGIScriptAliasMatch x", "WSGIScriptAliasMatch requires at least two arguments, "),
    ("WSGIScriptAliasMatch (( /s", "Regular expression could not be compiled."),
    ("WSGIScriptAlias / /s x", "Invalid option to WSGI script alias definition."),
    ("WSGIScriptAlias / /s threads=5", "Invalid option to WSGI script alias definition."),
    ("WSGIScriptAlias / /s Process-Group=a", "Invalid option to WSGI script alias definition."),
    ("WSGIScriptAlias / /s process-group =a", "Invalid option to WSGI script alias definition."),
    ("WSGIScriptAlias / /s process-group=", "Invalid name for WSGI process group."),
    ("WSGIScriptAlias / /s process-group= a", "Invalid name for WSGI process group."),
    ("WSGIScriptAlias / /s application-group=''", "Invalid name for WSGI application group."),
    ("WSGIScriptAlias / /s callable-object=", "Invalid name for WSGI callable object."),
    ("WSGIScriptAlias / /s pass-authorization=", "Invalid value for authorization flag."),
    ("WSGIScriptAlias / /s pass-authorization=1", "Invalid value for authorization flag."),
    ("WSGIHandlerScript", "Name for handler script not supplied."),
    ("WSGIHandlerScript h", "Location of handler script not supplied."),
    ("WSGIHandlerScript h /s x", "Invalid option to WSGI handler script definition."),
    (
        "WSGIHandlerScript h /s callable-object=x",
        "Invalid option to WSGI handler script definition.",
    ),
    ("WSGIHandlerScript h /s process-group=", "Invalid name for WSGI process group."),
    ("WSGIImportScript", "Location of import script not supplied."),
    ("WSGIImportScript /s", "Name of WSGI process group required."),
    ("WSGIImportScript /s process-group=g", "Name of WSGI application group required."),
    ("WSGIImportScript /s application-group=g", "Name of WSGI process group required."),
    ("WSGIImportScript /s x=y", "Invalid option to WSGI import script definition."),
    ("WSGIImportScript /s process-group=", "Invalid name for WSGI process group."),
    ("WSGIDispatchScript", "Location of dispatch script not supplied."),
    ("WSGIDispatchScript /s x=y", "Invalid option to WSGI dispatch script definition."),
    ("WSGIDispatchScript /s application-group=", "Invalid name for WSGI application group."),
    ("WSGIAccessScript", "Location of access script not supplied."),
    ("WSGIAccessScript /s x", "Invalid option to WSGI access script definition."),
    ("WSGIAccessScript /s application-group=", "Invalid name for WSGI application group."),
    ("WSGIAuthUserScript", "Location of auth user script not supplied."),
    ("WSGIAuthUserScript /s x", "Invalid option to WSGI auth user script definition."),
    ("WSGIAuthGroupScript", "Location of auth group script not supplied."),
    ("WSGIAuthGroupScript /s x", "Invalid option to WSGI auth group script definition."),
    ("WSGIGroupAuthoritative x", "WSGIGroupAuthoritative must be one of: Off | On"),
    ("WSGITrustedProxyHeaders X_Forwarded", "'X_Forwarded' is not a header name"),
    ("WSGITrustedProxyHeaders \"\"", "is not a header name"),
    (
        "WSGITrustedProxies host.example",
        "Unable to parse trusted proxy IP address/subnet of \"host.example\".",
    ),
];

#[test]
fn bad_values_get_the_texts_of_the_contract() {
    for (line, expected) in CASES {
        let found = refusal(line);
        assert!(found.contains(expected), "{line}: {found}");
    }
}

#[test]
fn bad_interpreter_settings_are_refused() {
    let hash = "WSGIPythonHashSeed must be \"random\" or an integer in range [0; 4294967295]";
    let interval = "WSGISwitchInterval must be a positive number of seconds.";
    let section = "<WSGIInterpreterOptions>";
    let cases = [
        ("WSGIPythonOptimize 1x", "expected a whole number from 0 to 2".to_owned()),
        ("WSGIPythonHashSeed Random", hash.to_owned()),
        ("WSGIPythonHashSeed 4294967296", hash.to_owned()),
        ("WSGIPythonHashSeed -1", hash.to_owned()),
        ("WSGISwitchInterval 0", interval.to_owned()),
        ("WSGISwitchInterval -1", interval.to_owned()),
        ("WSGISwitchInterval 1s", interval.to_owned()),
        ("WSGISocketPrefix unresolvable", "Invalid WSGISocketPrefix 'unresolvable'.".to_owned()),
        ("WSGIAcceptMutex spin", "Accept mutex lock mechanism 'spin' is invalid.".to_owned()),
        ("WSGITelemetryService", "takes 1-2 arguments, ".to_owned()),
        ("WSGITelemetryService tcp:1", "target must be 'unix:/path'".to_owned()),
        ("WSGITelemetryService unix:x", "target must be 'unix:/path'".to_owned()),
        ("WSGITelemetryService unix:/x 5", "second argument must be 'interval=N'".to_owned()),
        ("WSGITelemetryService unix:/x interval=a", "must be 'interval=N'".to_owned()),
        (
            "WSGITelemetryService unix:/x interval=0.4",
            "interval must be at least 0.5 seconds".to_owned(),
        ),
        ("WSGITelemetryService unix:/x interval=1 x", "takes 1-2 arguments".to_owned()),
        ("WSGISlowRequests -1", "threshold must be non-negative".to_owned()),
        (
            "WSGITelemetryOptions +CaptureUserAgent None",
            "cannot mix +/- form with absolute names".to_owned(),
        ),
        ("WSGITelemetryOptions Everything", "unknown flag 'Everything'".to_owned()),
        ("WSGITelemetryOptions +All", "'All' may not have a +/- prefix".to_owned()),
        ("<WSGIInterpreterOptions", format!("{section} directive missing closing '>'")),
        (
            "<WSGIInterpreterOptions blog>",
            format!("{section}: argument 'blog' is not of the form key=value"),
        ),
        (
            "<WSGIInterpreterOptions process-group=a Process-Group=b>",
            format!("{section}: process-group given more than once"),
        ),
        (
            "<WSGIInterpreterOptions group=a>",
            format!(
                "{section}: unknown selector 'group', expected process-group or application-group"
            ),
        ),
    ];
    for (line, expected) in cases {
        let found = refusal(line);
        assert!(found.contains(&expected), "{line}: {found}");
    }
}

#[test]
fn groups_of_preloaded_scripts_must_be_known_and_visible() {
    let world =
        World { names: [(1, "a.org"), (2, "b.org"), (3, "A.org")].into(), ..World::default() };
    let mut config = Config::new(world);
    let import = "WSGIImportScript /s process-group=blog application-group=%{GLOBAL}";
    let alias = "WSGIScriptAlias / /s process-group=blog application-group=%{GLOBAL}";
    let folder = "WSGIScriptAlias /s/ /s/ process-group=blog application-group=%{GLOBAL}";
    for line in [import, alias, folder] {
        let text = config.main(line).unwrap_err();
        assert!(text.contains("WSGI process group not yet configured."), "{text}");
        assert!(text.contains("'blog'"), "{text}");
    }
    config.server(1, "WSGIDaemonProcess blog").unwrap();
    for line in [import, alias] {
        config.server(1, line).unwrap();
        config.server(3, line).unwrap();
        let text = config.server(2, line).unwrap_err();
        assert!(text.contains("WSGI process group not accessible."), "{text}");
        for unnamed in [0, 4] {
            let text = config.server(unnamed, line).unwrap_err();
            assert!(text.contains("WSGI process group not matchable."), "{text}");
        }
    }
    // What is not preloaded is not looked at before a request needs it.
    config.server(2, "WSGIScriptAlias /x /s process-group=blog").unwrap();
    config.server(2, "WSGIProcessGroup nosuch").unwrap();
}
