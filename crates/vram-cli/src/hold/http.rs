//! As much of HTTP/1.1 (RFC 9112) as serving three small pages takes: one request, one answer, the end. What a request
//! asks for is read in `request`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::request::{LONGEST_HEAD, Request, Status, parse};

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

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) content_type: &'static str,
    pub(super) body: String,
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
    use super::*;

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
