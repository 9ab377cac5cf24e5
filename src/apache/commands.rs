//! The command table, made from the directive table when the module is compiled.

use std::ptr;

use wsgi_core::directives::{Context, DIRECTIVES, Directive};

use super::line;
use crate::ffi;

const COUNT: usize = DIRECTIVES.len();

/// Longest name and help text, with their NUL.
const NAME: usize = 40;
const HELP: usize = 400;

/// The records, ended by a null record.
pub(crate) struct Records([ffi::command_rec; COUNT + 1]);

// SAFETY: constants and pointers to constants; httpd only reads them.
unsafe impl Sync for Records {}

impl Records {
    pub(crate) const fn as_ptr(&self) -> *const ffi::command_rec {
        (&raw const self.0).cast()
    }
}

static NAMES: [[u8; NAME]; COUNT] = texts(true);
static HELPS: [[u8; HELP]; COUNT] = texts(false);

/// What `wsgi_module.cmds` points to.
pub(crate) static RECORDS: Records = records();

/// Names or help texts as C strings; a text without room for its NUL does not compile.
#[allow(clippy::indexing_slicing)] // const evaluation: out of bounds does not compile
const fn texts<const N: usize>(names: bool) -> [[u8; N]; COUNT] {
    let mut texts = [[0; N]; COUNT];
    let mut row = 0;
    while row < COUNT {
        let text = if names { DIRECTIVES[row].name } else { DIRECTIVES[row].help };
        let bytes = text.as_bytes();
        assert!(bytes.len() < N, "text too long for the command table");
        let mut column = 0;
        while column < bytes.len() {
            texts[row][column] = bytes[column];
            column += 1;
        }
        row += 1;
    }
    texts
}

#[allow(clippy::indexing_slicing)] // const evaluation: out of bounds does not compile
const fn records() -> Records {
    let mut records = [const { record(ptr::null(), 0, 0, ptr::null()) }; COUNT + 1];
    let mut row = 0;
    while row < COUNT {
        let name = (&raw const NAMES[row]).cast();
        let help = (&raw const HELPS[row]).cast();
        records[row] = record(name, row, place(&DIRECTIVES[row]), help);
        row += 1;
    }
    Records(records)
}

const fn record(
    name: *const std::ffi::c_char,
    number: usize,
    place: u32,
    help: *const std::ffi::c_char,
) -> ffi::command_rec {
    ffi::command_rec {
        name,
        func: ffi::cmd_func { raw_args: if name.is_null() { None } else { Some(line::command) } },
        cmd_data: ptr::without_provenance_mut(number),
        req_override: place.cast_signed(),
        args_how: ffi::cmd_how_RAW_ARGS,
        errmsg: help,
    }
}

/// `req_override`: where the directive may stand.
const fn place(directive: &Directive) -> u32 {
    match directive.context {
        Context::Global | Context::Server => ffi::RSRC_CONF,
        Context::ServerOrDirectory => ffi::ACCESS_CONF | ffi::RSRC_CONF,
        Context::FileInfo => ffi::OR_FILEINFO,
        Context::AuthConfig => ffi::OR_AUTHCFG,
    }
}
