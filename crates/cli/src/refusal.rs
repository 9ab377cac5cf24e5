//! httpd's words about a configuration it refuses, as one line that says what to do.

use wsgi_httpd::Httpd;

/// The line. `said` is what `httpd -t` wrote; nothing it said is lost that could help.
pub(crate) fn explain(said: &str, httpd: &Httpd) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let all = lines.join(" ");
    checked(&lines)
        .or_else(|| module_mismatch(&all))
        .or_else(|| unknown_directive(&lines, httpd))
        .unwrap_or_else(|| plain(&lines))
}

/// What httpd finds odd about a configuration that it takes, without time and place of the records.
pub(crate) fn warnings(said: &str) -> impl Iterator<Item = &str> {
    said.lines()
        .filter(|line| line.contains(":warn]"))
        .filter_map(|line| line.rsplit_once("] ").map(|(_, text)| text))
}

/// What the module has tried in vain, in the words of this command's options.
fn checked(lines: &[&str]) -> Option<String> {
    let said = lines.iter().find_map(|line| line.strip_prefix("WSGI check FAILED: "))?;
    let (place, reason) = said.split_once("): ").unwrap_or(("", said));
    // The URL or the directive, the script, and where it would run.
    let (url, script) = place.split_once(' ').unwrap_or(("", place));
    let script = script.split_once(" (").map_or(script, |(script, _)| script);
    let options = [
        ("python-home=", "--python-home"),
        ("python-path=", "--python-path"),
        ("WSGICallableObject", "--callable-object"),
    ];
    let reason = options.iter().fold(reason.to_owned(), |text, (from, to)| text.replace(from, to));
    let what = match url.starts_with("WSGI") {
        true => format!("the script of {url}"),
        false => "the application".to_owned(),
    };
    Some(format!("{what} does not load ({script}): {reason}"))
}

/// A module that was built for another httpd.
fn module_mismatch(all: &str) -> Option<String> {
    let is_other = all.contains("not compatible with this version of Apache");
    let is_garbled = all.contains("is garbled");
    let numbers = all.split("(found ").nth(1).and_then(|rest| rest.split(')').next());
    (is_other || is_garbled).then(|| {
        let numbers = numbers.unwrap_or("another module magic number");
        format!(
            "a module was built for another httpd (found {numbers}): install mod_wsgi_rs for this httpd, or \
             name the one it was built for with --httpd-executable; httpd says: {all}"
        )
    })
}

/// A directive of a module that is not loaded.
fn unknown_directive(lines: &[&str], httpd: &Httpd) -> Option<String> {
    let said = lines.iter().find_map(|line| line.split("Invalid command '").nth(1))?;
    let name = said.split('\'').next()?;
    let place = lines.iter().find_map(|line| line.split("Syntax error on ").nth(1)).unwrap_or("");
    let place = place.trim_end_matches(':');
    let file = httpd.module_with(name);
    let advice = match file.as_deref().and_then(|file| Some((file, file.file_stem()?.to_str()?))) {
        Some((path, stem)) => {
            let module = stem.trim_start_matches("mod_");
            format!(
                "its module is not loaded: add LoadModule {module}_module {} before it",
                path.display()
            )
        }
        None => format!("no module in {} has it: check its spelling", httpd.modules.display()),
    };
    Some(format!("{name} on {place}: {advice}"))
}

/// Everything else in one line, without the addresses of the source.
fn plain(lines: &[&str]) -> String {
    let useful: Vec<String> = lines
        .iter()
        .filter(|line| !line.contains("AH00558") && **line != "Syntax OK")
        .map(|line| without_code(line).to_owned())
        .collect();
    match useful.is_empty() {
        true => "httpd refuses the configuration without a word: run httpd -t".to_owned(),
        false => useful.join(" "),
    }
}

/// A line without httpd's own number in front (`AH00526: `).
fn without_code(line: &str) -> &str {
    match line.split_once(": ") {
        Some((code, rest)) if code.starts_with("AH") && code.len() == 7 => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_is_one_line_with_the_options_of_the_command() {
        let said = "WSGI check FAILED: / /a b.wsgi (process group x, Python 3.11; /c:1): ModuleNotFoundError: no x; \
                    name its directory with python-path=\n    Traceback\n";
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(
            checked(&lines).unwrap(),
            "the application does not load (/a b.wsgi): ModuleNotFoundError: no x; name its directory with \
             --python-path"
        );
        let said = "WSGI check FAILED: WSGIAccessScript /a.py (embedded; /c:1): it has no \"allow_access\"";
        assert_eq!(
            checked(&[said]).unwrap(),
            "the script of WSGIAccessScript does not load (/a.py): it has no \"allow_access\""
        );
    }

    #[test]
    fn warnings_are_shown_without_the_record_around_them() {
        let said =
            "[Sat Nov 21 14:24:15.4 2026] [wsgi:warn] [pid 29:tid 29] WSGI1045: odd\nSyntax OK\n";
        assert_eq!(warnings(said).collect::<Vec<_>>(), ["WSGI1045: odd"]);
    }

    #[test]
    fn codes_of_httpd_are_left_out() {
        assert_eq!(without_code("AH00526: Syntax error on line 1"), "Syntax error on line 1");
        assert_eq!(without_code("no code: here"), "no code: here");
    }
}
