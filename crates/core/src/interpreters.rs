//! What the configuration says about single interpreters: what holds for all of a process, and
//! what `<WSGIInterpreterOptions>` says about some.
//!
//! The rules of one process are chosen where the configuration is complete ([`Rules::of`]); the
//! process asks them for each interpreter that it makes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::directives::{InterpreterBlock, InterpreterOptions};

/// What holds for one interpreter; `None` where nothing was said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// `WSGIPerInterpreterGIL`.
    pub has_own_lock: Option<bool>,
    /// `WSGISwitchInterval`, in microseconds.
    pub switch_interval: Option<u64>,
    /// Directories of `WSGIPythonPath` in blocks, the first of `sys.path` first.
    pub python_path: Vec<String>,
    /// `WSGIRestrictStdin`.
    pub restricts_stdin: Option<bool>,
    /// `WSGIRestrictStdout`.
    pub restricts_stdout: Option<bool>,
    /// `WSGIRestrictSignal`.
    pub restricts_signal: Option<bool>,
}

impl Settings {
    /// What was typed. The path is left out: at top level it is not for daemons.
    fn of(typed: &InterpreterOptions) -> Self {
        Self {
            has_own_lock: typed.per_interpreter_gil,
            switch_interval: typed.switch_interval.map(microseconds),
            python_path: Vec::new(),
            restricts_stdin: typed.restrict_stdin,
            restricts_stdout: typed.restrict_stdout,
            restricts_signal: typed.restrict_signal,
        }
    }

    /// These settings on top of others: what they set wins, directories are added.
    fn over(&self, below: Self) -> Self {
        Self {
            has_own_lock: self.has_own_lock.or(below.has_own_lock),
            switch_interval: self.switch_interval.or(below.switch_interval),
            python_path: [self.python_path.clone(), below.python_path].concat(),
            restricts_stdin: self.restricts_stdin.or(below.restricts_stdin),
            restricts_stdout: self.restricts_stdout.or(below.restricts_stdout),
            restricts_signal: self.restricts_signal.or(below.restricts_signal),
        }
    }
}

/// Settings for some interpreters of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Layer {
    /// Of this application group only.
    application_group: Option<String>,
    settings: Settings,
}

impl Layer {
    fn is_for(&self, application_group: &str) -> bool {
        self.application_group.as_deref().is_none_or(|group| group == application_group)
    }
}

/// The settings of the interpreters of one process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rules {
    /// The least specific first.
    layers: Vec<Layer>,
    /// `WSGIFreeThreading`, which is for the whole process.
    pub free_threading: bool,
}

impl Rules {
    /// The rules for processes of a group ("" for httpd's children): `base` holds for all
    /// interpreters, each of `blocks` for those that it selects. A block with more selectors wins
    /// over one with fewer, of equal ones the later.
    pub fn of(process_group: &str, base: &InterpreterOptions, blocks: &[InterpreterBlock]) -> Self {
        let matches = |block: &&InterpreterBlock| {
            block.process_group.as_deref().is_none_or(|group| group == process_group)
        };
        let mut blocks: Vec<_> = blocks.iter().filter(matches).collect();
        // Stable: blocks with as many selectors stay in their order.
        blocks.sort_by_key(|block| {
            [&block.process_group, &block.application_group].into_iter().flatten().count()
        });
        let whole_process = blocks.iter().filter(|block| block.application_group.is_none());
        let free_threading =
            whole_process.filter_map(|block| block.options.free_threading).next_back();
        let base_layer = Layer { application_group: None, settings: Settings::of(base) };
        let layers = blocks.iter().map(|block| Layer {
            application_group: block.application_group.clone(),
            settings: Settings {
                python_path: directories(block.options.python_path.as_deref()),
                ..Settings::of(&block.options)
            },
        });
        Self {
            layers: std::iter::once(base_layer).chain(layers).collect(),
            free_threading: free_threading.or(base.free_threading).unwrap_or(false),
        }
    }

    /// What holds for the interpreter of an application group ("" is the main one).
    pub fn interpreter(&self, application_group: &str) -> Settings {
        self.fold(|layer| layer.is_for(application_group))
    }

    /// What holds for all interpreters of the process.
    pub fn process(&self) -> Settings {
        self.fold(|layer| layer.application_group.is_none())
    }

    /// The switch interval to set for an interpreter, and whether one that is meant for it alone
    /// is left out, because the lock is not its own. `option` is `switch-interval=`, which wins
    /// over what is said about the whole process.
    pub fn switch_interval(
        &self,
        application_group: &str,
        owns_lock: bool,
        option: Option<u64>,
    ) -> (Option<u64>, bool) {
        let whole = option.or(self.process().switch_interval);
        let winner = self.layers.iter().rfind(|layer| {
            layer.is_for(application_group) && layer.settings.switch_interval.is_some()
        });
        match winner.filter(|layer| layer.application_group.is_some()) {
            Some(layer) if owns_lock => (layer.settings.switch_interval, false),
            own => (whole, own.is_some()),
        }
    }

    /// Whether an interpreter is to have a lock of its own; the main one never has.
    pub fn any_own_lock(&self) -> bool {
        self.layers.iter().any(|layer| {
            layer.settings.has_own_lock == Some(true)
                && layer.application_group.as_deref() != Some("")
        })
    }

    fn fold(&self, matches: impl Fn(&&Layer) -> bool) -> Settings {
        let layers = self.layers.iter().filter(matches);
        layers.fold(Settings::default(), |below, layer| layer.settings.over(below))
    }

    /// What means nothing in a process that runs without the interpreter lock: the tags of
    /// warnings, and what they are about. `has_option` is whether the daemon group has a `switch-interval=`.
    pub fn idle_without_lock(&self, has_option: bool) -> Vec<(&'static str, &'static str)> {
        let mut layers = self.layers.iter().map(|layer| layer.settings.switch_interval.is_some());
        let at_top = layers.next().unwrap_or(false);
        let in_block = layers.any(|is_set| is_set);
        [
            ("WSGI0202", self.any_own_lock(), "WSGIPerInterpreterGIL"),
            ("WSGI0203", at_top, "WSGISwitchInterval"),
            ("WSGI0204", has_option, "switch-interval="),
            ("WSGI0205", in_block, "WSGISwitchInterval in <WSGIInterpreterOptions>"),
        ]
        .into_iter()
        .filter_map(|(tag, is_set, name)| is_set.then_some((tag, name)))
        .collect()
    }
}

/// The directories of a path as typed, separated by `:`.
pub fn directories(path: Option<&str>) -> Vec<String> {
    let parts = path.unwrap_or_default().split(':');
    parts.filter(|part| !part.is_empty()).map(String::from).collect()
}

/// Seconds in whole microseconds, at least one; a time that is too long is as good as for ever.
fn microseconds(seconds: f64) -> u64 {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(process: Option<&str>, application: Option<&str>, seconds: f64) -> InterpreterBlock {
        InterpreterBlock {
            process_group: process.map(str::to_owned),
            application_group: application.map(str::to_owned),
            options: InterpreterOptions {
                switch_interval: Some(seconds),
                python_path: Some(format!("/{seconds}")),
                ..InterpreterOptions::default()
            },
        }
    }

    fn interval(rules: &Rules, group: &str) -> u64 {
        rules.interpreter(group).switch_interval.unwrap_or(0) / 1_000_000
    }

    #[test]
    fn more_selectors_win_and_then_the_later_block() {
        let base = InterpreterOptions { switch_interval: Some(1.0), ..Default::default() };
        let blocks = [
            block(Some("app"), Some("a"), 2.0),
            block(Some("app"), None, 3.0),
            block(None, Some("b"), 4.0),
            block(None, None, 5.0),
            block(Some("other"), Some("a"), 6.0),
        ];
        let rules = Rules::of("app", &base, &blocks);
        for (group, expected) in [("a", 2), ("b", 4), ("c", 3), ("", 3)] {
            assert_eq!(interval(&rules, group), expected, "{group}");
        }
        assert_eq!(rules.process().switch_interval, Some(3_000_000));
        let rules = Rules::of("", &base, &blocks);
        for (group, expected) in [("a", 5), ("b", 4), ("", 5)] {
            assert_eq!(interval(&rules, group), expected, "{group}");
        }
        assert_eq!(interval(&Rules::of("app", &base, &[]), "a"), 1);
    }

    #[test]
    fn directories_of_all_matching_blocks_count_the_most_specific_first() {
        let blocks =
            [block(None, Some("a"), 1.0), block(None, None, 2.0), block(Some("app"), None, 3.0)];
        let base = InterpreterOptions { python_path: Some("/base".into()), ..Default::default() };
        let rules = Rules::of("app", &base, &blocks);
        assert_eq!(rules.interpreter("a").python_path, ["/3", "/1", "/2"]);
        assert_eq!(rules.interpreter("").python_path, ["/3", "/2"]);
        assert_eq!(directories(Some(":/a::/b:")), ["/a", "/b"]);
    }

    #[test]
    fn settings_that_nobody_gave_stay_open() {
        let off = InterpreterOptions { restrict_signal: Some(false), ..Default::default() };
        let mut one = block(None, Some("a"), 1.0);
        one.options.restrict_stdin = Some(true);
        let rules = Rules::of("", &off, &[one]);
        assert_eq!(rules.interpreter("a").restricts_signal, Some(false));
        assert_eq!(rules.interpreter("a").restricts_stdin, Some(true));
        assert_eq!(rules.interpreter("b").restricts_stdin, None);
        assert_eq!(Rules::default().interpreter("a"), Settings::default());
    }

    #[test]
    fn an_interval_for_one_interpreter_needs_its_own_lock() {
        let base = InterpreterOptions { switch_interval: Some(1.0), ..Default::default() };
        let rules = Rules::of("app", &base, &[block(None, Some("a"), 2.0)]);
        let seconds = |group, owns_lock, option| {
            let (interval, is_left_out) = rules.switch_interval(group, owns_lock, option);
            (interval.unwrap_or(0) / 1_000_000, is_left_out)
        };
        assert_eq!(seconds("a", true, None), (2, false));
        assert_eq!(seconds("a", true, Some(9_000_000)), (2, false));
        assert_eq!(seconds("a", false, None), (1, true));
        assert_eq!(seconds("b", true, None), (1, false));
        assert_eq!(seconds("b", false, Some(9_000_000)), (9, false));
        assert_eq!(Rules::default().switch_interval("a", true, None), (None, false));
    }

    #[test]
    fn free_threading_is_for_whole_processes() {
        let with = |process: Option<&str>, application: Option<&str>, is_on| InterpreterBlock {
            options: InterpreterOptions { free_threading: Some(is_on), ..Default::default() },
            ..block(process, application, 1.0)
        };
        let blocks = [with(Some("app"), None, true), with(None, Some("a"), true)];
        let none = InterpreterOptions::default();
        assert!(Rules::of("app", &none, &blocks).free_threading);
        assert!(!Rules::of("", &none, &blocks).free_threading);
        let on = InterpreterOptions { free_threading: Some(true), ..none };
        assert!(!Rules::of("app", &on, &[with(Some("app"), None, false)]).free_threading);
    }

    #[test]
    fn what_means_nothing_without_a_lock_is_told() {
        let mut own = block(None, Some("a"), 1.0);
        own.options.per_interpreter_gil = Some(true);
        let base = InterpreterOptions { switch_interval: Some(1.0), ..Default::default() };
        let codes = |rules: Rules, has_option| -> Vec<&str> {
            rules.idle_without_lock(has_option).into_iter().map(|(tag, _)| tag).collect()
        };
        assert_eq!(
            codes(Rules::of("", &base, &[own.clone()]), true),
            ["WSGI0202", "WSGI0203", "WSGI0204", "WSGI0205"]
        );
        assert!(codes(Rules::of("", &InterpreterOptions::default(), &[]), false).is_empty());
        own.application_group = Some(String::new());
        assert!(!Rules::of("", &base, &[own]).any_own_lock(), "the main one never has");
    }
}
