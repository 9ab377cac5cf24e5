//! Text as one word of a line of httpd's configuration.

use std::path::Path;

use anyhow::{Result, bail};

/// A path as one word of a configuration line.
pub fn quoted(path: &Path) -> Result<String> {
    let Some(text) = path.to_str() else {
        bail!("httpd's configuration cannot name the path {path:?}: it is not UTF-8");
    };
    if text.contains(['"', '\\', '\n', '\r', '\0']) || text.contains("${") {
        bail!("httpd's configuration cannot name the path {text:?}: give it another name");
    }
    Ok(format!("\"{text}\""))
}

/// Any text as one word: quotes and backslashes are escaped, what httpd would expand or what would
/// end the line is refused.
pub fn word(text: &str) -> Result<String> {
    if text.contains(['\n', '\r', '\0']) || text.contains("${") {
        bail!("httpd's configuration cannot hold the value {text:?}");
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{escaped}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_spaces_is_one_word_and_a_quote_is_refused() {
        assert_eq!(quoted(Path::new("/srv/my site")).unwrap(), "\"/srv/my site\"");
        assert!(quoted(Path::new("/srv/\"")).is_err());
        assert!(quoted(Path::new("/srv/${HOME}")).is_err());
    }

    #[test]
    fn a_value_cannot_leave_its_word() {
        assert_eq!(word(r#"say "hi" \o/"#).unwrap(), r#""say \"hi\" \\o/""#);
        assert!(word("a\nLoadModule evil").is_err());
        assert!(word("${HOME}").is_err());
    }
}
