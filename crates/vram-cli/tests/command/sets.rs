//! `vram seal` of sets: the root of a folder, and the position of a single file.

use crate::model::{safetensors, write};
use crate::run::{Ran, seal, vram};

/// A folder of two models, and its root as the command shows it.
fn folder_and_root() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.safetensors", &safetensors(5000));
    write(folder.path(), "b.safetensors", &safetensors(6000));
    let document = seal(["--json".as_ref(), folder.path().as_os_str()]).json();
    let set = &document["sets"][0];
    assert_eq!(set["shards"], 2);
    assert_eq!(set["path"], folder.path().to_str().unwrap());
    let root = set["set_root"].as_str().unwrap().to_owned();
    (folder, root)
}

fn expecting(root: &str, folder: &std::path::Path) -> Ran {
    let mut command = vram();
    command.args(["seal", "--simulated", "--expect-set-root", root]);
    Ran::of(command.arg(folder))
}

#[test]
fn the_root_of_a_folder_is_shown_and_can_be_expected() {
    let (folder, root) = folder_and_root();

    let ran = expecting(&root, folder.path());

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let line = format!("Set root  {root}, of 2 shards in order");
    assert!(ran.text().contains(&line), "{}", ran.text());
}

/// Covers: SE-1.
#[test]
fn a_folder_with_a_file_changed_removed_added_or_renamed_is_not_the_set_expected() {
    let changes: [fn(&std::path::Path); 4] = [
        |folder| drop(write(folder, "b.safetensors", &safetensors(6001))),
        |folder| std::fs::remove_file(folder.join("b.safetensors")).unwrap(),
        |folder| drop(write(folder, "c.safetensors", &safetensors(10))),
        |folder| {
            std::fs::rename(folder.join("a.safetensors"), folder.join("c.safetensors")).unwrap();
        },
    ];
    for (number, change) in changes.iter().enumerate() {
        let (folder, root) = folder_and_root();
        change(folder.path());

        let ran = expecting(&root, folder.path());

        assert_eq!(ran.code, 3, "change {number}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(&root),
            "change {number}: {}",
            ran.stderr
        );
        assert!(!ran.text().contains("Sealed"), "change {number}");
    }
}

#[test]
fn a_single_file_takes_the_position_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "part.safetensors", &safetensors(5000));

    let ran = seal([
        "--json".as_ref(),
        "--position=2/4".as_ref(),
        path.as_os_str(),
    ]);

    let position = &ran.json()["shards"][0]["position"];
    assert_eq!(
        (&position["index"], &position["total"]),
        (&1.into(), &4.into())
    );
    assert_eq!(ran.json()["sets"].as_array().unwrap().len(), 0);
}

#[test]
fn what_is_said_of_sets_must_fit_the_paths() {
    let (folder, root) = folder_and_root();
    let file = folder.path().join("a.safetensors");
    let refused = |option: String, path: &std::path::Path| {
        let ran = seal([option.as_ref(), path.as_os_str()]);
        assert_eq!(ran.code, 2, "{option}: {}", ran.stderr);
        ran.stderr
    };

    assert!(refused("--position=1/2".into(), folder.path()).contains("single file"));
    assert!(refused(format!("--expect-set-root={root}"), &file).contains("one folder"));
    assert!(refused("--position=3/2".into(), &file).contains("3 is more than 2"));
    assert!(refused("--expect-set-root=ab".into(), folder.path()).contains("64 hexadecimal"));
}
