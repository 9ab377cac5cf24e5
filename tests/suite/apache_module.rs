//! The module `apache` and httpd's record of a request: WSGIPassApacheRequest.

use crate::support::{Httpd, Mode, quote};

#[track_caller]
fn evaluated(server: &Httpd, expressions: &[&str]) -> Vec<String> {
    let list: Vec<String> = expressions.iter().map(|expression| quote(expression)).collect();
    let text = server.get(&format!("/?{}", list.join(";;"))).ok();
    text.lines().map(str::to_owned).collect()
}

fn with_record(mode: Mode, lines: &str) -> Httpd {
    let lines = format!("WSGIScriptAlias / @apps@/record.py\n{lines}");
    Httpd::with(&lines).mode(mode).one_child().start()
}

both_modes! {
    fn the_module_tells_about_httpd(mode) {
        let server = Httpd::serving("evaluate.py", mode);
        let found = evaluated(&server, &[
            "imp('apache').version == environ['apache.version']",
            "imp('apache').description.split('/')[0]",
            "imp('apache').mpm_name",
            "len(imp('apache').build_date) > 10",
            "[type(imp('apache').version).__name__, imp('sys').modules['apache'].__name__]",
        ]);
        let mpm = format!("'{}'", crate::support::conf::mpm());
        assert_eq!(found, ["True", "'Apache'", &*mpm, "True", "['tuple', 'apache']"]);
    }

    fn its_numbers_are_httpds_own_in_both_modes(mode) {
        let server = Httpd::with("WSGIScriptAlias / @apps@/evaluate.py").mode(mode).one_child();
        let server = server.start();
        let found = evaluated(&server, &[
            "imp('apache').maximum_processes",
            "imp('apache').threads_per_process",
            "imp('mod_wsgi').threads_per_process",
        ]);
        let threads = if crate::support::conf::mpm() == "prefork" { "1" } else { "10" };
        assert_eq!(found, ["1", threads, mode.pick(threads, "5")]);
    }

    fn without_the_directive_there_is_no_record(mode) {
        let server = with_record(mode, "");
        assert_eq!(server.get("/record").ok(), "None");
    }

    fn the_directive_gives_an_embedded_application_the_record(mode) {
        let server = with_record(mode, "WSGIPassApacheRequest On");
        assert_eq!(server.get("/record").ok(), mode.pick("localhost", "None"));
    }

    fn scripts_that_decide_get_it_in_both_modes(mode) {
        let lines = "<Location /record>\nWSGIAccessScript @apps@/record.py\n</Location>\n\
                     WSGIPassApacheRequest On";
        let server = with_record(mode, lines);
        assert_eq!(server.get("/record?asks").status(), 200);
        drop(server);
        let server = with_record(mode, &lines.replace(" On", " Off"));
        assert_eq!(server.get("/record").status(), 200);
    }
}

one! {
    fn directories_of_x_sendfile_change_nothing_about_the_record() {
        ours!("has no X-Sendfile");
        let lines = "WSGIPassApacheRequest On\nWSGISendfileRoot @root@/htdocs";
        assert_eq!(with_record(Mode::Embedded, lines).get("/record").ok(), "localhost");
    }

    fn a_record_that_was_kept_gives_nothing_away() {
        ours!("it gives the pointer to memory that may be another request's");
        let server = with_record(Mode::Embedded, "WSGIPassApacheRequest On");
        assert_eq!(server.get("/keep").ok(), "PyCapsule");
        let text = server.get("/after").ok();
        assert!(text.contains("incorrect name"), "{text}");
    }

    fn a_module_apache_of_ones_own_is_used_in_httpds_processes() {
        let server = Httpd::with(
            "WSGIPythonPath @root@/lib\nWSGIScriptAlias / @apps@/evaluate.py\n\
             WSGIApplicationGroup %{GLOBAL}",
        )
        .file("lib/apache.py", "own = 'of the site'\nmpm_name = 'none'\n")
        .start();
        let found = evaluated(&server, &["imp('apache').own", "imp('apache').mpm_name"]);
        assert_eq!(found[0], "'of the site'");
        assert_ne!(found[1], "'none'");
    }
}
