//! Paths below the root directory of a process group (`chroot=`): httpd sees them from outside.

/// How processes below `root` name a path, if it is there; paths of httpd are free of `..`.
pub fn inside<'p>(root: &str, path: &'p [u8]) -> Option<&'p [u8]> {
    let rest = path.strip_prefix(root.trim_end_matches('/').as_bytes())?;
    match rest {
        [] => Some(b"/"),
        [b'/', ..] => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn only_what_is_below_the_root_has_a_name_there() {
        let cases: [(&str, &str, Option<&str>); 8] = [
            ("/jail", "/jail/app.wsgi", Some("/app.wsgi")),
            ("/jail/", "/jail/site/app.wsgi", Some("/site/app.wsgi")),
            ("/jail", "/jail", Some("/")),
            ("/jail/", "/jail/", Some("/")),
            ("/", "/srv/app.wsgi", Some("/srv/app.wsgi")),
            ("/jail", "/jailbreak/app.wsgi", None),
            ("/jail", "/srv/jail/app.wsgi", None),
            ("/jail", "", None),
        ];
        for (root, path, expected) in cases {
            let found = inside(root, path.as_bytes());
            assert_eq!(found, expected.map(str::as_bytes), "{path} in {root}");
        }
    }
}
