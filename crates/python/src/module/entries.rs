//! Dictionaries with names for keys, as the metrics functions return them.

use crate::object::{Object, Py, PyResult, Ref};

/// A dictionary with names for keys.
pub(super) struct Entries<'py>(Object<'py>);

impl<'py> Entries<'py> {
    /// An empty one.
    pub(super) fn new(py: Py<'py>) -> PyResult<Self> {
        py.dict().map(Self)
    }

    /// Proof of attachment.
    pub(super) fn py(&self) -> Py<'py> {
        self.0.py()
    }

    /// The dictionary.
    pub(super) fn finish(self) -> Object<'py> {
        self.0
    }

    /// Sets an entry.
    pub(super) fn object(&self, name: &str, value: &Ref<'_>) -> PyResult<()> {
        self.0.set_item_named(name, value)
    }

    /// Sets a number.
    pub(super) fn int(&self, name: &str, value: u64) -> PyResult<()> {
        self.object(name, &*int(self.py(), value)?)
    }

    /// Sets a number that may be negative.
    pub(super) fn signed(&self, name: &str, value: i64) -> PyResult<()> {
        self.object(name, &*self.py().int(value)?)
    }

    /// Sets a number with a fraction.
    pub(super) fn float(&self, name: &str, value: f64) -> PyResult<()> {
        self.object(name, &*self.py().float(value)?)
    }

    /// Sets a time, given in µs since the epoch.
    pub(super) fn stamp(&self, name: &str, microseconds: i64) -> PyResult<()> {
        self.float(name, seconds(microseconds))
    }

    /// Sets a list.
    pub(super) fn list(
        &self,
        name: &str,
        values: impl IntoIterator<Item = PyResult<Object<'py>>>,
    ) -> PyResult<()> {
        let values = values.into_iter().collect::<PyResult<Vec<_>>>()?;
        self.object(name, &*self.py().list(values)?)
    }
}

/// A number.
pub(super) fn int(py: Py<'_>, value: u64) -> PyResult<Object<'_>> {
    py.int(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A number of things as Python counts them.
pub(super) fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// µs since the epoch as Python's times in seconds.
fn seconds(microseconds: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for every date that can occur")]
    let microseconds = microseconds as f64;
    microseconds / 1_000_000.0
}
