//! The systems around the cards.

use vram_policy::{EnvironmentVariable, HostFacts, OperatingSystem};

use super::Kind;

/// What is seen of the system that a kind of machine runs, by a process that has closed itself.
pub(super) fn of(kind: Kind) -> HostFacts {
    let server = HostFacts {
        system: Some(OperatingSystem::Linux),
        kernel_release: Some("6.8.0-48-generic".to_owned()),
        dxg_device: Some(false),
        environment: Some(Vec::new()),
        mps_daemon: Some(false),
        heterogeneous_memory_management: Some(false),
        core_limit: Some(0),
        core_pattern: Some("core".to_owned()),
        dumpable: Some(false),
        ptrace_scope: Some(1),
        traced: Some(false),
    };
    match kind {
        Kind::Consumer | Kind::TwoUnlike => HostFacts {
            kernel_release: Some("6.8.0-45-generic".to_owned()),
            core_pattern: Some(
                "|/usr/share/apport/apport -p%p -s%s -c%c -d%d -P%P -u%u -g%g -- %E".to_owned(),
            ),
            ..server
        },
        // The module for unified memory is not on Jetsons.
        Kind::Integrated => HostFacts {
            kernel_release: Some("5.10.120-tegra".to_owned()),
            heterogeneous_memory_management: None,
            ..server
        },
        // Nothing switched the parameter off; the hardware's own translation comes before it.
        Kind::Coherent => HostFacts {
            kernel_release: Some("6.8.0-1015-nvidia-64k".to_owned()),
            heterogeneous_memory_management: Some(true),
            ..server
        },
        // The modules of the driver are in Windows.
        Kind::Wsl => HostFacts {
            kernel_release: Some("5.15.167.4-microsoft-standard-WSL2".to_owned()),
            dxg_device: Some(true),
            heterogeneous_memory_management: None,
            core_pattern: Some("|/wsl-capture-crash %t %E %p %s".to_owned()),
            ..server
        },
        Kind::MigSlice => HostFacts {
            environment: Some(vec![variable("NVIDIA_VISIBLE_DEVICES", "0:0")]),
            ..server
        },
        Kind::MpsClient => HostFacts {
            environment: Some(vec![
                variable("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "50"),
                variable("CUDA_MPS_PIPE_DIRECTORY", "/run/nvidia-mps"),
            ]),
            mps_daemon: Some(true),
            ..server
        },
        Kind::OldDriver => HostFacts {
            kernel_release: Some("5.4.0-190-generic".to_owned()),
            ..server
        },
        _ => server,
    }
}

fn variable(name: &str, value: &str) -> EnvironmentVariable {
    EnvironmentVariable {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}
