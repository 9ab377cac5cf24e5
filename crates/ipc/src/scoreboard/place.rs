//! A place for one request of an httpd child: a part of the memory of [`super::children`].

use std::sync::atomic::{AtomicU64, Ordering, fence};

use wsgi_core::status::inquiry::RequestReport;

use crate::clock::recent_nanoseconds;

/// Words of a place.
pub(super) const WORDS: usize = 128;
const TAKEN: usize = 0;
/// Which request of the place it is; 0 while there is none.
const NUMBER: usize = 1;
const BEGUN: usize = 2;
const SINCE: usize = 3;
const LENGTHS: usize = 4;
/// What its thread does.
pub(super) const ACTIVITY: usize = 5;
/// Method, interpreter and URI.
const TEXT: usize = 16;

/// What a request is, as far as somebody sees it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its method.
    pub method: &'a [u8],
    /// Its URI.
    pub uri: &'a [u8],
    /// Its interpreter.
    pub application_group: &'a [u8],
}

/// The words of a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlaceWords<'a>(&'a [AtomicU64; WORDS]);

impl<'a> PlaceWords<'a> {
    /// Those of a place.
    pub(super) fn new(words: &'a [AtomicU64; WORDS]) -> Self {
        Self(words)
    }

    /// Takes the place; `false` when another thread has it.
    pub(super) fn take(self) -> bool {
        self.0[TAKEN].swap(1, Ordering::Acquire) == 0
    }

    /// A request begins in a place that was taken; it is not seen before [`Self::show`] has its number.
    pub(super) fn begin(self, subject: Subject<'_>) -> u64 {
        // Only this thread writes there now.
        let number = self.begun().wrapping_add(1);
        self.0[BEGUN].store(number, Ordering::Relaxed);
        // Nobody may see the new words under the number of the last request.
        fence(Ordering::Release);
        self.0[SINCE].store(recent_nanoseconds(), Ordering::Relaxed);
        self.write(subject);
        number
    }

    /// The request is to be seen.
    pub(super) fn show(self, number: u64) {
        self.0[NUMBER].store(number, Ordering::Release);
    }

    /// The request has ended.
    pub(super) fn end(self) {
        self.0[NUMBER].store(0, Ordering::Relaxed);
        self.0[TAKEN].store(0, Ordering::Release);
    }

    /// Another process has it from now on.
    pub(super) fn clear(self) {
        for word in [&self.0[TAKEN], &self.0[NUMBER], &self.0[BEGUN]] {
            word.store(0, Ordering::Relaxed);
        }
    }

    /// How many requests have begun here.
    pub(super) fn begun(self) -> u64 {
        self.0[BEGUN].load(Ordering::Relaxed)
    }

    /// Method, interpreter and URI one after the other, each from a new word on; what does not fit is
    /// cut.
    fn write(self, subject: Subject<'_>) {
        let mut rest = self.0.get(TEXT..).unwrap_or_default();
        let mut lengths = 0;
        for text in [subject.method, subject.application_group, subject.uri] {
            let text = text.get(..rest.len() * 8).unwrap_or(text);
            let (whole, tail) = text.as_chunks();
            for (word, bytes) in rest.iter().zip(whole) {
                word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
            }
            let mut last = [0; 8];
            for (to, from) in last.iter_mut().zip(tail) {
                *to = *from;
            }
            if let Some(word) = rest.get(whole.len()).filter(|_| !tail.is_empty()) {
                word.store(u64::from_ne_bytes(last), Ordering::Relaxed);
            }
            lengths = lengths << 16 | text.len() as u64;
            rest = rest.get(text.len().div_ceil(8)..).unwrap_or_default();
        }
        self.0[LENGTHS].store(lengths, Ordering::Relaxed);
    }

    /// The request that is in the place, if one is.
    #[allow(clippy::cast_precision_loss, reason = "an age")]
    pub(super) fn request(self) -> Option<RequestReport> {
        // Loads of memory that is only read must be relaxed ones.
        let number = self.0[NUMBER].load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let lengths = self.0[LENGTHS].load(Ordering::Relaxed);
        let since = self.0[SINCE].load(Ordering::Relaxed);
        let mut rest = self.0.get(TEXT..).unwrap_or_default();
        let [method, application_group, uri] = [32, 16, 0].map(|shift| {
            let length = usize::from((lengths >> shift) as u16).min(rest.len() * 8);
            let (own, next) = rest.split_at_checked(length.div_ceil(8)).unwrap_or_default();
            rest = next;
            let mut bytes: Vec<u8> =
                own.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
            bytes.truncate(length);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        // With the second look the words were this request's during all of the reading.
        fence(Ordering::Acquire);
        let is_its = number != 0 && self.0[NUMBER].load(Ordering::Relaxed) == number;
        let age = recent_nanoseconds().saturating_sub(since) as f64 / 1e9;
        is_its.then_some(RequestReport { number, method, uri, application_group, age })
    }
}
