//! Small trees of sources, and what is found in them.

use std::collections::BTreeSet;
use std::path::Path;

use tempfile::TempDir;

use super::rows::{Catalogue, Row};
use super::source::{self, Claimed, Kind, Test};
use super::targets::Target;
use super::{check, targets};

/// A folder with files in it.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn claimed(files: &[(&str, &str)]) -> Claimed {
    let tree = tree(files);
    let target = Target {
        binary_id: "sample".to_owned(),
        root: tree.path().join(files[0].0),
        beside_the_code: true,
    };
    source::read(tree.path(), &target).unwrap()
}

/// What each test claims, under its id.
fn found(claimed: &Claimed) -> Vec<(&str, Vec<&str>)> {
    let tests = claimed.tests.iter();
    tests
        .map(|test| (test.id.as_str(), test.counted().collect()))
        .collect()
}

#[test]
fn a_claim_is_found_where_its_test_stands() {
    let claimed = claimed(&[
        (
            "src/lib.rs",
            "mod beside;\nmod within;\nmod inline { mod deeper; }\n#[path = \"elsewhere/odd.rs\"]\nmod named;\n
            #[cfg(test)]\nmod tests {\n  /// Covers: FN-1.\n  #[test]\n  fn at_the_root() {}\n}\n",
        ),
        ("src/beside.rs", "mod child;\n/// Covers: FN-2.\n#[test]\nfn x() {}"),
        ("src/beside/child.rs", "/// Covers: FN-3.\n#[test]\nfn x() {}"),
        ("src/within/mod.rs", "mod child;"),
        ("src/within/child.rs", "/// Covers: FN-4.\n#[test]\nfn x() {}"),
        ("src/inline/deeper.rs", "/// Covers: FN-5.\n#[test]\nfn x() {}"),
        ("src/elsewhere/odd.rs", "mod child;"),
        ("src/elsewhere/child.rs", "/// Covers: FN-6.\n#[test]\nfn x() {}"),
    ]);

    assert_eq!(claimed.problems, [""; 0]);
    assert_eq!(
        found(&claimed),
        [
            ("sample beside::child::x", vec!["FN-3"]),
            ("sample beside::x", vec!["FN-2"]),
            ("sample within::child::x", vec!["FN-4"]),
            ("sample inline::deeper::x", vec!["FN-5"]),
            ("sample named::child::x", vec!["FN-6"]),
            ("sample tests::at_the_root", vec!["FN-1"]),
        ]
    );
}

#[test]
fn property_tests_are_found_and_known_as_such() {
    let claimed = claimed(&[(
        "lib.rs",
        "proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]

            /// Any.
            ///
            /// Covers: FN-1.
            #[test]
            fn in_the_macro(x in 0..9_u8, (y, z) in pair()) { prop_assert!(x < 9); }

            #[test]
            fn without_a_claim(x: u8) {}
        }
        /// Covers: FN-2.
        #[test]
        fn on_its_own() { proptest!(|(x in 0..9_u8)| { assert!(x < 9); }); }
        #[test]
        fn plain() { assert!(true); }",
    )]);

    assert_eq!(claimed.problems, [""; 0]);
    let kinds: Vec<_> = claimed
        .tests
        .iter()
        .map(|test| (test.name(), test.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("in_the_macro", Kind::Property),
            ("without_a_claim", Kind::Property),
            ("on_its_own", Kind::Property),
            ("plain", Kind::Unit),
        ]
    );
    assert_eq!(found(&claimed)[0], ("sample in_the_macro", vec!["FN-1"]));
    assert_eq!(found(&claimed)[2], ("sample on_its_own", vec!["FN-2"]));
}

#[test]
fn what_is_not_compiled_here_is_no_test_and_no_mistake() {
    let claimed = claimed(&[(
        "lib.rs",
        "#[cfg(loom)]\nmod loom { /// Covers: FN-1.\n #[test] fn x() {} }
        #[cfg(loom)]\nmod not_even_there;
        /// Covers: FN-1.\n#[test]\n#[cfg(not(test))]\nfn left_out() {}",
    )]);

    assert_eq!(claimed.problems, [""; 0]);
    assert_eq!(claimed.tests.len(), 0, "{:?}", claimed.tests);
}

/// Covers: QA-1.
#[test]
fn a_claim_on_what_is_no_test_is_a_mistake() {
    for source in [
        "/// Covers: FN-1.\nfn helper() {}",
        "/// Covers: FN-1.\nmod empty {}",
        "//! Covers: FN-1.\n",
        "some! { /// Covers: FN-1.\n #[test] fn made_by_a_macro() {} }",
        "proptest! { /// Covers: FN-1.\n fn no_test(x in 0..9) {} }",
        "impl X { /// Covers: FN-1.\n #[test] fn method() {} }",
    ] {
        let claimed = claimed(&[("lib.rs", source)]);

        assert_eq!(
            claimed.problems,
            ["lib.rs: `Covers: FN-1.` stands on something that is not a test"],
            "{source}"
        );
    }
}

/// Covers: QA-1.
#[test]
fn a_plain_comment_and_an_ignored_test_show_nothing() {
    let claimed = claimed(&[(
        "lib.rs",
        "// Covers: FN-1.\n#[test]\nfn commented() {}\n/// Covers: FN-1.\n#[test]\n#[ignore = \"slow\"]\nfn ignored() {}",
    )]);

    assert_eq!(
        found(&claimed),
        [("sample commented", vec![]), ("sample ignored", vec![])]
    );
    assert_eq!(
        claimed.problems,
        ["sample ignored: it is ignored, so what it claims (FN-1) is not shown"]
    );
}

#[test]
fn a_binary_is_called_as_nextest_calls_it() {
    let tree = tree(&[
        (
            "Cargo.toml",
            "[package]\nname = \"some-crate\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[[bin]]\nname = \"other\"\npath = \"src/main.rs\"\n[[test]]\nname = \"off\"\ntest = false\n",
        ),
        ("src/lib.rs", ""),
        ("src/main.rs", "fn main() {}"),
        ("tests/suite/main.rs", ""),
        ("tests/single.rs", ""),
        ("tests/off.rs", ""),
        ("examples/shown.rs", "fn main() {}"),
    ]);

    let targets = targets::of_workspace(tree.path()).unwrap();

    let ids: BTreeSet<_> = targets
        .iter()
        .map(|target| target.binary_id.as_str())
        .collect();
    let expected = [
        "some-crate",
        "some-crate::bin/other",
        "some-crate::single",
        "some-crate::suite",
    ];
    assert_eq!(ids, BTreeSet::from(expected));
}

fn row(id: &str, fixed_name: &str, tests: &[&str]) -> Row {
    Row {
        id: id.to_owned(),
        doc: "20_security".to_owned(),
        section: "Section".to_owned(),
        title: "Title".to_owned(),
        means: "It holds.".to_owned(),
        severity: None,
        mitigation: None,
        seed_test: fixed_name.to_owned(),
        device: false,
        tests: tests.iter().map(|id| (*id).to_owned()).collect(),
    }
}

fn test(id: &str, claims: &[&str]) -> Test {
    Test {
        id: id.to_owned(),
        kind: Kind::Unit,
        ignored: false,
        claims: claims.iter().map(|claim| (*claim).to_owned()).collect(),
    }
}

/// What is wrong with rows and tests, but for how few rows there are.
fn wrong(rows: &[Row], tests: &[Test], page: &str) -> Vec<String> {
    let tree = tree(&[("docs/spec/20_security.md", page)]);
    let catalogue = Catalogue {
        requirements: rows.to_vec(),
        vulnerabilities: Vec::new(),
    };
    let mut problems = check::problems(tree.path(), &catalogue, tests);
    problems.retain(|problem| !problem.ends_with("rows are never dropped"));
    problems
}

#[test]
fn a_catalogue_that_its_tests_cover_is_in_order() {
    let rows = [
        row("FN-1", "test_it", &["a test_it", "b x"]),
        row("FN-2", "(87 unit tests)", &["c y"]),
    ];
    let mut tests = vec![
        test("a test_it", &["FN-1"]),
        test("b x", &["FN-1"]),
        test("c y", &["FN-2"]),
    ];
    tests.extend((0..84).map(|number| test(&format!("d {number}"), &[])));

    assert_eq!(wrong(&rows, &tests, "FN-1 and FN-2."), [""; 0]);

    tests.pop();
    assert_eq!(
        wrong(&rows, &tests, "FN-1 and FN-2."),
        ["FN-2: there are 86 unit tests, and 87 are asked for"]
    );
}

/// Covers: QA-1.
#[test]
fn each_way_to_claim_too_much_or_too_little_is_named() {
    let one = || row("FN-1", "", &["a x"]);
    let two = || row("FN-2", "", &["a x"]);
    let cases: [(&[Row], &[Test], &str); 6] = [
        (
            &[one()],
            &[test("a x", &["FN-1"]), test("a y", &["FN-9"])],
            "a y: it claims FN-9, which is no row",
        ),
        (&[row("FN-1", "", &[])], &[], "FN-1: no test claims it"),
        (
            &[one(), two()],
            &[test("a x", &["FN-1", "FN-2"])],
            "FN-1: each test that claims it claims others too, and one must be its own",
        ),
        (
            &[row("FN-1", "test_it", &["a x"])],
            &[test("a x", &["FN-1"])],
            "FN-1: no test called test_it claims it",
        ),
        (
            &[one()],
            &[test("a x", &["FN-1"]), test("b x", &["FN-1"])],
            "FN-1: its list of tests is not what the tests claim; `cargo xtask catalogue --write` renews it",
        ),
        (
            &[one(), one()],
            &[test("a x", &["FN-1"])],
            "FN-1 is there twice",
        ),
    ];
    for (rows, tests, expected) in cases {
        let problems = wrong(rows, tests, "FN-1, FN-2");

        assert_eq!(
            problems.first().map(String::as_str),
            Some(expected),
            "{problems:?}"
        );
    }
}

#[test]
fn a_row_whose_only_test_is_ignored_has_none() {
    let mut ignored = test("a x", &["FN-1"]);
    ignored.ignored = true;

    assert_eq!(
        wrong(&[row("FN-1", "", &[])], &[ignored], "FN-1"),
        ["FN-1: no test claims it"]
    );
}

#[test]
fn a_row_about_the_device_has_a_test_that_runs_on_one() {
    let mut about_the_device = row("FN-1", "", &["a x"]);
    about_the_device.device = true;
    let simulated = wrong(
        &[about_the_device.clone()],
        &[test("a x", &["FN-1"])],
        "FN-1",
    );
    about_the_device.tests = vec!["vram-tests::drivers m::x".to_owned()];
    let on_a_device = wrong(
        &[about_the_device],
        &[test("vram-tests::drivers m::x", &["FN-1"])],
        "FN-1",
    );

    assert_eq!(
        simulated,
        ["FN-1: it is about the device, and no test that runs on one claims it"]
    );
    assert_eq!(on_a_device, [""; 0]);
}

#[test]
fn a_row_stands_on_its_page() {
    let rows = [row("FN-1", "", &["a x"])];
    let tests = [test("a x", &["FN-1"])];
    let missing = ["FN-1: docs/spec/20_security.md says nothing of it"];

    assert_eq!(wrong(&rows, &tests, "See FN-1."), [""; 0]);
    assert_eq!(wrong(&rows, &tests, "See FN-1.2 and FN-11."), missing);

    let mut elsewhere = rows;
    elsewhere[0].doc = "30_other".to_owned();
    assert_eq!(
        wrong(&elsewhere, &tests, "FN-1"),
        ["FN-1: there is no page 30_other"]
    );
}

#[test]
fn rows_cannot_be_dropped() {
    let catalogue = Catalogue {
        requirements: Vec::new(),
        vulnerabilities: Vec::new(),
    };

    let problems = check::problems(Path::new("/nowhere"), &catalogue, &[]);

    let expected = [
        "there are 0 requirements of 55: rows are never dropped",
        "there are 0 vulnerabilities of 7: rows are never dropped",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn a_test_that_nextest_does_not_know_is_named() {
    let listed = BTreeSet::from(["a x".to_owned()]);
    let mut ignored = test("a z", &[]);
    ignored.ignored = true;
    let tests = [test("a x", &[]), test("a y", &["FN-1"]), ignored];

    assert_eq!(
        check::unlisted(&tests, &listed),
        ["a y: nextest lists no such test"]
    );
}

/// Covers: TS-1.1, TS-1.2.
#[test]
fn there_are_as_many_tests_as_the_rows_ask_for() {
    let root = crate::process::workspace();
    let catalogue = super::load(&root).unwrap();
    let claimed = super::claimed(&root).unwrap();

    let problems = check::problems(&root, &catalogue, &claimed.tests);

    let few = (problems.iter()).filter(|problem| problem.ends_with("are asked for"));
    assert_eq!(few.count(), 0, "{problems:?}");
}

#[test]
fn a_test_of_which_nothing_came_is_named() {
    let root = crate::process::workspace();
    let all = super::claimed(&root).unwrap().tests;
    let mut results: BTreeSet<String> = all.into_iter().map(|test| test.id).collect();
    assert_eq!(super::without_result(&root, &results).unwrap(), [""; 0]);

    let missing = results.pop_first().unwrap();

    assert_eq!(super::without_result(&root, &results).unwrap(), [missing]);
}
