//! Nothing in the repository depends on the machine it was written on.

use anyhow::Result;

use super::Findings;
use super::tree::Tree;
use crate::project::Project;

/// What must not be named, in two halves so that this file does not name it.
const UNWANTED: &[(&str, &str)] = &[
    ("../", "shared"),
    ("/wo", "rk/"),
    ("/ro", "ot/"),
    ("/tmp", "/h/"),
    ("pypi", ".org"),
    ("index.", "crates.io"),
    ("deb.", "debian.org"),
    ("arti", "factory"),
];

/// Findings: every line that names one of them.
pub(crate) fn check(_: &Project, tree: &Tree) -> Result<Findings> {
    let mut findings = Findings::new();
    // cargo writes the lock file and names its index there.
    for file in tree.files.iter().filter(|file| file.path != "Cargo.lock") {
        for (first, second) in UNWANTED {
            let word = format!("{first}{second}");
            let places =
                file.text.match_indices(&word).filter(|(at, _)| starts_a_path(&file.text, *at));
            findings.extend(places.map(|(at, _)| file.finding(at, &format!("names {word}"))));
        }
    }
    Ok(findings)
}

/// Whether what stands at the offset is not the middle of a longer path, as in
/// `target/work/x`.
fn starts_a_path(text: &str, at: usize) -> bool {
    let is_path = text.get(at..).is_some_and(|rest| rest.starts_with('/'));
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    !is_path || before.is_none_or(|c| !c.is_alphanumeric() && !"_-.}]".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::tree::File;

    fn findings(text: &str) -> usize {
        let file = File { path: "x.md".to_owned(), text: text.to_owned() };
        check(&Project::find(), &Tree { files: vec![file] }).unwrap().len()
    }

    #[test]
    fn a_machine_s_own_path_is_found_and_a_longer_one_is_not() {
        let path = format!("/wo{}main", "rk/");
        assert_eq!(findings(&format!("cd {path}")), 1);
        assert_eq!(findings(&format!("cd target{path}")), 0);
        assert_eq!(findings(&format!("{}{}", "../", "shared")), 1);
    }
}
