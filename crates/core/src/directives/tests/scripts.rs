//! Aliases, imports and handler scripts.

use super::super::*;
use super::support::Config;

#[test]
fn an_alias_keeps_what_was_given() {
    let mut config = Config::default();
    let line = "WSGIScriptAlias \"/my app\" '/srv/my app.wsgi' process-group=%{GLOBAL} \
                application-group=x application-group='a b' callable-object=main \
                pass-authorization=on";
    config.main(line).unwrap();
    let expected = ScriptAlias {
        mount: Mount::Prefix("/my app".into()),
        target: "/srv/my app.wsgi".into(),
        options: AliasOptions {
            process_group: Some(String::new()),
            application_group: Some("a b".into()),
            callable_object: Some("main".into()),
            pass_authorization: Some(true),
        },
        file: "httpd.conf".into(),
        line: 1,
    };
    assert_eq!(config.main_server().aliases, [expected]);
}

#[test]
fn patterns_are_compiled_by_httpd() {
    let mut config = Config::default();
    config.main("WSGIScriptAliasMatch ^/a(.*)$ /srv$1.wsgi").unwrap();
    config.main("WSGIScriptAliasMatch ^/b /srv/b.wsgi").unwrap();
    let mounts: Vec<_> = config.main_server().aliases.iter().map(|a| a.mount.clone()).collect();
    let pattern = |text: &str, compiled| Mount::Pattern { text: text.into(), compiled };
    assert_eq!(mounts, [pattern("^/a(.*)$", 0), pattern("^/b", 1)]);
    assert_eq!(*config.world.patterns.borrow(), ["^/a(.*)$", "^/b"]);
}

#[test]
fn aliases_that_say_everything_are_preloaded() {
    let cases = [
        ("WSGIScriptAlias / /s process-group=g application-group=%{GLOBAL}", true),
        ("WSGIScriptAlias / /s process-group=g application-group=a", true),
        ("WSGIScriptAlias / /s process-group=%{GLOBAL} application-group=a", true),
        ("WSGIScriptAlias / /s process-group=g", false),
        ("WSGIScriptAlias / /s application-group=a", false),
        ("WSGIScriptAlias / /s process-group=%{SERVER} application-group=a", false),
        ("WSGIScriptAlias / /s process-group=g application-group=%{RESOURCE}", false),
        // A folder has nothing to preload.
        ("WSGIScriptAlias /s/ /s/ process-group=g application-group=a", false),
        ("WSGIScriptAlias / /$1 process-group=g application-group=a", true),
        ("WSGIScriptAliasMatch (.) /s process-group=g application-group=a", true),
        ("WSGIScriptAliasMatch (.) /$1 process-group=g application-group=a", false),
    ];
    for (line, is_preloaded) in cases {
        let mut config = Config::default();
        config.main("WSGIDaemonProcess g").unwrap();
        config.main(line).unwrap();
        assert_eq!(config.global.import_scripts.len(), usize::from(is_preloaded), "{line}");
        assert_eq!(config.main_server().aliases.len(), 1, "{line}");
    }
}

#[test]
fn imports_keep_their_order_and_global_is_empty() {
    let mut config = Config::default();
    config.main("WSGIDaemonProcess g").unwrap();
    config.main("WSGIImportScript /1 process-group=g application-group=%{GLOBAL}").unwrap();
    config.server(2, "WSGIImportScript /2 application-group=%{X} process-group=%{GLOBAL}").unwrap();
    let import = |path: &str, process: &str, application: &str, server| ImportScript {
        path: path.into(),
        process_group: process.into(),
        application_group: application.into(),
        server: ServerId(server),
    };
    let expected = [import("/1", "g", "", 0), import("/2", "", "%{X}", 2)];
    assert_eq!(config.global.import_scripts, expected);
}

#[test]
fn children_need_python_unless_restricted() {
    let mut config = Config::default();
    assert!(config.global.children_need_python());
    config.main("WSGIRestrictEmbedded On").unwrap();
    assert!(!config.global.children_need_python());
    config.main("WSGIDaemonProcess g").unwrap();
    config.main("WSGIImportScript /1 process-group=g application-group=x").unwrap();
    assert!(!config.global.children_need_python());
    config.main("WSGIImportScript /1 process-group=%{GLOBAL} application-group=x").unwrap();
    assert!(config.global.children_need_python());
    let mut config = Config::default();
    config.main("WSGIRestrictEmbedded On").unwrap();
    let _ = config.directory("WSGIAccessScript /srv/access.py");
    assert!(config.global.children_need_python());
}

#[test]
fn handler_scripts_are_kept_by_name() {
    let mut config = Config::default();
    config.directory("WSGIHandlerScript h /old").unwrap();
    config
        .directory("WSGIHandlerScript h /new process-group=%{SERVER} pass-authorization=Off")
        .unwrap();
    let expected = HandlerScript {
        path: "/new".into(),
        process_group: Some("%{SERVER}".into()),
        application_group: None,
        pass_authorization: Some(false),
    };
    assert_eq!(config.dir.scoped.handler_scripts.0["h"], expected);
}

#[test]
fn groups_are_visible_by_server_name() {
    let server = |id, name| NamedServer { id: ServerId(id), name };
    let cases = [
        (server(0, Some("m")), server(1, Some("a")), Visibility::Visible),
        (server(0, None), server(1, Some("a")), Visibility::Visible),
        (server(1, None), server(1, None), Visibility::Visible),
        (server(1, Some("a")), server(2, Some("A")), Visibility::Visible),
        (server(1, Some("a")), server(2, Some("b")), Visibility::OtherName),
        (server(1, Some("a")), server(0, Some("b")), Visibility::OtherName),
        (server(1, Some("a")), server(2, None), Visibility::NotMatchable),
        (server(1, None), server(2, Some("a")), Visibility::NotMatchable),
    ];
    for (home, from, expected) in cases {
        assert_eq!(visibility(home, from), expected, "{from:?} uses a group of {home:?}");
    }
}
