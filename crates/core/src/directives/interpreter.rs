//! The directives that are global to httpd and need more than a flag, and the section
//! `<WSGIInterpreterOptions>`.

use super::behaviour::embedded_if_global;
use super::config::{HashSeed, InterpreterBlock, InterpreterOptions};
use super::line::Line;
use super::site::{ConfigError, Notice};
use super::value::{decimal, integer, shown};
use super::words::Words;

/// What APR may support as WSGIAcceptMutex.
const MUTEXES: &[&str] = &["default", "flock", "fcntl", "sysvsem", "posixsem", "pthread"];

/// One `On`/`Off` setting of an interpreter, at top level or in a block.
pub(crate) fn interpreter_flag(
    line: &mut Line<'_>,
    field: fn(&mut InterpreterOptions) -> &mut Option<bool>,
) -> Result<(), ConfigError> {
    let value = line.take_flag()?;
    *field(line.interpreter()?) = Some(value);
    Ok(())
}

/// WSGIFreeThreading, which is for whole processes.
pub(crate) fn free_threading(line: &mut Line<'_>) -> Result<(), ConfigError> {
    interpreter_flag(line, |options| &mut options.free_threading)?;
    if line.block()?.is_some_and(|block| block.application_group.is_some()) {
        let text = "WSGIFreeThreading is ignored in a block with application-group=: it is for \
                    whole processes";
        line.warn(Notice::warning(201, text.to_owned()));
    }
    Ok(())
}

/// WSGIPythonPath dirs.
pub(crate) fn python_path(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let path = line.take_some()?;
    line.interpreter()?.python_path = Some(path);
    Ok(())
}

/// WSGISwitchInterval seconds.
pub(crate) fn switch_interval(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let text = line.take_some()?;
    let seconds = decimal(&text).filter(|seconds| *seconds > 0.0).ok_or_else(|| {
        let given = shown(&text);
        format!("WSGISwitchInterval must be a positive number of seconds. Found {given}")
    })?;
    line.interpreter()?.switch_interval = Some(seconds);
    Ok(())
}

/// WSGIPythonOptimize n: levels above 2 mean 2 to Python, those below 0 mean none.
pub(crate) fn python_optimize(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let text = line.take_some()?;
    let level = integer(&text, i64::from(i32::MIN)..=i64::from(i32::MAX)).ok_or_else(|| {
        format!("WSGIPythonOptimize {}: expected a whole number from 0 to 2", shown(&text))
    })?;
    line.global()?.python_optimize = u8::try_from(level.clamp(0, 2)).ok();
    Ok(())
}

/// WSGIPythonWarnings spec.
pub(crate) fn python_warnings(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let filter = line.take_some()?;
    line.global()?.python_warnings.push(filter);
    Ok(())
}

/// WSGIPythonHashSeed random|number.
pub(crate) fn python_hash_seed(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let text = line.take_some()?;
    let seed = if text == "random" {
        Some(HashSeed::Random)
    } else {
        let number = integer(&text, 0..=i64::from(u32::MAX));
        number.and_then(|number| u32::try_from(number).ok()).map(HashSeed::Fixed)
    };
    let seed = seed.ok_or_else(|| {
        format!(
            "WSGIPythonHashSeed must be \"random\" or an integer in range [0; 4294967295] (found \
             {})",
            shown(&text)
        )
    })?;
    line.global()?.python_hash_seed = Some(seed);
    Ok(())
}

/// WSGISocketPrefix path.
pub(crate) fn socket_prefix(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let text = line.take_some()?;
    let path = line.facts.server_root_relative(&text).filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| format!("Invalid WSGISocketPrefix {}.", shown(&text)))?;
    line.global()?.socket_prefix = Some(path);
    Ok(())
}

/// WSGIAcceptMutex type.
pub(crate) fn accept_mutex(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let text = line.take_some()?;
    let name = text.to_ascii_lowercase();
    if !MUTEXES.contains(&name.as_str()) {
        return Err(ConfigError(format!(
            "Accept mutex lock mechanism {} is invalid. Valid accept mutex mechanisms for \
             this platform are: {}.",
            shown(&text),
            MUTEXES.join(", ")
        )));
    }
    line.global()?.accept_mutex = Some(name);
    Ok(())
}

/// WSGITelemetryService unix:/path [interval=seconds].
pub(crate) fn telemetry_service(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let target = line.words.next_word().filter(|target| !target.is_empty());
    let interval = line.words.next_word();
    let (Some(target), true) = (target, line.words.rest().is_empty()) else {
        return Err(line.wrong_count("takes 1-2 arguments"));
    };
    let socket = target.strip_prefix("unix:").filter(|path| path.starts_with('/'));
    let socket = socket.ok_or_else(|| {
        let given = shown(&target);
        format!("WSGITelemetryService target must be 'unix:/path' (found {given})")
    })?;
    let interval = interval.map(|word| telemetry_interval(&word)).transpose()?;
    let telemetry = &mut line.global()?.telemetry;
    telemetry.socket = Some(socket.to_owned());
    telemetry.interval = interval;
    Ok(())
}

/// The second word of WSGITelemetryService.
fn telemetry_interval(word: &str) -> Result<f64, String> {
    let found = shown(word);
    let seconds = word.strip_prefix("interval=").and_then(decimal).ok_or_else(|| {
        format!("WSGITelemetryService second argument must be 'interval=N' (found {found})")
    })?;
    if seconds < 0.5 {
        return Err(format!(
            "WSGITelemetryService interval must be at least 0.5 seconds (found {found})"
        ));
    }
    Ok(seconds)
}

/// WSGISlowRequests seconds.
pub(crate) fn slow_requests(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let text = line.take_some()?;
    let seconds = decimal(&text).filter(|seconds| *seconds >= 0.0).ok_or_else(|| {
        let given = shown(&text);
        format!("WSGISlowRequests threshold must be non-negative, in seconds (found {given})")
    })?;
    line.global()?.telemetry.slow_requests = Some(seconds);
    Ok(())
}

/// WSGITelemetryOptions [+|-]Flag...|None|All.
pub(crate) fn telemetry_options(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let words = line.take_all()?;
    let is_relative = |word: &String| word.starts_with(['+', '-']);
    let relative = words.iter().filter(|word| is_relative(word)).count();
    if relative != 0 && relative != words.len() {
        return Err("WSGITelemetryOptions: cannot mix +/- form with absolute names in a single \
                    directive"
            .into());
    }
    let mut capture = relative != 0 && line.global()?.telemetry.capture_user_agent;
    for word in &words {
        let is_on = !word.starts_with('-');
        match word.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str() {
            "captureuseragent" => capture = is_on,
            "all" if relative == 0 => capture = true,
            "none" if relative == 0 => capture = false,
            "all" | "none" => {
                let word = shown(word.trim_start_matches(['+', '-']));
                return Err(ConfigError(format!(
                    "WSGITelemetryOptions: {word} may not have a +/- prefix"
                )));
            }
            _ => {
                return Err(ConfigError(format!(
                    "WSGITelemetryOptions: unknown flag {}, expected CaptureUserAgent, None or All",
                    shown(word)
                )));
            }
        }
    }
    line.global()?.telemetry.capture_user_agent = capture;
    Ok(())
}

/// `<WSGIInterpreterOptions [process-group=NAME] [application-group=NAME]>`: opens a block that
/// the lines up to `close_block` belong to.
pub(crate) fn open_block(line: &mut Line<'_>) -> Result<(), ConfigError> {
    const NAME: &str = "<WSGIInterpreterOptions>";
    let inside = line.words.rest().trim_end().strip_suffix('>');
    let inside = inside.ok_or_else(|| format!("{NAME} directive missing closing '>'"))?;
    let mut block = InterpreterBlock::default();
    let mut words = Words::new(inside);
    while let Some(pair) = words.next_option() {
        let (name, value) = pair.map_err(|word| {
            format!("{NAME}: argument {} is not of the form key=value", shown(&word.0))
        })?;
        let selector = match name.to_ascii_lowercase().as_str() {
            "process-group" => &mut block.process_group,
            "application-group" => &mut block.application_group,
            _ => {
                return Err(ConfigError(format!(
                    "{NAME}: unknown selector {}, expected process-group or application-group",
                    shown(name)
                )));
            }
        };
        if selector.is_some() {
            let name = name.to_ascii_lowercase();
            return Err(ConfigError(format!("{NAME}: {name} given more than once")));
        }
        *selector = Some(embedded_if_global(value));
    }
    line.note_group(block.process_group.as_deref(), true);
    let global = line.global()?;
    global.interpreter_blocks.push(block);
    global.block_is_open = true;
    Ok(())
}
