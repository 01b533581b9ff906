//! Compiles the kernels for the CPU when the feature `cpu` asks for that. Needs a C++17 compiler, no CUDA.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cpu")]
    cpu::build();
}

#[cfg(feature = "cpu")]
mod cpu {
    pub(super) fn build() {
        println!("cargo::rerun-if-changed=cuda");
        if std::env::var_os("CARGO_CFG_UNIX").is_none() {
            println!(
                "cargo::error=vram-kernels: the feature `cpu` guards launches by Unix signals; turn it off here"
            );
            return;
        }
        cc::Build::new()
            .cpp(true)
            .std("c++17")
            // Hashing is what a simulated run spends its time on, in a debug build no less.
            .opt_level(3)
            // Sixteen words of a schedule tempt the vectoriser, to no good: a fifth slower.
            .flag_if_supported("-fno-tree-slp-vectorize")
            .flag("-fno-exceptions")
            .flag("-fno-rtti")
            .warnings(true)
            .extra_warnings(true)
            .flag_if_supported("-Wno-unknown-pragmas")
            // Nothing of the C++ run-time library is used, so none is linked.
            .cpp_link_stdlib(None)
            .files(["cuda/cpu/guard.cpp", "cuda/cpu/launch.cpp"])
            .compile("vram_kernels_cpu");
    }
}
