//! From a URL to a script: `translate` finds the alias, `lookups` answers what group names ask.

mod lookups;
mod translate;

pub(crate) use lookups::RequestLookups;
pub(crate) use translate::{Translate, alias_of};
