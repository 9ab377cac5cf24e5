//! How scopes merge, as a table over main server, virtual host, `<Directory>`,
//! .htaccess, `<Files>` and `<Location>` for every field.
//!
//! One server has sixteen folders, one for each way in which the four inner scopes can set a field
//! or not. Every folder sets every field, each field in another way than its neighbours, so that over
//! all folders each field is set in each way, whatever the others do. What tells fields apart from
//! outside is one request or another; the innermost scope that sets a field must be seen.
//!
//! Two fields cannot be seen from outside (WSGIIgnoreActivity, WSGIEnableSendfile): they are set
//! with the others, and `crates/core` has the same table for the merge itself.

use crate::support::{Httpd, original};

/// The scopes, from the outermost inwards; values are called by these names.
const SCOPES: [&str; 6] = ["main", "vhost", "directory", "htaccess", "files", "location"];
/// Scopes that belong to a server and not to a folder.
const OF_SERVER: usize = 2;
const HTACCESS: usize = 3;
/// Ways in which the inner scopes can set a field.
const CELLS: usize = 16;

/// Where a field may be set.
#[derive(Clone, Copy, PartialEq)]
enum Places {
    /// Not in .htaccess.
    Files,
    /// Everywhere.
    All,
    /// Not for a server.
    Inner,
}

/// A field: directive, places, and its value in a scope.
type Field = (&'static str, Places, fn(usize) -> String);

const FIELDS: [Field; 19] = [
    ("WSGIProcessGroup", Places::Files, name),
    ("WSGIApplicationGroup", Places::Files, name),
    ("WSGICallableObject", Places::All, name),
    ("WSGIRestrictProcess", Places::Files, |scope| {
        let all = "%{GLOBAL} main vhost directory files location";
        if is_on(scope) { format!("{all} closed") } else { all.to_owned() }
    }),
    ("WSGIDispatchScript", Places::Files, |scope| script("dispatch", scope)),
    ("WSGIHandlerScript", Places::Files, |scope| format!("own {}", script("handler", scope))),
    ("WSGIPassAuthorization", Places::All, flag),
    ("WSGIScriptReloading", Places::All, flag),
    ("WSGIErrorOverride", Places::All, flag),
    ("WSGIChunkedRequest", Places::All, flag),
    ("WSGIMapHEADToGET", Places::All, flag),
    ("WSGITrustedProxyHeaders", Places::All, |scope| CLIENTS[scope % 3].0.to_owned()),
    ("WSGITrustedProxies", Places::All, |scope| {
        if is_on(scope) { "127.0.0.1" } else { "10.9.9.9" }.to_owned()
    }),
    ("WSGIAccessScript", Places::Inner, |scope| script("access", scope)),
    ("WSGIAuthUserScript", Places::Inner, |scope| script("users", scope)),
    ("WSGIAuthGroupScript", Places::Inner, |scope| script("groups", scope)),
    ("WSGIPassApacheRequest", Places::Files, flag),
    ("WSGIIgnoreActivity", Places::All, flag),
    ("WSGIEnableSendfile", Places::All, flag),
];

/// Headers that name a client, and whom they name.
const CLIENTS: [(&str, &str); 3] =
    [("X-Forwarded-For", "1.0.0.1"), ("X-Client-IP", "1.0.0.2"), ("X-Real-IP", "1.0.0.3")];

/// `user:` and the name of a scope, in base 64.
const CREDENTIALS: [&str; 6] = [
    "",
    "",
    "dXNlcjpkaXJlY3Rvcnk=",
    "dXNlcjpodGFjY2Vzcw==",
    "dXNlcjpmaWxlcw==",
    "dXNlcjpsb2NhdGlvbg==",
];

fn name(scope: usize) -> String {
    SCOPES[scope].to_owned()
}

/// Neighbours differ.
fn is_on(scope: usize) -> bool {
    scope.is_multiple_of(2)
}

fn flag(scope: usize) -> String {
    if is_on(scope) { "On" } else { "Off" }.to_owned()
}

fn script(kind: &str, scope: usize) -> String {
    format!("@root@/scripts/{kind}-{}.py", SCOPES[scope])
}

/// The scripts of a scope, each as it tells that it was asked.
fn scripts(scope: usize) -> [(&'static str, String); 5] {
    let name = SCOPES[scope];
    let denies = if is_on(scope) { "'HTTP_X_DENY' in environ" } else { "False" };
    [
        (
            "dispatch",
            format!(
                "def application_group(environ):\n    \
             return 'by-{name}' if 'HTTP_X_DISPATCH' in environ else None\n"
            ),
        ),
        (
            "handler",
            format!(
                "def handle_request(environ, start_response):\n    \
             start_response('200 OK', [])\n    return [b'handled by {name}']\n"
            ),
        ),
        ("access", format!("def allow_access(environ, host):\n    return not ({denies})\n")),
        (
            "users",
            format!(
                "def check_password(environ, user, password):\n    return password == '{name}'\n"
            ),
        ),
        ("groups", format!("def groups_for_user(environ, user):\n    return ['{name}']\n")),
    ]
}

/// Tells what it sees.
const APPLICATION: &str = "\
KEYS = ('mod_wsgi.process_group', 'mod_wsgi.application_group', 'mod_wsgi.callable_object',
        'HTTP_AUTHORIZATION', 'REMOTE_ADDR')


def application(environ, start_response):
    status = '503 Busy' if environ['QUERY_STRING'] == '503' else '200 OK'
    start_response(status, [('X-Method', environ['REQUEST_METHOD'])])
    seen = [environ.get(key, '-') for key in KEYS] + [str('apache.request_rec' in environ)]
    return ['\\n'.join(seen).encode()]


main = vhost = directory = htaccess = files = location = application
";

/// A folder, and what the servers around it set.
#[derive(Clone, Copy)]
struct Cell {
    number: usize,
    main_is_set: bool,
    host_is_set: bool,
}

impl Cell {
    fn sets(self, field: usize, scope: usize) -> bool {
        let places = FIELDS[field].1;
        match scope {
            0 => self.main_is_set && places != Places::Inner,
            1 => self.host_is_set && places != Places::Inner,
            HTACCESS if places == Places::Files => false,
            inner => (self.number + 7 * field) & (1 << (inner - OF_SERVER)) != 0,
        }
    }

    /// The lines of a scope.
    fn lines(self, scope: usize) -> String {
        let fields = FIELDS.iter().enumerate().filter(|(field, _)| self.sets(*field, scope));
        fields.map(|(_, (name, _, value))| format!("{name} {}\n", value(scope))).collect()
    }

    /// The scope whose value counts.
    fn innermost(self, directive: &str) -> Option<usize> {
        let field = FIELDS.iter().position(|(name, ..)| *name == directive).expect("a field");
        (0..SCOPES.len()).rev().find(|scope| self.sets(field, *scope))
    }

    /// Whether a flag is on; `unset` where no scope sets it.
    fn is_on(self, directive: &str, unset: bool) -> bool {
        self.innermost(directive).map_or(unset, is_on)
    }

    fn name_of(self, directive: &str) -> &'static str {
        self.innermost(directive).map_or("", |scope| SCOPES[scope])
    }

    fn remote_address(self) -> &'static str {
        match self.innermost("WSGITrustedProxyHeaders") {
            Some(scope) if self.is_on("WSGITrustedProxies", true) => CLIENTS[scope % 3].1,
            _ => "127.0.0.1",
        }
    }
}

/// All lines of a server whose main server sets the fields or not.
fn configuration(main_is_set: bool) -> String {
    let cell = |number| Cell { number, main_is_set, host_is_set: true };
    let mut lines = String::new();
    for group in ["main", "vhost", "directory", "files", "location", "closed"] {
        lines += &format!("WSGIDaemonProcess {group} threads=2\n");
    }
    for url in ["run", "auth", "group"] {
        lines += &format!("WSGIScriptAlias /{url}/ @root@/cells/\n");
    }
    lines += "WSGIScriptAlias /closed/ @root@/cells/ process-group=closed\n\
              Alias /handled/ @root@/cells/\n<Location /handled>\nSetHandler own\n</Location>\n\
              <LocationMatch ^/(auth|group)/>\nAuthType Basic\nAuthName x\nAuthBasicProvider wsgi\n\
              Require valid-user\n</LocationMatch>\n";
    lines += &cell(0).lines(0);
    for number in 0..CELLS {
        let cell = cell(number);
        // One word more: the directive needs one even where no script knows a group.
        let group = cell.name_of("WSGIAuthGroupScript");
        lines += &format!(
            "<Directory @root@/cells/c{number}>\nAllowOverride FileInfo AuthConfig\n{}\
             <Files app.py>\n{}</Files>\n</Directory>\n\
             <LocationMatch ^/[a-z]+/c{number}/>\n{}</LocationMatch>\n\
             <Location /group/c{number}/>\nRequire wsgi-group no-group {group}\n\
             </Location>\n",
            cell.lines(2),
            cell.lines(4),
            cell.lines(5),
        );
    }
    lines += "<VirtualHost *:@port@>\nServerName plain.test\n</VirtualHost>\n\
              <VirtualHost *:@port@>\nServerName own.test\n";
    lines + &cell(0).lines(1) + "</VirtualHost>\n"
}

fn start(main_is_set: bool) -> Httpd {
    let mut server = Httpd::with(&configuration(main_is_set))
        .modules(&["authn_core", "auth_basic", "authz_user"])
        .one_child();
    for (scope, name) in SCOPES.iter().enumerate() {
        for (kind, text) in scripts(scope) {
            server = server.file(&format!("scripts/{kind}-{name}.py"), &text);
        }
    }
    for number in 0..CELLS {
        let cell = Cell { number, main_is_set, host_is_set: false };
        server = server
            .file(&format!("cells/c{number}/app.py"), APPLICATION)
            .file(&format!("cells/c{number}/.htaccess"), &cell.lines(HTACCESS));
    }
    let server = server.start();
    // Scripts that are missing, doors that are closed, bodies of unknown length.
    for record in ["WSGI0149", "WSGI0139", "WSGI0041", "WSGI0058", "WSGI0057", "AH"] {
        server.allow_log(record);
    }
    server
}

/// Asks a server about every folder in both virtual hosts.
fn check(main_is_set: bool) {
    let server = start(main_is_set);
    for (host, host_is_set) in [("plain.test", false), ("own.test", true)] {
        for number in 0..CELLS {
            let cell = Cell { number, main_is_set, host_is_set };
            check_cell(&server, host, cell);
        }
    }
}

fn check_cell(server: &Httpd, host: &str, cell: Cell) {
    let number = cell.number;
    let what = format!("folder {number} of {host}, main server {}", cell.main_is_set);
    let ask = |method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]| {
        let mut all = vec![("Host", host)];
        all.extend_from_slice(headers);
        server.request(method, &url.replace("@c", &format!("c{number}/app.py")), &all, body)
    };
    let unless =
        |text: &'static str, instead: &'static str| if text.is_empty() { instead } else { text };

    let mut headers = vec![("Authorization", "Bearer x")];
    headers.extend(CLIENTS);
    let seen = ask("GET", "/run/@c", &headers, b"").ok();
    let [process, application, callable, authorization, address, record] =
        seen.lines().collect::<Vec<_>>()[..]
    else {
        panic!("{what}: {seen}")
    };
    let group = cell.name_of("WSGIProcessGroup");
    assert_eq!(process, group, "{what}: WSGIProcessGroup");
    let resource = format!("{host}|/run/c{number}/app.py");
    let application = application.replace(&format!(":{}", server.port()), "");
    let expected = unless(cell.name_of("WSGIApplicationGroup"), "-");
    assert_eq!(application, if expected == "-" { &resource } else { expected }, "{what}");
    assert_eq!(callable, unless(cell.name_of("WSGICallableObject"), "application"), "{what}");
    let is_passed = cell.is_on("WSGIPassAuthorization", false);
    assert_eq!(authorization, if is_passed { "Bearer x" } else { "-" }, "{what}");
    assert_eq!(address, cell.remote_address(), "{what}: trusted proxies");
    // A daemon has no record of httpd's.
    let has_record = group.is_empty() && cell.is_on("WSGIPassApacheRequest", false);
    assert_eq!(record == "True", has_record, "{what}: WSGIPassApacheRequest");

    let closed = ask("GET", "/closed/@c", &[], b"").status();
    let is_open = cell.is_on("WSGIRestrictProcess", true);
    assert_eq!(closed, if is_open { 200 } else { 500 }, "{what}: WSGIRestrictProcess");

    if let Some(scope) = cell.innermost("WSGIDispatchScript") {
        let seen = ask("GET", "/run/@c", &[("X-Dispatch", "1")], b"").ok();
        let group = format!("by-{}", SCOPES[scope]);
        assert_eq!(seen.lines().nth(1), Some(group.as_str()), "{what}: WSGIDispatchScript");
    }
    if let Some(scope) = cell.innermost("WSGIHandlerScript") {
        let text = ask("GET", "/handled/@c", &[], b"").ok();
        assert_eq!(text, format!("handled by {}", SCOPES[scope]), "{what}: WSGIHandlerScript");
    }

    let answer = ask("GET", "/run/@c?503", &[], b"");
    assert_eq!(answer.status(), 503);
    let overrides = cell.is_on("WSGIErrorOverride", false);
    // The original overrides the answers of daemons only.
    let overrides = overrides && !(original::is_original() && group.is_empty());
    assert_eq!(answer.text().contains("<html>"), overrides, "{what}: WSGIErrorOverride");

    let chunked = [("Transfer-Encoding", "chunked")];
    let status = ask("POST", "/run/@c", &chunked, b"0\r\n\r\n").status();
    let takes_chunks = cell.is_on("WSGIChunkedRequest", false);
    assert_eq!(status, if takes_chunks { 200 } else { 411 }, "{what}: WSGIChunkedRequest");

    let head = ask("HEAD", "/run/@c", &[], b"");
    let method = if cell.is_on("WSGIMapHEADToGET", false) { "GET" } else { "HEAD" };
    assert_eq!(head.header("x-method"), Some(method), "{what}: WSGIMapHEADToGET");

    let status = ask("GET", "/run/@c", &[("X-Deny", "1")], b"").status();
    let denies = cell.is_on("WSGIAccessScript", false);
    assert_eq!(status, if denies { 403 } else { 200 }, "{what}: WSGIAccessScript");

    let user = cell.innermost("WSGIAuthUserScript");
    let credentials = format!("Basic {}", user.map_or("dXNlcjo=", |scope| CREDENTIALS[scope]));
    let status = |url| ask("GET", url, &[("Authorization", &credentials)], b"").status();
    let authenticates = user.is_some();
    assert_eq!(status("/auth/@c"), if authenticates { 200 } else { 500 }, "{what}: users");
    let authorizes = authenticates && !cell.name_of("WSGIAuthGroupScript").is_empty();
    // What an answer without a script says differs between the modules.
    assert_eq!(status("/group/@c") == 200, authorizes, "{what}: groups");
}

one! {
    fn every_field_comes_from_the_innermost_scope_that_sets_it() {
        check(false);
    }

    fn what_the_main_server_sets_holds_where_nothing_else_does() {
        check(true);
    }
}
