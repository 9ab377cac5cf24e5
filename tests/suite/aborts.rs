//! `mod_wsgi.is_aborted`: applications learn that their client has gone.

use crate::support::Httpd;

/// Waits for its client to go; the second request uses what belongs to the first.
const APP: &str = "\
import os, time

kept = []

def application(environ, start_response):
    is_aborted = environ['mod_wsgi.is_aborted']
    start_response('200 OK', [])
    if environ['PATH_INFO'] == '/kept':
        try:
            return [b'%r' % kept[0]()]
        except RuntimeError as error:
            return [str(error).encode()]
    kept.append(is_aborted)
    note(environ, 'begun', is_aborted())
    end = time.monotonic() + 20
    while not is_aborted() and time.monotonic() < end:
        time.sleep(0.01)
    note(environ, 'ended', is_aborted())
    return [b'nobody reads this']

def note(environ, name, value):
    path = os.path.join(environ['TEST_OUT'], name)
    with open(path + '.new', 'w') as file:
        file.write(str(value))
    os.rename(path + '.new', path)
";

both_modes! {
    fn an_application_learns_that_its_client_has_gone(mode) {
        ours!("has no such function");
        let server = Httpd::with("WSGIScriptAlias / @root@/app.py")
            .mode(mode)
            .file("app.py", APP)
            .one_child()
            .start();
        for reset in [false, true] {
            for name in ["begun", "ended"] {
                std::fs::remove_file(server.path("out").join(name)).ok();
            }
            let mut client = server.connect();
            client.request("POST", "/", &[], b"with a body");
            assert_eq!(server.wait_for_out("begun"), "False");
            if reset { client.reset() } else { drop(client) }
            assert_eq!(server.wait_for_out("ended"), "True");
        }
        let text = server.get("/kept").ok();
        assert_eq!(text, "is_aborted() called after request completed");
    }
}
