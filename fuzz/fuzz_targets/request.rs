#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vram_fuzz::request(data));
