//! The kernels as the driver loads them.

use core::ffi::CStr;

/// The kernels' PTX, for `cuModuleLoadDataEx`: built for compute capability 7.5, so the driver compiles it for
/// every GPU from Turing on, and declared as PTX 7.0, which every driver from R525 (CUDA 12.0) accepts.
///
/// Made from this crate's `cuda/` by `cargo xtask kernels`; `cargo xtask kernels --check` fails when it
/// is stale.
pub const PTX: &CStr = match CStr::from_bytes_with_nul(
    concat!(include_str!("../ptx/vram_kernels.ptx"), "\0").as_bytes(),
) {
    Ok(ptx) => ptx,
    Err(_) => c"",
};

const _: () = assert!(!PTX.is_empty(), "the PTX file is empty or holds a NUL");

/// SHA-256 of [`PTX`] without its NUL, in lower-case hexadecimal: which kernels a measurement was made with.
/// `sha256sum ptx/vram_kernels.ptx` prints the same.
pub const PTX_SHA256: &str = include_str!("../ptx/vram_kernels.ptx.sha256").trim_ascii_end();

const _: () = assert!(
    PTX_SHA256.len() == 64,
    "the PTX digest file does not hold one SHA-256"
);

/// The probe kernels' PTX, made and declared as [`PTX`] is.
pub const PROBES_PTX: &CStr = match CStr::from_bytes_with_nul(
    concat!(include_str!("../ptx/vram_probes.ptx"), "\0").as_bytes(),
) {
    Ok(ptx) => ptx,
    Err(_) => c"",
};

const _: () = assert!(
    !PROBES_PTX.is_empty(),
    "the probes' PTX file is empty or holds a NUL"
);

/// SHA-256 of [`PROBES_PTX`], as [`PTX_SHA256`] is of [`PTX`].
pub const PROBES_PTX_SHA256: &str = include_str!("../ptx/vram_probes.ptx.sha256").trim_ascii_end();

const _: () = assert!(
    PROBES_PTX_SHA256.len() == 64,
    "the probes' PTX digest file does not hold one SHA-256"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kernel;

    const IMAGES: [(&CStr, &str); 2] = [(PTX, PTX_SHA256), (PROBES_PTX, PROBES_PTX_SHA256)];

    fn lines(image: &'static CStr) -> impl Iterator<Item = &'static str> {
        image.to_str().unwrap().lines()
    }

    #[test]
    fn ptx_is_declared_for_the_oldest_driver_and_chip() {
        for (image, _) in IMAGES {
            assert_eq!(
                lines(image).find(|line| line.starts_with(".version")),
                Some(".version 7.0")
            );
            assert_eq!(
                lines(image).find(|line| line.starts_with(".target")),
                Some(".target sm_75")
            );
            assert!(lines(image).any(|line| line == ".address_size 64"));
        }
    }

    #[test]
    fn ptx_has_an_entry_for_every_kernel_with_its_one_parameter() {
        for kernel in Kernel::ALL {
            let name = kernel.name().to_str().unwrap();
            let size = kernel.args_size();
            let entry = format!(".visible .entry {name}(");
            let parameter = format!(".param .align 8 .b8 {name}_param_0[{size}]");
            let mut following = lines(kernel.ptx()).skip_while(|line| *line != entry);
            assert!(following.next().is_some(), "{name}");
            let mut following = following.map(str::trim);
            assert_eq!(following.next(), Some(parameter.as_str()));
            assert_eq!(following.next(), Some(")"), "{name} takes one parameter");
        }
        let entries = IMAGES.iter().flat_map(|(image, _)| lines(image));
        assert_eq!(
            entries.filter(|line| line.contains(".entry")).count(),
            Kernel::ALL.len()
        );
    }

    #[test]
    fn ptx_keeps_everything_in_registers() {
        for (image, _) in IMAGES {
            assert!(
                !lines(image).any(|line| line.contains(".local")),
                "a kernel uses local memory"
            );
        }
    }

    #[test]
    fn ptx_carries_no_comment_and_no_path() {
        for (image, _) in IMAGES {
            assert!(!lines(image).any(|line| line.contains("//") || line.contains(".file")));
        }
    }

    #[test]
    fn digest_is_that_of_the_ptx() {
        for (image, expected) in IMAGES {
            let digest = ring::digest::digest(&ring::digest::SHA256, image.to_bytes());
            let hex: String = digest
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(expected, hex);
        }
    }
}
