//! What the messages say.

use super::*;

#[test]
fn a_file_that_changed_is_told_how() {
    let said = |read| {
        let shard = "one".parse().unwrap();
        Error::Changed {
            shard,
            read,
            size: 10,
        }
        .to_string()
    };

    assert!(said(7).contains("it ended after 7 of 10 bytes"));
    assert!(said(10).contains("its 10 bytes are not those it had at first"));
    assert!(said(11).contains("it grew past 10 bytes"));
}

#[test]
fn differences_are_listed_and_the_rest_is_counted() {
    let missing = FolderDifference::Missing("a".to_owned());
    let both = [missing.clone(), FolderDifference::Missing("b".to_owned())];

    assert_eq!(
        listed(std::slice::from_ref(&missing), 0),
        missing.to_string()
    );
    assert!(listed(&both, 0).contains("; "));
    assert!(listed(&both, 3).ends_with("; and 3 more"));
}
