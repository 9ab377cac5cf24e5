//! One line of configuration while it is carried out: its words, its target, its notices.

use super::config::{
    DirConfig, GlobalConfig, GroupReference, InterpreterBlock, InterpreterOptions, ServerConfig,
};
use super::scoped::Scoped;
use super::site::{ConfigError, Facts, Notice, NoticeLevel, Scope, Site, Target};
use super::value::{flag, shown};
use super::words::Words;
use super::{Context, Directive, Status};
use crate::mapping::is_variable;

/// Directives that may stand inside `<WSGIInterpreterOptions>`.
const INTERPRETER_DIRECTIVES: &[&str] = &[
    "WSGIPerInterpreterGIL",
    "WSGIFreeThreading",
    "WSGISwitchInterval",
    "WSGIPythonPath",
    "WSGIRestrictStdin",
    "WSGIRestrictStdout",
    "WSGIRestrictSignal",
];

/// What a directive's function works on.
pub(crate) struct Line<'a> {
    /// The directive of the line.
    pub(crate) directive: &'static Directive,
    /// The arguments not yet taken.
    pub(crate) words: Words<'a>,
    /// Where the line stands.
    pub(crate) site: &'a Site<'a>,
    /// The outside.
    pub(crate) facts: &'a dyn Facts,
    /// What to tell the operator.
    pub(crate) notices: Vec<Notice>,
    /// What may be written.
    target: Target<'a>,
}

impl<'a> Line<'a> {
    /// A line that has not been read yet.
    pub(crate) fn new(
        directive: &'static Directive,
        arguments: &'a str,
        site: &'a Site<'a>,
        target: Target<'a>,
        facts: &'a dyn Facts,
    ) -> Self {
        let words = Words::new(arguments);
        Self { directive, words, site, facts, notices: Vec::new(), target }
    }

    /// Refuses a line that stands where it may not. httpd has looked at sections already; what
    /// it leaves to modules is "main server only".
    pub(crate) fn check_context(&self) -> Result<(), ConfigError> {
        let name = self.directive.name;
        let context = self.directive.context;
        let (is_allowed, place) = match self.site.scope {
            Scope::Main => (context != Context::AuthConfig, "outside of sections"),
            Scope::VirtualHost if context == Context::Global => {
                return Err(ConfigError(format!(
                    "{name} cannot occur within <VirtualHost> section"
                )));
            }
            Scope::VirtualHost => (context != Context::AuthConfig, "in <VirtualHost> context"),
            Scope::Directory => {
                (!matches!(context, Context::Global | Context::Server), "in <Directory> context")
            }
            Scope::Htaccess => {
                (matches!(context, Context::FileInfo | Context::AuthConfig), "in .htaccess")
            }
        };
        if !is_allowed {
            return Err(ConfigError(format!("{name} not allowed {place}")));
        }
        if self.is_in_block() && !INTERPRETER_DIRECTIVES.contains(&name) {
            return Err(ConfigError(format!(
                "{name} means nothing inside <WSGIInterpreterOptions>, expected one of: {}",
                INTERPRETER_DIRECTIVES.join(", ")
            )));
        }
        Ok(())
    }

    /// Whether the line stands in a `<WSGIInterpreterOptions>` block.
    fn is_in_block(&self) -> bool {
        match &self.target {
            Target::Server { global, .. } => global.block_is_open,
            Target::Directory { .. } => false,
        }
    }

    /// The global configuration.
    pub(crate) fn global(&mut self) -> Result<&mut GlobalConfig, ConfigError> {
        match &mut self.target {
            Target::Server { global, .. } | Target::Directory { global: Some(global), .. } => {
                Ok(global)
            }
            Target::Directory { global: None, .. } => Err(misplaced(self.directive)),
        }
    }

    /// The server's configuration.
    pub(crate) fn server(&mut self) -> Result<&mut ServerConfig, ConfigError> {
        match &mut self.target {
            Target::Server { server, .. } => Ok(server),
            Target::Directory { .. } => Err(misplaced(self.directive)),
        }
    }

    /// The directory's configuration.
    pub(crate) fn dir(&mut self) -> Result<&mut DirConfig, ConfigError> {
        match &mut self.target {
            Target::Directory { dir, .. } => Ok(dir),
            Target::Server { .. } => Err(misplaced(self.directive)),
        }
    }

    /// The settings of the line's scope, server or directory.
    pub(crate) fn scoped(&mut self) -> &mut Scoped {
        match &mut self.target {
            Target::Server { server, .. } => &mut server.scoped,
            Target::Directory { dir, .. } => &mut dir.scoped,
        }
    }

    /// The interpreter options of the open block, or those for all interpreters.
    pub(crate) fn interpreter(&mut self) -> Result<&mut InterpreterOptions, ConfigError> {
        let global = self.global()?;
        let block = global.interpreter_blocks.last_mut().filter(|_| global.block_is_open);
        Ok(block.map_or(&mut global.interpreter, |block| &mut block.options))
    }

    /// The open block.
    pub(crate) fn block(&mut self) -> Result<Option<&InterpreterBlock>, ConfigError> {
        let global = self.global()?;
        Ok(global.interpreter_blocks.last().filter(|_| global.block_is_open))
    }

    /// Notes that scripts will run in httpd's children, which therefore need Python.
    pub(crate) fn note_script_in_children(&mut self) {
        if let Ok(global) = self.global() {
            global.scripts_in_children = true;
        }
    }

    /// Notes that the line names a process group. Names that a request gives their meaning, and
    /// embedded mode, need no group.
    pub(crate) fn note_group(&mut self, name: Option<&str>, is_selector: bool) {
        let Some(name) = name.filter(|name| !name.is_empty() && !is_variable(name)) else { return };
        let (directive, Site { server, file, line, .. }) = (self.directive.name, *self.site);
        if let Ok(global) = self.global() {
            let (name, file) = (name.to_owned(), file.to_owned());
            global.group_references.push(GroupReference {
                directive: directive.trim_start_matches('<'),
                name,
                is_selector,
                server,
                file,
                line,
            });
        }
    }

    /// httpd's text for a wrong number of words: `<Name> takes one argument, <help>`.
    pub(crate) fn wrong_count(&self, takes: &str) -> ConfigError {
        ConfigError(format!("{} {takes}, {}", self.directive.name, self.directive.help))
    }

    /// The only word of the line. The empty word is a word: `""` names the main interpreter.
    pub(crate) fn take_one(&mut self) -> Result<String, ConfigError> {
        let word = self.words.next_word().filter(|_| self.words.rest().is_empty());
        word.ok_or_else(|| self.wrong_count("takes one argument"))
    }

    /// The only word of the line, which may not be empty.
    pub(crate) fn take_some(&mut self) -> Result<String, ConfigError> {
        let word = self.take_one()?;
        if word.is_empty() {
            return Err(self.wrong_count("takes one argument"));
        }
        Ok(word)
    }

    /// All words of the line, at least one.
    pub(crate) fn take_all(&mut self) -> Result<Vec<String>, ConfigError> {
        let mut all = Vec::new();
        while let Some(word) = self.words.next_word() {
            all.push(word);
        }
        if all.is_empty() {
            return Err(self.wrong_count("requires at least one argument"));
        }
        Ok(all)
    }

    /// `On` or `Off`.
    pub(crate) fn take_flag(&mut self) -> Result<bool, ConfigError> {
        let word = self.take_one()?;
        flag(&word).ok_or_else(|| self.not_one_of("Off | On", &word))
    }

    /// `<Directive> must be one of: …`, and what was given.
    pub(crate) fn not_one_of(&self, accepted: &str, given: &str) -> ConfigError {
        let name = self.directive.name;
        ConfigError(format!("{name} must be one of: {accepted} (found {})", shown(given)))
    }

    /// Tells the operator something at INFO; in .htaccess, which is read at every request, at
    /// DEBUG.
    pub(crate) fn inform(&mut self, text: String) {
        let level = match self.site.scope {
            Scope::Htaccess => NoticeLevel::Debug,
            Scope::Main | Scope::VirtualHost | Scope::Directory => NoticeLevel::Info,
        };
        self.notices.push(Notice { level, code: None, text });
    }

    /// Tells the operator that something may be wrong; in .htaccess at DEBUG, as above.
    pub(crate) fn warn(&mut self, warning: Notice) {
        match self.site.scope {
            Scope::Htaccess => self.inform(warning.text),
            Scope::Main | Scope::VirtualHost | Scope::Directory => self.notices.push(warning),
        }
    }

    /// Says, once for a directive, what the state of work on it means for the operator.
    pub(crate) fn tell_status(&mut self) {
        let Directive { name, help, status, .. } = *self.directive;
        match status {
            Status::Acts | Status::NotNeeded => {}
            _ if !self.is_news() => {}
            Status::Removed => self.warn(Notice::warning(
                1041,
                format!("{name} has been removed from mod_wsgi and has no effect. {help}"),
            )),
            Status::Inert => {
                self.inform(format!("{name} is deprecated and has no effect: {help}"));
            }
        }
    }

    /// Whether nothing has been said about the directive yet.
    fn is_news(&mut self) -> bool {
        let name = self.directive.name;
        self.global().is_ok_and(|global| global.announced.insert(name)) || {
            // Without a global configuration there is nowhere to note it: .htaccess, DEBUG only.
            self.site.scope == Scope::Htaccess
        }
    }
}

/// The text for a line in a place that [`Line::check_context`] should have refused.
fn misplaced(directive: &Directive) -> ConfigError {
    ConfigError(format!("{} not allowed here", directive.name))
}
