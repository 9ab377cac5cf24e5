//! What an interpreter says about how it was linked.

use std::path::PathBuf;
use std::process::Command;

/// Five lines: whether its program uses a shared libpython (what is mapped tells; Debian's
/// `Py_ENABLE_SHARED` is set for a program that does not), the archive, the libraries of the
/// interpreter and of the modules built into it.
const QUESTION: &str = "
import os, sysconfig
def value(name): return ' '.join(str(sysconfig.get_config_var(name) or '').split())
try:
    maps = open('/proc/self/maps').read()
except OSError:
    maps = '/libpython'
print(int('/libpython' in maps))
print(os.path.join(value('LIBPL'), value('LIBRARY')))
print(value('MODLIBS'), value('LIBS'), value('SYSLIBS'))
";

/// An interpreter as it was linked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// Its own program has the interpreter in a shared library.
    pub(crate) program_uses_library: bool,
    /// Where its installation keeps the static library; it need not be there.
    pub(crate) archive: PathBuf,
    /// Arguments of the linker that the static library needs after it.
    pub(crate) libraries: Vec<String>,
}

impl Interpreter {
    /// Asks the program; `None` when it does not answer as a CPython does.
    pub(crate) fn ask(program: &str) -> Option<Self> {
        let answer = Command::new(program).args(["-I", "-c", QUESTION]).output().ok()?;
        Self::parse(&String::from_utf8(answer.stdout).ok()?)
    }

    fn parse(said: &str) -> Option<Self> {
        let mut lines = said.lines();
        let program_uses_library = lines.next()? == "1";
        let archive = PathBuf::from(lines.next()?);
        let mut libraries: Vec<String> = Vec::new();
        // Continuations of lines may be left of the Makefile: Debian's 3.14 has some.
        for word in lines.next()?.split_whitespace().filter(|word| *word != "\\") {
            if !libraries.iter().any(|other| other == word) {
                libraries.push(word.to_owned());
            }
        }
        Some(Self { program_uses_library, archive, libraries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_library_is_named_once_and_in_order() {
        let said = "0\n/usr/lib/config/libpython3.11.a\n-lm -lm -lz -lexpat \\ \\  -lz -ldl  -lm\n";
        let interpreter = Interpreter::parse(said).unwrap();
        assert!(!interpreter.program_uses_library);
        assert_eq!(interpreter.archive, PathBuf::from("/usr/lib/config/libpython3.11.a"));
        assert_eq!(interpreter.libraries, ["-lm", "-lz", "-lexpat", "-ldl"]);
    }

    #[test]
    fn what_is_no_python_says_nothing() {
        assert_eq!(Interpreter::ask("/bin/true"), None);
        assert_eq!(Interpreter::ask("/nonexistent"), None);
    }
}
