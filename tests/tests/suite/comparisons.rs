//! What is compared in constant time is compared by the one function that does so.
//!
//! How long comparisons take is measured by `cargo xtask timing`. That no type of a tag or digest has another
//! comparison can be read from the sources.

use std::fs;

use crate::outside::workspace;

/// The files of vram-seal that define what is compared, and the types in them.
const COMPARED: [(&str, &[&str]); 3] = [
    ("digest.rs", &["$name"]),
    ("hmac.rs", &["ComputedTag"]),
    ("tag.rs", &["SealTag"]),
];

/// How long a comparison takes is measured by `cargo xtask timing`; that nothing else compares is seen here.
///
/// Covers: CI-003.
#[test]
fn what_compares_digests_and_tags_does_it_in_constant_time() {
    for (file, compared) in [
        ("digest.rs", "constant_time_eq_32(&self.0, &other.0)"),
        ("tag.rs", "constant_time_eq_32(&self.0, &other.0)"),
        ("hmac.rs", "constant_time_eq_32(&self.0, received)"),
    ] {
        let path = workspace().join("crates/vram-seal/src").join(file);
        let source = fs::read_to_string(path).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();

        let bodies: Vec<_> = code.split("-> bool {").skip(1).collect();

        assert_eq!(bodies.len(), 1, "{file}");
        let body = bodies[0].split('}').next().unwrap().trim();
        assert_eq!(body, compared, "{file}");
    }
}

/// Covers: VU-7.
#[test]
fn tags_and_digests_have_no_comparison_but_the_one_in_constant_time() {
    for (file, types) in COMPARED {
        let path = workspace().join("crates/vram-seal/src").join(file);
        let source = fs::read_to_string(path).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();

        for compared in types {
            let definition = format!("struct {compared}(");
            let at = code
                .find(&definition)
                .unwrap_or_else(|| panic!("{file}: no {definition}"));
            let derived = code[..at]
                .rsplit("#[derive(")
                .next()
                .unwrap()
                .split(')')
                .next()
                .unwrap();
            for comparison in ["PartialEq", "PartialOrd", "Ord", "Hash"] {
                assert!(
                    !derived.contains(comparison),
                    "{file}: {compared} derives {comparison}"
                );
            }
        }
        assert!(code.contains("constant_time_eq_32(&self.0, "), "{file}");
        assert!(!code.contains("self.0 == "), "{file}");
    }
}
