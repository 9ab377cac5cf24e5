//! The answer of `environ.py`: the environ with the type of every value; and URL quoting.

use std::collections::BTreeMap;

/// An environ as an application saw it.
pub struct Environ(BTreeMap<String, (String, String)>);

impl Environ {
    /// Parses the lines of `environ.py`.
    pub fn parse(text: &str) -> Environ {
        let fields = |line: &str| {
            let mut parts = line.splitn(3, '\t');
            let key = parts.next()?.trim_matches('\'').to_owned();
            Some((key, (parts.next()?.to_owned(), parts.next()?.to_owned())))
        };
        Environ(text.lines().filter_map(fields).collect())
    }

    /// The value's `ascii()`, `None` when the key is absent.
    pub fn repr(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|(_, value)| value.as_str())
    }

    /// The text of a `str` value.
    pub fn text(&self, key: &str) -> Option<&str> {
        let (kind, value) = self.0.get(key)?;
        (kind == "str").then(|| &value[1..value.len() - 1])
    }

    /// Name of the value's type.
    pub fn kind(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|(kind, _)| kind.as_str())
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Asserts a `str` value.
    #[track_caller]
    pub fn is(&self, key: &str, value: &str) {
        assert_eq!(self.text(key), Some(value), "{key}: {:?}", self.0.get(key));
    }

    /// Asserts that a key is not there.
    #[track_caller]
    pub fn lacks(&self, key: &str) {
        assert_eq!(self.repr(key), None, "{key} must be absent");
    }
}

/// Percent-encodes everything but letters and digits.
pub fn quote(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// MD5 in hexadecimal digits, as `md5sum` tells it.
pub fn md5(text: &str) -> String {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), text).expect("file");
    let line = super::rundir::output_of("md5sum", &[file.path().to_str().expect("path")]);
    line.split_whitespace().next().unwrap_or_default().to_owned()
}
