//! From a URL to a script: `translate` finds the alias, `storage` the file, `lookups` answers what
//! group names ask.

mod lookups;
mod storage;
mod translate;

pub(crate) use lookups::RequestLookups;
pub(crate) use storage::Storage;
pub(crate) use translate::{Translate, alias_of};
