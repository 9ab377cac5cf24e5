//! Every function that C calls consists of one call of a panic guard: an unwinding panic must
//! not reach C frames.

use anyhow::Result;

use super::Findings;
use super::source::{closing, is_word, words};
use super::tree::{File, Tree};
use crate::project::Project;

/// Signal handlers: they run between any two instructions, where the machinery of a guard has no
/// place; theirs only write to descriptors, or end the process.
const SIGNAL_HANDLERS: &[&str] =
    &["crates/daemon/src/signals.rs", "crates/daemon/src/fatal.rs", "src/apache/deadline.rs"];

/// Findings: `extern "C"` functions with any other body.
pub(crate) fn check(_: &Project, tree: &Tree) -> Result<Findings> {
    let product = |file: &&File| {
        file.path.starts_with("src/")
            || (file.path.starts_with("crates/") && file.path.contains("/src/"))
    };
    Ok(tree
        .rust()
        .filter(product)
        .filter(|file| !SIGNAL_HANDLERS.contains(&file.path.as_str()))
        .flat_map(unguarded)
        .collect())
}

/// The functions of a file that are defined for C and are not one guard call.
fn unguarded(file: &File) -> Findings {
    let code = file.code();
    let mut findings = Findings::new();
    for at in words(&code, "extern") {
        let Some(body) = body_after(&file.text, &code, at) else { continue };
        if !is_one_guard_call(body) {
            findings
                .push(file.finding(at, "an extern \"C\" body must be exactly one guard(…) call"));
        }
    }
    findings
}

/// The body of the C function whose `extern` stands at this offset; nothing for a type, a
/// declaration, or an extern block.
fn body_after<'a>(text: &str, code: &'a str, at: usize) -> Option<&'a str> {
    let abi = text.get(at + "extern".len()..)?.trim_start();
    if !abi.starts_with("\"C\"") && !abi.starts_with("\"C-unwind\"") {
        return None;
    }
    let after_abi = code.get(at..)?.match_indices('"').nth(1)?.0 + at + 1;
    let rest = code.get(after_abi..)?;
    let name = rest.trim_start().strip_prefix("fn")?;
    if !name.starts_with(char::is_whitespace) {
        return None; // a function pointer type: `fn(`
    }
    let parameters = after_abi + rest.find('(')?;
    let behind = closing(code, parameters)?;
    let open = behind + code.get(behind..)?.find(['{', ';'])?;
    if code.as_bytes().get(open) != Some(&b'{') {
        return None;
    }
    code.get(open + 1..closing(code, open)? - 1)
}

/// What may follow the call: the number of its status, which is a plain read.
const ENDS: &[&str] = &["", ";", ".number()"];

/// Whether a body is `guard(…)`, possibly with a path, a suffix or type arguments.
fn is_one_guard_call(body: &str) -> bool {
    let body = body.trim();
    let Some(open) = body.find('(') else { return false };
    let path = body.get(..open).unwrap_or_default();
    let name = path.split("::<").next().unwrap_or_default().rsplit("::").next().unwrap_or_default();
    let is_path = path.bytes().all(|b| is_word(b) || b":<>, *&'".contains(&b));
    let end = closing(body, open).and_then(|behind| body.get(behind..)).map(without_spaces);
    is_path
        && (name == "guard" || name.starts_with("guard_"))
        && end.is_some_and(|end| ENDS.contains(&end.as_str()))
}

/// rustfmt may break the line before a method call.
fn without_spaces(text: &str) -> String {
    text.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> usize {
        unguarded(&File { path: "src/x.rs".to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn a_body_of_one_guard_call_is_right() {
        assert_eq!(findings(r#"extern "C" fn f(a: *mut X) -> c_int { guard("f", || go(a)) }"#), 0);
        assert_eq!(
            findings(r#"unsafe extern "C" fn f() { crate::guard::guard::<Status>(|| { x(); }) }"#),
            0
        );
    }

    #[test]
    fn anything_beside_the_call_is_found() {
        assert_eq!(findings(r#"extern "C" fn f() { let x = 1; guard(|| x) }"#), 1);
        assert_eq!(findings(r#"extern "C" fn f() { guard(|| 1); g() }"#), 1);
        assert_eq!(findings(r#"extern "C" fn f() { guard(|| 1).unwrap() }"#), 1);
        assert_eq!(findings(r#"extern "C" fn f() {}"#), 1);
        assert_eq!(findings(r#"extern "C" fn f() { safeguard(|| 1) }"#), 1);
    }

    #[test]
    fn types_declarations_and_other_abis_are_no_definitions() {
        assert_eq!(findings(r#"type F = Option<unsafe extern "C" fn(*mut X) -> c_int>;"#), 0);
        assert_eq!(findings(r#"unsafe extern "C" { fn f(a: c_int) -> c_int; }"#), 0);
        assert_eq!(findings(r#"// extern "C" fn f() {}"#), 0);
        assert_eq!(findings("extern crate alloc; fn f() {}"), 0);
    }
}
