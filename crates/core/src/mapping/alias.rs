//! WSGIScriptAlias and WSGIScriptAliasMatch: from a URI to a file name.

use crate::directives::{Mount, ScriptAlias};

/// Where a pattern and its groups matched, as byte offsets into the URI; None for a group that
/// took no part. Index 0 is the whole match.
pub type Spans = [Option<(usize, usize)>; 10];

/// What an alias makes of a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The file name, with what follows the script still in it: httpd's directory walk splits it.
    pub filename: Vec<u8>,
    /// Length of the part of the URI that the alias stands for.
    pub matched: usize,
}

/// The first alias that matches, in the order of the configuration. `spans` runs httpd's
/// compiled pattern of that number over the URI.
pub fn find_alias<'a>(
    aliases: &'a [ScriptAlias],
    uri: &[u8],
    mut spans: impl FnMut(usize) -> Option<Spans>,
) -> Option<(&'a ScriptAlias, Mapped)> {
    aliases.iter().find_map(|alias| Some((alias, map_alias(alias, uri, &mut spans)?)))
}

/// What one alias makes of a URI; None when it does not match.
pub fn map_alias(
    alias: &ScriptAlias,
    uri: &[u8],
    spans: impl FnOnce(usize) -> Option<Spans>,
) -> Option<Mapped> {
    // `OPTIONS *` and the like name no resource.
    if !uri.is_empty() && !uri.starts_with(b"/") {
        return None;
    }
    match &alias.mount {
        Mount::Prefix(prefix) => {
            let matched = prefix_length(uri, prefix.as_bytes())?;
            let is_root = prefix == "/";
            let mut target = Vec::with_capacity(alias.target.len() + uri.len());
            target.extend_from_slice(alias.target.as_bytes());
            Some(mapped(target, uri, matched, is_root))
        }
        Mount::Pattern { compiled, .. } => {
            let spans = spans(*compiled)?;
            let (_, matched) = spans.first().copied().flatten()?;
            let is_root = uri.get(..matched)? == b"/";
            let target = substitute(alias.target.as_bytes(), uri, &spans);
            Some(mapped(target, uri, matched, is_root))
        }
    }
}

/// The target with the rest of the URI behind it. The root is no prefix that could be taken off:
/// its target is followed by the whole URI.
fn mapped(mut filename: Vec<u8>, uri: &[u8], matched: usize, is_root: bool) -> Mapped {
    let rest = if is_root { uri } else { uri.get(matched..).unwrap_or_default() };
    filename.extend_from_slice(rest);
    Mapped { filename, matched }
}

/// How many bytes of `uri` the prefix matches. A run of slashes in it stands for one or more;
/// unless it ends with one, the match must end at the end of a path segment.
fn prefix_length(uri: &[u8], prefix: &[u8]) -> Option<usize> {
    let mut rest_of_uri = uri;
    let mut rest_of_prefix = prefix;
    while let Some((&expected, after_prefix)) = rest_of_prefix.split_first() {
        let (&found, after_uri) = rest_of_uri.split_first()?;
        if found != expected {
            return None;
        }
        (rest_of_prefix, rest_of_uri) = if expected == b'/' {
            (without_slashes(after_prefix), without_slashes(after_uri))
        } else {
            (after_prefix, after_uri)
        };
    }
    let is_whole = prefix.ends_with(b"/") || matches!(rest_of_uri.first(), None | Some(b'/'));
    is_whole.then(|| uri.len() - rest_of_uri.len())
}

/// What follows any slashes.
fn without_slashes(mut path: &[u8]) -> &[u8] {
    while let Some(rest) = path.strip_prefix(b"/") {
        path = rest;
    }
    path
}

/// Puts what the groups matched in the place of `$0` to `$9`; a backslash protects a `$` or
/// itself.
fn substitute(target: &[u8], uri: &[u8], spans: &Spans) -> Vec<u8> {
    let mut result = Vec::with_capacity(target.len() + uri.len());
    let mut bytes = target.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let next = bytes.peek().copied();
        match (byte, next) {
            (b'$', Some(digit @ b'0'..=b'9')) => {
                bytes.next();
                let span = spans.get(usize::from(digit - b'0')).copied().flatten();
                let text = span.and_then(|(start, end)| uri.get(start..end));
                result.extend_from_slice(text.unwrap_or_default());
            }
            (b'\\', Some(protected @ (b'$' | b'\\'))) => {
                bytes.next();
                result.push(protected);
            }
            _ => result.push(byte),
        }
    }
    result
}

/// How long the script's part of a file name is that an alias gave, when what follows it can only
/// be path info: the alias names a file, and httpd's directory walk would change nothing in the
/// rest. None: only the walk can tell.
pub fn script_length(alias: &ScriptAlias, filename: &[u8]) -> Option<usize> {
    let target = alias.target.as_bytes();
    let rest = filename.strip_prefix(target)?;
    let is_plain = rest.starts_with(b"/")
        && !target.ends_with(b"/")
        && !rest.windows(2).any(|pair| matches!(pair, b"//" | b"/."));
    is_plain.then_some(target.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(mount: &str, target: &str) -> ScriptAlias {
        ScriptAlias {
            mount: Mount::Prefix(mount.into()),
            target: target.into(),
            options: Default::default(),
            file: String::new(),
            line: 0,
        }
    }

    fn pattern(target: &str) -> ScriptAlias {
        let mount = Mount::Pattern { text: String::new(), compiled: 7 };
        ScriptAlias { mount, ..prefix("", target) }
    }

    fn spans(of: &[(usize, usize)]) -> Spans {
        let mut spans = Spans::default();
        for (slot, span) in spans.iter_mut().zip(of) {
            *slot = Some(*span);
        }
        spans
    }

    #[test]
    fn prefixes_match_by_segments() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("/app", "/app", Some("/t")),
            ("/app", "/app/", Some("/t/")),
            ("/app", "/app/x/y", Some("/t/x/y")),
            ("/app", "/apple", None),
            ("/app", "/ap", None),
            ("/app", "/App", None),
            ("/app", "", None),
            ("/app", "*", None),
            ("/app", "//app//x", Some("/t//x")),
            ("/a/b", "/a///b/c", Some("/t/c")),
            ("//a", "/a", Some("/t")),
            ("//a//b", "///a/b", Some("/t")),
            ("/app/", "/app", None),
            ("/app/", "/app/x", Some("/tx")),
            ("/app/", "/app//x", Some("/tx")),
            ("/", "/", Some("/t/")),
            ("/", "/x/y", Some("/t/x/y")),
            ("/", "//x", Some("/t//x")),
            ("/", "", None),
        ];
        for (mount, uri, expected) in cases {
            let found = map_alias(&prefix(mount, "/t"), uri.as_bytes(), |_| None);
            let found = found.map(|mapped| String::from_utf8(mapped.filename).unwrap());
            assert_eq!(found.as_deref(), *expected, "{mount} against {uri}");
        }
    }

    #[test]
    fn a_folder_keeps_its_slash() {
        let found = map_alias(&prefix("/scripts/", "/srv/wsgi/"), b"/scripts/a.py/info", |_| None);
        let found = found.unwrap();
        assert_eq!(found.filename, b"/srv/wsgi/a.py/info");
        assert_eq!(found.matched, "/scripts/".len());
    }

    #[test]
    fn the_script_ends_where_the_path_info_begins_unless_the_walk_would_change_that() {
        let cases: &[(&str, &str, Option<usize>)] = &[
            ("/srv/app.wsgi", "/srv/app.wsgi/", Some(13)),
            ("/srv/app.wsgi", "/srv/app.wsgi/x/y.z", Some(13)),
            ("/srv/app.wsgi", "/srv/app.wsgi", None),
            ("/srv/app.wsgi", "/srv/app.wsgi.old/x", None),
            ("/srv/app.wsgi", "/srv/other.wsgi/x", None),
            ("/srv/app.wsgi", "/srv/app.wsgi//x", None),
            ("/srv/app.wsgi", "/srv/app.wsgi/x//", None),
            ("/srv/app.wsgi", "/srv/app.wsgi/./x", None),
            ("/srv/app.wsgi", "/srv/app.wsgi/../x", None),
            ("/srv/folder/", "/srv/folder/a.wsgi/x", None),
        ];
        for (target, filename, expected) in cases {
            let found = script_length(&prefix("/", target), filename.as_bytes());
            assert_eq!(found, *expected, "{filename} of {target}");
        }
    }

    #[test]
    fn the_first_alias_in_order_wins() {
        let aliases = [prefix("/a", "/1"), prefix("/", "/2"), prefix("/b", "/3")];
        let found = |uri: &str| {
            find_alias(&aliases, uri.as_bytes(), |_| None).map(|(alias, _)| alias.target.clone())
        };
        assert_eq!(found("/a/x").as_deref(), Some("/1"));
        assert_eq!(found("/b").as_deref(), Some("/2"));
        assert_eq!(found("b"), None);
    }

    #[test]
    fn patterns_substitute_their_groups() {
        let matched = |target: &str, uri: &str, of: &[(usize, usize)]| {
            let found = map_alias(&pattern(target), uri.as_bytes(), |compiled| {
                assert_eq!(compiled, 7);
                Some(spans(of))
            });
            let found = found.unwrap();
            (String::from_utf8(found.filename).unwrap(), found.matched)
        };
        // ^/sites/([a-z]+) against /sites/blog/x
        let of = [(0, 11), (7, 11)];
        let (filename, end) = matched("/srv/$1.wsgi", "/sites/blog/x", &of);
        assert_eq!((filename.as_str(), end), ("/srv/blog.wsgi/x", 11));
        // The match may begin later: what stands before it is dropped.
        let (filename, _) = matched("/srv$0", "/x/app/y", &[(2, 6)]);
        assert_eq!(filename, "/srv/app/y");
        // A group that took no part is empty; $ without a digit and protected ones stay.
        let (filename, _) = matched(r"/s/$9$x\$1\\", "/a", &[(0, 2)]);
        assert_eq!(filename, r"/s/$x$1\");
        // The root keeps the whole URI.
        let (filename, _) = matched("/s/app.wsgi", "/x/y", &[(0, 1)]);
        assert_eq!(filename, "/s/app.wsgi/x/y");
        assert_eq!(map_alias(&pattern("/t"), b"/x", |_| None), None);
    }

    proptest! {
        #[test]
        fn mapping_never_panics(
            mount in "[/ab$]{0,6}",
            target in r"[/a$0-9\\]{0,8}",
            uri in proptest::collection::vec(any::<u8>(), 0..12),
            raw in proptest::collection::vec((0usize..20, 0usize..20), 0..10),
        ) {
            let _ = map_alias(&prefix(&mount, &target), &uri, |_| None);
            let _ = map_alias(&pattern(&target), &uri, |_| Some(spans(&raw)));
        }

        #[test]
        fn more_slashes_change_nothing(segments in proptest::collection::vec("[a-z]{1,3}", 1..4)) {
            let plain = format!("/{}", segments.join("/"));
            let doubled = format!("//{}", segments.join("///"));
            let alias = prefix(&plain, "/t");
            let length = map_alias(&alias, doubled.as_bytes(), |_| None).map(|m| m.matched);
            prop_assert_eq!(length, Some(doubled.len()));
        }
    }
}
