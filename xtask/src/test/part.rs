//! The parts of `cargo xtask test`.

/// One part: one call of cargo's test runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Unit and property tests.
    Unit,
    /// The whole integration suite on the event MPM.
    Event,
    /// The tests that depend on the MPM, on worker.
    Worker,
    /// The tests that depend on the MPM, on prefork.
    Prefork,
    /// What needs other Pythons than the system's.
    Pythons,
    /// The shared behaviour, against the original mod_wsgi.
    Original,
}

impl Part {
    /// All parts in the order they run.
    pub(crate) const ALL: [Self; 6] =
        [Self::Unit, Self::Event, Self::Worker, Self::Prefork, Self::Pythons, Self::Original];

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Event => "event",
            Self::Worker => "worker",
            Self::Prefork => "prefork",
            Self::Pythons => "pythons",
            Self::Original => "original",
        }
    }

    /// What the user reads when the part starts.
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::Unit => "unit and property tests",
            Self::Event => "the whole suite against httpd with the event MPM",
            Self::Worker => "what depends on the MPM, with worker",
            Self::Prefork => "what depends on the MPM, with prefork",
            Self::Pythons => "several Pythons under one httpd, and interpreters with own locks",
            Self::Original => "the shared behaviour against the original mod_wsgi",
        }
    }

    /// All names, for the command line.
    pub(crate) fn names() -> [&'static str; 6] {
        Self::ALL.map(Self::name)
    }

    /// The part of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// Whether the part needs the module that is built here.
    pub(crate) fn tests_our_module(self) -> bool {
        matches!(self, Self::Event | Self::Worker | Self::Prefork | Self::Pythons)
    }

    /// The MPM the part's httpds run with.
    pub(crate) fn mpm(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Prefork => "prefork",
            Self::Unit | Self::Event | Self::Pythons | Self::Original => "event",
        }
    }

    /// The word that selects the part's tests.
    pub(crate) fn filter(self) -> Option<&'static str> {
        match self {
            Self::Worker | Self::Prefork => Some("mpm"),
            Self::Pythons => Some("pythons::"),
            Self::Unit | Self::Event | Self::Original => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_found_by_its_name() {
        for part in Part::ALL {
            assert_eq!(Part::named(part.name()), Some(part));
        }
        assert_eq!(Part::named("all"), None);
    }
}
