//! The files that the target of a WSGIScriptAliasMatch can mean.
//!
//! What a URL puts in the place of `$1` is known by requests only; yet when one component of the
//! path has it, the scripts that are there are those that can be meant.

/// What a target stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The same file for every URL.
    File(String),
    /// Files of one folder.
    Files(Files),
}

/// A folder, and which of its entries lead to scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The folder.
    pub folder: String,
    /// What stands before, between and behind `$1` to `$9` in the entry's name.
    pieces: Vec<String>,
    /// The script's path below the entry, with a slash in front; empty when the entry is the script.
    below: String,
}

/// Whether a file's name says that it is a script.
pub fn is_script(name: &str) -> bool {
    name.ends_with(".wsgi") || name.ends_with(".py")
}

impl Target {
    /// Reads a target as [`map_alias`](crate::mapping::map_alias) substitutes it; the error is why
    /// nobody can say which files it means.
    pub fn of(text: &str) -> Result<Self, &'static str> {
        let components = components(text)?;
        let is_open = |component: &Vec<String>| component.len() > 1;
        let Some(at) = components.iter().position(is_open) else {
            return Ok(Self::File(join(&components)));
        };
        let (before, rest) = components.split_at(at);
        let Some((pieces, after)) = rest.split_first() else {
            return Ok(Self::File(join(before)));
        };
        if after.iter().any(is_open) {
            return Err("more than one part of its target depends on the URL");
        }
        let folder = match join(before) {
            // What stands before the first slash of an absolute path.
            folder if folder.is_empty() && !before.is_empty() => "/".to_owned(),
            folder => folder,
        };
        let below = after.iter().map(|component| format!("/{}", component.concat())).collect();
        Ok(Self::Files(Files { folder, pieces: pieces.clone(), below }))
    }
}

/// The components of a path, each as the pieces around its groups.
fn components(text: &str) -> Result<Vec<Vec<String>>, &'static str> {
    let mut components = Vec::new();
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().copied()) {
            ('$', Some('0')) => return Err("the $0 of its target is the URL itself"),
            ('$', Some('1'..='9')) => {
                chars.next();
                pieces.push(std::mem::take(&mut piece));
            }
            ('/', _) => {
                pieces.push(std::mem::take(&mut piece));
                components.push(std::mem::take(&mut pieces));
            }
            ('\\', Some(protected @ ('$' | '\\'))) => {
                chars.next();
                piece.push(protected);
            }
            _ => piece.push(c),
        }
    }
    pieces.push(piece);
    components.push(pieces);
    Ok(components)
}

fn join(components: &[Vec<String>]) -> String {
    components.iter().map(|component| component.concat()).collect::<Vec<_>>().join("/")
}

impl Files {
    /// The script that an entry of the folder leads to, if a URL can name it. Where nothing says
    /// how its name ends, it must end as scripts do.
    pub fn script(&self, entry: &str) -> Option<String> {
        let (first, rest) = self.pieces.split_first()?;
        let (last, between) = rest.split_last()?;
        let mut left = entry.strip_prefix(first.as_str())?;
        for piece in between {
            // A group stands for a character at least.
            let from = left.chars().next()?.len_utf8();
            let (_, behind) = left.get(from..)?.split_once(piece.as_str())?;
            left = behind;
        }
        let is_named = self.below.is_empty() && last.is_empty();
        let fits = left.len() > last.len() && left.ends_with(last.as_str());
        (fits && (!is_named || is_script(entry)))
            .then(|| format!("{}/{entry}{}", self.folder.trim_end_matches('/'), self.below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of a folder, and the script that each leads to.
    type Entries<'t> = &'t [(&'t str, Option<&'t str>)];

    fn files(target: &str) -> Files {
        match Target::of(target).unwrap() {
            Target::Files(files) => files,
            Target::File(file) => panic!("{file}"),
        }
    }

    #[test]
    fn a_target_without_groups_is_a_file() {
        for (target, file) in [
            ("/srv/app.wsgi", "/srv/app.wsgi"),
            (r"/srv/\$1.wsgi", "/srv/$1.wsgi"),
            (r"/srv/a\\b", r"/srv/a\b"),
            ("/srv/$x/a$", "/srv/$x/a$"),
        ] {
            assert_eq!(Target::of(target), Ok(Target::File(file.into())), "{target}");
        }
    }

    #[test]
    fn one_component_may_depend_on_the_url() {
        let cases: &[(&str, &str, Entries<'_>)] = &[
            (
                "/srv/apps/$1.wsgi",
                "/srv/apps",
                &[
                    ("blog.wsgi", Some("/srv/apps/blog.wsgi")),
                    (".wsgi", None),
                    ("blog.py", None),
                    ("blog.wsgi~", None),
                ],
            ),
            (
                "/srv/apps/$1/app.wsgi",
                "/srv/apps",
                &[("blog", Some("/srv/apps/blog/app.wsgi")), ("", None)],
            ),
            (
                "/srv/app-$2-$1.py",
                "/srv",
                &[("app-a-b.py", Some("/srv/app-a-b.py")), ("app--b.py", None), ("app-.py", None)],
            ),
            ("/srv/$1$2.x", "/srv", &[("ab.x", Some("/srv/ab.x")), ("a.x", None)]),
            // Nothing says how it ends.
            ("/$1", "/", &[("a.py", Some("/a.py")), ("a.wsgi", Some("/a.wsgi")), ("a.txt", None)]),
            ("/srv/$1/run", "/srv", &[("a.txt", Some("/srv/a.txt/run"))]),
        ];
        for (target, folder, entries) in cases {
            let files = files(target);
            assert_eq!(files.folder, *folder, "{target}");
            for (entry, script) in *entries {
                assert_eq!(files.script(entry).as_deref(), *script, "{target} {entry}");
            }
        }
    }

    #[test]
    fn what_depends_on_more_is_not_guessed() {
        for target in ["/srv$0", "/srv/$1/$2.wsgi", "/srv/$1/$1.wsgi"] {
            assert!(Target::of(target).is_err(), "{target}");
        }
    }
}
