//! The tests of the suite: functions inside of `one!` and `both_modes!`, and what a file has beside
//! them (tables, helpers, the applications it uses), which all of its tests go through.

use super::names::Name;
use crate::lint::source;
use crate::lint::tree::{File, Tree};

/// Files whose tests read lines: they say nothing about what the lines do.
const ONLY_READ: &[&str] = &["directives", "refused", "review", "many"];

/// One test, or what the tests of a file share.
#[derive(Debug)]
pub(super) struct Test {
    /// `file::function`, or `file`.
    pub(super) path: String,
    /// Its source without comments.
    pub(super) text: String,
}

impl Test {
    /// Whether it is about a name.
    pub(super) fn mentions(&self, name: &Name) -> bool {
        name.is_in(&self.text)
    }

    /// Whether it says nothing but that a line is taken, refused or warned of.
    pub(super) fn only_reads(&self) -> bool {
        let file = self.path.split("::").next().unwrap_or_default();
        ONLY_READ.contains(&file)
    }

    /// Tests before shared parts, and both before what only reads lines.
    pub(super) fn rank(&self) -> u8 {
        if self.only_reads() { 2 } else { u8::from(!self.path.contains("::")) }
    }
}

/// All tests.
pub(super) fn all(tree: &Tree) -> Vec<Test> {
    tree.files
        .iter()
        .filter_map(|file| Some((name_of(file)?, file)))
        .flat_map(|(name, file)| in_file(&name, &source::blank_comments(&file.text), tree))
        .collect()
}

/// The name of a file of the suite.
fn name_of(file: &File) -> Option<String> {
    let name = file.path.strip_prefix("tests/suite/")?.strip_suffix(".rs")?;
    (name != "main").then(|| name.replace('/', "::"))
}

/// The tests of a file, and what they share.
fn in_file(name: &str, text: &str, tree: &Tree) -> Vec<Test> {
    let mut shared = String::new();
    let mut tests: Vec<Test> = Vec::new();
    // How far the macro and the test that is being read are indented.
    let (mut macros, mut test) = (None, None);
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let is_end = |of: Option<usize>| of == Some(indent) && line.trim_start() == "}";
        if MACROS.contains(&line.trim_start()) {
            macros = Some(indent);
        } else if let Some(function) =
            macros.filter(|at| at + 4 == indent).and_then(|_| begins(line))
        {
            test = Some(indent);
            tests.push(Test { path: format!("{name}::{function}"), text: String::new() });
        }
        match tests.last_mut().filter(|_| test.is_some()) {
            Some(test) => test.text.extend([line, "\n"]),
            None => shared.extend([line, "\n"]),
        }
        test = test.filter(|_| !is_end(test));
        macros = macros.filter(|_| !is_end(macros));
    }
    let apps = tree.files.iter().filter_map(|file| {
        let app = file.path.strip_prefix("tests/apps/").filter(|app| text.contains(*app));
        app.map(|_| file.text.as_str())
    });
    shared.extend(apps);
    tests.push(Test { path: name.to_owned(), text: shared });
    tests
}

/// What stands around tests.
const MACROS: [&str; 2] = ["one! {", "both_modes! {"];

/// The name of the test that a line begins.
fn begins(line: &str) -> Option<&str> {
    let name = line.trim_start().strip_prefix("fn ")?.split('(').next()?;
    name.bytes().all(source::is_word).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_the_macros_are_tests_and_the_rest_is_shared() {
        let text = "const A: &str = \"table\";\nimpl X {\n    fn x() {\n    }\n}\none! {\n    fn first() {\n        go(\"one\");\n    }\n\n    \
                    fn second(mode) {\n        fn inner() {\n        }\n        two();\n    }\n}\n";
        let found = in_file("file", text, &Tree { files: Vec::new() });
        let paths: Vec<_> = found.iter().map(|test| test.path.as_str()).collect();
        assert_eq!(paths, ["file::first", "file::second", "file"]);
        assert!(found[0].text.contains("one") && !found[0].text.contains("two"));
        assert!(found[1].text.contains("two()"));
        assert!(found[2].text.contains("table") && !found[2].text.contains("one\""));
        assert!(found[2].text.contains("fn x()"));
        let rank = |path: &str| Test { path: path.to_owned(), text: String::new() }.rank();
        assert_eq!([rank("a::b"), rank("a"), rank("refused::x"), rank("refused")], [0, 1, 2, 2]);
    }
}
