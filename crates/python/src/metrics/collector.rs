//! What CPython's garbage collectors do, told by themselves: `watch_collections` in `bootstrap.py` is
//! called after each collection, so nobody has to wait for an interpreter's lock to ask.

use std::{
    collections::VecDeque,
    sync::{Mutex, TryLockError},
    time::Duration,
};

use pyo3_ffi as ffi;
use wsgi_core::telemetry::{Collection, Collector};

use crate::{
    bootstrap::Bootstrap,
    guard::guard,
    lease::lock,
    object::{Object, Py, PyResult, Ref},
    types::{Table, fast_method},
};

/// Most interpreters that are reported.
const MOST_INTERPRETERS: usize = 32;

/// Most collections that wait for their report, and most of one report.
const KEPT: usize = 256;
const MOST_AT_ONCE: usize = 64;

static COLLECTORS: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

/// An interpreter's collector.
#[derive(Debug)]
struct Watched {
    interpreter: String,
    state: Collector,
    collections: VecDeque<Collection>,
    dropped: u64,
}

/// What is to be reported of an interpreter's collector.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) interpreter: String,
    pub(super) state: Collector,
    pub(super) collections: Vec<Collection>,
    /// Collections that were too many, since the beginning.
    pub(super) dropped: u64,
}

/// Watches the collector of this interpreter from now on.
pub(crate) fn watch(py: Py<'_>, bootstrap: &Bootstrap, interpreter: &str) -> PyResult<()> {
    let null = std::ptr::null_mut();
    // SAFETY: attached; a static definition, no `self` and no module.
    let note = unsafe { ffi::PyCFunction_NewEx(NOTE.pointer().cast(), null, null) };
    // SAFETY: a new reference or null.
    let note = unsafe { Object::from_new(py, note)? };
    bootstrap.call(py, "watch_collections", &[&*py.text(interpreter)?, &*note])?;
    Ok(())
}

static NOTE: Table<ffi::PyMethodDef> = Table::new(fast_method(c"note", note));

unsafe extern "C" fn note(
    _no_self: *mut ffi::PyObject,
    items: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    guard("note", |py| {
        // SAFETY: CPython passes the arguments.
        let items = unsafe { arguments(items, count) };
        if let [interpreter, state, collection] = items {
            keep(&interpreter.to_text()?, &numbers(state)?, &numbers(collection)?);
        }
        Ok(py.none())
    })
}

/// The arguments of a function without `self`.
///
/// # Safety
/// The parameters are those that CPython passed.
unsafe fn arguments<'a>(items: *mut *mut ffi::PyObject, count: ffi::Py_ssize_t) -> &'a [Ref<'a>] {
    let count = usize::try_from(count).unwrap_or_default();
    if items.is_null() {
        return &[];
    }
    // SAFETY: Ref is a transparent wrapper of a non-null pointer; the caller of the function keeps
    // the arguments alive during the call.
    unsafe { std::slice::from_raw_parts(items.cast::<Ref<'a>>(), count) }
}

fn numbers(items: &Ref<'_>) -> PyResult<Vec<u64>> {
    let items = items.items()?;
    items.iter().map(|item| Ok(u64::try_from(item.to_int()?).unwrap_or(0))).collect()
}

/// Keeps what a collector has told: its state, and the collection if it was one.
fn keep(interpreter: &str, state: &[u64], collection: &[u64]) {
    let mut collectors = match COLLECTORS.try_lock() {
        Ok(collectors) => collectors,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Being reported: the next one tells as much. A forked child has no other chance.
        Err(TryLockError::WouldBlock) => return,
    };
    let place = collectors.iter().position(|watched| watched.interpreter == interpreter);
    let place = place.unwrap_or(collectors.len());
    if place == collectors.len() {
        if place == MOST_INTERPRETERS {
            return;
        }
        collectors.push(Watched {
            interpreter: interpreter.to_owned(),
            state: Collector::default(),
            collections: VecDeque::new(),
            dropped: 0,
        });
    }
    let Some(watched) = collectors.get_mut(place) else { return };
    watched.state = collector_of(state);
    if let Some(collection) = collection_of(collection) {
        if watched.collections.len() == KEPT {
            watched.collections.pop_front();
            watched.dropped += 1;
        }
        watched.collections.push_back(collection);
    }
}

/// Five times a number for each generation, and two more.
fn collector_of(numbers: &[u64]) -> Collector {
    let (generations, rest) = numbers.as_chunks::<3>();
    let mut of = generations.iter().copied();
    let mut next = || of.next().unwrap_or_default();
    Collector {
        count: next(),
        threshold: next(),
        collections: next(),
        collected: next(),
        uncollectable: next(),
        is_enabled: rest.first().is_some_and(|flag| *flag != 0),
        frozen: rest.get(1).copied().unwrap_or(0),
    }
}

/// Start and duration in µs, generation and results; none in the state at the beginning.
fn collection_of(numbers: &[u64]) -> Option<Collection> {
    let [start, duration, generation, collected, uncollectable] = *numbers else { return None };
    Some(Collection {
        start: i64::try_from(start).unwrap_or(0),
        duration: Duration::from_micros(duration),
        generation,
        collected,
        uncollectable,
    })
}

/// What is to be reported now.
pub(super) fn take() -> Vec<Report> {
    let mut collectors = lock(&COLLECTORS);
    let mut room = MOST_AT_ONCE;
    let reports = collectors.iter_mut().map(|watched| {
        let count = watched.collections.len().min(room);
        room -= count;
        Report {
            interpreter: watched.interpreter.clone(),
            state: watched.state.clone(),
            collections: watched.collections.drain(..count).collect(),
            dropped: watched.dropped,
        }
    });
    reports.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_wait_for_their_report_and_the_oldest_give_way() {
        let state: Vec<u64> = (1..=17).collect();
        keep("tested", &state, &[]);
        for start in 0..300 {
            keep("tested", &state, &[start, 2, 0, 3, 4]);
        }
        let report = |reports: Vec<Report>| {
            reports.into_iter().find(|report| report.interpreter == "tested").unwrap()
        };
        let first = report(take());
        assert_eq!((first.collections.len(), first.dropped), (MOST_AT_ONCE, 44));
        assert_eq!(first.collections[0].start, 44);
        let state = &first.state;
        assert_eq!((state.count, state.uncollectable), ([1, 2, 3], [13, 14, 15]));
        assert_eq!((state.is_enabled, state.frozen), (true, 17));
        let rest: usize = (0..4).map(|_| report(take()).collections.len()).sum();
        assert_eq!(rest, KEPT - MOST_AT_ONCE);
    }
}
