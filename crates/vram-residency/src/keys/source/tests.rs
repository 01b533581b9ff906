//! Which places secrets are taken from, and what is made of what is there.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vram_seal::SignatureAlgorithm;

use super::*;

const TOKEN: &[u8; 32] = b"a token of thirty-two bytes, yes";

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    (folder, path)
}

fn write(path: &Path, bytes: &[u8], mode: u32) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// What is made of a file of these bytes.
fn read(bytes: &[u8], form: SecretForm) -> Result<Vec<u8>, SecretRefusal> {
    let (_folder, path) = folder();
    write(&path, bytes, 0o600);
    let secret = SecretSource::File(path).secret(form)?;
    Ok(secret.expose()?.to_vec())
}

fn refusal<T: fmt::Debug>(read: Result<T>) -> SecretRefusal {
    match read.unwrap_err() {
        Error::Secret { reason, .. } => *reason,
        error => panic!("{error}"),
    }
}

fn id_of(key: &Result<SealKey>) -> String {
    key.as_ref().unwrap().id().to_string()
}

#[test]
fn one_line_break_at_the_end_is_no_part_of_text_and_hexadecimal_and_every_byte_is_of_raw() {
    for (ending, text) in [
        ("", ""),
        ("\n", ""),
        ("\r\n", ""),
        ("\n\n", "\n"),
        ("\r", "\r"),
        (" ", " "),
    ] {
        let bytes = [&TOKEN[..], ending.as_bytes()].concat();
        assert_eq!(read(&bytes, SecretForm::Raw).unwrap(), bytes);
        let expected = [&TOKEN[..], text.as_bytes()].concat();
        assert_eq!(
            read(&bytes, SecretForm::Text).unwrap(),
            expected,
            "{ending:?}"
        );
    }
    for ending in ["", "\n", "\r\n"] {
        let digits = format!("{}{ending}", "0aF9".repeat(16));
        let decoded = read(digits.as_bytes(), SecretForm::Hexadecimal).unwrap();
        assert_eq!(decoded, [0x0a, 0xf9].repeat(16));
    }
    for bad in ["0", "0x00", "00 11", "00\n\n", "zz", "\n"] {
        let refused = read(bad.as_bytes(), SecretForm::Hexadecimal);
        assert!(matches!(refused, Err(SecretRefusal::Secret(_))), "{bad:?}");
    }
}

#[test]
fn what_is_short_empty_or_long_is_refused() {
    let (_folder, path) = folder();
    let file = SecretSource::File(path.clone());

    write(&path, &[7; 31], 0o600);
    let error = file.token(SecretForm::Raw).unwrap_err().to_string();
    assert!(
        error.contains("31 bytes long") && error.contains("secret"),
        "{error}"
    );
    write(&path, b"", 0o600);
    refusal(file.token(SecretForm::Text));
    write(&path, &[7; SecretSource::MAX_LEN + 1], 0o600);
    assert!(matches!(
        refusal(file.seal_key(SecretForm::Raw)),
        SecretRefusal::Secret(_)
    ));
    write(&path, &[7; SecretSource::MAX_LEN], 0o600);
    file.seal_key(SecretForm::Raw).unwrap();
}

/// Covers: XK-1.
#[test]
fn a_file_that_others_may_read_or_write_is_refused() {
    let (_folder, path) = folder();
    let file = SecretSource::File(path.clone());
    for mode in [0o600, 0o400, 0o700] {
        write(&path, TOKEN, mode);
        file.token(SecretForm::Text).unwrap();
        fs::remove_file(&path).unwrap();
    }
    for bit in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001] {
        write(&path, TOKEN, 0o600 | bit);
        let refused = refusal(file.token(SecretForm::Text));
        assert!(matches!(refused, SecretRefusal::Permissions { mode } if mode == 0o600 | bit));
    }
}

/// Covers: XK-1.
#[test]
fn links_folders_pipes_and_devices_are_refused_without_waiting() {
    let (folder, path) = folder();
    let file = |path: &Path| refusal(SecretSource::File(path.to_owned()).token(SecretForm::Text));

    write(&path, TOKEN, 0o600);
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(matches!(file(&link), SecretRefusal::SymbolicLink));
    assert!(matches!(
        file(folder.path()),
        SecretRefusal::NotAFile { found: "a folder" }
    ));
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(matches!(
        file(&pipe),
        SecretRefusal::NotAFile { found: "a pipe" }
    ));
    let socket = folder.path().join("socket");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    // It can't even be opened.
    assert!(matches!(file(&socket), SecretRefusal::System { .. }));
    assert!(matches!(
        file(Path::new("/dev/null")),
        SecretRefusal::NotAFile { found: "a device" }
    ));
    assert!(matches!(
        file(&folder.path().join("none")),
        SecretRefusal::System { .. }
    ));
}

#[test]
fn a_file_of_another_user_is_refused() {
    let (_folder, path) = folder();
    write(&path, TOKEN, 0o600);
    let user = rustix::process::geteuid().as_raw();

    let refused = file::read_if(&path, 64, file::OTHERS, |owner, user| {
        // As if somebody else ran this.
        owner == user.wrapping_add(1)
    });

    assert!(
        matches!(refused, Err(SecretRefusal::Owner { found, expected }) if found == user && expected == user)
    );
}

#[test]
fn a_credential_may_be_readable_to_the_group_and_no_more() {
    let (folder, path) = folder();
    let read = |name: &str| credential::read_in(Some(folder.path()), name, 64);
    for mode in [0o400, 0o440, 0o600] {
        write(&path, TOKEN, mode);
        assert_eq!(read("secret").unwrap().expose().unwrap(), TOKEN);
        fs::remove_file(&path).unwrap();
    }
    for mode in [0o420, 0o410, 0o404, 0o402] {
        write(&path, TOKEN, 0o600 | mode);
        assert!(
            matches!(read("secret"), Err(SecretRefusal::Permissions { .. })),
            "{mode:o}"
        );
    }
}

#[test]
fn a_credential_is_a_name_in_the_folder_that_systemd_made() {
    let (folder, path) = folder();
    write(&path, TOKEN, 0o400);
    let within = folder.path().file_name().unwrap().to_str().unwrap();
    for name in [
        "",
        ".",
        "..",
        "/secret",
        "../secret",
        &format!("../{within}/secret"),
        "a\0",
        &"x".repeat(256),
    ] {
        let refused = credential::read_in(Some(folder.path()), name, 64);
        assert!(
            matches!(refused, Err(SecretRefusal::Name { .. })),
            "{name:?}"
        );
    }
    for no_folder in [None, Some(Path::new("")), Some(Path::new("relative"))] {
        let refused = credential::read_in(no_folder, "secret", 64);
        assert!(matches!(refused, Err(SecretRefusal::NoCredentials)));
    }
}

#[test]
fn the_environment_is_read_by_name() {
    // Cargo sets this one, longer than 32 characters or not.
    let expected = env!("CARGO_MANIFEST_DIR");
    let source = SecretSource::Environment("CARGO_MANIFEST_DIR".to_owned());
    let found = source.secret(SecretForm::Text).unwrap();
    assert_eq!(found.expose().unwrap(), expected.as_bytes());

    let missing = SecretSource::Environment("VRAM_NO_SUCH_VARIABLE".to_owned());
    assert!(matches!(
        refusal(missing.token(SecretForm::Text)),
        SecretRefusal::NoVariable
    ));
    for name in ["", "A=B", "A\0"] {
        let source = SecretSource::Environment(name.to_owned());
        assert!(matches!(
            refusal(source.token(SecretForm::Text)),
            SecretRefusal::Name { .. }
        ));
    }
}

#[test]
fn a_descriptor_gives_the_same_key_as_a_file() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    let (_folder, path) = folder();
    write(&path, TOKEN, 0o600);
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(TOKEN).unwrap();
    drop(writer);
    // As one is that was there before this process.
    rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::empty()).unwrap();

    let from_file = SecretSource::File(path).seal_key(SecretForm::Raw);
    let from_pipe = SecretSource::Descriptor(reader.as_raw_fd()).seal_key(SecretForm::Raw);

    assert_eq!(id_of(&from_file), id_of(&from_pipe));
    let refused = SecretSource::Descriptor(1).seal_key(SecretForm::Raw);
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("file descriptor 1")
    );
}

#[test]
fn a_signing_key_is_read_from_pem_and_nothing_else() {
    let (_folder, path) = folder();
    let file = SecretSource::File(path.clone());
    for algorithm in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(*algorithm).unwrap();
        write(&path, key.expose_pkcs8_pem().unwrap().as_bytes(), 0o600);
        let read = file.signing_key().unwrap();
        assert_eq!(read.verifying_key().id(), key.verifying_key().id());
        fs::remove_file(&path).unwrap();
    }
    write(&path, &[0xff; 64], 0o600);
    assert!(matches!(
        refusal(file.signing_key()),
        SecretRefusal::NotText
    ));
    write(&path, TOKEN, 0o600);
    let error = file.signing_key().unwrap_err();
    assert!(matches!(
        refusal(Err::<(), _>(error)),
        SecretRefusal::Key(_)
    ));
}

/// Covers: CI-006.
#[test]
fn no_refusal_holds_any_of_the_secret() {
    let (_folder, path) = folder();
    let secret = "hunter2-hunter2-hunter2";
    write(&path, secret.as_bytes(), 0o600);
    let file = SecretSource::File(path);
    let errors = [
        file.token(SecretForm::Text).unwrap_err(),
        file.seal_key(SecretForm::Hexadecimal).unwrap_err(),
        file.signing_key().unwrap_err(),
    ];
    for error in errors {
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("'u'"),
            "{shown}"
        );
    }
}

#[test]
fn a_credential_is_roots_or_the_users_own() {
    const SERVICE: u32 = 1000;
    assert!(credential::may_own(0, SERVICE));
    assert!(credential::may_own(SERVICE, SERVICE));
    assert!(credential::may_own(0, 0));
    assert!(!credential::may_own(1001, SERVICE));
    assert!(!credential::may_own(SERVICE, 0));
}
