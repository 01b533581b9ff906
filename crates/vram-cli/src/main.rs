//! The `vram` command: seals model files into GPU memory, and verifies them there.
//!
//! One module a command. What a user sees is written in [`output`] and [`exit`] alone.
#![forbid(unsafe_code)]

mod attest;
mod audit;
mod bench;
mod challenge;
mod cli;
mod device;
mod devices;
mod digest;
mod doctor;
mod drill;
mod exit;
mod hardening;
mod hold;
mod key;
mod keygen;
mod logging;
mod output;
mod profile;
mod progress;
mod quantity;
mod seal;
mod session;
mod shown;
mod trail;
mod verify_evidence;

fn main() -> std::process::ExitCode {
    hardening::begin();
    cli::run(std::env::args_os()).into()
}
