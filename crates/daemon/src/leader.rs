//! Which of a process's idle threads waits for requests: one, the leader (the pattern is known as
//! leader and followers). It serves what it finds and waits again, so that quick requests run one
//! after the other in one thread and no two threads wake for the interpreter's lock, of which only
//! one could have it.
//!
//! A request that waits for something must not hold up the next one. While the leader is busy, a thread
//! that rests looks after it, and leads in its place when it finds it asleep in the same request as the
//! time before. One that runs, or would if it had a processor, is given longer: another thread would only
//! wait beside it. Where leaders are found asleep again and again they hand over before they serve, for
//! some requests and then for twice as many, as that costs a wake-up and finding out costs the wait of all
//! others.

use std::{
    fmt::Debug,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How often the leader is looked after.
const LOOK: Duration = Duration::from_millis(2);

/// After so many looks a leader has run for too long in one request: about as long as CPython lets a
/// thread run while others wait.
const PATIENCE: u32 = 3;

/// For how many requests in a row leaders hand over at most before one is tried again.
const MOST_CAUTIOUS: u32 = 256;

/// What the threads see of their process.
pub(crate) trait View: Debug + Sync {
    /// All threads are to leave.
    fn is_leaving(&self) -> bool;

    /// The thread with this index, in a request, waits for something while others could go on.
    fn is_asleep(&self, index: u32) -> bool;
}

/// The idle threads of a process, and the one that leads.
#[derive(Debug, Default)]
pub(crate) struct Leader {
    staff: Mutex<Staff>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Staff {
    led: Led,
    /// Requests that leaders have begun.
    begun: u64,
    /// Threads that rest.
    resting: u32,
    /// One of them looks after the leader.
    is_looked_after: bool,
    caution: Caution,
}

/// Who leads, by the index of the thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Led {
    #[default]
    ByNobody,
    /// It waits for requests, or is about to.
    By(u32),
    /// It serves one.
    ByBusy(u32),
}

/// Whether leaders hand over before they serve.
#[derive(Debug, Default)]
struct Caution {
    /// For that many requests more.
    left: u32,
    /// And for that many the last time.
    length: u32,
}

impl Caution {
    fn note_long(&mut self) {
        self.length = (self.length * 2).clamp(1, MOST_CAUTIOUS);
        self.left = self.length;
    }

    fn note_quick(&mut self) {
        self.length = self.length.saturating_sub(1);
    }
}

/// A thread's part in it. Whatever ends the thread, another one leads then.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    leader: &'a Leader,
    index: u32,
    view: &'a dyn View,
}

impl Leader {
    /// The part of the thread with this index.
    pub(crate) fn member<'a>(&'a self, index: u32, view: &'a dyn View) -> Member<'a> {
        Member { leader: self, index, view }
    }

    fn staff(&self) -> MutexGuard<'_, Staff> {
        self.staff.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All threads that rest look whether they are to leave.
    pub(crate) fn wake_all(&self) {
        // Whoever has looked before this waits already.
        drop(self.staff());
        self.changed.notify_all();
    }
}

impl<'a> Member<'a> {
    /// Rests until this thread is to lead, or to leave: then `false`.
    pub(crate) fn rest(&self) -> bool {
        let mut staff = self.leader.staff();
        staff.resting += 1;
        while !self.view.is_leaving() && staff.led != Led::ByNobody {
            staff = match staff.led {
                Led::ByBusy(leader) if !staff.is_looked_after => self.look_after(leader, staff),
                _ => self.leader.changed.wait(staff).unwrap_or_else(PoisonError::into_inner),
            };
        }
        staff.resting -= 1;
        let leads = !self.view.is_leaving();
        if leads {
            staff.led = Led::By(self.index);
        }
        leads
    }

    /// Looks after the leader until it is idle, or another one, or too long in one request: then nobody
    /// leads.
    fn look_after(&self, leader: u32, mut staff: MutexGuard<'a, Staff>) -> MutexGuard<'a, Staff> {
        staff.is_looked_after = true;
        let (mut request, mut looks) = (staff.begun, 0);
        let still_leads = |staff: &mut Staff| {
            let leads = matches!(staff.led, Led::By(index) | Led::ByBusy(index) if index == leader);
            leads && !self.view.is_leaving()
        };
        loop {
            let waited = self.leader.changed.wait_timeout_while(staff, LOOK, still_leads);
            staff = waited.unwrap_or_else(PoisonError::into_inner).0;
            looks = if staff.begun == request { looks + 1 } else { 0 };
            request = staff.begun;
            let is_idle = looks > 0 && staff.led == Led::By(leader);
            if is_idle || !still_leads(&mut staff) {
                break;
            }
            if looks >= PATIENCE || looks > 0 && self.view.is_asleep(leader) {
                staff.caution.note_long();
                staff.led = Led::ByNobody;
                break;
            }
        }
        staff.is_looked_after = false;
        staff
    }

    /// The leader has found a request; whether another thread can take over now. If none can, and leaders
    /// hand over first, the first one to come back leads: while it looked after this one, others would
    /// come back and keep their connections, whose next requests would pass by those that wait at the
    /// listener.
    pub(crate) fn begin(&self) -> bool {
        let mut staff = self.leader.staff();
        staff.begun = staff.begun.wrapping_add(1);
        staff.led = Led::ByBusy(self.index);
        if staff.caution.left > 0 {
            staff.caution.left -= 1;
            staff.led = Led::ByNobody;
        }
        if staff.resting == 0 {
            return false;
        }
        let calls = staff.led == Led::ByNobody || !staff.is_looked_after;
        drop(staff);
        if calls {
            self.leader.changed.notify_one();
        }
        true
    }

    /// Whether another thread waits for requests, or can take over.
    pub(crate) fn is_attended(&self) -> bool {
        let staff = self.leader.staff();
        staff.resting > 0 || matches!(staff.led, Led::By(index) if index != self.index)
    }

    /// The request has ended; whether the thread still leads.
    pub(crate) fn end(&self) -> bool {
        let mut staff = self.leader.staff();
        let leads = staff.led == Led::ByBusy(self.index);
        if leads {
            staff.led = Led::By(self.index);
            staff.caution.note_quick();
        }
        leads
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        let mut staff = self.leader.staff();
        if matches!(staff.led, Led::By(index) | Led::ByBusy(index) if index == self.index) {
            staff.led = Led::ByNobody;
            drop(staff);
            self.leader.changed.notify_one();
        }
    }
}

#[cfg(test)]
#[path = "leader_tests.rs"]
mod tests;
