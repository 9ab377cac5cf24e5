//! Merging, as a table over every field and every scope.

use std::collections::BTreeSet;

use super::super::*;
use super::support::Config;
use crate::forwarded::HEADERS;

/// Sets a field from a text: by functions, which need no lines for each of the scopes.
type Set = fn(&mut Scoped, &str);

/// Field, how it is set from a text, and the texts of four scopes.
const FIELDS: &[(&str, Set)] = &[
    ("restrict_process", |s, v| s.restrict_process = Some(vec![v.into()])),
    ("process_group", |s, v| s.process_group = Some(v.into())),
    ("application_group", |s, v| s.application_group = Some(v.into())),
    ("callable_object", |s, v| s.callable_object = Some(v.into())),
    ("dispatch_script", |s, v| {
        s.dispatch_script = Some(DispatchScript { path: v.into(), application_group: None });
    }),
    ("pass_apache_request", |s, v| s.pass_apache_request = Some(parity(v))),
    ("pass_authorization", |s, v| s.pass_authorization = Some(parity(v))),
    ("script_reloading", |s, v| s.script_reloading = Some(parity(v))),
    ("error_override", |s, v| s.error_override = Some(parity(v))),
    ("chunked_request", |s, v| s.chunked_request = Some(parity(v))),
    ("map_head_to_get", |s, v| {
        s.map_head_to_get = Some(if parity(v) { MapHead::On } else { MapHead::Off });
    }),
    ("ignore_activity", |s, v| s.ignore_activity = Some(parity(v))),
    ("trusted_proxy_headers", |s, v| {
        s.trusted_proxy_headers = Some(vec![&HEADERS[v.parse::<usize>().unwrap()]]);
    }),
    ("trusted_proxies", |s, v| {
        let prefix = v.parse().unwrap();
        let network = TrustedNetwork { address: "10.0.0.0".parse().unwrap(), prefix };
        s.trusted_proxies = Some(vec![network]);
    }),
    ("enable_sendfile", |s, v| s.enable_sendfile = Some(parity(v))),
    ("request_buffering", |s, v| {
        s.request_buffering = Some(RequestBuffering::Memory(v.parse().unwrap()));
    }),
    ("sendfile_roots", |s, v| s.sendfile_roots = Some(vec![v.into()])),
    ("handler_scripts", |s, v| {
        s.handler_scripts.0.insert("same-name".into(), handler(v));
    }),
];

fn parity(text: &str) -> bool {
    text.parse::<u32>().unwrap() % 2 == 0
}

fn handler(path: &str) -> HandlerScript {
    HandlerScript {
        path: path.into(),
        process_group: None,
        application_group: None,
        pass_authorization: None,
    }
}

fn field(scoped: &Scoped, name: &str) -> String {
    scoped.fields().into_iter().find(|(field, _)| *field == name).unwrap().1
}

#[test]
fn the_table_has_every_field() {
    let known: BTreeSet<_> = Scoped::default().fields().into_iter().map(|(name, _)| name).collect();
    let tested: BTreeSet<_> = FIELDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(tested, known);
}

#[test]
fn the_innermost_value_wins_in_every_field() {
    // Each of main server, virtual host, outer and inner section may set the field or not.
    for (name, set) in FIELDS {
        for mask in 0..16u8 {
            let scope = |level: u8| {
                let mut scoped = Scoped::default();
                if mask & (1 << level) != 0 {
                    set(&mut scoped, &level.to_string());
                }
                scoped
            };
            let server = ServerConfig::merge(
                &ServerConfig { scoped: scope(0), ..Default::default() },
                &ServerConfig { scoped: scope(1), ..Default::default() },
            );
            let dir = DirConfig::merge(
                &DirConfig { scoped: scope(2), ..Default::default() },
                &DirConfig { scoped: scope(3), ..Default::default() },
            );
            let merged = Scoped::merge(&server.scoped, &dir.scoped);
            let mut expected = Scoped::default();
            if let Some(innermost) = (0..4u8).rev().find(|level| mask & (1 << level) != 0) {
                set(&mut expected, &innermost.to_string());
            }
            assert_eq!(merged, expected, "{name} set in {mask:04b}");
            assert_eq!(field(&merged, name), field(&expected, name));
        }
    }
}

#[test]
fn handler_scripts_of_all_scopes_add_up() {
    let scope = |name: &str| {
        let mut scoped = Scoped::default();
        scoped.handler_scripts.0.insert(name.into(), handler(name));
        scoped.handler_scripts.0.insert("common".into(), handler(name));
        scoped
    };
    let merged = Scoped::merge(&scope("outer"), &scope("inner")).handler_scripts.0;
    let names: Vec<_> = merged.keys().map(String::as_str).collect();
    assert_eq!(names, ["common", "inner", "outer"]);
    assert_eq!(merged["common"].path, "inner");
}

#[test]
fn aliases_of_the_virtual_host_come_first() {
    let mut config = Config::default();
    config.main("WSGIScriptAlias /a /main-a").unwrap();
    config.main("WSGIScriptAlias /b /main-b").unwrap();
    config.server(1, "WSGIScriptAlias /b /host-b").unwrap();
    config.server(1, "WSGIScriptAlias /a /host-a").unwrap();
    let merged = ServerConfig::merge(config.main_server(), &config.servers[&1]);
    let targets: Vec<_> = merged.aliases.iter().map(|alias| alias.target.as_str()).collect();
    assert_eq!(targets, ["/host-b", "/host-a", "/main-a", "/main-b"]);
}

#[test]
fn scripts_of_directories_are_inherited() {
    let script = |path: &str| Some(AuthScript { path: path.into(), application_group: None });
    let outer = DirConfig {
        access_script: script("outer"),
        auth_user_script: script("outer"),
        auth_group_script: script("outer"),
        group_authoritative: Some(true),
        ..DirConfig::default()
    };
    assert_eq!(DirConfig::merge(&outer, &DirConfig::default()), outer);
    assert_eq!(DirConfig::merge(&DirConfig::default(), &outer), outer);
    let inner = DirConfig {
        access_script: script("inner"),
        group_authoritative: Some(false),
        ..DirConfig::default()
    };
    let merged = DirConfig::merge(&outer, &inner);
    assert_eq!(merged.access_script, script("inner"));
    assert_eq!(merged.group_authoritative, Some(false));
    assert_eq!(merged.auth_user_script, script("outer"));
    // Every field is there.
    let known: Vec<_> = outer.fields().into_iter().map(|(name, _)| name).collect();
    let expected =
        ["scoped", "access_script", "auth_user_script", "auth_group_script", "group_authoritative"];
    assert_eq!(known, expected);
}

#[test]
fn lists_add_up_in_a_scope_and_replace_between_scopes() {
    let mut config = Config::default();
    config.main("WSGITrustedProxyHeaders X-Forwarded-For x-real-ip").unwrap();
    config.main("WSGITrustedProxyHeaders X-Host").unwrap();
    config.main("WSGITrustedProxies 10.0.0.0/8").unwrap();
    config.main("WSGITrustedProxies ::1").unwrap();
    config.directory("WSGITrustedProxyHeaders X-Script-Name").unwrap();
    let server = &config.main_server().scoped;
    let keys = |scoped: &Scoped| -> Vec<_> {
        let headers = scoped.trusted_proxy_headers.iter().flatten();
        headers.map(|header| header.key.to_str().unwrap()).collect()
    };
    assert_eq!(keys(server), ["HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_X_HOST"]);
    assert_eq!(server.trusted_proxies.as_ref().unwrap().len(), 2);
    let merged = Scoped::merge(server, &config.dir.scoped);
    assert_eq!(keys(&merged), ["HTTP_X_SCRIPT_NAME"]);
    assert_eq!(merged.trusted_proxies.unwrap().len(), 2);
}
