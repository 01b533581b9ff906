//! What the host computes of the bytes on their way.

use clap::ValueEnum;
use vram_residency::HostHashing;

/// The library's ways of hashing, as the command line names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Hashing {
    /// The content and the verity digest
    #[default]
    Both,
    /// The verity digest alone, on all cores
    Verity,
    /// Nothing: the device must measure the digest of --expect-verity
    Trusted,
}

impl From<Hashing> for HostHashing {
    fn from(hashing: Hashing) -> Self {
        match hashing {
            Hashing::Both => Self::ContentAndVerity,
            Hashing::Verity => Self::Verity,
            Hashing::Trusted => Self::Trusted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_and_the_library_use_the_same_names() {
        for hashing in Hashing::value_variants() {
            let name = hashing.to_possible_value().unwrap();
            assert_eq!(name.get_name(), HostHashing::from(*hashing).name());
        }
    }
}
