//! What a script must define to be of use, and the sentence about one that does not.

use serde::{Deserialize, Serialize};

/// What a script must define.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Needs {
    /// Loading it is all.
    Nothing,
    /// The application, by the name that is configured.
    Application(String),
    /// The same in a file that may be a module for others.
    ApplicationIfAny(String),
    /// The function of this name.
    Function(String),
    /// One of these functions at least; none of them may be something else.
    OneOf(Vec<String>),
}

/// What a script has under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// Something that can be called.
    Callable,
    /// Something else.
    Other,
    /// Nothing.
    Nothing,
    /// Looking has failed.
    Unknown,
}

impl Needs {
    /// Why a script that has been loaded would not do.
    pub fn fault(&self, look: impl Fn(&str) -> Looked) -> Option<String> {
        let (names, remedy) = match self {
            Self::Nothing => return None,
            Self::Application(name) => (
                std::slice::from_ref(name),
                "define it, or name the callable with WSGICallableObject",
            ),
            Self::ApplicationIfAny(name) if look(name) == Looked::Nothing => return None,
            Self::ApplicationIfAny(name) => (std::slice::from_ref(name), ""),
            Self::Function(name) => (std::slice::from_ref(name), "define this function"),
            Self::OneOf(names) => (names.as_slice(), "define one of them"),
        };
        let looked: Vec<_> = names.iter().map(|name| (name, look(name))).collect();
        let wrong = looked.iter().find_map(|(name, looked)| match looked {
            Looked::Callable | Looked::Nothing => None,
            Looked::Other => Some(format!("its \"{name}\" is not callable")),
            Looked::Unknown => Some(format!("its \"{name}\" cannot be looked up")),
        });
        if wrong.is_some() || looked.iter().any(|(_, looked)| *looked == Looked::Callable) {
            return wrong;
        }
        let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let has = if names.len() == 1 { "has no" } else { "has none of" };
        Some(format!("it {has} {}: {remedy}", quoted.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A script with a function `f` and a number `n`.
    fn look(name: &str) -> Looked {
        match name {
            "f" => Looked::Callable,
            "n" => Looked::Other,
            "?" => Looked::Unknown,
            _ => Looked::Nothing,
        }
    }

    fn one_of(names: &[&str]) -> Option<String> {
        Needs::OneOf(names.iter().map(|name| (*name).to_owned()).collect()).fault(look)
    }

    #[test]
    fn what_is_there_and_callable_will_do() {
        assert_eq!(Needs::Nothing.fault(look), None);
        assert_eq!(Needs::Application("f".into()).fault(look), None);
        assert_eq!(Needs::Function("f".into()).fault(look), None);
        assert_eq!(Needs::ApplicationIfAny("f".into()).fault(look), None);
        assert_eq!(Needs::ApplicationIfAny("x".into()).fault(look), None);
        assert!(Needs::ApplicationIfAny("n".into()).fault(look).is_some());
        assert_eq!(one_of(&["x", "f"]), None);
    }

    #[test]
    fn what_is_missing_is_named_with_the_remedy() {
        let fault = Needs::Application("app".into()).fault(look).unwrap();
        assert!(fault.starts_with("it has no \"app\": ") && fault.contains("WSGICallableObject"));
        let fault = Needs::Function("g".into()).fault(look).unwrap();
        assert_eq!(fault, "it has no \"g\": define this function");
        let fault = one_of(&["x", "y"]).unwrap();
        assert_eq!(fault, "it has none of \"x\", \"y\": define one of them");
    }

    #[test]
    fn what_would_fail_when_it_is_called_is_a_fault_beside_others_that_work() {
        assert_eq!(one_of(&["f", "n"]).unwrap(), "its \"n\" is not callable");
        assert_eq!(one_of(&["f", "?"]).unwrap(), "its \"?\" cannot be looked up");
    }
}
