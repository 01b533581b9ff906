//! Small model files.

use std::path::{Path, PathBuf};

/// `len` bytes that aren't all the same.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from((at * 31 + at / 251) % 256).unwrap())
        .collect()
}

/// A SafeTensors file of one tensor, with this many bytes of it.
pub(crate) fn safetensors(len: usize) -> Vec<u8> {
    let header =
        format!(r#"{{"weight":{{"dtype":"U8","shape":[{len}],"data_offsets":[0,{len}]}}}}"#);
    let mut file = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(noise(len));
    file
}

/// A GGUF file of one tensor of 32 32-bit floating-point numbers.
pub(crate) fn gguf() -> Vec<u8> {
    let mut file = b"GGUF".to_vec();
    file.extend(3_u32.to_le_bytes());
    file.extend(1_u64.to_le_bytes()); // tensors
    file.extend(0_u64.to_le_bytes()); // metadata
    file.extend(6_u64.to_le_bytes());
    file.extend(b"weight");
    file.extend(1_u32.to_le_bytes()); // dimensions
    file.extend(32_u64.to_le_bytes());
    file.extend(0_u32.to_le_bytes()); // F32
    file.extend(0_u64.to_le_bytes()); // offset
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(noise(128));
    file
}

/// Writes a file into a folder.
pub(crate) fn write(folder: &Path, name: impl AsRef<Path>, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Writes a file that nobody else can read, as the command asks of secrets.
pub(crate) fn write_secret(folder: &Path, name: impl AsRef<Path>, bytes: &[u8]) -> PathBuf {
    let path = write(folder, name, bytes);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let closed = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, closed).unwrap();
    }
    path
}
