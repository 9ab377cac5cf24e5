//! The directives that name a script: aliases, imports, handlers, dispatch and authorisation.

use super::behaviour::embedded_if_global;
use super::config::{AliasOptions, AuthScript, DirConfig, Mount, ScriptAlias};
use super::groups::import;
use super::line::Line;
use super::scoped::{DispatchScript, HandlerScript};
use super::site::ConfigError;
use super::value::{flag, shown};
use super::words::Malformed;

/// Options after the words of a script directive, and the text for any other.
struct Accepted {
    names: &'static [&'static str],
    invalid: &'static str,
}

/// Options of WSGIScriptAlias and WSGIScriptAliasMatch.
const ALIAS: Accepted = Accepted {
    names: &["process-group", "application-group", "callable-object", "pass-authorization"],
    invalid: "Invalid option to WSGI script alias definition.",
};
/// Options of WSGIHandlerScript.
const HANDLER: Accepted = Accepted {
    names: &["process-group", "application-group", "pass-authorization"],
    invalid: "Invalid option to WSGI handler script definition.",
};
/// Options of WSGIImportScript.
const IMPORT: Accepted = Accepted {
    names: &["process-group", "application-group"],
    invalid: "Invalid option to WSGI import script definition.",
};
/// Options of WSGIDispatchScript.
const DISPATCH: Accepted = Accepted {
    names: &["application-group"],
    invalid: "Invalid option to WSGI dispatch script definition.",
};

/// Reads the options that are left on the line; the last of a name wins.
fn options(line: &mut Line<'_>, accepted: &Accepted) -> Result<AliasOptions, ConfigError> {
    let directive = line.directive.name;
    let mut options = AliasOptions::default();
    while let Some(pair) = line.words.next_option() {
        let unknown = |given: &str| {
            let names = accepted.names.join("=, ");
            let (text, given) = (accepted.invalid, shown(given));
            ConfigError(format!("{text} {directive}: {given} found, expected {names}="))
        };
        let (name, value) = pair.map_err(|Malformed(word)| unknown(&word))?;
        if !accepted.names.contains(&name) {
            return Err(unknown(name));
        }
        let named = |contract: &str| {
            if value.is_empty() {
                let detail = format!("{directive} {name}= is empty, expected a name");
                return Err(ConfigError(format!("{contract} {detail}")));
            }
            Ok(value.clone())
        };
        match name {
            "process-group" => {
                options.process_group = Some(named("Invalid name for WSGI process group.")?);
            }
            "application-group" => {
                options.application_group =
                    Some(named("Invalid name for WSGI application group.")?);
            }
            "callable-object" => {
                options.callable_object = Some(named("Invalid name for WSGI callable object.")?);
            }
            _ => options.pass_authorization = Some(authorization_flag(directive, &value)?),
        }
    }
    Ok(options)
}

/// The value of `pass-authorization=`.
fn authorization_flag(directive: &str, value: &str) -> Result<bool, ConfigError> {
    flag(value).ok_or_else(|| {
        ConfigError(format!(
            "Invalid value for authorization flag. {directive} pass-authorization={}: expected On \
             or Off",
            shown(value)
        ))
    })
}

/// The next word, which may not be empty.
fn word(line: &mut Line<'_>, missing: &str) -> Result<String, ConfigError> {
    let word = line.words.next_word().filter(|word| !word.is_empty());
    word.ok_or_else(|| ConfigError(missing.to_owned()))
}

/// WSGIScriptAlias url-path path [options].
pub(crate) fn script_alias(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let missing = line.wrong_count("requires at least two arguments").0;
    let url = word(line, &missing)?;
    let target = word(line, &missing)?;
    add_alias(line, Mount::Prefix(url), target)
}

/// WSGIScriptAliasMatch regex path [options].
pub(crate) fn script_alias_match(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let missing = line.wrong_count("requires at least two arguments").0;
    let text = word(line, &missing)?;
    let target = word(line, &missing)?;
    let compiled = line.facts.compile(&text).map_err(|why| {
        let (name, text) = (line.directive.name, shown(&text));
        ConfigError(format!("Regular expression could not be compiled. {name} {text}: {why}"))
    })?;
    add_alias(line, Mount::Pattern { text, compiled }, target)
}

/// Adds an alias to its server; one that says everything beforehand is preloaded.
fn add_alias(line: &mut Line<'_>, mount: Mount, target: String) -> Result<(), ConfigError> {
    let mut options = options(line, &ALIAS)?;
    options.process_group = options.process_group.map(embedded_if_global);
    options.application_group = options.application_group.map(embedded_if_global);
    let is_pattern = matches!(mount, Mount::Pattern { .. });
    let is_variable = is_pattern && target.contains('$');
    if let (Some(process), Some(application)) = (&options.process_group, &options.application_group)
        && !is_variable
        && !process.contains("%{")
        && !application.contains("%{")
    {
        // A folder of scripts has nothing to load beforehand, yet the group must be there.
        let is_folder = target.ends_with('/') || line.facts.stat(&target).is_ok_and(|it| it.is_dir);
        let script = (!is_folder).then_some(target.as_str());
        import(line, script, process, application)?;
    }
    line.note_group(options.process_group.as_deref(), false);
    let (file, number) = (line.site.file.to_owned(), line.site.line);
    let alias = ScriptAlias { mount, target, options, file, line: number };
    line.server()?.aliases.push(alias);
    Ok(())
}

/// WSGIImportScript path process-group=NAME application-group=NAME.
pub(crate) fn import_script(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let path = word(line, "Location of import script not supplied.")?;
    let options = options(line, &IMPORT)?;
    let process = options.process_group.ok_or("Name of WSGI process group required.")?;
    let application =
        options.application_group.ok_or("Name of WSGI application group required.")?;
    import(line, Some(&path), &embedded_if_global(process), &embedded_if_global(application))
}

/// WSGIHandlerScript name path [options].
pub(crate) fn handler_script(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let name = word(line, "Name for handler script not supplied.")?;
    let path = word(line, "Location of handler script not supplied.")?;
    let options = options(line, &HANDLER)?;
    line.note_group(options.process_group.as_deref(), false);
    let script = HandlerScript {
        path,
        process_group: options.process_group,
        application_group: options.application_group,
        pass_authorization: options.pass_authorization,
    };
    line.scoped().handler_scripts.0.insert(name, script);
    Ok(())
}

/// WSGIDispatchScript path [application-group=NAME].
pub(crate) fn dispatch_script(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let path = word(line, "Location of dispatch script not supplied.")?;
    let application_group = options(line, &DISPATCH)?.application_group;
    line.scoped().dispatch_script = Some(DispatchScript { path, application_group });
    line.note_script_in_children();
    Ok(())
}

/// WSGIAccessScript, WSGIAuthUserScript, WSGIAuthGroupScript: path [application-group=NAME].
/// `noun` is how the error texts call the script.
pub(crate) fn auth_script(
    line: &mut Line<'_>,
    noun: &str,
    field: fn(&mut DirConfig) -> &mut Option<AuthScript>,
    invalid: &'static str,
) -> Result<(), ConfigError> {
    let path = word(line, &format!("Location of {noun} script not supplied."))?;
    let accepted = Accepted { names: &["application-group"], invalid };
    let application_group = options(line, &accepted)?.application_group;
    *field(line.dir()?) = Some(AuthScript { path, application_group });
    line.note_script_in_children();
    Ok(())
}
