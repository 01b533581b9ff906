//! One function for each parser of bytes from outside. Each takes any bytes, and panics where the parser breaks
//! what it promises: that it answers, that what it accepts is sound, and that it accepts one form only where the
//! format has one.
//!
//! The fuzz targets call them under libFuzzer; the test `seeds` calls them with every seed, on any compiler.
#![forbid(unsafe_code)]

mod models;
mod provenance;
mod requests;
mod seals;
mod trails;
mod values;

pub use models::{gguf, safetensors};
pub use provenance::{bundle, certificates, checksums, manifest};
pub use requests::request;
pub use seals::{envelope, evidence, key, keys, seal_json, seal_record};
pub use trails::audit;
pub use values::values;

/// A target: its name, and the function behind it.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by name.
pub const TARGETS: [Target; 14] = [
    ("safetensors", safetensors),
    ("gguf", gguf),
    ("seal_record", seal_record),
    ("seal_json", seal_json),
    ("envelope", envelope),
    ("evidence", evidence),
    ("audit", audit),
    ("keys", keys),
    ("certificates", certificates),
    ("bundle", bundle),
    ("manifest", manifest),
    ("checksums", checksums),
    ("request", request),
    ("values", values),
];

/// What an error says must fit a log: it may quote what it refuses, not repeat all of it.
fn short(error: &impl std::fmt::Display) {
    let text = error.to_string();
    assert!(
        !text.is_empty() && text.len() < 8192,
        "{} bytes",
        text.len()
    );
}
