//! Providers of httpd that ask for a script that nobody names.

use std::collections::BTreeSet;

use crate::directives::site::{Notice, ServerId};
use crate::directives::split_words;

/// A line of httpd's configuration, of whichever module.
#[derive(Clone, Copy, Debug)]
pub struct TreeLine<'a> {
    /// Name of the directive.
    pub directive: &'a str,
    /// The rest of the line.
    pub arguments: &'a str,
    /// Server that it stands in, counted in the order of the file.
    pub server: ServerId,
    /// Configuration file.
    pub file: &'a str,
    /// Line in that file.
    pub line: u32,
}

/// Who asks: the directive, a word of it, and the directive that names the script.
const PROVIDERS: [(&str, &str, &str); 3] = [
    ("AuthBasicProvider", "wsgi", "WSGIAuthUserScript"),
    ("AuthDigestProvider", "wsgi", "WSGIAuthUserScript"),
    ("Require", "wsgi-group", "WSGIAuthGroupScript"),
];

/// Warnings about scripts that are missing. Which sections meet in a request is not known here: a
/// script anywhere in the server, or in the main one, is good enough.
pub(super) fn check(tree: &[TreeLine<'_>]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (asking, word, script) in PROVIDERS {
        let named: BTreeSet<ServerId> =
            tree.iter().filter(|line| is(line, script)).map(|line| line.server).collect();
        let is_there = |server: ServerId| {
            named.contains(&server)
                || named.contains(&ServerId::MAIN)
                || (server == ServerId::MAIN && !named.is_empty())
        };
        let asks = |line: &&TreeLine<'_>| {
            is(line, asking) && split_words(line.arguments).iter().any(|given| given == word)
        };
        for line in tree.iter().filter(asks).filter(|line| !is_there(line.server)) {
            let TreeLine { directive, file, line, .. } = line;
            notices.push(Notice::warning(
                1046,
                format!(
                    "{directive} {word} ({file}:{line}) asks a script, and no {script} names one: it \
                     fails unless a .htaccess file does"
                ),
            ));
        }
    }
    notices
}

fn is(line: &TreeLine<'_>, directive: &str) -> bool {
    line.directive.eq_ignore_ascii_case(directive)
}
