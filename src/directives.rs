//! One line of the configuration: from httpd's command to the directive table and back; and the
//! review of all of them.

use std::sync::PoisonError;

use wsgi_core::{
    directives::{
        self, Arguments, Context, DIRECTIVES, Notice, NoticeLevel, Scope, ServerId, Site, Target,
        TreeLine,
    },
    level::Level,
};

use crate::{
    apache::{
        Server,
        line::{After, Line, Place},
        log,
        module::{self, DirState, MainState, ServerState},
        tree,
    },
    facts::HttpdFacts,
    resolved::Resolved,
};

/// Carries out a line; the error is the text that httpd shows.
pub(crate) fn run(
    line: &Line<'_>,
    main: &MainState,
    server: Option<&mut ServerState>,
    dir: &mut DirState,
) -> Result<After, String> {
    let directive = DIRECTIVES.get(line.directive).ok_or("unknown directive")?;
    if let (Context::Global, Some(text)) = (directive.context, line.misplaced) {
        return Err(text.to_string_lossy().into_owned());
    }
    let arguments = std::str::from_utf8(line.arguments)
        .map_err(|_| format!("{}: the line is not valid UTF-8", directive.name))?;
    let file = line.origin.0.to_string_lossy();
    let site = Site {
        scope: scope(line),
        server: main.number_of(line.server),
        file: &file,
        line: line.origin.1,
    };
    let facts = HttpdFacts::new(main, line.server);
    let mut typed = main.typed.lock().unwrap_or_else(PoisonError::into_inner);
    let target = match (line.place, server) {
        (Place::Server, Some(server)) => {
            Target::Server { global: &mut typed, server: &mut server.config }
        }
        (Place::Server, None) => return Err("no configuration record of the server".into()),
        (Place::Section, _) => Target::Directory { global: Some(&mut typed), dir: &mut dir.config },
        (Place::Htaccess, _) => Target::Directory { global: None, dir: &mut dir.config },
    };
    let notices = directives::apply(directive, arguments, &site, target, &facts)
        .map_err(|error| error.to_string())?;
    tell(line.server, &notices);
    Ok(match directive.arguments {
        Arguments::Section => After::LinesInside,
        _ => After::NextLine,
    })
}

/// Tells the operator what was noticed.
fn tell(server: Server<'_>, notices: &[Notice]) {
    for notice in notices {
        let level = match notice.level {
            NoticeLevel::Warning => Level::WARNING,
            NoticeLevel::Info => Level::INFO,
            NoticeLevel::Debug => Level::DEBUG,
        };
        log::server(server, level, notice.code, &notice.text);
    }
}

/// Tells what is odd about the complete configuration.
pub(crate) fn review(main: &MainState, server: Server<'_>, resolved: &Resolved) {
    let typed = main.typed.lock().unwrap_or_else(PoisonError::into_inner);
    let groups: Vec<_> = typed
        .daemon_processes
        .iter()
        .filter_map(|process| Some(&resolved.groups.get(&process.name)?.definition))
        .collect();
    // Names of directives and paths of files are text; where they are not, nobody looks for them.
    let lines: Vec<_> = tree::lines(server)
        .map(|line| TreeLine {
            directive: line.directive.to_str().unwrap_or_default(),
            arguments: line.arguments.to_str().unwrap_or_default(),
            server: ServerId(line.host),
            file: line.file.to_str().unwrap_or_default(),
            line: line.number,
        })
        .collect();
    let facts = HttpdFacts::new(main, server);
    tell(server, &directives::review(&typed, &groups, &lines, &facts));
}

/// Called when the lines inside of a section have been read.
pub(crate) fn close_section(server: Server<'_>) {
    if let Some(state) = module::server_state(server) {
        state.main().typed.lock().unwrap_or_else(PoisonError::into_inner).close_block();
    }
}

fn scope(line: &Line<'_>) -> Scope {
    match line.place {
        Place::Htaccess => Scope::Htaccess,
        Place::Section => Scope::Directory,
        Place::Server if line.server.is_virtual() => Scope::VirtualHost,
        Place::Server => Scope::Main,
    }
}
