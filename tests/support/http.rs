//! A raw HTTP/1.1 client: sends any bytes, and tells how and when every piece of the answer came.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How long a test waits for bytes before it fails.
const PATIENCE: Duration = Duration::from_secs(25);

/// Status line and headers.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// `HTTP/1.1`.
    pub version: String,
    /// Status code.
    pub status: u16,
    /// Text after the code.
    pub reason: String,
    /// Headers in the order of arrival, repeated ones as they came.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// First value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All values of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// How the end of the body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none (HEAD, 204, 304).
    None,
    /// Content-Length.
    Length,
    /// Chunked.
    Chunked,
    /// The end of the connection.
    Close,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The final head.
    pub head: Head,
    /// 1xx heads that came before.
    pub informational: Vec<Head>,
    /// The decoded body.
    pub body: Vec<u8>,
    /// Body pieces with their time of arrival since the request was sent.
    pub pieces: Vec<(Duration, Vec<u8>)>,
    /// How the body was framed.
    pub framing: Framing,
    /// True when the framing says that everything arrived.
    pub complete: bool,
}

impl Response {
    /// Status code.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// First value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Asserts the status and gives the text of a complete body.
    #[track_caller]
    pub fn ok(&self) -> String {
        assert_eq!(self.status(), 200, "body: {}", self.text());
        assert!(self.complete, "the body is not complete: {}", self.text());
        self.text()
    }
}

/// What is left of the body being read.
#[derive(Clone, Copy)]
enum Rest {
    Nothing,
    Length(u64),
    /// Bytes left in the current chunk.
    Chunk(u64),
    /// A chunk header comes next.
    ChunkHead,
    Close,
}

/// A connection to the server, with what has been read and not yet used.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    rest: Rest,
    framing: Framing,
    complete: bool,
    started: Instant,
    next_is_head: bool,
}

impl Connection {
    /// Connects to a port of this machine.
    pub fn open(port: u16) -> Connection {
        Connection::try_open(port).expect("connect")
    }

    /// The same where the server may just be gone.
    pub fn try_open(port: u16) -> io::Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection {
            stream,
            buffer: Vec::new(),
            rest: Rest::Nothing,
            framing: Framing::None,
            complete: false,
            started: Instant::now(),
            next_is_head: false,
        })
    }

    /// Sends bytes; a server that has closed already is not an error here.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.started = Instant::now();
        // The answer tells what happened; a refused upload may be cut short by the server.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends bytes, telling whether the server took them.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a request with a body of known length; the host header is added.
    pub fn request(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("Host: localhost\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let framed = headers.iter().any(|(name, _)| {
            name.eq_ignore_ascii_case("content-length")
                || name.eq_ignore_ascii_case("transfer-encoding")
        });
        if !framed && (!body.is_empty() || method == "POST") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.next_is_head = method == "HEAD";
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.send(bytes);
    }

    /// Closes the sending half.
    pub fn end_sending(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Closes with a reset: what a client that crashes looks like.
    pub fn reset(self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: the descriptor is open, the option's value has the type and size it wants.
        unsafe {
            libc::setsockopt(
                std::os::fd::AsRawFd::as_raw_fd(&self.stream),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of::<libc::linger>() as libc::socklen_t,
            )
        };
    }

    /// Another waiting time for the next reads.
    pub fn patience(&self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).expect("timeout");
    }

    /// Reads once more; false at the end of the connection.
    fn fill(&mut self) -> io::Result<bool> {
        let mut block = [0_u8; 65_536];
        match self.stream.read(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.fill(),
            Ok(count) => {
                self.buffer.extend_from_slice(&block[..count]);
                Ok(count > 0)
            }
            // A server that closes with unread data resets the connection: an end as well.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes a line without its end; `None` when the connection ended before one.
    fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                // Latin-1, as header values are bytes to HTTP.
                let text: String = line.iter().map(|byte| char::from(*byte)).collect();
                return Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads one head; `None` when the server closed without one.
    pub fn head(&mut self) -> io::Result<Option<Head>> {
        let Some(first) = self.line()? else { return Ok(None) };
        let mut words = first.splitn(3, ' ');
        let mut head = Head {
            version: words.next().unwrap_or("").to_owned(),
            status: words.next().and_then(|word| word.parse().ok()).unwrap_or(0),
            reason: words.next().unwrap_or("").to_owned(),
            headers: Vec::new(),
        };
        loop {
            let Some(line) = self.line()? else { return Ok(None) };
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            head.headers.push((name.to_owned(), value.trim().to_owned()));
        }
        self.expect_body(&head);
        Ok(Some(head))
    }

    fn expect_body(&mut self, head: &Head) {
        let chunked = head.header("transfer-encoding").is_some_and(|value| value == "chunked");
        let length = head.header("content-length").and_then(|value| value.parse().ok());
        let bodyless = self.next_is_head || matches!(head.status, 100..=199 | 204 | 304);
        (self.framing, self.rest) = match length {
            _ if bodyless => (Framing::None, Rest::Nothing),
            _ if chunked => (Framing::Chunked, Rest::ChunkHead),
            Some(count) => (Framing::Length, Rest::Length(count)),
            None => (Framing::Close, Rest::Close),
        };
        self.complete = bodyless || length == Some(0) && !chunked;
    }

    /// The next piece of the body as it arrives; `None` at its end, whatever way it ends.
    pub fn piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            match self.rest {
                Rest::Nothing | Rest::Length(0) => return Ok(None),
                Rest::ChunkHead => {
                    if !self.chunk_head()? {
                        return Ok(None);
                    }
                    continue;
                }
                _ => {}
            }
            if self.buffer.is_empty() && !self.fill()? {
                self.complete = matches!(self.rest, Rest::Close);
                self.rest = Rest::Nothing;
                return Ok(None);
            }
            let limit = match self.rest {
                Rest::Length(count) | Rest::Chunk(count) => count,
                _ => u64::MAX,
            };
            let count = (self.buffer.len() as u64).min(limit);
            let piece: Vec<u8> = self.buffer.drain(..count as usize).collect();
            self.took(count);
            return Ok(Some(piece));
        }
    }

    fn took(&mut self, count: u64) {
        match &mut self.rest {
            Rest::Length(left) => {
                *left -= count;
                self.complete = *left == 0;
            }
            Rest::Chunk(left) => {
                *left -= count;
                if *left == 0 {
                    self.rest = Rest::ChunkHead;
                }
            }
            _ => {}
        }
    }

    /// Reads a chunk's size line; false at the end of the body.
    fn chunk_head(&mut self) -> io::Result<bool> {
        loop {
            let Some(line) = self.line()? else {
                self.rest = Rest::Nothing;
                return Ok(false);
            };
            // The line end after the previous chunk's data.
            if line.is_empty() {
                continue;
            }
            let digits = line.split(';').next().unwrap_or("").trim();
            let size = u64::from_str_radix(digits, 16)
                .unwrap_or_else(|_| panic!("not the size of a chunk: {line:?}"));
            if size > 0 {
                self.rest = Rest::Chunk(size);
                return Ok(true);
            }
            // Trailers, up to the empty line.
            while self.line()?.is_some_and(|line| !line.is_empty()) {}
            self.complete = true;
            self.rest = Rest::Nothing;
            return Ok(false);
        }
    }

    /// The whole answer; `None` when the server closed without a head.
    pub fn try_response(&mut self) -> io::Result<Option<Response>> {
        let mut informational = Vec::new();
        let head = loop {
            match self.head()? {
                None => return Ok(None),
                Some(head) if (100..200).contains(&head.status) => informational.push(head),
                Some(head) => break head,
            }
        };
        self.rest_of(head, informational).map(Some)
    }

    /// The rest of an answer whose head was read.
    pub fn rest_of(&mut self, head: Head, informational: Vec<Head>) -> io::Result<Response> {
        let mut pieces = Vec::new();
        while let Some(piece) = self.piece()? {
            pieces.push((self.started.elapsed(), piece));
        }
        let body = pieces.iter().flat_map(|(_, piece)| piece.iter().copied()).collect();
        let (framing, complete) = (self.framing, self.complete);
        Ok(Response { head, informational, body, pieces, framing, complete })
    }

    /// The whole answer, which must come.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        match self.try_response() {
            Ok(Some(response)) => response,
            Ok(None) => panic!("the server closed the connection without an answer"),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// The final head, which must come; pieces of the body follow with [`Connection::piece`].
    #[track_caller]
    pub fn final_head(&mut self) -> Head {
        loop {
            let head = self.head().expect("head").expect("a head before the end");
            if head.status >= 200 {
                return head;
            }
        }
    }

    /// True when the framing says that the body read so far was everything.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}
