//! Which C library a program needs, read off the symbol versions that it names.

/// The newest version of glibc that a program asks for, as (major, minor): older hosts don't start it.
///
/// The dynamic loader compares version names such as `GLIBC_2.34`, which stand in the program as strings
/// that end in a zero byte, stripped or not.
pub(crate) fn glibc_needed(program: &[u8]) -> Option<(u32, u32)> {
    program
        .split(|byte| *byte == 0)
        .filter_map(|string| string.strip_prefix(b"GLIBC_"))
        .filter_map(|version| {
            let (major, minor) = std::str::from_utf8(version).ok()?.split_once('.')?;
            // A third number marks a fix to a version, not a newer one.
            let minor = minor.split('.').next().unwrap_or(minor);
            Some((major.parse().ok()?, minor.parse().ok()?))
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_named_is_what_is_needed() {
        let program = b"\x7fELF\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.2.5\0GLIBCXX_3.4.30\0";

        assert_eq!(glibc_needed(program), Some((2, 34)));
    }

    #[test]
    fn text_that_only_mentions_a_version_does_not_count() {
        assert_eq!(glibc_needed(b"\0needs GLIBC_2.99\0GLIBC_PRIVATE\0"), None);
    }

    #[test]
    fn this_program_needs_some_glibc() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();

        let needed = glibc_needed(&own);

        assert!(cfg!(not(target_env = "gnu")) || needed.is_some());
    }
}
