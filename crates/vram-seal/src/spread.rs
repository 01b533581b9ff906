//! When work is worth other threads.

/// Whether so much work is handed to other threads, of which waking them pays from `from` on. What comes out is the same
/// either way.
pub(crate) const fn pays(work: usize, from: usize) -> bool {
    work >= from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_handed_out_from_the_threshold_on() {
        assert!(!pays(0, 2));
        assert!(!pays(1, 2));
        assert!(pays(2, 2));
        assert!(pays(3, 2));
    }
}
