//! What cargo knows about the packages.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::project::Project;
use wsgi_httpd::program;

/// One package, ours or a dependency.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its licence expression; empty when it states none.
    pub(crate) licence: String,
    /// Its `Cargo.toml`.
    pub(crate) manifest: String,
    /// Whether it belongs to this repository.
    pub(crate) is_ours: bool,
    /// Names of the packages it uses outside of its tests and build script.
    pub(crate) uses: Vec<String>,
}

/// All packages that are built on this machine.
pub(crate) fn packages(project: &Project) -> Result<Vec<Package>> {
    let version = program::output(std::process::Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let mut command = project.cargo("metadata");
    command.args(["--locked", "--format-version", "1", "--filter-platform"]);
    command.arg(host.context("rustc does not name its host")?);
    let metadata: Value = serde_json::from_str(&program::output(&mut command)?)?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    Ok(packages.context("cargo metadata lists no packages")?.iter().map(package).collect())
}

/// Reads one entry of the list.
fn package(entry: &Value) -> Package {
    let text = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let dependencies = entry.get("dependencies").and_then(Value::as_array).into_iter().flatten();
    // A dependency of the product has no kind; "dev" and "build" ones have.
    let uses = dependencies.filter(|one| one.get("kind").is_none_or(Value::is_null));
    Package {
        name: text(entry, "name"),
        licence: text(entry, "license"),
        manifest: text(entry, "manifest_path"),
        is_ours: entry.get("source").is_none_or(Value::is_null),
        uses: uses.map(|one| text(one, "name")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_of_tests_are_no_dependencies_of_the_product() {
        let entry = r#"{"name": "a", "license": "MIT", "source": null, "manifest_path": "/a",
            "dependencies": [{"name": "b", "kind": null}, {"name": "c", "kind": "dev"}]}"#;
        let package = package(&serde_json::from_str(entry).unwrap());
        assert_eq!(package.uses, ["b"]);
        assert!(package.is_ours);
    }
}
