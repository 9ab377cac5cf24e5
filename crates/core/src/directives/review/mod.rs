//! What is odd about a complete configuration although each of its lines is right: `httpd -t` warns
//! of it, and nothing is refused, because mod_wsgi accepts it all.
//!
//! * `references`: process groups that are named, and cannot answer.
//! * `options`: options of a group that get in each other's way.
//! * `scripts`: providers of httpd that ask for a script that nobody names.

mod options;
mod references;
mod scripts;

pub use scripts::TreeLine;

use super::config::GlobalConfig;
use super::daemon::DaemonGroup;
use super::site::{Facts, Notice};

/// All that is odd. `groups` are the daemon groups as they will run, in the order of their
/// definition; `tree` is every line of httpd's configuration.
pub fn review(
    global: &GlobalConfig,
    groups: &[&DaemonGroup],
    tree: &[TreeLine<'_>],
    facts: &dyn Facts,
) -> Vec<Notice> {
    let mut notices = references::check(global, facts);
    for (process, group) in global.daemon_processes.iter().zip(groups) {
        notices.extend(options::check(process, group));
    }
    notices.extend(scripts::check(tree));
    notices
}
