//! The workspace's own tasks, run as `cargo xtask <task>`.

mod bindings;
mod campaign;
mod catalogue;
mod faults;
mod fsverity;
mod fuzz;
mod gpu;
mod kernels;
mod link_stub;
mod miri;
mod model;
mod models;
mod mutants;
mod planted_breaks;
mod process;
mod proof;
mod properties;
mod public_api;
mod python;
mod source_copy;
mod suites;
mod summary;
mod test;
mod test_id;
mod timing;
mod tsan;
mod wheels;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The workspace's own tasks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Formatting, clippy, the catalogue, every test and the doc tests.
    Test(test::Options),
    /// Compares the requirement catalogue with the tests that claim its rows.
    Catalogue(catalogue::Options),
    /// Generates the CUDA driver bindings of vram-sys from NVIDIA's header.
    Bindings(bindings::Options),
    /// Compiles the GPU kernels to the PTX that is committed.
    Kernels(kernels::Options),
    /// Makes the stub that the feature `cust` links against where there is no CUDA, and prints its folder.
    LinkStub(link_stub::Options),
    /// Packs what runs on a GPU host, and turns what it measured into a page.
    Gpu(gpu::Options),
    /// Compares the public API of each published library with the text that is committed.
    PublicApi(public_api::Options),
    /// Runs the models of what threads share, under many interleavings.
    Models(models::Options),
    /// Interprets tests of the crates with unsafe code, and looks for undefined behaviour.
    Miri(miri::Options),
    /// Looks for data races in the tests with threads, with a sanitizer.
    Tsan(tsan::Options),
    /// Installs the Python packages that tests compare with, and prints the Python that has them.
    Python(python::Options),
    /// Fetches the real model that the end-to-end test seals.
    Model(model::Options),
    /// Lets a fuzzer look for bytes that break a parser.
    Fuzz(fuzz::Options),
    /// Runs every test and writes what they came to as signed evidence, or checks such evidence.
    ProofBundle(proof::Options),
    /// Breaks the code once for each row of the catalogue, and requires that a test notices.
    PlantedBreaks(planted_breaks::Options),
    /// Changes the code in every small way, and requires that a test notices each.
    Mutants(mutants::Options),
    /// Runs the property tests, and no others, with as many cases as asked for.
    Properties(properties::Options),
    /// Flips random bits of sealed shards, and requires that each is found and located.
    Faults(faults::Options),
    /// Tests what the kernel measures of files with fs-verity, in an emulated machine whose file system has it.
    Fsverity(fsverity::Options),
    /// Measures whether comparing tags and digests takes a time that says where they differ.
    Timing(timing::Options),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Catalogue(options) => catalogue::run(&options),
        Task::Bindings(options) => bindings::run(&options),
        Task::Kernels(options) => kernels::run(&options),
        Task::LinkStub(options) => link_stub::run(&options),
        Task::Gpu(options) => gpu::run(&options),
        Task::PublicApi(options) => public_api::run(&options),
        Task::Models(options) => models::run(&options),
        Task::Miri(options) => miri::run(&options),
        Task::Tsan(options) => tsan::run(&options),
        Task::Python(options) => python::run(&options),
        Task::Model(options) => model::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::ProofBundle(options) => proof::run(&options),
        Task::PlantedBreaks(options) => planted_breaks::run(&options),
        Task::Mutants(options) => mutants::run(&options),
        Task::Properties(options) => properties::run(&options),
        Task::Faults(options) => faults::run(&options),
        Task::Fsverity(options) => fsverity::run(&options),
        Task::Timing(options) => timing::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::report(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
