//! Why there is no device to examine, and what to do about that.

use std::path::Path;

use serde::Serialize;
use vram_alloc::Error;
use vram_sys::LoadError;

/// No device could be asked.
#[derive(Debug, Serialize)]
pub(super) struct Absence {
    /// What the driver, or its loader, says.
    pub(super) reason: String,
    signs: Signs,
    pub(super) remedies: Vec<String>,
}

/// What tells a card that is absent from one that isn't reached. All of it is about Linux.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Signs {
    /// Display controllers and accelerators by NVIDIA on the PCI bus; nothing where the bus can't be seen.
    cards_on_bus: Option<usize>,
    /// NVIDIA's kernel module is loaded.
    kernel_module: bool,
    /// There is a device file to reach it by.
    device_file: bool,
    /// This is a container, by the files that its makers leave.
    container: bool,
    /// The GPU belongs to a Windows host.
    windows_subsystem: bool,
}

impl Absence {
    pub(super) fn of(error: &Error) -> Self {
        let signs = Signs::look(Path::new("/"));
        Self {
            reason: error.to_string(),
            signs,
            remedies: remedies(error, signs),
        }
    }

    /// A driver that works and lists no device.
    pub(super) fn of_devices() -> Self {
        let signs = Signs::look(Path::new("/"));
        Self {
            reason: "the driver lists no device".to_owned(),
            signs,
            remedies: not_offered(signs),
        }
    }
}

impl Signs {
    /// Looks at the files of the system whose root this is.
    fn look(root: &Path) -> Self {
        let there = |path: &str| root.join(path).exists();
        Self {
            cards_on_bus: cards(&root.join("sys/bus/pci/devices")),
            kernel_module: there("proc/driver/nvidia/version"),
            device_file: there("dev/nvidiactl"),
            container: there(".dockerenv") || there("run/.containerenv"),
            windows_subsystem: there("dev/dxg"),
        }
    }
}

/// Counts functions with NVIDIA's vendor number in the classes 03 (display controller) and 12
/// (processing accelerator): a card's other functions are its sound and its USB.
fn cards(devices: &Path) -> Option<usize> {
    let entries = std::fs::read_dir(devices).ok()?;
    let cards = entries.filter_map(Result::ok).filter(|entry| {
        let says =
            |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let class = says("class");
        says("vendor").trim() == "0x10de"
            && (class.starts_with("0x03") || class.starts_with("0x12"))
    });
    Some(cards.count())
}

fn remedies(error: &Error, signs: Signs) -> Vec<String> {
    let mut remedies = match error {
        Error::Load(LoadError::LibraryNotFound { .. }) => no_library(signs),
        Error::Load(LoadError::NoDevice { .. }) => not_offered(signs),
        Error::Load(LoadError::SymbolMissing { .. }) => {
            vec!["Install a driver of R525 or later: https://www.nvidia.com/drivers.".to_owned()]
        }
        Error::Load(LoadError::InitFailed { .. }) => vec![
            "Look into the kernel's log (dmesg) for lines with NVRM or Xid: they name the fault. A \
             card that fell off the bus needs a restart of the machine; a library and a kernel module \
             of different versions need the module to be loaded anew."
                .to_owned(),
        ],
        _ => vec!["Look at what nvidia-smi and the kernel's log (dmesg, lines with NVRM) say.".to_owned()],
    };
    remedies.push(
        "Without a GPU the other commands use a simulated device, and say so. `vram doctor \
         --simulated` shows what this report looks like for one."
            .to_owned(),
    );
    remedies
}

/// The driver's library isn't there.
fn no_library(signs: Signs) -> Vec<String> {
    if signs.windows_subsystem {
        return vec![
            "Install NVIDIA's driver on Windows, and none here: it brings libcuda to \
             /usr/lib/wsl/lib."
                .to_owned(),
        ];
    }
    let toolkit =
        "Start the container with the GPU: with the NVIDIA Container Toolkit on its host, \
                   `--gpus all` (Docker, Podman) or a resource nvidia.com/gpu (Kubernetes), and \
                   NVIDIA_DRIVER_CAPABILITIES=compute,utility."
            .to_owned();
    let driver = "Install NVIDIA's driver, R525 or later, from the distribution's packages or \
                  https://www.nvidia.com/drivers, and load it: modprobe nvidia nvidia_uvm."
        .to_owned();
    let library = "The kernel module is loaded and its library is not found: install the user-space \
                   part of the same driver version (Debian: libcuda1, Ubuntu: libnvidia-compute-…), or \
                   run ldconfig where its folder isn't known."
        .to_owned();
    match (signs.container, signs.kernel_module, signs.cards_on_bus) {
        (true, true, _) => vec![toolkit],
        (false, true, _) => vec![library],
        (true, false, Some(0)) | (false, false, Some(0)) => vec![
            "No NVIDIA card is on the PCI bus. Use a machine with one; in a virtual machine, have the \
             card passed in."
                .to_owned(),
        ],
        (true, false, Some(_)) => vec![
            "An NVIDIA card is on the PCI bus. Install NVIDIA's driver on the container's host."
                .to_owned(),
            toolkit,
        ],
        (false, false, Some(_)) => vec![
            "An NVIDIA card is on the PCI bus, and its kernel module isn't loaded.".to_owned(),
            driver,
        ],
        (true, false, None) => vec![toolkit],
        (false, false, None) => vec![driver],
    }
}

/// The driver works, and offers no device.
fn not_offered(signs: Signs) -> Vec<String> {
    let mut remedies = Vec::new();
    if signs.cards_on_bus == Some(0) {
        remedies.push(
            "No NVIDIA card is on the PCI bus: the card isn't there, or isn't passed in."
                .to_owned(),
        );
    }
    if !signs.device_file && !signs.windows_subsystem {
        remedies.push(if signs.container {
            "There is no /dev/nvidiactl: start the container with the GPU (`--gpus all`)."
                .to_owned()
        } else {
            "There is no /dev/nvidiactl: load the kernel module (modprobe nvidia nvidia_uvm; \
             nvidia-modprobe -u -c 0 makes the files)."
                .to_owned()
        });
    }
    remedies.push(
        "See whether CUDA_VISIBLE_DEVICES or NVIDIA_VISIBLE_DEVICES hides the device, and what \
         nvidia-smi lists."
            .to_owned(),
    );
    remedies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_library() -> Error {
        Error::Load(LoadError::LibraryNotFound {
            tried: vec!["libcuda.so.1".to_owned()],
            reason: "no such file".to_owned(),
        })
    }

    fn said(error: &Error, signs: Signs) -> String {
        remedies(error, signs).join(" ")
    }

    #[test]
    fn a_machine_without_a_card_is_told_to_get_one_and_no_driver() {
        let signs = Signs {
            cards_on_bus: Some(0),
            ..Signs::default()
        };

        let said = said(&no_library(), signs);

        assert!(said.contains("Use a machine with one"), "{said}");
        assert!(!said.contains("modprobe"), "{said}");
    }

    #[test]
    fn a_card_without_a_module_needs_the_driver() {
        let signs = Signs {
            cards_on_bus: Some(2),
            ..Signs::default()
        };

        assert!(said(&no_library(), signs).contains("modprobe nvidia"));
    }

    #[test]
    fn a_container_beside_a_loaded_module_needs_the_toolkit() {
        let signs = Signs {
            container: true,
            kernel_module: true,
            ..Signs::default()
        };

        let said = said(&no_library(), signs);

        assert!(said.contains("--gpus all"), "{said}");
        assert!(!said.contains("modprobe"), "{said}");
    }

    #[test]
    fn a_module_without_its_library_is_told_apart_from_no_driver() {
        let signs = Signs {
            kernel_module: true,
            ..Signs::default()
        };

        assert!(said(&no_library(), signs).contains("libcuda1"));
    }

    #[test]
    fn windows_brings_its_own_library() {
        let signs = Signs {
            windows_subsystem: true,
            ..Signs::default()
        };

        assert!(said(&no_library(), signs).contains("on Windows"));
    }

    #[test]
    fn a_hidden_device_has_the_variables_named() {
        let error = Error::Load(LoadError::NoDevice { code: 100 });
        let signs = Signs {
            device_file: true,
            cards_on_bus: Some(1),
            ..Signs::default()
        };

        let said = said(&error, signs);

        assert!(said.contains("CUDA_VISIBLE_DEVICES"), "{said}");
        assert!(!said.contains("/dev/nvidiactl"), "{said}");
    }

    #[test]
    fn signs_are_read_below_a_root() {
        let root = tempfile::tempdir().unwrap();
        let device = |name: &str, vendor: &str, class: &str| {
            let folder = root.path().join("sys/bus/pci/devices").join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("vendor"), vendor).unwrap();
            std::fs::write(folder.join("class"), class).unwrap();
        };
        device("0000:01:00.0", "0x10de\n", "0x030200\n");
        device("0000:01:00.1", "0x10de\n", "0x040300\n");
        device("0000:02:00.0", "0x8086\n", "0x030000\n");
        std::fs::create_dir_all(root.path().join("dev")).unwrap();
        std::fs::write(root.path().join("dev/nvidiactl"), "").unwrap();

        let signs = Signs::look(root.path());

        let expected = Signs {
            cards_on_bus: Some(1),
            device_file: true,
            ..Signs::default()
        };
        assert_eq!(signs, expected);
    }

    #[test]
    fn a_bus_that_can_not_be_seen_is_unknown() {
        let root = tempfile::tempdir().unwrap();

        assert_eq!(Signs::look(root.path()).cards_on_bus, None);
    }
}
