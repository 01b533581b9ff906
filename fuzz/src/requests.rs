//! The head of a request, as `vram seal --hold --metrics` reads it.

// The command is a program and no library.
#[path = "../../crates/vram-cli/src/hold/request.rs"]
#[expect(dead_code, reason = "what it answers is not sent")]
mod head;

use head::{LONGEST_HEAD, Request, Status, parse};

/// Bytes as they come from a client: whole, and piece by piece.
pub fn request(bytes: &[u8]) {
    let whole = parse(bytes);
    match &whole {
        Ok(Some(request)) => sound(bytes, request),
        // More may come only where there is room for more.
        Ok(None) => assert!(bytes.len() < LONGEST_HEAD),
        Err(status) => assert!(!matches!(
            status,
            Status::Ok | Status::NotFound | Status::Unavailable
        )),
    }
    if bytes.len() > LONGEST_HEAD {
        return;
    }
    // A client is answered once its head is complete or can't become one; what it sends after that is not looked at.
    let step = (bytes.len() / 64).max(1);
    let first = (0..bytes.len())
        .step_by(step)
        .map(|end| parse(&bytes[..end]))
        .find(|parsed| !matches!(parsed, Ok(None)));
    match first {
        Some(Ok(answered)) => assert_eq!(whole, Ok(answered)),
        Some(Err(_)) => assert!(whole.is_err()),
        None => {}
    }
}

fn sound(bytes: &[u8], request: &Request) {
    assert!(bytes.len() <= LONGEST_HEAD);
    assert!(request.path.len() < bytes.len());
    assert!(!request.path.contains(['?', ' ', '\r', '\n', '\0']));
    let starts = if request.head_only { "HEAD " } else { "GET " };
    let head = bytes.trim_ascii_start();
    assert!(head.starts_with(starts.as_bytes()));
}
