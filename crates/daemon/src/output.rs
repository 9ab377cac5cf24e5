//! The response as it leaves in frames: small pieces wait for each other, large ones are never
//! copied.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use wsgi_core::{
    activity::Activity,
    exchange::{Pace, SendError, Source},
    frame::{Extent, HEADER, Header, KEEP, Kind, Located, MAX_PAYLOAD, MORE, SOURCE},
    head::ResponseHead,
};
use wsgi_ipc::{clock, kept::current_processor, socket::TimedStream};

/// Most bytes that are held back for something that follows at once.
const HELD: usize = 64 << 10;

/// Most bytes that leave together with a descriptor: whole or not at all.
const HELD_WITH_FILE: usize = 4 << 10;

/// The sending half of a connection.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    stream: &'a TimedStream,
    activity: &'a Activity,
    request_id: u64,
    /// Whole frames that have not been sent.
    held: Vec<u8>,
    /// The file of the last frame held.
    file: Option<OwnedFd>,
    /// Where the header of the held data frame stands that a further block may be added to.
    open: Option<usize>,
    /// The response's status once it has begun.
    status: u16,
    has_head: bool,
    is_gone: bool,
}

impl<'a> Output<'a> {
    /// An empty response that builds its frames in `held`.
    pub(crate) fn new(
        stream: &'a TimedStream,
        activity: &'a Activity,
        request_id: u64,
        mut held: Vec<u8>,
    ) -> Self {
        held.clear();
        let (file, open, status, has_head, is_gone) = (None, None, 0, false, false);
        Self { stream, activity, request_id, held, file, open, status, has_head, is_gone }
    }

    /// The response's status; 0 before it has begun.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Whether a response was begun.
    pub(crate) fn has_head(&self) -> bool {
        self.has_head
    }

    /// Holds the response head for what follows it.
    pub(crate) fn head(&mut self, head: &ResponseHead<'_>) -> Result<(), SendError> {
        self.check()?;
        let start = self.held.len();
        self.held.extend_from_slice(&[0; HEADER]);
        head.encode(&mut self.held);
        let length = self.held.len() - start - HEADER;
        if length > MAX_PAYLOAD {
            self.held.truncate(start);
            return Err(SendError::Failed("response head too large".to_owned()));
        }
        self.has_head = true;
        self.status = head.status;
        self.open = None;
        self.put_header(start, Header::new(Kind::Head, self.request_id, length));
        Ok(())
    }

    /// Sends or holds one block.
    pub(crate) fn data(&mut self, block: &[u8], pace: Pace) -> Result<(), SendError> {
        self.check()?;
        if self.file.is_some() {
            self.send(b"", b"")?;
        }
        let is_held = pace == Pace::More && self.held.len() + HEADER + block.len() <= HELD;
        if is_held {
            self.hold(block);
            return Ok(());
        }
        let mut rest = block;
        while rest.len() > MAX_PAYLOAD {
            let (now, later) = rest.split_at_checked(MAX_PAYLOAD).unwrap_or((rest, b""));
            self.send_data(now, MORE)?;
            rest = later;
        }
        self.send_data(rest, if pace == Pace::More { MORE } else { 0 })
    }

    fn hold(&mut self, block: &[u8]) {
        let start = self.open.unwrap_or_else(|| {
            let start = self.held.len();
            self.held.extend_from_slice(&[0; HEADER]);
            start
        });
        self.held.extend_from_slice(block);
        self.open = Some(start);
        let length = self.held.len() - start - HEADER;
        self.put_header(start, Header::new(Kind::Data, self.request_id, length).with_flags(MORE));
    }

    fn put_header(&mut self, start: usize, header: Header) {
        if let Some(place) = self.held.get_mut(start..start + HEADER) {
            place.copy_from_slice(&header.encode());
        }
    }

    fn send_data(&mut self, block: &[u8], flags: u8) -> Result<(), SendError> {
        let header = Header::new(Kind::Data, self.request_id, block.len()).with_flags(flags);
        self.send(&header.encode(), block)
    }

    /// Sends a frame without payload, after everything held.
    pub(crate) fn mark(&mut self, kind: Kind, value: u16) -> Result<(), SendError> {
        self.end(kind, value, b"")
    }

    /// Ends a complete response on a connection that waits for the next request.
    pub(crate) fn end_and_keep(&mut self, took: &[u8]) -> Result<(), SendError> {
        self.check()?;
        let header = Header::new(Kind::End, self.request_id, took.len())
            .with_flags(KEEP)
            .with_value(current_processor());
        self.send(&header.encode(), took)
    }

    /// Ends the exchange; `took` is what it took, where httpd wants to know that.
    pub(crate) fn end(&mut self, kind: Kind, value: u16, took: &[u8]) -> Result<(), SendError> {
        self.check()?;
        let header = Header::new(kind, self.request_id, took.len()).with_value(value);
        self.send(&header.encode(), took)
    }

    /// Holds part of a regular file, as its descriptor, for what follows it: as a rule the end, and
    /// httpd begins when it has both.
    pub(crate) fn file(&mut self, file: BorrowedFd<'_>, extent: Extent) -> Result<(), SendError> {
        self.check()?;
        if self.held.len() > HELD_WITH_FILE || self.file.is_some() {
            self.send(b"", b"")?;
        }
        let payload = extent.encode();
        let header = Header::new(Kind::File, self.request_id, payload.len());
        self.held.extend_from_slice(&header.encode());
        self.held.extend_from_slice(&payload);
        self.open = None;
        // The application closes its own.
        match file.try_clone_to_owned() {
            Ok(copy) => {
                self.file = Some(copy);
                Ok(())
            }
            // No descriptor is left: it leaves as it is.
            Err(_) => self.send_with(file, b"", b""),
        }
    }

    /// Sends a log record at once: it must arrive even when the application crashes right after.
    /// What is held stays held.
    pub(crate) fn log(
        &mut self,
        level: u16,
        record: &[u8],
        source: Option<Source<'_>>,
    ) -> Result<(), SendError> {
        self.check()?;
        let (place, flags) = match source {
            Some(Source { file, line }) => {
                (Located { file: file.as_bytes(), line, record }.encode_place(), SOURCE)
            }
            None => (Vec::new(), 0),
        };
        let room = MAX_PAYLOAD.saturating_sub(place.len());
        let record = record.get(..record.len().min(room)).unwrap_or_default();
        let header = Header::new(Kind::Log, self.request_id, place.len() + record.len());
        let header = header.with_value(level).with_flags(flags).encode();
        let parts = [IoSlice::new(&header), IoSlice::new(&place), IoSlice::new(record)];
        let sent = self.stream.send(&parts);
        self.judge(sent)
    }

    /// Gives the buffer back and drops what was held.
    pub(crate) fn into_held(self) -> Vec<u8> {
        self.held
    }

    fn send(&mut self, header: &[u8], payload: &[u8]) -> Result<(), SendError> {
        if let Some(file) = self.file.take() {
            return self.send_with(file.as_fd(), header, payload);
        }
        let parts = [IoSlice::new(&self.held), IoSlice::new(header), IoSlice::new(payload)];
        let sent = self.activity.sending(clock::nanoseconds, || self.stream.send(&parts));
        self.held.clear();
        self.open = None;
        self.judge(sent)
    }

    /// Sends what is held with the descriptor that its last frame is about, and a short frame after
    /// it.
    fn send_with(
        &mut self,
        file: BorrowedFd<'_>,
        header: &[u8],
        payload: &[u8],
    ) -> Result<(), SendError> {
        self.held.extend_from_slice(header);
        self.held.extend_from_slice(payload);
        let sent = self
            .activity
            .sending(clock::nanoseconds, || self.stream.send_with_descriptor(&self.held, file));
        self.held.clear();
        self.open = None;
        self.judge(sent)
    }

    fn judge(&mut self, sent: io::Result<()>) -> Result<(), SendError> {
        let Err(error) = sent else { return Ok(()) };
        // After a failure part of a frame may have left: nothing can follow it.
        self.is_gone = true;
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                Err(SendError::ClientGone)
            }
            io::ErrorKind::TimedOut => {
                Err(SendError::Failed("timeout while sending the response to httpd".to_owned()))
            }
            _ => Err(SendError::Failed(error.to_string())),
        }
    }

    fn check(&self) -> Result<(), SendError> {
        if self.is_gone { Err(SendError::ClientGone) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::fd::{AsFd, OwnedFd};
    use wsgi_ipc::{
        socket::{receive_exact, receive_some, receive_with_descriptors, stream_pair},
        temporary::TemporaryFile,
    };

    fn stream() -> (TimedStream, OwnedFd) {
        let (left, right) = stream_pair().unwrap();
        (TimedStream::new(left, 1), right)
    }

    fn frames(httpd: &OwnedFd) -> Vec<(Header, Vec<u8>)> {
        let mut frames = Vec::new();
        loop {
            let mut bytes = [0u8; HEADER];
            if receive_some(httpd.as_fd(), &mut bytes[..1], false).unwrap() == 0 {
                return frames;
            }
            receive_exact(httpd.as_fd(), &mut bytes[1..]).unwrap();
            let header = Header::decode(&bytes).unwrap();
            let mut payload = vec![0u8; header.length as usize];
            receive_exact(httpd.as_fd(), &mut payload).unwrap();
            frames.push((header, payload));
        }
    }

    fn head() -> ResponseHead<'static> {
        ResponseHead { status: 200, ..ResponseHead::default() }
    }

    #[test]
    fn a_small_answer_is_one_write() {
        let (stream, httpd) = stream();
        let activity = Activity::default();
        let mut output = Output::new(&stream, &activity, 7, Vec::new());
        output.head(&head()).unwrap();
        output.data(b"hello ", Pace::More).unwrap();
        output.data(b"world", Pace::More).unwrap();
        let mut byte = [0u8; 1];
        assert!(receive_some(httpd.as_fd(), &mut byte, true).is_err(), "sent too early");
        output.mark(Kind::End, 0).unwrap();
        drop(stream);
        let frames = frames(&httpd);
        let kinds: Vec<Kind> = frames.iter().map(|(header, _)| header.kind).collect();
        assert_eq!(kinds, [Kind::Head, Kind::Data, Kind::End]);
        assert_eq!(frames[1].1, b"hello world");
        assert!(frames.iter().all(|(header, _)| header.request_id == 7));
    }

    #[test]
    fn a_block_that_may_be_the_last_for_long_leaves_at_once() {
        let (stream, httpd) = stream();
        let activity = Activity::default();
        let mut output = Output::new(&stream, &activity, 7, Vec::new());
        output.head(&head()).unwrap();
        output.data(b"now", Pace::Unknown).unwrap();
        drop(stream);
        let frames = frames(&httpd);
        assert_eq!(frames.len(), 2);
        assert_eq!((frames[1].0.flags, frames[1].1.as_slice()), (0, b"now".as_slice()));
    }

    #[test]
    fn a_log_record_overtakes_what_is_held() {
        let (stream, httpd) = stream();
        let activity = Activity::default();
        let mut output = Output::new(&stream, &activity, 7, Vec::new());
        output.head(&head()).unwrap();
        output.log(6, b"note", None).unwrap();
        output.mark(Kind::Abort, 0).unwrap();
        drop(stream);
        let kinds: Vec<(Kind, u16)> =
            frames(&httpd).iter().map(|(header, _)| (header.kind, header.value)).collect();
        assert_eq!(kinds, [(Kind::Log, 6), (Kind::Head, 0), (Kind::Abort, 0)]);
    }

    #[test]
    fn a_file_leaves_with_what_stands_around_it() {
        let (stream, httpd) = stream();
        let file = TemporaryFile::in_memory().unwrap();
        let extent = Extent { offset: 3, length: 4 };
        let activity = Activity::default();
        let mut output = Output::new(&stream, &activity, 7, Vec::new());
        let (mut bytes, mut descriptors) = ([0; 8192], Vec::new());
        let receive = |bytes: &mut [u8], descriptors: &mut Vec<OwnedFd>| {
            let length = receive_with_descriptors(httpd.as_fd(), bytes, descriptors).unwrap();
            let mut kinds = Vec::new();
            let mut rest = &bytes[..length];
            while let Some((header, behind)) = rest.split_first_chunk::<HEADER>() {
                let header = Header::decode(header).unwrap();
                kinds.push(header.kind);
                rest = &behind[header.length as usize..];
            }
            kinds
        };
        output.head(&head()).unwrap();
        output.file(file.as_fd(), extent).unwrap();
        output.mark(Kind::End, 0).unwrap();
        let kinds = receive(&mut bytes, &mut descriptors);
        assert_eq!(kinds, [Kind::Head, Kind::File, Kind::End]);
        assert_eq!(descriptors.len(), 1);
        output.hold(&[b'x'; HELD_WITH_FILE]);
        output.file(file.as_fd(), extent).unwrap();
        output.data(b"behind", Pace::More).unwrap();
        output.mark(Kind::Abort, 0).unwrap();
        drop(output);
        // The kernel adds a message with a descriptor to what was sent before, and nothing to it.
        assert_eq!(receive(&mut bytes, &mut descriptors), [Kind::Data, Kind::File]);
        assert_eq!(receive(&mut bytes, &mut descriptors), [Kind::Data, Kind::Abort]);
        assert_eq!(descriptors.len(), 2);
    }

    #[test]
    fn a_block_larger_than_a_frame_is_split() {
        let (stream, httpd) = stream();
        let reader = std::thread::spawn(move || frames(&httpd));
        let block = vec![b'x'; MAX_PAYLOAD + 10];
        Output::new(&stream, &Activity::default(), 7, Vec::new())
            .data(&block, Pace::Unknown)
            .unwrap();
        drop(stream);
        let frames = reader.join().unwrap();
        let lengths: Vec<usize> = frames.iter().map(|(_, payload)| payload.len()).collect();
        assert_eq!(lengths, [MAX_PAYLOAD, 10]);
        assert_eq!((frames[0].0.flags, frames[1].0.flags), (MORE, 0));
    }

    #[test]
    fn a_client_that_left_is_told_and_stays_gone() {
        let (stream, httpd) = stream();
        drop(httpd);
        let activity = Activity::default();
        let mut output = Output::new(&stream, &activity, 7, Vec::new());
        assert_eq!(output.data(b"x", Pace::Unknown), Err(SendError::ClientGone));
        assert_eq!(output.data(b"x", Pace::More), Err(SendError::ClientGone));
        assert_eq!(output.mark(Kind::End, 0), Err(SendError::ClientGone));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_sequence_of_blocks_arrives_as_it_was_written(
            blocks in proptest::collection::vec((0usize..40_000, any::<bool>()), 0..12),
        ) {
            let (stream, httpd) = stream();
            let reader = std::thread::spawn(move || frames(&httpd));
            let activity = Activity::default();
        let mut output = Output::new(&stream, &activity, 7, Vec::new());
            output.head(&head()).unwrap();
            let mut expected = Vec::new();
            for (number, (length, is_more)) in blocks.into_iter().enumerate() {
                let block = vec![number as u8; length];
                let pace = if is_more { Pace::More } else { Pace::Unknown };
                output.data(&block, pace).unwrap();
                expected.extend_from_slice(&block);
            }
            output.mark(Kind::End, 0).unwrap();
            drop(stream);
            let frames = reader.join().unwrap();
            prop_assert_eq!(frames.first().unwrap().0.kind, Kind::Head);
            prop_assert_eq!(frames.last().unwrap().0.kind, Kind::End);
            let body: Vec<u8> = frames
                .into_iter()
                .filter(|(header, _)| header.kind == Kind::Data)
                .flat_map(|(_, payload)| payload)
                .collect();
            prop_assert_eq!(body, expected);
        }
    }
}
