//! The SHA-256 tree kernels of vram-residency: CUDA source, PTX, and the same source compiled for the CPU
