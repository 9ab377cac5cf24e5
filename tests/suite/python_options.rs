//! Directives that set up Python itself.

use crate::support::{Httpd, Mode};

/// What expressions evaluate to under some directives, one per line.
fn evaluated(mode: Mode, lines: &str, code: &[&str]) -> Vec<String> {
    let server =
        Httpd::with(&format!("WSGIScriptAlias / @apps@/evaluate.py\n{lines}")).mode(mode).start();
    let query = code.join(";;").replace(' ', "%20");
    server.get(&format!("/?{query}")).ok().lines().map(str::to_owned).collect()
}

both_modes! {
    fn the_optimisation_level_is_that_of_the_directive(mode) {
        let flags = "imp('sys').flags.optimize";
        assert_eq!(evaluated(mode, "", &[flags]), ["0"]);
        assert_eq!(evaluated(mode, "WSGIPythonOptimize 2", &[flags]), ["2"]);
    }

    fn no_bytecode_is_written_when_told_so(mode) {
        let flags = "imp('sys').flags.dont_write_bytecode";
        assert_eq!(evaluated(mode, "WSGIDontWriteBytecode On", &[flags]), ["1"]);
    }

    fn warning_filters_are_set_in_their_order(mode) {
        let found = evaluated(
            mode,
            "WSGIPythonWarnings error::DeprecationWarning\nWSGIPythonWarnings ignore::UserWarning",
            &["imp('sys').warnoptions"],
        );
        assert_eq!(found, ["['error::DeprecationWarning', 'ignore::UserWarning']"]);
    }

    fn a_fixed_hash_seed_gives_the_same_hashes_everywhere(mode) {
        let code = ["hash('mod_wsgi')", "imp('sys').flags.hash_randomization"];
        let fixed = || evaluated(mode, "WSGIPythonHashSeed 42", &code);
        let first = fixed();
        assert_eq!(first, fixed());
        assert_eq!(evaluated(mode, "WSGIPythonHashSeed 0", &code[1..]), ["0"]);
    }

    fn a_random_hash_seed_is_random(mode) {
        ours!("its `random` switches randomisation off");
        let random = || evaluated(mode, "WSGIPythonHashSeed random", &["hash('mod_wsgi')"]);
        assert_ne!(random(), random());
    }
}

#[test]
fn eggs_go_where_the_directive_says_in_httpd_children() {
    let code = ["imp('os').environ['PYTHON_EGG_CACHE']"];
    assert_eq!(evaluated(Mode::Embedded, "WSGIPythonEggs /tmp/eggs", &code), ["'/tmp/eggs'"]);
}
