//! One line of the configuration: from httpd's command to the directive table and back.

use std::sync::PoisonError;

use wsgi_core::{
    directives::{self, Arguments, Context, DIRECTIVES, NoticeLevel, Scope, Site, Target},
    level::Level,
};

use crate::{
    apache::{
        Server, log,
        module::{self, After, DirState, Line, MainState, Place, ServerState},
    },
    facts::HttpdFacts,
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
    for notice in notices {
        let level = match notice.level {
            NoticeLevel::Warning => Level::WARNING,
            NoticeLevel::Info => Level::INFO,
            NoticeLevel::Debug => Level::DEBUG,
        };
        log::server(line.server, level, notice.code, &notice.text);
    }
    Ok(match directive.arguments {
        Arguments::Section => After::LinesInside,
        _ => After::NextLine,
    })
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
