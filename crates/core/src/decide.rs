//! Questions to the scripts that decide about a request (access, users, groups, dispatch), and
//! their verdicts, as bytes between the httpd module and the library that hosts CPython.
//!
//! Which status follows from a verdict is httpd's side; which verdict from a Python object, the
//! library's.

use crate::wire::{self, Malformed, Reader};

/// The function of WSGIAccessScript.
pub const ALLOW_ACCESS: &str = "allow_access";
/// The function of WSGIAuthUserScript that Basic authentication asks.
pub const CHECK_PASSWORD: &str = "check_password";
/// The function of WSGIAuthUserScript that Digest authentication asks.
pub const GET_REALM_HASH: &str = "get_realm_hash";
/// The function of WSGIAuthGroupScript.
pub const GROUPS_FOR_USER: &str = "groups_for_user";
/// The functions of WSGIDispatchScript, in the order in which they are asked; each may be missing.
pub const DISPATCHERS: [&str; 3] = ["process_group", "application_group", "callable_object"];

/// What a script is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question<'a> {
    /// `allow_access(environ, host)`.
    Access {
        /// Name of the client's host, else its address.
        host: &'a [u8],
    },
    /// `check_password(environ, user, password)`.
    Password {
        /// The user's name as sent.
        user: &'a [u8],
        /// The password as sent.
        password: &'a [u8],
    },
    /// `get_realm_hash(environ, user, realm)`.
    RealmHash {
        /// The user's name as sent.
        user: &'a [u8],
        /// `AuthName`.
        realm: &'a [u8],
    },
    /// `groups_for_user(environ, user)`.
    Groups {
        /// The authenticated user.
        user: &'a [u8],
    },
    /// `process_group(environ)`, `application_group(environ)`, `callable_object(environ)`.
    Dispatch,
}

impl<'a> Question<'a> {
    /// The question about the request whose head (encoded as [`crate::head`] says, with the
    /// deciding script and its interpreter) follows.
    pub fn encode(&self, head: &[u8]) -> Vec<u8> {
        let (kind, first, second): (u16, &[u8], &[u8]) = match *self {
            Self::Access { host } => (0, host, b""),
            Self::Password { user, password } => (1, user, password),
            Self::RealmHash { user, realm } => (2, user, realm),
            Self::Groups { user } => (3, user, b""),
            Self::Dispatch => (4, b"", b""),
        };
        let mut out = Vec::with_capacity(head.len() + first.len() + second.len() + 16);
        wire::put_u16(&mut out, kind);
        wire::put_bytes(&mut out, first);
        wire::put_bytes(&mut out, second);
        out.extend_from_slice(head);
        out
    }

    /// Reads a question; the second part is the encoded head.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let mut reader = Reader::new(bytes, "question");
        let kind = reader.u16()?;
        let (first, second) = (reader.bytes()?, reader.bytes()?);
        let question = match kind {
            0 => Self::Access { host: first },
            1 => Self::Password { user: first, password: second },
            2 => Self::RealmHash { user: first, realm: second },
            3 => Self::Groups { user: first },
            4 => Self::Dispatch,
            _ => return Err(reader.malformed()),
        };
        Ok((question, reader.rest()))
    }
}

/// What a script has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No decision: the script failed, or answered what nobody understands; it is logged.
    Failed,
    /// `None`: the script has no opinion, or does not know the user.
    Unknown,
    /// `False`.
    Denied,
    /// `True`.
    Granted,
    /// The name that the user has from now on, or the hash of the user in the realm.
    Text(Vec<u8>),
    /// The groups of the user.
    Groups(Vec<Vec<u8>>),
    /// What a dispatch script changes.
    Changes(Changes),
}

/// What a dispatch script changes; `None` stays as configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Process group, to be expanded like WSGIProcessGroup.
    pub process_group: Option<Vec<u8>>,
    /// Application group, to be expanded like WSGIApplicationGroup.
    pub application_group: Option<Vec<u8>>,
    /// Callable, to be expanded like WSGICallableObject.
    pub callable_object: Option<Vec<u8>>,
}

impl Verdict {
    /// The verdict's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let kind = match self {
            Self::Failed => 0,
            Self::Unknown => 1,
            Self::Denied => 2,
            Self::Granted => 3,
            Self::Text(_) => 4,
            Self::Groups(_) => 5,
            Self::Changes(_) => 6,
        };
        wire::put_u16(&mut out, kind);
        match self {
            Self::Text(text) => wire::put_bytes(&mut out, text),
            Self::Groups(groups) => {
                groups.iter().for_each(|group| wire::put_bytes(&mut out, group));
            }
            Self::Changes(changes) => {
                let Changes { process_group, application_group, callable_object } = changes;
                for change in [process_group, application_group, callable_object] {
                    wire::put_optional(&mut out, change.as_deref());
                }
            }
            _ => {}
        }
        out
    }

    /// Reads a verdict.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "verdict");
        let verdict = match reader.u16()? {
            0 => Self::Failed,
            1 => Self::Unknown,
            2 => Self::Denied,
            3 => Self::Granted,
            4 => Self::Text(reader.bytes()?.to_vec()),
            5 => {
                let mut groups = Vec::new();
                while !reader.is_empty() {
                    groups.push(reader.bytes()?.to_vec());
                }
                Self::Groups(groups)
            }
            6 => {
                let mut change = || Ok(reader.optional()?.map(<[u8]>::to_vec));
                Self::Changes(Changes {
                    process_group: change()?,
                    application_group: change()?,
                    callable_object: change()?,
                })
            }
            _ => return Err(reader.malformed()),
        };
        if reader.is_empty() { Ok(verdict) } else { Err(reader.malformed()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..20)
    }

    fn verdict() -> impl Strategy<Value = Verdict> {
        let change = || proptest::option::of(text());
        prop_oneof![
            Just(Verdict::Failed),
            Just(Verdict::Unknown),
            Just(Verdict::Denied),
            Just(Verdict::Granted),
            text().prop_map(Verdict::Text),
            proptest::collection::vec(text(), 0..5).prop_map(Verdict::Groups),
            (change(), change(), change()).prop_map(
                |(process_group, application_group, callable_object)| {
                    Verdict::Changes(Changes { process_group, application_group, callable_object })
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn questions_survive_the_border(first in text(), second in text(), head in text()) {
            let questions = [
                Question::Access { host: &first },
                Question::Password { user: &first, password: &second },
                Question::RealmHash { user: &first, realm: &second },
                Question::Groups { user: &first },
                Question::Dispatch,
            ];
            for question in questions {
                let bytes = question.encode(&head);
                prop_assert_eq!(Question::decode(&bytes), Ok((question, head.as_slice())));
            }
        }

        #[test]
        fn verdicts_survive_the_border(verdict in verdict()) {
            prop_assert_eq!(Verdict::decode(&verdict.encode()), Ok(verdict));
        }

        #[test]
        fn decoding_anything_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            Verdict::decode(&bytes).ok();
            Question::decode(&bytes).ok();
        }
    }
}
