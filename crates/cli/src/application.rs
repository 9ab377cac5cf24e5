//! What the argument APP is: a script, a module, a Django project, static files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::options::Kind;

/// What is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Application {
    /// The page that shows that the server works.
    Demo,
    /// A file of Python.
    Script(PathBuf),
    /// A callable of an importable module.
    Module {
        /// The dotted name.
        module: String,
        /// The callable, if it is named.
        callable: Option<String>,
    },
    /// A Paste Deploy ini file.
    Paste(PathBuf),
    /// Files only.
    Static(PathBuf),
    /// The directory of a Django project's manage.py.
    Django(PathBuf),
}

impl Application {
    /// Finds out what the user means; `folders` is where modules are looked for.
    pub(crate) fn find(app: Option<&str>, kind: Option<Kind>, folders: &[PathBuf]) -> Result<Self> {
        let Some(app) = app else {
            return match kind {
                Some(Kind::Static) => Ok(Self::Static(directory(".")?)),
                Some(Kind::Django) => Ok(Self::Django(project(".")?)),
                Some(_) => bail!("--application-type needs an APP: name it"),
                None => Ok(Self::Demo),
            };
        };
        match kind {
            Some(Kind::Script) => Ok(Self::Script(file(app)?)),
            Some(Kind::Paste) => Ok(Self::Paste(file(app)?)),
            Some(Kind::Static) => Ok(Self::Static(directory(app)?)),
            Some(Kind::Django) => Ok(Self::Django(project(app)?)),
            Some(Kind::Module) => module(app)
                .with_context(|| format!("\"{app}\" is no module: write package.module:callable")),
            None => Self::guess(app, folders),
        }
    }

    fn guess(app: &str, folders: &[PathBuf]) -> Result<Self> {
        let path = Path::new(app);
        if path.is_dir() {
            return match path.join("manage.py").is_file() {
                true => Ok(Self::Django(project(app)?)),
                false => Ok(Self::Static(directory(app)?)),
            };
        }
        if path.exists() {
            return Ok(Self::Script(file(app)?));
        }
        let there = |name: &str| {
            let first = name.split('.').next().unwrap_or(name);
            folders.iter().any(|folder| {
                folder.join(first).is_dir() || folder.join(format!("{first}.py")).is_file()
            })
        };
        match module(app) {
            Some(Self::Module { module, callable })
                if app.contains(['.', ':']) && !app.contains('/') || there(&module) =>
            {
                // `app.wsgi` is far more often a file that is not there than a module.
                if callable.is_none() && is_script_name(app) && !there(&module) {
                    bail!("no application \"{app}\": there is no such file; check the path");
                }
                Ok(Self::Module { module, callable })
            }
            _ => bail!(
                "no application \"{app}\": there is no such file or directory; name a script, \
                 package.module:callable, a Django project or a directory of static files"
            ),
        }
    }
}

/// Whether it looks like the name of a script.
fn is_script_name(app: &str) -> bool {
    [".wsgi", ".py"].iter().any(|end| app.ends_with(end))
}

fn file(app: &str) -> Result<PathBuf> {
    let path = canonical(app)?;
    match path.is_file() {
        true => Ok(path),
        false => bail!("no application \"{app}\": it is not a file; name the WSGI script"),
    }
}

fn directory(app: &str) -> Result<PathBuf> {
    let path = canonical(app)?;
    match path.is_dir() {
        true => Ok(path),
        false => bail!("no application \"{app}\": it is not a directory"),
    }
}

fn project(app: &str) -> Result<PathBuf> {
    let path = directory(app)?;
    match path.join("manage.py").is_file() {
        true => Ok(path),
        false => bail!("no Django project in {}: it has no manage.py", path.display()),
    }
}

fn canonical(app: &str) -> Result<PathBuf> {
    Path::new(app)
        .canonicalize()
        .with_context(|| format!("no application \"{app}\"; check the path"))
}

/// `package.module` or `package.module:callable`.
fn module(app: &str) -> Option<Application> {
    let (module, callable) = match app.split_once(':') {
        Some((module, callable)) => (module, Some(callable)),
        None => (app, None),
    };
    let is_name = |name: &str| {
        let mut characters = name.chars();
        characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && characters.all(|other| other.is_alphanumeric() || other == '_')
    };
    let is_sound = module.split('.').all(is_name)
        && callable.is_none_or(|callable| callable.split('.').all(is_name));
    is_sound.then(|| Application::Module {
        module: module.to_owned(),
        callable: callable.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn found(app: &str) -> Result<Application> {
        Application::find(Some(app), None, &[])
    }

    #[test]
    fn a_module_with_its_callable_is_understood() {
        let module = Application::Module {
            module: "shop.wsgi".to_owned(),
            callable: Some("application".to_owned()),
        };
        assert_eq!(found("shop.wsgi:application").unwrap(), module);
        assert!(found("1shop:app").is_err());
        assert!(found("shop:app()").is_err());
    }

    #[test]
    fn files_and_directories_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let text = path.to_str().unwrap();
        assert_eq!(found(text).unwrap(), Application::Static(path.clone()));
        fs::write(path.join("manage.py"), "").unwrap();
        assert_eq!(found(text).unwrap(), Application::Django(path.clone()));
        let script = path.join("app.wsgi");
        fs::write(&script, "").unwrap();
        let name = script.to_str().unwrap();
        assert_eq!(found(name).unwrap(), Application::Script(script.clone()));
    }

    #[test]
    fn what_is_not_there_is_an_error_that_says_so() {
        for app in ["/nowhere/app.wsgi", "app.wsgi", "nothing", "no-thing"] {
            let text = format!("{:#}", found(app).unwrap_err());
            assert!(text.contains(&format!("no application \"{app}\"")), "{text}");
        }
    }

    #[test]
    fn a_module_of_one_word_counts_where_it_can_be_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("shop.py"), "").unwrap();
        let folders = [folder.path().to_path_buf()];
        assert!(Application::find(Some("shop"), None, &folders).is_ok());
    }
}
