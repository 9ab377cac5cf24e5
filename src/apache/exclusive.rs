//! Access to a request's structures for several threads, one at a time.

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Request;

/// A value that holds handles of a request: used by the threads of the application and by the
/// flusher while the request's own thread is inside of the engine. It cannot be used any more
/// once the owner has taken it back or is gone.
pub(crate) struct Exclusive<'r, T: 'static> {
    shared: Shared<T>,
    /// The value may hold handles of this lifetime; it never outlives this owner.
    request: PhantomData<&'r ()>,
}

/// A share in an [`Exclusive`] that may outlive it: then it finds nothing.
pub(crate) struct Shared<T>(Arc<Mutex<Option<T>>>);

// SAFETY: httpd's structures have no thread affinity, only exclusivity (HTTP/2 moves requests
// between threads too): the mutex gives it, and the request's thread waits meanwhile.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Exclusive<'_, T> {}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    /// Waits for the value; the guard holds `None` once the request is over.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'r, T> Exclusive<'r, T> {
    /// Wraps what `make` makes of the request. The value may keep the handle although its
    /// lifetime is not shown: it is dropped or taken back before the request's handler returns.
    pub(crate) fn of_request<E>(
        request: Request<'r>,
        make: impl FnOnce(Request<'static>) -> Result<T, E>,
    ) -> Result<Self, E> {
        // SAFETY: a live request; see above for why the handle does not outlive it.
        let handle = unsafe { Request::new(request.as_ptr()) };
        let value = handle.map(make).transpose()?;
        Ok(Self { shared: Shared(Arc::new(Mutex::new(value))), request: PhantomData })
    }

    /// Waits for the value.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.shared.lock()
    }

    /// A share for another thread.
    pub(crate) fn share(&self) -> Shared<T> {
        self.shared.clone()
    }

    /// Takes the value back.
    pub(crate) fn take(&self) -> Option<T> {
        self.shared.lock().take()
    }
}

impl<T> Drop for Exclusive<'_, T> {
    fn drop(&mut self) {
        // A share must find nothing, even when the owner unwinds.
        drop(self.take());
    }
}
