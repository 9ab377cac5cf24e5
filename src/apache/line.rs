//! A line of the configuration: how httpd hands it over, and what it is to read next.

use std::{
    ffi::{CStr, c_char, c_void},
    ptr,
};

use super::{
    Server,
    guard::guard,
    module::{self, DirState, ServerState},
    pool::Pool,
    text::{self, c_string},
};
use crate::{directives, ffi};

/// A line of the configuration, as httpd hands it to a command.
pub(crate) struct Line<'l> {
    /// Number in the directive table.
    pub(crate) directive: usize,
    /// The rest of the line.
    pub(crate) arguments: &'l [u8],
    /// The server it belongs to.
    pub(crate) server: Server<'l>,
    /// Where it stands.
    pub(crate) place: Place,
    /// Configuration file and line.
    pub(crate) origin: (&'l CStr, u32),
    /// The text httpd shows when the place is one that no global directive may stand in.
    pub(crate) misplaced: Option<&'l CStr>,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Outside of directory-like sections.
    Server,
    /// In a directory-like section.
    Section,
    /// In a .htaccess file.
    Htaccess,
}

/// What httpd is to read after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The next line.
    NextLine,
    /// The lines inside of the section that the line opens.
    LinesInside,
}

/// The command of every directive.
pub(crate) unsafe extern "C" fn command(
    parameters: *mut ffi::cmd_parms,
    section: *mut c_void,
    arguments: *const c_char,
) -> *const c_char {
    guard("directive", || {
        // SAFETY: httpd passes live parameters for the length of the call.
        let Some(parameters) = (unsafe { parameters.as_mut() }) else { return ptr::null() };
        // SAFETY: for commands of a module that has create_dir, `section` is its record of the
        // section (or of the server's defaults), and nobody else uses it while httpd reads.
        let dir = unsafe { section.cast::<DirState>().as_mut() };
        // SAFETY: httpd passes the parameters and the rest of the line of this command.
        unsafe { run_command(parameters, dir, arguments) }
    })
}

/// # Safety
/// `parameters` and `arguments` are those of a command.
unsafe fn run_command(
    parameters: &mut ffi::cmd_parms,
    dir: Option<&mut DirState>,
    arguments: *const c_char,
) -> *const c_char {
    // SAFETY: the server and pools of the parameters are live during the command.
    let server = unsafe { Server::new(parameters.server) };
    // SAFETY: as above.
    let pool = unsafe { Pool::new(parameters.pool) };
    let (Some(server), Some(pool), Some(dir)) = (server, pool, dir) else {
        return c"mod_wsgi_rs: no configuration record".as_ptr();
    };
    // SAFETY: NUL-terminated rest of the line.
    let arguments = unsafe { text::bytes(arguments) };
    // SAFETY: the command record is one of `commands::RECORDS`, whose data is its number.
    let directive = unsafe { (*parameters.cmd).cmd_data } as usize;
    let place = place_of(parameters);
    let Some(main) = module::server_state(server).map(ServerState::main_handle) else {
        return c"mod_wsgi_rs: no configuration record".as_ptr();
    };
    let own = match place {
        // SAFETY: in a file that httpd reads at its start nobody else uses the record.
        Place::Server => unsafe { module::writable_server_state(server) },
        // A .htaccess file is read while other threads use it.
        Place::Section | Place::Htaccess => None,
    };
    // SAFETY: live parameters.
    let misplaced = unsafe { misplaced(parameters) };
    let line = Line {
        directive,
        arguments,
        server,
        place,
        // SAFETY: live parameters.
        origin: unsafe { origin(parameters) },
        misplaced,
    };
    match directives::run(&line, main, own, dir) {
        Ok(After::NextLine) => ptr::null(),
        Ok(After::LinesInside) => {
            // SAFETY: live parameters.
            let error = unsafe { walk_section(parameters) };
            directives::close_section(server);
            error
        }
        Err(text) => pool.copy_raw(&c_string(text)),
    }
}

fn place_of(parameters: &ffi::cmd_parms) -> Place {
    let in_files = (ffi::RSRC_CONF | ffi::ACCESS_CONF).cast_signed();
    if parameters.override_ & in_files == 0 {
        Place::Htaccess
    } else if parameters.path.is_null() {
        Place::Server
    } else {
        Place::Section
    }
}

/// # Safety
/// `parameters` are those of a command.
unsafe fn misplaced<'l>(parameters: &mut ffi::cmd_parms) -> Option<&'l CStr> {
    // SAFETY: live parameters.
    let text = unsafe { ffi::ap_check_cmd_context(parameters, ffi::GLOBAL_ONLY) };
    // SAFETY: null or a NUL-terminated text of the command's pool.
    unsafe { text::optional(text) }
}

/// # Safety
/// `parameters` are those of a command.
unsafe fn origin<'l>(parameters: &ffi::cmd_parms) -> (&'l CStr, u32) {
    // SAFETY: null or the directive being run.
    let directive = unsafe { parameters.directive.as_ref() };
    let Some(directive) = directive else { return (c"", 0) };
    // SAFETY: null or a NUL-terminated file name of the configuration.
    let file = unsafe { text::optional(directive.filename) }.unwrap_or_default();
    (file, u32::try_from(directive.line_num).unwrap_or_default())
}

/// Reads the lines inside a section, as if they stood where it stands.
///
/// # Safety
/// `parameters` are those of the section's command.
unsafe fn walk_section(parameters: &mut ffi::cmd_parms) -> *const c_char {
    let section = parameters.directive;
    // SAFETY: null or the directive being run.
    let Some(directive) = (unsafe { section.as_ref() }) else { return ptr::null() };
    let context = parameters.context;
    // SAFETY: the lines inside belong to the same configuration; httpd runs their commands.
    let error = unsafe { ffi::ap_walk_config(directive.first_child, parameters, context) };
    // Errors of a line inside are reported where it stands, others at the section again.
    if error.is_null() {
        parameters.directive = section;
    }
    error
}
