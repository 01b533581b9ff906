//! A simulated CUDA driver: fills the function table of vram-sys in software, with page protection and fault injection
