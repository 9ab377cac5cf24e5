//! How a test is declared: in both placements, once, or only for our module.

/// Tests of one behaviour in both placements: `name::embedded` and `name::daemon`.
macro_rules! both_modes {
    ($( $(#[$meta:meta])* fn $name:ident($mode:ident) $body:block )*) => { $(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            fn check($mode: crate::support::Mode) $body

            #[test]
            fn embedded() {
                crate::support::original::run(concat!(module_path!(), "::embedded"), || {
                    check(crate::support::Mode::Embedded)
                })
            }

            #[test]
            fn daemon() {
                crate::support::original::run(concat!(module_path!(), "::daemon"), || {
                    check(crate::support::Mode::Daemon)
                })
            }
        }
    )* };
}

/// Tests that have one form only.
macro_rules! one {
    ($( $(#[$meta:meta])* fn $name:ident() $body:block )*) => { $(
        $(#[$meta])*
        #[test]
        fn $name() {
            crate::support::original::run(concat!(module_path!(), "::", stringify!($name)), || $body)
        }
    )* };
}

/// First line of a test of what we do better: skipped by name on the original, with the reason.
macro_rules! ours {
    ($reason:literal) => {
        if crate::support::original::is_original() {
            crate::support::original::skipped(concat!("original: ", $reason));
            return;
        }
    };
}

/// Ends a test that needs several threads in an httpd child, by name, with the reason.
macro_rules! needs_threads {
    ($reason:literal) => {
        if crate::support::conf::mpm() == "prefork" {
            crate::support::original::skipped(concat!("prefork: ", $reason));
            return;
        }
    };
}

/// Ends a test of what only the event MPM does, by name, with the reason.
macro_rules! needs_event {
    ($reason:literal) => {
        if crate::support::conf::mpm() != "event" {
            crate::support::original::skipped(concat!("not event: ", $reason));
            return;
        }
    };
}

/// Ends a test that needs root (other users, privileged signals), by name.
macro_rules! needs_root {
    () => {
        if !crate::support::rundir::is_root() {
            crate::support::original::skipped("needs root");
            return;
        }
    };
}

/// Ends a test that imports these modules of the venv, by name, where they are not.
macro_rules! needs_modules {
    ($($name:literal),+) => {
        if let Some(why) = crate::support::rundir::lacks(&[$($name),+]) {
            crate::support::original::skipped(&why);
            return;
        }
    };
}
