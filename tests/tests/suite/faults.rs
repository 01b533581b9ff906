//! The fault campaign, in small: `cargo xtask faults` runs it at length.

use vram_tests::faults::{Campaign, Driver};

fn campaign(flips: u64, seed: u64, threads: usize) -> Campaign {
    Campaign {
        flips,
        seed,
        driver: Driver::Simulated,
        threads,
        commit: None,
    }
}

#[test]
fn every_flip_of_a_campaign_is_found_and_located() {
    let report = campaign(2000, 0x5eed, 2).run(&|_| {}).unwrap();

    assert!(report.passed, "{report}");
    assert_eq!((report.flips, report.missed), (2000, 0));
    assert_eq!((report.found, report.located), (2000, 2000));
    assert!(report.simulated && report.single_bit > 0 && report.multi_bit > 0);
    assert!(report.sizes.iter().all(|size| size.flips > 0));
    assert_eq!(report.sizes.len(), 4, "a class of sizes was left out");
}

#[test]
fn what_is_not_found_or_not_located_is_told_as_that() {
    let report = campaign(1, 1, 1).run(&|_| {}).unwrap();

    let told: Vec<_> = report
        .controls
        .iter()
        .map(|control| {
            let name = control.control.to_string();
            (name, control.flips, control.found, control.located)
        })
        .collect();
    let expected = [("undone", 0), ("elsewhere", 32), ("incomplete", 32)];
    assert_eq!(
        told,
        expected.map(|(name, found)| (name.to_owned(), 32, found, 0))
    );
}

#[test]
fn the_same_seed_makes_the_same_campaign_whatever_the_threads() {
    let [one, other] = [1, 3].map(|threads| campaign(300, 42, threads).run(&|_| {}).unwrap());

    assert_eq!(one.kinds, other.kinds);
    assert_eq!(one.sizes, other.sizes);
    assert_eq!((one.bits, one.found), (other.bits, other.found));
}

#[test]
fn a_campaign_without_flips_is_refused() {
    assert!(campaign(0, 1, 1).run(&|_| {}).is_err());
}
