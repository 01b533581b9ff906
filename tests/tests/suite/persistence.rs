//! An input that made a property fail is kept, and tried first from then on.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

/// A runner as `proptest!` makes one for a test in this file, under the default configuration.
fn runner(file: &Path) -> TestRunner {
    // The path outlives the test, as that of a source file does.
    let file = Box::leak(file.to_str().unwrap().to_owned().into_boxed_str());
    let config = ProptestConfig {
        source_file: Some(file),
        test_name: Some("a::test"),
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
}

/// Tries a property that fails from 1000 on, and gives what it was tried with.
fn tried(file: &Path) -> (Vec<u32>, Option<u32>) {
    let tried = RefCell::new(Vec::new());
    let outcome = runner(file).run(&(0..1_000_000_u32), |number| {
        tried.borrow_mut().push(number);
        prop_assert!(number < 1000);
        Ok(())
    });
    let smallest = match outcome {
        Err(TestError::Fail(_, smallest)) => Some(smallest),
        Ok(()) => None,
        Err(other) => panic!("{other}"),
    };
    (tried.into_inner(), smallest)
}

#[test]
fn a_failing_input_is_written_beside_the_tests_and_tried_first_from_then_on() {
    let package = tempfile::tempdir().unwrap();
    let suite = package.path().join("tests/suite");
    fs::create_dir_all(&suite).unwrap();
    for file in ["main.rs", "numbers.rs"] {
        fs::write(suite.join(file), "").unwrap();
    }
    let file = suite.join("numbers.rs");

    let (first, smallest) = tried(&file);
    assert_eq!(
        smallest,
        Some(1000),
        "it shrinks to the smallest that fails"
    );
    let kept = package
        .path()
        .join("tests/proptest-regressions/numbers.txt");
    let text = fs::read_to_string(&kept).unwrap();
    assert!(text.contains("shrinks to"), "{text}");

    let (again, _) = tried(&file);
    let failed = first.iter().find(|number| **number >= 1000).unwrap();
    assert_eq!(again.first(), Some(failed), "what failed is tried first");
}
