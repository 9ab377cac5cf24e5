//! Linking a program with the static libpython.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::interpreter::Interpreter;

/// A program that needs the interpreter, for the attempt.
const PROGRAM: &str = "int Py_BytesMain(int, char **);\n\
    int main(int argc, char **argv) { return Py_BytesMain(argc, argv); }\n";

/// The linker's arguments, when the archive is there and links: some installations ship one that
/// holds only the intermediate code of another compiler.
pub(crate) fn usable(interpreter: &Interpreter) -> Option<Vec<String>> {
    if !interpreter.archive.is_file() {
        return None;
    }
    // What is linked must not outlive an update of the Python that it came from.
    println!("cargo:rerun-if-changed={}", interpreter.archive.display());
    println!("cargo:rerun-if-env-changed=CC");
    let arguments = arguments(interpreter);
    match attempt(&arguments) {
        Ok(()) => Some(arguments),
        Err(why) => {
            let archive = interpreter.archive.display();
            println!("cargo:warning={archive} is not used, it does not link: {why}");
            None
        }
    }
}

fn arguments(interpreter: &Interpreter) -> Vec<String> {
    let mut arguments = vec![
        // The archive is compiled for a program at a fixed address, as python3 is.
        "-no-pie".to_owned(),
        // All of it, visible to others: extension modules look for its functions in the program.
        "-Wl,--export-dynamic".to_owned(),
        "-Wl,--whole-archive".to_owned(),
        interpreter.archive.display().to_string(),
        "-Wl,--no-whole-archive".to_owned(),
    ];
    arguments.extend(interpreter.libraries.iter().cloned());
    arguments
}

fn attempt(arguments: &[String]) -> Result<(), String> {
    let folder = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    let source = Path::new(&folder).join("attempt.c");
    fs::write(&source, PROGRAM).map_err(|error| error.to_string())?;
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let made = Command::new(compiler)
        .arg(&source)
        .arg("-o")
        .arg(Path::new(&folder).join("attempt"))
        .args(arguments)
        .output()
        .map_err(|error| format!("no C compiler: {error}"))?;
    match made.status.success() {
        true => Ok(()),
        false => Err(reason(&String::from_utf8_lossy(&made.stderr)).to_owned()),
    }
}

/// The line of a linker's complaints that says most.
fn reason(said: &str) -> &str {
    let is_telling = |line: &&str| line.contains("undefined") || line.contains("cannot find");
    said.lines().find(is_telling).or(said.lines().last()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_what_is_missing() {
        let said = "ld: x.a(y.o): in function `f':\n(.text+0x5): undefined reference to `g'\n\
                    collect2: error: ld returned 1 exit status\n";
        assert_eq!(reason(said), "(.text+0x5): undefined reference to `g'");
        assert_eq!(reason("no such thing\n"), "no such thing");
        assert_eq!(reason(""), "");
    }
}
