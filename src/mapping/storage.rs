//! The map_to_storage hook: what follows a script's file name is path info.
//!
//! httpd's own directory walk finds that out by looking at every folder on the way (six system
//! calls for a script four folders deep): the whole name is no file, so it takes nothing for
//! granted. When the alias says which part is the script, one look is enough, and the walk, which
//! applies `<Directory>` sections and `.htaccess` files as ever, gets a name it can trust.

use wsgi_core::mapping::script_length;

use crate::apache::{
    Request,
    hook::{RequestHook, Status},
    module,
};

/// Finds the file of a request that an alias has mapped to a script.
pub(crate) struct Storage;

impl RequestHook for Storage {
    const NAME: &'static str = "map_to_storage";

    fn run(request: Request<'_>) -> Status {
        let (Some(alias), Some(name)) = (module::alias(request), request.filename()) else {
            return Status::Declined;
        };
        let Some(length) = script_length(alias, name.to_bytes()) else { return Status::Declined };
        // Whatever is no plain file, httpd's walk judges.
        if !request.name_file(length) {
            return Status::Declined;
        }
        let status = request.walk_directories();
        request.set_path_info(name.to_bytes().get(length..).unwrap_or_default());
        match status {
            Status::Ok => request.walk_files(),
            other => other,
        }
    }
}
