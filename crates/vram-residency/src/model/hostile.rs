//! What holds for any bytes at all: no panic, no unbounded memory, no reading of tensors' data, and
//! an answer that is either a sound table or an error.

use std::io::{self, Read, Seek, SeekFrom};
use std::process::Command;

use ::safetensors::SafeTensors;
use proptest::prelude::*;

use super::limits::READ_AHEAD;
use super::samples::{Gguf, good_safetensors, read, safetensors};
use super::{FormatHint, ModelError, ModelFormat, ModelHeader, Tensor};

const HINTS: [FormatHint; 3] = [
    FormatHint::Unknown,
    FormatHint::SafeTensors,
    FormatHint::Gguf,
];

/// Asserts what a table promises: names are found, tensors lie inside the data one after the other,
/// and each has the size of its type and shape.
fn assert_sound(header: &ModelHeader, file_len: usize) {
    let data = header.data();
    assert!(data.start <= data.end);
    assert_eq!(data.end, u64::try_from(file_len).unwrap());
    let mut end = data.start;
    for tensor in header.tensors() {
        let range = tensor.range();
        assert!(end <= range.start && range.start <= range.end && range.end <= data.end);
        end = range.end;
        let elements: u64 = tensor.shape().iter().product();
        let size = elements.div_ceil(tensor.element().block_elements());
        assert_eq!(
            size.checked_mul(tensor.element().block_bytes()),
            Some(tensor.size())
        );
        assert_eq!(header.tensors().get(tensor.name()), Some(tensor));
    }
}

/// Reads bytes under every hint and asserts that whatever is accepted is sound.
fn assert_answered(file: &[u8]) {
    for hint in HINTS {
        match read(file, hint) {
            Ok(header) => {
                assert_sound(&header, file.len());
                if header.format() == ModelFormat::SafeTensors {
                    assert_reference_agrees(&header, file);
                }
            }
            Err(error) => assert!(error.to_string().len() < 4096),
        }
    }
}

/// Whatever is accepted as SafeTensors, the reference accepts too, and sees the same tensors.
fn assert_reference_agrees(header: &ModelHeader, file: &[u8]) {
    let reference = SafeTensors::deserialize(file).unwrap();
    assert_eq!(reference.len(), header.tensors().len());
    for tensor in header.tensors() {
        let view = reference.tensor(tensor.name()).unwrap();
        assert_eq!(u64::try_from(view.data().len()).unwrap(), tensor.size());
        assert_eq!(view.dtype().to_string(), tensor.element().name());
    }
}

#[test]
fn safetensors_cut_anywhere_is_an_error() {
    let file = good_safetensors();
    read(&file, FormatHint::SafeTensors).unwrap();
    for end in 0..file.len() {
        let error = read(&file[..end], FormatHint::SafeTensors).unwrap_err();

        assert!(!error.is_retriable() && !error.is_fatal());
    }
}

#[test]
fn safetensors_cut_in_its_header_is_opaque_where_no_name_promises_otherwise() {
    let file = good_safetensors();
    let header_end = file.len().checked_sub(32).unwrap();
    for end in 0..file.len() {
        let answer = read(&file[..end], FormatHint::Unknown);

        if end < header_end {
            assert_eq!(
                answer.unwrap().format(),
                ModelFormat::Opaque,
                "cut at {end}"
            );
        } else {
            assert!(
                matches!(answer, Err(ModelError::OutOfRange { .. })),
                "cut at {end}"
            );
        }
    }
}

#[test]
fn gguf_cut_anywhere_is_an_error() {
    let file = Gguf::good().file();
    read(&file, FormatHint::Gguf).unwrap();
    for end in 0..file.len() {
        read(&file[..end], FormatHint::Gguf).unwrap_err();
        let unnamed = read(&file[..end], FormatHint::Unknown);
        match unnamed {
            Ok(header) => assert!(end < 4 && header.format() == ModelFormat::Opaque),
            Err(_) => assert!(end >= 4),
        }
    }
}

#[test]
fn a_file_that_is_not_what_its_name_says_is_an_error_and_without_such_a_name_it_is_opaque() {
    let zip = b"PK\x03\x04 and so on and so forth, for long enough";

    assert!(read(zip, FormatHint::SafeTensors).is_err());
    assert!(read(zip, FormatHint::Gguf).is_err());
    assert!(read(&Gguf::good().file(), FormatHint::SafeTensors).is_err());
    assert!(read(&good_safetensors(), FormatHint::Gguf).is_err());
    let opaque = read(zip, FormatHint::Unknown).unwrap();
    assert_eq!(opaque.format(), ModelFormat::Opaque);
    assert!(opaque.tensors().is_empty() && opaque.metadata().is_empty());
    assert_eq!(opaque.data(), 0..u64::try_from(zip.len()).unwrap());
}

/// Covers: HI-1.
#[test]
fn any_one_bit_flipped_is_answered() {
    for good in [good_safetensors(), Gguf::good().file()] {
        let mut file = good.clone();
        for position in 0..file.len() {
            for bit in 0..8 {
                file[position] ^= 1 << bit;
                assert_answered(&file);
                file[position] = good[position];
            }
        }
    }
}

/// A file that says how far it was read, and whose data costs nothing.
struct Watched {
    head: Vec<u8>,
    position: u64,
    furthest: u64,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(self.position).unwrap();
        let head = self.head.get(start..).unwrap_or_default();
        let (copied, zeroed) = buffer.split_at_mut(head.len().min(buffer.len()));
        copied.copy_from_slice(&head[..copied.len()]);
        zeroed.fill(0);
        self.position = self
            .position
            .checked_add(u64::try_from(buffer.len()).unwrap())
            .unwrap();
        self.furthest = self.furthest.max(self.position);
        Ok(buffer.len())
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if let SeekFrom::Start(position) = to {
            self.position = position;
        }
        Ok(self.position)
    }
}

/// Covers: HI-1.
#[test]
fn the_data_of_huge_tensors_is_not_read() {
    let tensor = 1_u64 << 40;
    let header =
        format!(r#"{{"t":{{"dtype":"U8","shape":[{tensor}],"data_offsets":[0,{tensor}]}}}}"#);
    for (head, hint) in [
        (safetensors(&header, 0), FormatHint::SafeTensors),
        (
            Gguf::new().tensor("t", &[tensor], 24, 0).file(),
            FormatHint::Gguf,
        ),
    ] {
        let header_end = u64::try_from(head.len()).unwrap();
        let mut watched = Watched {
            head,
            position: 0,
            furthest: 0,
        };

        let file_len = header_end.checked_add(tensor).unwrap();
        let read = ModelHeader::read(&mut watched, file_len, hint).unwrap();

        assert_eq!(read.tensors().get("t").map(Tensor::size), Some(tensor));
        assert!(watched.furthest <= header_end.checked_add(READ_AHEAD).unwrap());
    }
}

#[test]
fn trouble_with_the_storage_is_passed_on() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::TimedOut.into())
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }

    let error = ModelHeader::read(&mut Broken, 100, FormatHint::Gguf).unwrap_err();

    assert!(error.is_retriable());
    assert!(matches!(
        error,
        ModelError::Io {
            doing: "reading",
            ..
        }
    ));
}

/// Good files with bytes replaced, and with whole fields set to extreme numbers.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let good = prop_oneof![Just(good_safetensors()), Just(Gguf::good().file())];
    let extreme = prop_oneof![
        Just(u64::MAX),
        Just(u64::MAX >> 1),
        Just(1_u64 << 40),
        Just(100_000_000),
        Just(0),
        any::<u64>(),
    ];
    let bytes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let fields = proptest::collection::vec((any::<prop::sample::Index>(), extreme), 0..3);
    (good, bytes, fields).prop_map(|(mut file, bytes, fields)| {
        for (index, byte) in bytes {
            let position = index.index(file.len());
            file[position] = byte;
        }
        for (index, number) in fields {
            let position = index.index(file.len());
            let field = file[position..].iter_mut();
            field
                .zip(number.to_le_bytes())
                .for_each(|(byte, new)| *byte = new);
        }
        file
    })
}

/// Headers that look right and mostly are not.
fn plausible_safetensors() -> impl Strategy<Value = Vec<u8>> {
    let number = || prop_oneof![0..6_u64, Just(u64::MAX), any::<u64>()];
    let dtype = prop::sample::select(vec!["U8", "F16", "F4", "F6_E2M3", "F64", "X"]);
    let shape = proptest::collection::vec(number(), 0..3);
    let entry = ("[ab]{1,2}", dtype, shape, 0..5_u64, number());
    (proptest::collection::vec(entry, 0..4), 0..12_usize).prop_map(|(entries, data)| {
        let entries = entries.into_iter().map(|(name, dtype, shape, begin, end)| {
            format!(
                r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#
            )
        });
        safetensors(
            &format!("{{{}}}", entries.collect::<Vec<_>>().join(",")),
            data,
        )
    })
}

proptest! {
    /// Covers: HI-1.
    #[test]
    fn damaged_files_are_answered(file in damaged()) {
        assert_answered(&file);
    }

    #[test]
    fn plausible_headers_are_answered(file in plausible_safetensors()) {
        assert_answered(&file);
    }

    /// Covers: HI-1.
    #[test]
    fn random_bytes_are_answered(
        magic in any::<bool>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let head = if magic { b"GGUF\x03\0\0\0".as_slice() } else { &[] };
        assert_answered(&[head, &bytes].concat());
    }
}

/// Address space that the lies are told in, in KiB: less than a tenth of what the smallest of them
/// would take if it were believed.
const ADDRESS_SPACE: &str = "262144";

/// Set in the process that the lies are told to.
const TOLD: &str = "VRAM_RESIDENCY_TELL_LIES";

/// Tells the lies in a process of little address space: believing one would abort it.
///
/// Covers: HI-1.
#[test]
#[cfg(target_os = "linux")]
fn lies_about_sizes_take_no_memory() {
    if std::env::var_os(TOLD).is_some() {
        return tell_lies();
    }
    let this = "model::hostile::lies_about_sizes_take_no_memory";

    let told = Command::new("sh")
        .args([
            "-c",
            "ulimit -v \"$1\" && shift && exec \"$@\"",
            "sh",
            ADDRESS_SPACE,
        ])
        .arg(std::env::current_exe().unwrap())
        .args([this, "--exact", "--test-threads=1", "--nocapture"])
        .env(TOLD, "1")
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success() && said.contains("1 passed"), "{said}");
}

/// Sets every eight bytes of good files to sizes that are huge and yet not absurd, in files that
/// claim to be long enough for them.
fn tell_lies() {
    let mut refused = 0_u32;
    for good in [good_safetensors(), Gguf::good().file()] {
        for position in 0..good.len().checked_sub(8).unwrap() {
            for lie in [4_u64 << 30, 1 << 40, u64::MAX >> 1, u64::MAX] {
                let mut file = good.clone();
                file[position..]
                    .iter_mut()
                    .zip(lie.to_le_bytes())
                    .for_each(|(b, l)| *b = l);
                for file_len in [u64::try_from(file.len()).unwrap(), u64::MAX >> 2] {
                    let mut reader = io::Cursor::new(&file);
                    let answer = ModelHeader::read(&mut reader, file_len, FormatHint::Unknown);
                    refused = refused.saturating_add(u32::from(answer.is_err()));
                }
            }
        }
    }
    assert!(refused > 1_000, "{refused}");
}
