//! Configurations of a size that only providers of web space have.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::support::Httpd;
use crate::support::original::is_original;

/// Lines of this many groups, and script aliases for each of them in turn.
fn lines(aliases: usize, groups: usize) -> String {
    let mut lines = String::new();
    for group in 0..groups {
        writeln!(lines, "WSGIDaemonProcess g{group} threads=1").unwrap();
    }
    for alias in 0..aliases {
        let group = alias % groups;
        writeln!(lines, "WSGIScriptAlias /a{alias} @apps@/environ.py process-group=g{group}")
            .unwrap();
    }
    lines
}

one! {
    fn ten_thousand_aliases_and_a_thousand_groups_are_read_at_once() {
        let start = Instant::now();
        Httpd::accepts(&lines(10_000, 1000));
        // Half a second where nothing else runs; whatever grows with the square would take minutes.
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }

    fn groups_may_need_more_descriptors_than_httpd_has_at_first() {
        let server = Httpd::with(&lines(60, 60)).most_files(200).start();
        let mut processes = server.processes();
        processes.retain(|one| one.name() != "wsgi-supervisor");
        for group in 0..60 {
            server.get(&format!("/a{group}")).ok();
        }
        if !is_original() {
            // Five descriptors a group: the limit was raised, for daemons as far as for httpd.
            let limit = |pid: i32| {
                let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
                let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap();
                line.split_whitespace().nth(3).unwrap().parse::<u32>().unwrap()
            };
            let own = limit(server.pid());
            assert!((300..1000).contains(&own), "{own}");
            assert!(processes.iter().all(|one| limit(one.pid) == own), "of all but the supervisor");
        }
    }

    fn a_hundred_groups_answer_side_by_side() {
        let server = Httpd::with(&lines(100, 100)).start();
        for group in 0..100 {
            let text = server.get(&format!("/a{group}")).ok();
            assert!(text.contains(&format!("'mod_wsgi.process_group'\tstr\t'g{group}'")), "{text}");
        }
    }
}
