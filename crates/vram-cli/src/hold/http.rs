//! As much of HTTP/1.1 (RFC 9112) as serving three small pages takes: one request, one answer, the end.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The longest head of a request that is read, in bytes.
pub(super) const LONGEST_HEAD: usize = 8 << 10;

/// The most header fields of a request.
const MOST_FIELDS: usize = 64;

/// How long a client may take for its request and for reading the answer, together.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A moment by which a client is done with, however slowly it sends or reads.
#[derive(Clone, Copy, Debug)]
struct Deadline(Option<Instant>);

impl Deadline {
    fn after(patience: Duration) -> Self {
        Self(Instant::now().checked_add(patience))
    }

    /// What is left until then; an error if nothing is.
    fn left(self) -> io::Result<Duration> {
        let left = self
            .0
            .and_then(|at| at.checked_duration_since(Instant::now()));
        let left = left.filter(|left| !left.is_zero());
        left.ok_or_else(|| io::ErrorKind::TimedOut.into())
    }
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The path, without what follows a question mark.
    pub(super) path: String,
    /// Whether only the answer's head is wanted.
    head_only: bool,
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::TooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

impl Answer {
    pub(super) fn plain(status: Status, body: &str) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: format!("{body}\n"),
        }
    }

    fn bytes(&self, head_only: bool) -> Vec<u8> {
        let Self {
            status,
            content_type,
            body,
        } = self;
        let allow = if *status == Status::MethodNotAllowed {
            "Allow: GET, HEAD\r\n"
        } else {
            ""
        };
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
            status.line(),
            body.len()
        );
        let body = if head_only { "" } else { body };
        [head.as_bytes(), body.as_bytes()].concat()
    }
}

/// What the bytes of a request ask for; none while its head is not complete.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Request>, Status> {
    if bytes.len() > LONGEST_HEAD {
        return Err(Status::TooLarge);
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) if bytes.len() >= LONGEST_HEAD => {
            return Err(Status::TooLarge);
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Status::TooLarge),
        Err(_) => return Err(Status::BadRequest),
    }
    let head_only = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Err(Status::MethodNotAllowed),
    };
    let target = request.path.unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    Ok(Some(Request {
        path: path.to_owned(),
        head_only,
    }))
}

/// Reads one request and answers it, all within this time.
pub(super) fn serve(
    stream: &TcpStream,
    patience: Duration,
    answer: impl FnOnce(&str) -> Answer,
) -> io::Result<()> {
    let deadline = Deadline::after(patience);
    let (answer, head_only) = match read(stream, deadline)? {
        Ok(request) => (answer(&request.path), request.head_only),
        Err(status) => (Answer::plain(status, status.line()), false),
    };
    write(stream, &answer.bytes(head_only), deadline)?;
    stream.shutdown(Shutdown::Both)
}

/// Writes all of it. Each write takes a part at most, and what is left of the time is counted anew for each.
fn write(mut stream: &TcpStream, mut bytes: &[u8], deadline: Deadline) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(deadline.left()?))?;
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until the request's head is complete, within all of the time and bytes that it may have.
fn read(mut stream: &TcpStream, deadline: Deadline) -> io::Result<Result<Request, Status>> {
    let mut head = [0; LONGEST_HEAD];
    let mut len = 0;
    while let Some(room) = head.get_mut(len..).filter(|room| !room.is_empty()) {
        stream.set_read_timeout(Some(deadline.left()?))?;
        let read = match stream.read(room) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        len = len.saturating_add(read);
        match parse(head.get(..len).unwrap_or_default()) {
            Ok(None) => {}
            Ok(Some(request)) => return Ok(Ok(request)),
            Err(status) => return Ok(Err(status)),
        }
    }
    Ok(Err(Status::TooLarge))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(request: &str) -> Result<Option<String>, Status> {
        parse(request.as_bytes()).map(|request| request.map(|request| request.path))
    }

    #[test]
    fn a_request_is_complete_with_its_empty_line() {
        let whole = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n";

        assert_eq!(path(whole), Ok(Some("/metrics".to_owned())));
        for end in 0..whole.len() {
            assert_eq!(path(&whole[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for bytes in [
            "\u{16}\u{3}\u{1}",
            "GET\0",
            "GET / HTTP/9\r\n\r\n",
            "GET / x\r\n",
        ] {
            assert_eq!(path(bytes), Err(Status::BadRequest), "{bytes:?}");
        }
        let post = "POST /metrics HTTP/1.1\r\n\r\n";
        assert_eq!(path(post), Err(Status::MethodNotAllowed));
    }

    #[test]
    fn long_heads_and_many_fields_are_refused() {
        let long = format!("GET / HTTP/1.1\r\na: {}", "b".repeat(LONGEST_HEAD));
        let many = format!(
            "GET / HTTP/1.1\r\n{}\r\n",
            "a: b\r\n".repeat(MOST_FIELDS + 1)
        );

        assert_eq!(path(&long), Err(Status::TooLarge));
        assert_eq!(path(&many), Err(Status::TooLarge));
    }

    #[test]
    fn a_client_that_reads_slowly_is_done_with_in_time() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let page = |_: &str| Answer::plain(Status::Ok, &"a".repeat(64 << 20));
        let ended = std::sync::atomic::AtomicBool::new(false);

        let served = std::thread::scope(|scope| {
            // Takes a little again and again: every single write gets somewhere. It goes on to the end of time.
            scope.spawn(|| {
                let mut some = [0; 64 << 10];
                while !ended.load(std::sync::atomic::Ordering::SeqCst) {
                    client.read_exact(&mut some).ok();
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let served = serve(&stream, Duration::from_millis(200), page);
            ended.store(true, std::sync::atomic::Ordering::SeqCst);
            drop(stream);
            served
        });

        let kind = served.unwrap_err().kind();
        assert!(
            matches!(kind, io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock),
            "{kind:?}"
        );
    }

    /// What may stand in a request, so that more than noise is tried.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let words: Vec<&[u8]> = vec![
            b"GET ",
            b"HEAD ",
            b"POST ",
            b"/",
            b"?",
            b"/metrics",
            b" HTTP/1.1",
            b"\r\n",
            b"\n",
            b"\r\n\r\n",
            b"a: b\r\n",
            b":",
            b" ",
            b"\0",
            b"\xff",
        ];
        prop_oneof![
            8 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
            1 => proptest::collection::vec(any::<u8>(), 0..64),
            1 => (any::<u8>(), 0..LONGEST_HEAD * 2).prop_map(|(byte, times)| vec![byte; times]),
            1 => (0..MOST_FIELDS * 2).prop_map(|times| b"a: b\r\n".repeat(times)),
        ]
    }

    proptest! {
        /// Covers: HI-3.
        #[test]
        fn whatever_comes_is_refused_or_taken_within_the_limits(
            begins in any::<bool>(),
            pieces in proptest::collection::vec(piece(), 0..24),
        ) {
            let begins: &[u8] = if begins { b"GET / HTTP/1.1\r\n" } else { b"" };
            let bytes = [begins, &pieces.concat()].concat();

            match parse(&bytes) {
                Ok(Some(request)) => {
                    prop_assert!(bytes.len() <= LONGEST_HEAD);
                    prop_assert!(request.path.len() < bytes.len());
                    prop_assert!(!request.path.contains(['?', ' ', '\r', '\n']));
                }
                Ok(None) => prop_assert!(bytes.len() < LONGEST_HEAD),
                Err(_) => {}
            }
        }

        #[test]
        fn as_many_fields_as_there_may_be_and_no_more(fields in 0..MOST_FIELDS * 3) {
            let request = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(fields));

            prop_assert_eq!(path(&request).is_ok(), fields <= MOST_FIELDS);
        }
    }

    #[test]
    fn a_head_alone_has_the_length_of_the_body() {
        let answer = Answer::plain(Status::Ok, "body");

        let (whole, head) = (answer.bytes(false), answer.bytes(true));

        assert!(whole.ends_with(b"\r\n\r\nbody\n"));
        assert_eq!(whole[..head.len()], head);
        assert_eq!(whole.len(), head.len() + 5);
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains("Content-Length: 5\r\n"), "{head}");
    }
}
