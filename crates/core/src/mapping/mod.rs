//! Which script, process group, interpreter and callable answer a request.
//!
//! * `alias`: script aliases, by prefix or by pattern.
//! * `name`: the script name of a URI and its path info.
//! * `expand`: `%{SERVER}` and the like in group names.
//! * `resolve`: which of the configured values wins, with the defaults.
//!
//! Everything works on what httpd has decoded already; a URI is bytes, because nothing promises
//! that it is text. Invariant: the same request under the same configuration gives the same
//! answer, whatever process it reaches.

mod alias;
mod expand;
mod name;
mod resolve;

pub use alias::{Mapped, Spans, find_alias, map_alias, script_length};
pub use expand::{Lookups, expand_script_group, is_variable};
pub use name::{collapse_slashes, script_name};
pub use resolve::{NotText, Resolved, dispatch_script, handler_script, resolve};
