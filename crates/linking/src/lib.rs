//! How the parts that host CPython are linked with it: used by their build scripts only.
//!
//! PyO3 is told to link nothing (`PYO3_BUILD_EXTENSION_MODULE` in `.cargo/config.toml`), because its
//! choice would be one for all crates. The library for httpd's children needs the shared libpython.
//! The daemon is a program like `python3` itself and is linked as that one is: where `python3`
//! contains its interpreter, as Debian's does, the daemon does too. That code needs no relocation,
//! which spares each process a megabyte of memory of its own, and calls within it are direct.

#![allow(clippy::print_stdout, reason = "cargo reads a build script's output")]

mod archive;
mod interpreter;

use interpreter::Interpreter;

/// Links what the calling build script's package makes with the shared libpython.
///
/// # Panics
/// When the interpreter has none: the build ends with the reason.
#[allow(clippy::panic, reason = "a build script's way to end a build")]
pub fn with_shared_library() {
    let config = pyo3_build_config::get();
    watch_interpreter();
    let (Some(name), Some(folder), true) = (config.lib_name(), config.lib_dir(), config.shared())
    else {
        panic!(
            "{} has no shared library: build it with --enable-shared, or use another",
            config.executable().unwrap_or("this Python")
        );
    };
    argument(&format!("-L{folder}"));
    argument(&format!("-l{name}"));
    // A library outside the linker's search path is found where it was at build time.
    if !is_searched(folder) {
        argument(&format!("-Wl,-rpath,{folder}"));
    }
}

/// Whether the dynamic linker looks into a folder anyway: those of the system itself, to which
/// Debian adds one for each architecture.
fn is_searched(folder: &str) -> bool {
    let folder = folder.strip_prefix("/usr").unwrap_or(folder);
    let name = folder.strip_prefix("/lib/");
    matches!(folder, "/lib" | "/lib64")
        || name.is_some_and(|name| !name.contains('/') && name.contains("-linux-gnu"))
}

/// Links it as the interpreter's own program is linked.
///
/// # Panics
/// When the interpreter has neither a shared nor a static library that can be linked.
pub fn as_the_interpreter_is() {
    let config = pyo3_build_config::get();
    watch_interpreter();
    let archive = config.executable().and_then(|executable| {
        let interpreter = Interpreter::ask(executable)?;
        // One with a shared library can be linked that way whatever its program looks like.
        if interpreter.program_uses_library && config.shared() {
            return None;
        }
        archive::usable(&interpreter)
    });
    match archive {
        Some(arguments) => arguments.iter().for_each(|text| argument(text)),
        None => with_shared_library(),
    }
}

/// Another interpreter is another answer.
fn watch_interpreter() {
    println!("cargo:rerun-if-env-changed=PYO3_PYTHON");
}

fn argument(text: &str) {
    println!("cargo:rustc-link-arg={text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_the_system_are_searched_anyway() {
        for folder in
            ["/usr/lib/x86_64-linux-gnu", "/lib/arm-linux-gnueabihf", "/usr/lib64", "/lib"]
        {
            assert!(is_searched(folder), "{folder}");
        }
        for folder in
            ["/usr/local/lib", "/opt/py/lib", "/usr/lib/python3.11", "/usr/lib/a-linux-gnu/x"]
        {
            assert!(!is_searched(folder), "{folder}");
        }
    }
}
