//! What it ran on, and the stages of the run.

use super::markdown::Page;
use crate::gpu::results::Results;

pub(super) fn environment(page: &mut Page, results: &Results) {
    let environment = &results.environment;
    page.title(2, "Environment");
    page.table(&["", ""]);
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            page.row(&[name.to_owned(), value]);
        }
    };
    row("run", Some(environment.date.clone()));
    for (name, value) in environment.gpu.iter().flatten() {
        row(&format!("GPU, {name}"), value.clone());
    }
    row("kernel", environment.kernel.clone());
    row("system", environment.system.clone());
    row("glibc", environment.glibc.clone());
    row("CPU", environment.cpu.clone());
    let cores = environment.cores.map(|cores| cores.to_string());
    row("cores", cores);
    let instructions = if environment.sha_instructions {
        "yes"
    } else {
        "no"
    };
    row("SHA instructions", Some(instructions.to_owned()));
    let memory = environment
        .memory
        .map(|bytes| format!("{} MiB", bytes >> 20));
    row("memory, as the kernel said at the start", memory);
    for (name, value) in &environment.tools {
        row(name, value.clone());
    }
    if let Some(archive) = &environment.archive {
        row("built by", Some(archive.rustc.clone()));
        row("version", Some(archive.version.clone()));
    }
}

pub(super) fn stages(page: &mut Page, results: &Results) {
    page.title(2, "Stages");
    page.table(&["stage", "outcome", "seconds", ""]);
    for stage in &results.stages {
        page.row(&[
            stage.name.clone(),
            stage.outcome.clone(),
            stage.seconds.to_string(),
            stage.why.clone().unwrap_or_default(),
        ]);
    }
}
