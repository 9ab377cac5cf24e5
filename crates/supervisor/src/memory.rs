//! Whether a SIGKILL came from the kernel because memory had run out: the control group that we
//! share with the daemons counts those.

use std::{fs, path::PathBuf};

use wsgi_ipc::scoreboard::End;

/// The counter of the control group.
#[derive(Debug)]
pub(crate) struct OutOfMemory {
    file: Option<PathBuf>,
    known: u64,
}

impl OutOfMemory {
    /// Finds the counter of this process's control group; without one nothing is explained.
    pub(crate) fn watch() -> Self {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let file = groups.lines().find_map(counter_of);
        let known = file.as_ref().and_then(read).unwrap_or(0);
        Self { file, known }
    }

    /// How a process has ended, with the kernel's reason if it was one.
    pub(crate) fn explain(&mut self, end: End) -> End {
        if end != End::Signaled(libc::SIGKILL) {
            return end;
        }
        match self.file.as_ref().and_then(read).filter(|now| *now > self.known) {
            // One at a time: of two that died together each was counted.
            Some(_) => {
                self.known += 1;
                End::OutOfMemory
            }
            None => end,
        }
    }
}

/// The counting file for a line of /proc/self/cgroup (cgroups(7)), if that is of the memory
/// controller, version 2 or 1.
fn counter_of(line: &str) -> Option<PathBuf> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let path = path.trim_start_matches('/');
    let file = match controllers {
        "" => PathBuf::from("/sys/fs/cgroup").join(path).join("memory.events"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            PathBuf::from("/sys/fs/cgroup/memory").join(path).join("memory.oom_control")
        }
        _ => return None,
    };
    file.exists().then_some(file)
}

fn read(file: &PathBuf) -> Option<u64> {
    count_in(&fs::read_to_string(file).ok()?)
}

fn count_in(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_found_in_both_versions() {
        let events = "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n";
        assert_eq!(count_in(events), Some(2));
        assert_eq!(count_in("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"), Some(5));
        assert_eq!(count_in("oom_kill_disable 0\n"), None);
    }

    #[test]
    fn one_kill_explains_one_death() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.events");
        fs::write(&file, "oom_kill 4\n").unwrap();
        let mut memory = OutOfMemory { file: Some(file.clone()), known: 4 };
        let killed = End::Signaled(libc::SIGKILL);
        assert_eq!(memory.explain(killed), killed);
        fs::write(&file, "oom_kill 5\n").unwrap();
        assert_eq!(memory.explain(End::Exited(1)), End::Exited(1));
        assert_eq!(memory.explain(killed), End::OutOfMemory);
        assert_eq!(memory.explain(killed), killed);
    }
}
