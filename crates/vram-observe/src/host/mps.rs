//! The control daemon of the Multi-Process Service.

use std::path::PathBuf;

use super::files::Files;

/// What the daemon's process is called; the kernel keeps fifteen letters of a name.
const PROCESS: &str = "nvidia-cuda-mps";

/// Whether a control daemon answers in a directory.
///
/// The daemon puts its `control` socket there, and `nvidia-cuda-mps-control.pid` with its process id.
/// Neither: there is none. The process id of a live process of that name: there is one. Anything else may be
/// what a daemon left behind, or a daemon that this process can't see, as from within a container: that
/// can't be told.
pub(super) fn daemon(files: &Files, directory: PathBuf) -> Option<bool> {
    let socket = files.exists(directory.join("control"))?;
    let record = directory.join("nvidia-cuda-mps-control.pid");
    let recorded = files.exists(&record)?;
    if !socket && !recorded {
        return Some(false);
    }
    let pid = files.number::<u32>(&record)?;
    let name = files.process_name(pid)?;
    name.starts_with(PROCESS).then_some(true)
}
