use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::symlink;

use tempfile::TempDir;
use vram_policy::EnvironmentVariable;

use super::*;

/// A machine out of files: everything can be observed on it.
struct FakeHost {
    root: TempDir,
    variables: HashMap<String, OsString>,
    settings: Settings,
}

#[derive(Debug)]
struct FakeProcess(Settings);

impl OwnProcess for FakeProcess {
    fn settings(&self) -> Settings {
        self.0
    }
}

const RELEASE: &str = "proc/sys/kernel/osrelease";
const HMM: &str = "sys/module/nvidia_uvm/parameters/uvm_disable_hmm";
const PATTERN: &str = "proc/sys/kernel/core_pattern";
const SCOPE: &str = "proc/sys/kernel/yama/ptrace_scope";
const STATUS: &str = "proc/self/status";
const MPS_PID: &str = "tmp/nvidia-mps/nvidia-cuda-mps-control.pid";
const MPS_SOCKET: &str = "tmp/nvidia-mps/control";

impl FakeHost {
    fn new() -> Self {
        let host = Self {
            root: TempDir::new().unwrap(),
            variables: HashMap::new(),
            settings: Settings {
                core_limit: Some(0),
                dumpable: Some(false),
            },
        };
        host.write(RELEASE, "6.8.0-45-generic\n");
        host.write(HMM, "Y\n");
        host.write(PATTERN, "core.%p\n");
        host.write(SCOPE, "1\n");
        host.write(STATUS, "Name:\tvram\nPid:\t7\nTracerPid:\t0\nUid:\t0\n");
        host
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.root.path().join(path)).unwrap();
    }

    /// Puts a directory where a file should be: opening works, reading doesn't.
    fn unreadable(&self, path: &str) {
        self.remove(path);
        fs::create_dir(self.root.path().join(path)).unwrap();
    }

    fn facts(&self) -> HostFacts {
        host_facts(
            &Files::at(self.root.path()),
            &Environment::reading(|name| self.variables.get(name).cloned()),
            &FakeProcess(self.settings),
        )
    }
}

fn all_known() -> HostFacts {
    HostFacts {
        system: Some(OperatingSystem::Linux),
        kernel_release: Some("6.8.0-45-generic".to_owned()),
        dxg_device: Some(false),
        environment: Some(vec![]),
        mps_daemon: Some(false),
        heterogeneous_memory_management: Some(false),
        core_limit: Some(0),
        core_pattern: Some("core.%p".to_owned()),
        dumpable: Some(false),
        ptrace_scope: Some(1),
        traced: Some(false),
    }
}

#[test]
fn every_fact_is_read_where_linux_keeps_it() {
    assert_eq!(FakeHost::new().facts(), all_known());
}

#[test]
fn other_values_are_other_facts() {
    let host = FakeHost {
        settings: Settings {
            core_limit: Some(u64::MAX),
            dumpable: Some(true),
        },
        ..FakeHost::new()
    };
    host.write(RELEASE, "5.15.167.4-microsoft-standard-WSL2\n");
    host.write("dev/dxg", "");
    host.write(HMM, "N\n");
    host.write(PATTERN, "|/usr/lib/systemd/systemd-coredump %P %u\n");
    host.write(SCOPE, "0\n");
    host.write(STATUS, "Name:\tvram\nTracerPid:\t4711\n");

    let expected = HostFacts {
        kernel_release: Some("5.15.167.4-microsoft-standard-WSL2".to_owned()),
        dxg_device: Some(true),
        heterogeneous_memory_management: Some(true),
        core_limit: Some(u64::MAX),
        core_pattern: Some("|/usr/lib/systemd/systemd-coredump %P %u".to_owned()),
        dumpable: Some(true),
        ptrace_scope: Some(0),
        traced: Some(true),
        ..all_known()
    };
    assert_eq!(host.facts(), expected);
}

/// Which fact each file is.
type Forget = fn(&mut HostFacts);

fn files() -> Vec<(&'static str, Forget)> {
    vec![
        (RELEASE, |facts| facts.kernel_release = None),
        (HMM, |facts| facts.heterogeneous_memory_management = None),
        (PATTERN, |facts| facts.core_pattern = None),
        (SCOPE, |facts| facts.ptrace_scope = None),
        (STATUS, |facts| facts.traced = None),
    ]
}

#[test]
fn a_file_that_is_missing_makes_its_fact_unknown_and_no_other() {
    for (path, forget) in files() {
        let host = FakeHost::new();
        host.remove(path);

        let mut expected = all_known();
        forget(&mut expected);
        assert_eq!(host.facts(), expected, "{path}");
    }
}

#[test]
fn a_file_that_cannot_be_read_makes_its_fact_unknown_and_no_other() {
    for (path, forget) in files() {
        let host = FakeHost::new();
        host.unreadable(path);

        let mut expected = all_known();
        forget(&mut expected);
        assert_eq!(host.facts(), expected, "{path}");
    }
}

#[test]
fn a_file_that_makes_no_sense_is_unknown_and_never_a_default() {
    let nonsense = [
        (RELEASE, "", |facts: &HostFacts| {
            facts.kernel_release.is_none()
        }),
        (RELEASE, "one\ntwo\n", |facts| {
            facts.kernel_release.is_none()
        }),
        (HMM, "", |facts| {
            facts.heterogeneous_memory_management.is_none()
        }),
        (HMM, "0\n", |facts| {
            facts.heterogeneous_memory_management.is_none()
        }),
        (SCOPE, "", |facts| facts.ptrace_scope.is_none()),
        (SCOPE, "-1\n", |facts| facts.ptrace_scope.is_none()),
        (SCOPE, "1 2\n", |facts| facts.ptrace_scope.is_none()),
        (STATUS, "", |facts| facts.traced.is_none()),
        (STATUS, "Name:\tvram\n", |facts| facts.traced.is_none()),
        (STATUS, "TracerPid:\t\n", |facts| facts.traced.is_none()),
        (STATUS, "TracerPid:\tnobody\n", |facts| {
            facts.traced.is_none()
        }),
    ] as [(&str, &str, fn(&HostFacts) -> bool); 11];
    for (path, text, is_unknown) in nonsense {
        let host = FakeHost::new();
        host.write(path, text);

        assert!(is_unknown(&host.facts()), "{path}: {text:?}");
    }
}

#[test]
fn a_file_without_end_is_unknown() {
    let host = FakeHost::new();
    host.write(PATTERN, &"x".repeat(1 << 20));

    assert_eq!(host.facts().core_pattern, None);
}

#[test]
fn an_empty_core_pattern_is_one() {
    let host = FakeHost::new();
    host.write(PATTERN, "\n");

    assert_eq!(host.facts().core_pattern.as_deref(), Some(""));
}

#[test]
fn a_device_folder_that_cannot_be_searched_leaves_the_windows_host_unknown() {
    let host = FakeHost::new();
    host.write("dev", "not a folder");

    let expected = HostFacts {
        dxg_device: None,
        ..all_known()
    };
    assert_eq!(host.facts(), expected);
}

#[test]
fn a_process_that_says_nothing_of_itself_is_unknown() {
    let host = FakeHost {
        settings: Settings::default(),
        ..FakeHost::new()
    };

    let expected = HostFacts {
        core_limit: None,
        dumpable: None,
        ..all_known()
    };
    assert_eq!(host.facts(), expected);
}

#[test]
fn watched_variables_are_seen_and_no_others() {
    let mut host = FakeHost::new();
    let set = |host: &mut FakeHost, name: &str, value: OsString| {
        host.variables.insert(name.to_owned(), value);
    };
    set(&mut host, "LD_PRELOAD", "/opt/spy.so".into());
    set(&mut host, "CUDA_VISIBLE_DEVICES", "".into());
    set(&mut host, "HF_TOKEN", "a secret".into());
    set(
        &mut host,
        "CUDA_COREDUMP_FILE",
        OsString::from_vec(vec![b'c', 0xff]),
    );

    let variable = |name: &str, value: &str| EnvironmentVariable {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let expected = vec![
        variable("CUDA_COREDUMP_FILE", "c\u{fffd}"),
        variable("CUDA_VISIBLE_DEVICES", ""),
        variable("LD_PRELOAD", "/opt/spy.so"),
    ];
    assert_eq!(host.facts().environment, Some(expected));
}

#[test]
fn every_watched_variable_is_seen() {
    let mut host = FakeHost::new();
    for name in EnvironmentVariable::WATCHED {
        host.variables.insert((*name).to_owned(), "1".into());
    }

    let seen = host.facts().environment.unwrap();

    let names: Vec<_> = seen.iter().map(|variable| &*variable.name).collect();
    assert_eq!(names, EnvironmentVariable::WATCHED);
}

#[test]
fn a_daemon_that_lives_is_seen() {
    let host = FakeHost::new();
    host.write(MPS_SOCKET, "");
    host.write(MPS_PID, "311");
    host.write("proc/311/comm", "nvidia-cuda-mps\n");

    assert_eq!(host.facts().mps_daemon, Some(true));
}

#[test]
fn a_daemon_is_looked_for_where_programs_look() {
    let mut host = FakeHost::new();
    host.write("run/mps/nvidia-cuda-mps-control.pid", "311\n");
    host.write("proc/311/comm", "nvidia-cuda-mps\n");
    assert_eq!(host.facts().mps_daemon, Some(false));

    let name = "CUDA_MPS_PIPE_DIRECTORY".to_owned();
    host.variables.insert(name.clone(), "/run/mps".into());
    assert_eq!(host.facts().mps_daemon, Some(true));

    host.variables.insert(name, "".into());
    assert_eq!(host.facts().mps_daemon, Some(false));
}

#[test]
fn what_a_daemon_left_behind_is_neither_a_daemon_nor_none() {
    let left: [&[(&str, &str)]; 4] = [
        &[(MPS_SOCKET, "")],
        &[(MPS_PID, "311")],
        &[(MPS_PID, "many"), ("proc/311/comm", "nvidia-cuda-mps\n")],
        &[(MPS_PID, "311"), ("proc/311/comm", "bash\n")],
    ];
    for files in left {
        let host = FakeHost::new();
        for (path, text) in files {
            host.write(path, text);
        }

        assert_eq!(host.facts().mps_daemon, None, "{files:?}");
    }
}

#[test]
fn a_pipe_directory_that_cannot_be_searched_is_unknown() {
    let host = FakeHost::new();
    host.write("tmp/nvidia-mps", "not a folder");

    assert_eq!(host.facts().mps_daemon, None);
}

#[test]
fn a_loop_of_links_is_unknown() {
    let host = FakeHost::new();
    fs::create_dir(host.root.path().join("dev")).unwrap();
    symlink("dxg", host.root.path().join("dev/dxg")).unwrap();

    assert_eq!(host.facts().dxg_device, None);
}

#[test]
fn a_process_cannot_speak_to_the_terminal_through_its_name() {
    let host = FakeHost::new();
    host.write("proc/5/comm", "\u{1b}[2Jinnocent\n");
    host.write("proc/6/comm", "\n");
    let files = Files::at(host.root.path());

    assert_eq!(files.process_name(5).as_deref(), Some("?[2Jinnocent"));
    assert_eq!(files.process_name(6), None);
    assert_eq!(files.process_name(7), None);
}
