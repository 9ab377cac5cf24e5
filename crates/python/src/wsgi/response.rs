//! What of a response was announced and what was sent. Pure bookkeeping, no Python, no I/O.

use wsgi_core::head::ResponseHead;

use super::{rules, sendfile};

/// The state of one response.
#[derive(Debug, Default)]
pub(crate) struct Response {
    head: Option<ResponseHead<'static>>,
    is_committed: bool,
    is_head_request: bool,
    /// Whether the header X-Sendfile puts a file in the place of the body.
    sends_files: bool,
    status: u16,
    /// The body's length where it is known: announced by the application or inferred.
    expected: Option<u64>,
    accepted: u64,
    dropped: u64,
    is_client_gone: bool,
}

/// Why headers cannot be committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommitError {
    /// `start_response` was not called: a `RuntimeError`.
    #[error("start_response() must be called before response content is produced")]
    NotStarted,
    /// The Content-Length header is no length: a `ValueError`.
    #[error("{0}")]
    Length(String),
}

/// How much of a block may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// Bytes from the start of the block.
    pub(crate) length: usize,
    /// Whether this is the first time that something is dropped.
    pub(crate) is_first_excess: bool,
}

impl Response {
    /// The response to a request; HEAD requests may legally lack a body.
    pub(crate) fn new(is_head_request: bool) -> Self {
        Self { is_head_request, ..Self::default() }
    }

    /// The same for a request whose response may be a file that the header X-Sendfile names.
    pub(crate) fn with_files(self, sends_files: bool) -> Self {
        Self { sends_files, ..self }
    }

    /// Sets or replaces status and headers; ignored once committed.
    pub(crate) fn start(&mut self, head: ResponseHead<'static>) {
        if !self.is_committed {
            self.head = Some(head);
        }
    }

    /// Whether the headers have left: they cannot change any more.
    pub(crate) fn is_committed(&self) -> bool {
        self.is_committed
    }

    /// Commits the headers and returns them, once; `None` when they were committed before.
    /// `whole_body` is the length of the body where the host knows it.
    pub(crate) fn commit(
        &mut self,
        whole_body: Option<u64>,
    ) -> Result<Option<ResponseHead<'static>>, CommitError> {
        if self.is_committed {
            return Ok(None);
        }
        let head = self.head.as_mut().ok_or(CommitError::NotStarted)?;
        if self.sends_files && sendfile::is_wanted(head) {
            // Whatever is said of the body's length, it is not the body that is sent.
            self.status = head.status;
            self.is_committed = true;
            return Ok(self.head.take());
        }
        let announced = take_length(head)?;
        let is_bodyless = rules::is_bodyless(head.status);
        if announced.is_none() && !is_bodyless {
            head.inferred_length = whole_body;
        }
        self.expected = announced.or(head.inferred_length);
        self.status = head.status;
        self.is_committed = true;
        Ok(self.head.take())
    }

    /// Counts a block of the body.
    pub(crate) fn accept(&mut self, length: usize) -> Accepted {
        let wide = u64::try_from(length).unwrap_or(u64::MAX);
        let was_complete = self.dropped == 0;
        let taken = self.accept_wide(wide);
        let is_first_excess = taken < wide && was_complete;
        Accepted { length: usize::try_from(taken).unwrap_or(length), is_first_excess }
    }

    /// Counts a part of a file; returns how much of it may be sent.
    pub(crate) fn accept_wide(&mut self, length: u64) -> u64 {
        let room = self.expected.map_or(u64::MAX, |expected| expected - self.accepted);
        let taken = length.min(room);
        self.accepted += taken;
        self.dropped += length - taken;
        taken
    }

    /// The status that was sent or, before that, set; 0 when there was none.
    pub(crate) fn status(&self) -> u16 {
        self.head.as_ref().map_or(self.status, |head| head.status)
    }

    /// Notes that nobody reads the response any more.
    pub(crate) fn client_gone(&mut self) {
        self.is_client_gone = true;
    }

    /// Whether the client has gone away.
    pub(crate) fn is_client_gone(&self) -> bool {
        self.is_client_gone
    }

    /// The announced length and what was produced, when that is less and the client would wait
    /// for the rest.
    pub(crate) fn shortfall(&self) -> Option<(u64, u64)> {
        let expected = self.expected?;
        let may_lack_body = self.is_head_request || rules::is_bodyless(self.status);
        (self.accepted < expected && !may_lack_body).then_some((expected, self.accepted))
    }

    /// The length the application announced before it was committed or the host inferred.
    pub(crate) fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// Whether the request's method is HEAD.
    pub(crate) fn is_head_request(&self) -> bool {
        self.is_head_request
    }
}

/// The announced length. A second header with the same value is dropped; one with another value
/// is an error, because clients and proxies would disagree on where the response ends
/// (RFC 9112 §6.3).
fn take_length(head: &mut ResponseHead<'_>) -> Result<Option<u64>, CommitError> {
    let mut announced = None;
    let mut failure = None;
    head.headers.retain(|name, value| {
        if !name.eq_ignore_ascii_case(b"content-length") {
            return true;
        }
        match (rules::content_length(value), announced) {
            (Err(text), _) => failure = Some(text),
            (Ok(length), None) => {
                announced = Some(length);
                return true;
            }
            (Ok(length), Some(first)) if length != first => {
                failure = Some(format!(
                    "invalid Content-Length header value: '{}' after '{first}'",
                    String::from_utf8_lossy(value)
                ));
            }
            (Ok(_), Some(_)) => {}
        }
        false
    });
    failure.map_or(Ok(announced), |text| Err(CommitError::Length(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, headers: &[(&str, &str)]) -> ResponseHead<'static> {
        let headers = headers.iter().copied().collect();
        ResponseHead { status, headers, ..ResponseHead::default() }
    }

    fn committed(status: u16, headers: &[(&str, &str)], whole: Option<u64>) -> Response {
        let mut response = Response::new(false);
        response.start(head(status, headers));
        response.commit(whole).unwrap();
        response
    }

    #[test]
    fn the_last_start_before_output_counts() {
        let mut response = Response::new(false);
        assert_eq!(response.commit(None), Err(CommitError::NotStarted));
        response.start(head(200, &[]));
        response.start(head(404, &[]));
        assert_eq!(response.commit(None).unwrap().unwrap().status, 404);
        response.start(head(500, &[]));
        assert_eq!(response.commit(None), Ok(None));
    }

    #[test]
    fn lengths_are_inferred_only_where_a_body_may_be() {
        for (status, wanted) in
            [(200, Some(5)), (404, Some(5)), (204, None), (304, None), (101, None)]
        {
            let mut response = Response::new(false);
            response.start(head(status, &[]));
            assert_eq!(response.commit(Some(5)).unwrap().unwrap().inferred_length, wanted);
        }
        let mut response = Response::new(false);
        response.start(head(200, &[("content-LENGTH", "7")]));
        assert_eq!(response.commit(Some(5)).unwrap().unwrap().inferred_length, None);
        assert_eq!(response.expected(), Some(7));
    }

    #[test]
    fn bad_and_conflicting_lengths_are_refused() {
        for headers in
            [&[("Content-Length", "x")][..], &[("Content-Length", "1"), ("Content-Length", "2")]]
        {
            let mut response = Response::new(false);
            response.start(head(200, headers));
            assert!(matches!(response.commit(None), Err(CommitError::Length(_))));
            assert!(!response.is_committed());
        }
        let mut response = Response::new(false);
        response.start(head(200, &[("Content-Length", "1"), ("Content-Length", "1")]));
        assert_eq!(response.commit(None).unwrap().unwrap().headers.iter().count(), 1);
    }

    #[test]
    fn excess_is_dropped_and_reported_once() {
        let mut response = committed(200, &[("Content-Length", "5")], None);
        assert_eq!(response.accept(3), Accepted { length: 3, is_first_excess: false });
        assert_eq!(response.accept(3), Accepted { length: 2, is_first_excess: true });
        assert_eq!(response.accept(3), Accepted { length: 0, is_first_excess: false });
        assert_eq!(response.shortfall(), None);
    }

    #[test]
    fn a_short_body_counts_only_where_a_body_is_due() {
        assert_eq!(committed(200, &[("Content-Length", "5")], None).shortfall(), Some((5, 0)));
        assert_eq!(committed(304, &[("Content-Length", "5")], None).shortfall(), None);
        let mut response = Response::new(true);
        response.start(head(200, &[("Content-Length", "5")]));
        response.commit(None).unwrap();
        assert_eq!(response.shortfall(), None);
    }
}
