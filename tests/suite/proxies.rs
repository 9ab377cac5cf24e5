//! WSGITrustedProxyHeaders and WSGITrustedProxies. mod_remoteip gives each request
//! the peer that its row needs.

use crate::support::{Environ, Httpd, Mode};

/// What a location trusts, what a peer sends to it, and entries of the environ that follow;
/// `-` stands for none.
struct Row {
    trust: &'static str,
    peer: &'static str,
    sent: &'static [(&'static str, &'static str)],
    seen: &'static [(&'static str, &'static str)],
}

const fn row(
    trust: &'static str,
    peer: &'static str,
    sent: &'static [(&'static str, &'static str)],
    seen: &'static [(&'static str, &'static str)],
) -> Row {
    Row { trust, peer, sent, seen }
}

const FOR: &str = "WSGITrustedProxyHeaders X-Forwarded-For";
const FOR_OURS: &str =
    "WSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxies 10.0.0.0/8 fd00::/8";
const SCHEMES: &str = "WSGITrustedProxyHeaders X-Forwarded-Proto X-Forwarded-SSL";
const ALL: &str = "WSGITrustedProxyHeaders X-Forwarded-Host X-Forwarded-Server\n\
                   WSGITrustedProxyHeaders X-Forwarded-Port X-Script-Name";

const ROWS: &[Row] = &[
    // Nothing is configured.
    row(
        "",
        "10.1.1.1",
        &[("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-Host", "evil.test")],
        &[
            ("REMOTE_ADDR", "10.1.1.1"),
            ("HTTP_X_FORWARDED_FOR", "1.1.1.1"),
            ("HTTP_HOST", "localhost"),
        ],
    ),
    // Every peer is trusted: the first element, and the header as it came.
    row(
        FOR,
        "9.9.9.9",
        &[("X-Forwarded-For", "1.1.1.1, 2.2.2.2")],
        &[("REMOTE_ADDR", "1.1.1.1"), ("HTTP_X_FORWARDED_FOR", "1.1.1.1, 2.2.2.2")],
    ),
    row(
        FOR,
        "9.9.9.9",
        &[("X-Real-IP", "1.1.1.1"), ("X-Client-IP", "1.1.1.1")],
        &[("REMOTE_ADDR", "9.9.9.9"), ("HTTP_X_REAL_IP", "-"), ("HTTP_X_CLIENT_IP", "-")],
    ),
    // Trusted peers: whom the last of our proxies has seen.
    row(
        FOR_OURS,
        "10.1.1.1",
        &[("X-Forwarded-For", "9.9.9.9, 1.1.1.1, 10.2.2.2")],
        &[("REMOTE_ADDR", "1.1.1.1"), ("HTTP_X_FORWARDED_FOR", "1.1.1.1, 10.2.2.2")],
    ),
    row(
        FOR_OURS,
        "10.1.1.1",
        &[("X-Forwarded-For", "9.9.9.9, 1.1.1.1")],
        &[("REMOTE_ADDR", "1.1.1.1"), ("HTTP_X_FORWARDED_FOR", "1.1.1.1")],
    ),
    row(
        FOR_OURS,
        "10.1.1.1",
        &[("X-Forwarded-For", "10.3.3.3, 10.2.2.2")],
        &[("REMOTE_ADDR", "10.3.3.3"), ("HTTP_X_FORWARDED_FOR", "10.3.3.3, 10.2.2.2")],
    ),
    row(
        FOR_OURS,
        "10.1.1.1",
        &[("X-Forwarded-For", "unknown,, 10.2.2.2")],
        &[("REMOTE_ADDR", "unknown"), ("HTTP_X_FORWARDED_FOR", "unknown, 10.2.2.2")],
    ),
    row(
        FOR_OURS,
        "fd00::1",
        &[("X-Forwarded-For", "1.1.1.1, fd00::2")],
        &[("REMOTE_ADDR", "1.1.1.1"), ("HTTP_X_FORWARDED_FOR", "1.1.1.1, fd00::2")],
    ),
    // Other peers are not believed, and nobody sees what they say.
    row(
        FOR_OURS,
        "9.9.9.9",
        &[("X-Forwarded-For", "1.1.1.1"), ("X-Real-IP", "1.1.1.1")],
        &[("REMOTE_ADDR", "9.9.9.9"), ("HTTP_X_FORWARDED_FOR", "-"), ("HTTP_X_REAL_IP", "-")],
    ),
    // The last listed of a kind counts.
    row(
        "WSGITrustedProxyHeaders X-Forwarded-For X-Real-IP",
        "9.9.9.9",
        &[("X-Forwarded-For", "1.1.1.1"), ("X-Real-IP", "2.2.2.2"), ("X-Client-IP", "3.3.3.3")],
        &[
            ("REMOTE_ADDR", "2.2.2.2"),
            ("HTTP_X_REAL_IP", "2.2.2.2"),
            ("HTTP_X_FORWARDED_FOR", "-"),
            ("HTTP_X_CLIENT_IP", "-"),
        ],
    ),
    row(
        ALL,
        "9.9.9.9",
        &[
            ("X-Forwarded-Host", "shop.test:81"),
            ("X-Forwarded-Server", "front.test"),
            ("X-Forwarded-Port", "8443"),
            ("X-Script-Name", "/mounted"),
            ("X-Host", "evil.test"),
            ("X-Forwarded-Script-Name", "/evil"),
        ],
        &[
            ("HTTP_HOST", "shop.test:81"),
            ("SERVER_NAME", "front.test"),
            ("SERVER_PORT", "8443"),
            ("SCRIPT_NAME", "/mounted"),
            ("mod_wsgi.mount_point", "/mounted"),
            ("HTTP_X_HOST", "-"),
            ("HTTP_X_FORWARDED_SCRIPT_NAME", "-"),
            ("mod_wsgi.script_name", "@script@"),
            ("PATH_INFO", "/info"),
            ("mod_wsgi.path_info", "/info"),
        ],
    ),
    row(
        ALL,
        "9.9.9.9",
        &[("X-Host", "evil.test")],
        &[
            ("HTTP_HOST", "localhost"),
            ("SCRIPT_NAME", "@script@"),
            ("mod_wsgi.mount_point", "-"),
            ("HTTP_X_HOST", "-"),
        ],
    ),
    row(
        SCHEMES,
        "9.9.9.9",
        &[("X-Forwarded-Proto", "HTTPS"), ("X-Scheme", "http")],
        &[
            ("wsgi.url_scheme", "https"),
            ("HTTP_X_FORWARDED_PROTO", "HTTPS"),
            ("HTTP_X_SCHEME", "-"),
        ],
    ),
    row(
        SCHEMES,
        "9.9.9.9",
        &[("X-Forwarded-SSL", "on"), ("X-HTTPS", "off")],
        &[("wsgi.url_scheme", "https"), ("HTTP_X_FORWARDED_SSL", "on"), ("HTTP_X_HTTPS", "-")],
    ),
    row(SCHEMES, "9.9.9.9", &[("X-Forwarded-Proto", "gopher")], &[("wsgi.url_scheme", "http")]),
    row(
        SCHEMES,
        "9.9.9.9",
        &[("X-Forwarded-Proto", "https"), ("X-Forwarded-SSL", "0")],
        &[("wsgi.url_scheme", "http")],
    ),
    row(
        "WSGITrustedProxyHeaders X-Forwarded-Scheme X-Forwarded-HTTPS",
        "9.9.9.9",
        &[("X-Forwarded-Scheme", "http"), ("X-Forwarded-HTTPS", "True"), ("X-Scheme", "http")],
        &[
            ("wsgi.url_scheme", "https"),
            ("HTTP_X_FORWARDED_SCHEME", "-"),
            ("HTTP_X_FORWARDED_HTTPS", "True"),
            ("HTTP_X_SCHEME", "-"),
        ],
    ),
    row(
        "WSGITrustedProxyHeaders X-Forwarded-Proto",
        "9.9.9.9",
        &[("X-Forwarded-SSL", "on")],
        &[("wsgi.url_scheme", "http"), ("HTTP_X_FORWARDED_SSL", "-")],
    ),
    row(
        "WSGITrustedProxyHeaders X-Client-IP X-Host X-Forwarded-Script-Name",
        "9.9.9.9",
        &[("X-Client-IP", "1.1.1.1"), ("X-Host", "a.test"), ("X-Forwarded-Script-Name", "/m")],
        &[("REMOTE_ADDR", "1.1.1.1"), ("HTTP_HOST", "a.test"), ("SCRIPT_NAME", "/m")],
    ),
    // It says more about the request than the connection does.
    row(
        "SetEnv HTTPS on\nWSGITrustedProxyHeaders X-Forwarded-Proto",
        "9.9.9.9",
        &[("X-Forwarded-Proto", "http")],
        &[("wsgi.url_scheme", "http")],
    ),
    row(
        "SetEnv HTTPS on\nWSGITrustedProxyHeaders X-Forwarded-Proto",
        "9.9.9.9",
        &[],
        &[("wsgi.url_scheme", "https")],
    ),
];

/// What the original refuses, or reads in another way.
const OURS: &[Row] = &[
    row(
        "WSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxies FD00::/8",
        "fd00::1",
        &[("X-Forwarded-For", "1.1.1.1")],
        &[("REMOTE_ADDR", "1.1.1.1")],
    ),
    // A name is not looked up, not even one that every machine knows.
    row(
        "WSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxies 10.0.0.0/8 127.0.0.1 ::1",
        "10.1.1.1",
        &[("X-Forwarded-For", "1.1.1.1, localhost")],
        &[("REMOTE_ADDR", "localhost"), ("HTTP_X_FORWARDED_FOR", "localhost")],
    ),
    row(
        FOR_OURS,
        "10.1.1.1",
        &[("X-Forwarded-For", "1.1.1.1, ::ffff:10.2.2.2")],
        &[("REMOTE_ADDR", "1.1.1.1"), ("HTTP_X_FORWARDED_FOR", "1.1.1.1, ::ffff:10.2.2.2")],
    ),
];

/// Asks one server for all rows, each at a location of its own.
fn ask(mode: Mode, rows: &[Row]) {
    let mut lines = String::from(
        "RemoteIPHeader X-Peer\nRemoteIPInternalProxy 127.0.0.1\n\
         WSGIScriptAliasMatch ^/[0-9]+ @apps@/environ.py\n",
    );
    for (number, row) in rows.iter().enumerate() {
        lines += &format!("<Location /{number}>\n{}\n</Location>\n", row.trust);
    }
    let server = Httpd::with(&lines).modules(&["remoteip"]).mode(mode).start();
    for (number, row) in rows.iter().enumerate() {
        let mut headers = vec![("X-Peer", row.peer)];
        headers.extend_from_slice(row.sent);
        let response = server.request("GET", &format!("/{number}/info"), &headers, b"");
        let environ = Environ::parse(&response.ok());
        for (key, value) in row.seen {
            let what = format!("row {number}: {} from {}: {:?}", row.trust, row.peer, row.sent);
            let value = value.replace("@script@", &format!("/{number}"));
            let expected = Some(value.as_str()).filter(|value| *value != "-");
            assert_eq!(environ.text(key), expected, "{key}, {what}");
        }
    }
}

both_modes! {
    fn headers_of_trusted_proxies_replace_what_httpd_sees(mode) {
        ask(mode, ROWS);
    }

    fn addresses_are_read_in_every_notation_and_names_never(mode) {
        ours!("looks names up, and knows one notation of an address");
        ask(mode, OURS);
    }
}

one! {
    fn an_inner_scope_replaces_both_lists() {
        let server = Httpd::with(
            "WSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxies 127.0.0.1\n\
             WSGIScriptAlias /app @apps@/environ.py\n\
             <Location /app/headers>\nWSGITrustedProxyHeaders X-Real-IP\n</Location>\n\
             <Location /app/proxies>\nWSGITrustedProxies 10.0.0.1\n</Location>",
        )
        .start();
        let headers = [("X-Forwarded-For", "1.1.1.1"), ("X-Real-IP", "2.2.2.2")];
        for (path, address) in
            [("/app", "1.1.1.1"), ("/app/headers", "2.2.2.2"), ("/app/proxies", "127.0.0.1")]
        {
            let response = server.request("GET", path, &headers, b"");
            Environ::parse(&response.ok()).is("REMOTE_ADDR", address);
        }
    }

    fn what_is_no_network_is_refused() {
        let refused = |line: &str, text: &str| {
            let said = Httpd::refuses(line);
            assert!(said.contains(text), "{said}");
        };
        let text = "Unable to parse trusted proxy IP address/subnet of \"";
        for address in ["localhost", "10.0.0.0/33", "10.0.0.0/", "::1/129", "300.0.0.1"] {
            refused(&format!("WSGITrustedProxies {address}"), &format!("{text}{address}\"."));
        }
    }

    fn a_name_that_is_no_header_is_refused_and_an_unknown_one_warned_of() {
        ours!("crashes on one and says nothing about the other");
        for name in ["WSGITrustedProxies", "WSGITrustedProxyHeaders"] {
            let said = Httpd::refuses(name);
            assert!(said.contains(&format!("{name} requires at least one argument")), "{said}");
        }
        let said = Httpd::refuses("WSGITrustedProxyHeaders X_Forwarded_For");
        assert!(said.contains("'X_Forwarded_For' is not a header name"), "{said}");
        let server = Httpd::with(
            "WSGITrustedProxyHeaders X-Fowarded-For\nWSGIScriptAlias / @apps@/environ.py",
        )
        .start();
        server.expect_log("WSGI1040");
        assert!(server.wait_for_log("WSGI1040").line.contains("'X-Fowarded-For'"));
    }

    fn the_dispatch_script_sees_what_was_believed() {
        let script = "def application_group(environ):\n    return environ['REMOTE_ADDR']\n";
        let server = Httpd::with(
            "WSGITrustedProxyHeaders X-Real-IP\nWSGIScriptAlias / @apps@/environ.py\n\
             WSGIDispatchScript @root@/dispatch.py",
        )
        .file("dispatch.py", script)
        .start();
        let response = server.request("GET", "/", &[("X-Real-IP", "1.1.1.1")], b"");
        Environ::parse(&response.ok()).is("mod_wsgi.application_group", "1.1.1.1");
    }

    fn htaccess_may_trust() {
        let server = Httpd::with(
            "<Directory @root@/htdocs>\nAllowOverride FileInfo\nOptions +ExecCGI\n\
             AddHandler wsgi-script .py\n</Directory>",
        )
        .file("htdocs/app.py", include_str!("../apps/environ.py"))
        .file("htdocs/.htaccess", "WSGITrustedProxyHeaders X-Real-IP\n")
        .start();
        let response = server.request("GET", "/app.py", &[("X-Real-IP", "1.1.1.1")], b"");
        Environ::parse(&response.ok()).is("REMOTE_ADDR", "1.1.1.1");
    }
}
