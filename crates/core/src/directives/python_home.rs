//! Whether a `python-home` can be used: it must be there, be readable for the user of the
//! processes, and belong to a Python version that is installed for the module.

use super::reader::Reader;
use super::site::{Facts, PythonVersion};
use super::value::shown;

/// Checks a `python-home`, a prefix or the root of a virtual environment, and tells its version.
/// `installed` are the versions the module has binaries for.
///
/// The error is a sentence about the path; the caller puts in front who names it. Access lists
/// and mount options are not looked at: a daemon that cannot read its Python says so itself.
pub fn check_python_home(
    path: &str,
    reader: Reader<'_>,
    installed: &[PythonVersion],
    facts: &dyn Facts,
) -> Result<PythonVersion, String> {
    let home = shown(path);
    if !path.starts_with('/') {
        return Err(format!("{home} is not an absolute path"));
    }
    let path = Some(path.trim_end_matches('/')).filter(|path| !path.is_empty()).unwrap_or("/");
    check_entered(path, reader, facts).map_err(|why| format!("{home} cannot be used: {why}"))?;
    let found = find_version(path, reader, installed, facts)?;
    if installed.contains(&found) {
        return Ok(found);
    }
    let known: Vec<String> = installed.iter().map(PythonVersion::to_string).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(format!(
        "{home} is of Python {found}, for which nothing is installed beside the module (there is: \
         {known}); install with --python of that version"
    ))
}

/// Every folder on the way must let the user in, and the last must be a readable folder.
fn check_entered(path: &str, reader: Reader<'_>, facts: &dyn Facts) -> Result<(), String> {
    reader.check_directory(path, facts)?;
    let home = facts.stat(path).map_err(|error| error.to_string())?;
    if !reader.may(home, 4) {
        return Err(format!("the user {} may not read it", reader.name(facts)));
    }
    Ok(())
}

/// The version by pyvenv.cfg, else by the standard library in lib/python3.N.
fn find_version(
    path: &str,
    reader: Reader<'_>,
    installed: &[PythonVersion],
    facts: &dyn Facts,
) -> Result<PythonVersion, String> {
    let home = shown(path);
    let config = format!("{path}/pyvenv.cfg");
    if let Ok(file) = facts.stat(&config) {
        if !reader.may(file, 4) {
            return Err(format!("{} may not be read by the user", shown(&config)));
        }
        let text = facts.read(&config).map_err(|error| format!("{}: {error}", shown(&config)))?;
        // The environment borrows the standard library of the Python it was made with.
        if let Some(base) = setting(&text, &["home"]).filter(|base| base.starts_with('/')) {
            check_entered(base, reader, facts)
                .map_err(|why| format!("{home} was made with a Python that is of no use: {why}"))?;
        }
        return setting(&text, &["version", "version_info"])
            .and_then(version)
            .ok_or_else(|| format!("{} names no version of Python 3", shown(&config)));
    }
    let names = facts.list(&format!("{path}/lib")).unwrap_or_default();
    let has_library = |version: &PythonVersion| {
        let library = format!("{path}/lib/python{version}/os.py");
        facts.stat(&library).is_ok_and(|file| reader.may(file, 4))
    };
    let found = || names.iter().filter_map(|name| version_of_folder(name)).filter(has_library);
    // A prefix may hold several, as /usr does: the newest that can be used is meant.
    let usable = found().filter(|version| installed.contains(version)).max();
    usable.or_else(|| found().max()).ok_or_else(|| {
        format!(
            "{home} is neither a virtual environment nor a Python installation: it has no \
             pyvenv.cfg and no readable lib/python3.*/os.py"
        )
    })
}

/// A line `key = value` of a pyvenv.cfg by any of its names: the version is `version = 3.11.2`
/// (venv) or `version_info = 3.11.2.final.0` (virtualenv).
fn setting<'a>(text: &'a str, names: &[&str]) -> Option<&'a str> {
    text.lines().filter_map(|line| line.split_once('=')).find_map(|(key, value)| {
        let is_named = names.iter().any(|name| key.trim().eq_ignore_ascii_case(name));
        is_named.then_some(value.trim())
    })
}

/// The version of a folder `python3.N`; `python3.13t` is a build that has other binaries.
fn version_of_folder(name: &str) -> Option<PythonVersion> {
    let digits = name.strip_prefix("python")?;
    version(digits).filter(|version| version.to_string() == digits)
}

/// The first two numbers of `3.11.2`; only Python 3 has them.
fn version(text: &str) -> Option<PythonVersion> {
    let mut numbers = text.split('.');
    let major: u8 = numbers.next()?.parse().ok()?;
    let minor: u8 = numbers.next()?.parse().ok()?;
    (major == 3).then_some(PythonVersion { major, minor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directives::tests::support::World;

    const V11: PythonVersion = PythonVersion { major: 3, minor: 11 };
    const V13: PythonVersion = PythonVersion { major: 3, minor: 13 };
    const WEB: Reader<'static> = Reader { uid: 33, gids: &[33] };

    fn venv(config: &str) -> World {
        World::default()
            .folder("/srv", 0o755)
            .folder("/srv/venv", 0o755)
            .folder("/usr", 0o755)
            .folder("/usr/bin", 0o755)
            .file("/srv/venv/pyvenv.cfg", 0o644, config)
    }

    fn check(path: &str, world: &World) -> Result<PythonVersion, String> {
        check_python_home(path, WEB, &[V11], world)
    }

    #[test]
    fn a_venv_names_its_version() {
        for config in [
            "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n",
            "home=/usr/bin\nversion_info = 3.11.2.final.0\n",
            "Version=3.11\n",
        ] {
            assert_eq!(check("/srv/venv", &venv(config)), Ok(V11), "{config}");
        }
        assert_eq!(check("/srv/venv/", &venv("version = 3.11.2")), Ok(V11));
        for config in ["", "version =", "version = 2.7.18", "version = 3", "home = /usr/bin"] {
            let error = check("/srv/venv", &venv(config)).unwrap_err();
            assert!(error.contains("names no version of Python 3"), "{error}");
        }
    }

    #[test]
    fn another_version_is_refused_with_both() {
        let error = check("/srv/venv", &venv("version = 3.13.1")).unwrap_err();
        assert!(error.contains("Python 3.13") && error.contains("3.11"), "{error}");
        let error = check_python_home("/srv/venv", WEB, &[], &venv("version = 3.11")).unwrap_err();
        assert!(error.contains("there is: none"), "{error}");
    }

    #[test]
    fn a_prefix_is_known_by_its_library() {
        let usr = || {
            World::default()
                .folder("/usr", 0o755)
                .folder("/usr/lib", 0o755)
                .folder("/usr/lib/python3", 0o755)
                .folder("/usr/lib/python3.9", 0o755)
                .folder("/usr/lib/python3.11", 0o755)
                .file("/usr/lib/python3.11/os.py", 0o644, "")
        };
        assert_eq!(check("/usr", &usr()), Ok(V11));
        // Of several the newest that can be used is taken, and else the newest is named.
        let two =
            usr().folder("/usr/lib/python3.13", 0o755).file("/usr/lib/python3.13/os.py", 0o644, "");
        assert_eq!(check("/usr", &two), Ok(V11));
        assert_eq!(check_python_home("/usr", WEB, &[V11, V13], &two), Ok(V13));
        let error = check_python_home("/usr", WEB, &[], &two).unwrap_err();
        assert!(error.contains("3.13"), "{error}");
        let error = check("/srv", &World::default().folder("/srv", 0o755)).unwrap_err();
        assert!(error.contains("neither a virtual environment nor"), "{error}");
    }

    #[test]
    fn what_the_user_cannot_reach_is_refused() {
        let error = check("/srv/none", &venv("")).unwrap_err();
        assert!(error.contains("'/srv/none': No such file or directory"), "{error}");
        let error = check("//", &venv("").folder("/", 0o755)).unwrap_err();
        assert!(error.contains("'/' is neither"), "{error}");
        let error = check("srv", &venv("")).unwrap_err();
        assert!(error.contains("not an absolute path"), "{error}");
        let error = check("/srv/venv/pyvenv.cfg", &venv("")).unwrap_err();
        assert!(error.contains("is not a directory"), "{error}");

        let closed = venv("version = 3.11").folder("/srv", 0o700);
        let error = check("/srv/venv", &closed).unwrap_err();
        assert!(error.contains("'www-data' may not enter '/srv'"), "{error}");
        let unreadable = venv("version = 3.11").folder("/srv/venv", 0o711);
        assert!(check("/srv/venv", &unreadable).unwrap_err().contains("may not read it"));
        let unreadable = venv("").file("/srv/venv/pyvenv.cfg", 0o600, "version = 3.11");
        assert!(check("/srv/venv", &unreadable).unwrap_err().contains("may not be read"));
        // A venv is of no use without the Python it was made with.
        let base = venv("home = /private/py/bin\nversion = 3.11").folder("/private", 0o700);
        let error = check("/srv/venv", &base).unwrap_err();
        assert!(error.contains("may not enter '/private'"), "{error}");
    }
}
