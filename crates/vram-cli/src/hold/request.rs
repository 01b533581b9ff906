//! The head of a request: as much of HTTP/1.1 (RFC 9112) as serving three small pages takes.

/// The longest head of a request that is read, in bytes.
pub(crate) const LONGEST_HEAD: usize = 8 << 10;

/// The most header fields of a request.
const MOST_FIELDS: usize = 64;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The path, without what follows a question mark.
    pub(crate) path: String,
    /// Whether only the answer's head is wanted.
    pub(crate) head_only: bool,
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    Unavailable,
}

impl Status {
    pub(crate) const fn line(self) -> &'static str {
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

/// What the bytes of a request ask for; none while its head is not complete.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Request>, Status> {
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
}
