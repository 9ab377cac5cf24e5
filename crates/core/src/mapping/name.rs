//! The script name: the URI without its path info.

use std::borrow::Cow;

/// Every run of slashes as one.
pub fn collapse_slashes(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.windows(2).any(|pair| pair == b"//") {
        return Cow::Borrowed(path);
    }
    let mut result = Vec::with_capacity(path.len());
    for &byte in path {
        if byte != b'/' || result.last() != Some(&b'/') {
            result.push(byte);
        }
    }
    Cow::Owned(result)
}

/// The part of `uri` before `path_info`, with runs of slashes collapsed. httpd has merged the
/// slashes of the path info already, so the two are compared from their ends run by run.
pub fn script_name<'u>(uri: &'u [u8], path_info: &[u8]) -> Cow<'u, [u8]> {
    let mut rest = uri;
    let mut info = path_info;
    while let (Some((found, before)), Some((expected, before_info))) =
        (rest.split_last(), info.split_last())
    {
        if found != expected {
            break;
        }
        (rest, info) = if *found == b'/' {
            (without_slashes(before), without_slashes(before_info))
        } else {
            (before, before_info)
        };
    }
    // A name ends with a whole segment: bytes that only happened to be equal belong to it.
    let after = uri.get(rest.len()..).unwrap_or_default();
    let segment = after.iter().position(|byte| *byte == b'/').unwrap_or(after.len());
    collapse_slashes(uri.get(..rest.len() + segment).unwrap_or(uri))
}

/// What stands before any slashes at the end.
fn without_slashes(mut path: &[u8]) -> &[u8] {
    while let Some(rest) = path.strip_suffix(b"/") {
        path = rest;
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn path_info_is_cut_off() {
        let cases: &[(&str, &str, &str)] = &[
            ("/app/x/y", "/x/y", "/app"),
            ("/app", "", "/app"),
            ("/app/", "/", "/app"),
            ("/x/y", "/x/y", ""),
            ("/", "/", ""),
            ("//app//x///y", "/x/y", "/app"),
            ("/app//", "/", "/app"),
            ("/a/a", "/a", "/a"),
            ("/other/z", "/x/y", "/other/z"),
            ("/files/report", "/port", "/files/report"),
            ("", "", ""),
        ];
        for (uri, info, expected) in cases {
            let found = script_name(uri.as_bytes(), info.as_bytes());
            assert_eq!(&*found, expected.as_bytes(), "{uri} without {info}");
        }
    }

    #[test]
    fn runs_of_slashes_become_one() {
        assert_eq!(&*collapse_slashes(b"//a///b/"), b"/a/b/");
        assert_eq!(&*collapse_slashes(b""), b"");
    }

    proptest! {
        #[test]
        fn name_and_info_make_the_uri(
            name in "(/[a-z]{1,3}){0,3}",
            info in "(/[a-z]{1,3}){0,3}/?",
        ) {
            let uri = format!("{name}{info}");
            prop_assert_eq!(&*script_name(uri.as_bytes(), info.as_bytes()), name.as_bytes());
        }

        #[test]
        fn nothing_panics(uri in "[/a]{0,8}", info in "[/a]{0,8}") {
            let _ = script_name(uri.as_bytes(), info.as_bytes());
        }
    }
}
