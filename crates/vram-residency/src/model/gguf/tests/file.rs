use super::*;

#[test]
fn version_2_has_the_same_layout() {
    let mut gguf = Gguf::good();
    gguf.version = 2;

    assert_eq!(accept(&gguf).tensors(), accept(&Gguf::good()).tensors());
}

#[test]
fn other_versions_and_byte_orders_are_refused_by_name() {
    let version = |version: u32| {
        let mut gguf = Gguf::good();
        gguf.version = version;
        refuse(&gguf)
    };

    for unknown in [0, 1, 4, 0x0001_0000, u32::MAX] {
        let error = version(unknown);
        let by_name = match error {
            ModelError::UnsupportedVersion { version } => version == unknown,
            ModelError::BigEndian { version } => version.swap_bytes() == unknown,
            _ => false,
        };
        assert!(by_name, "{unknown}: {error}");
    }
    let big_endian = version(3_u32.swap_bytes());
    assert!(
        matches!(big_endian, ModelError::BigEndian { version: 3 }),
        "{big_endian}"
    );
}

#[test]
fn another_magic_is_refused() {
    let mut gguf = Gguf::good();
    gguf.magic = *b"FUGG";

    assert!(matches!(refuse(&gguf), ModelError::NotAsNamed { .. }));
}

#[test]
fn a_file_without_tensors_may_end_at_its_header_or_its_padding() {
    let padded = Gguf::new().entry("a", 0, &[1]);
    let mut bare = padded.clone();
    bare.alignment = 1;

    for gguf in [padded.clone(), bare] {
        assert!(accept(&gguf).tensors().is_empty());
    }
    assert!(matches!(
        refuse(&padded.with_data(1)),
        ModelError::TrailingBytes { .. }
    ));
}

#[test]
fn padding_behind_the_last_tensor_may_be_there_or_not() {
    for data in [1, 31, 32] {
        accept(&Gguf::new().tensor("t", &[1], 24, 0).with_data(data));
    }
    let over = Gguf::new().tensor("t", &[1], 24, 0).with_data(33);
    assert!(matches!(refuse(&over), ModelError::TrailingBytes { .. }));
}

#[test]
fn a_tensor_count_that_lies_is_refused() {
    let stated = |count: u64| {
        let mut gguf = Gguf::good();
        gguf.tensor_count = Some(count);
        refuse(&gguf)
    };

    assert!(matches!(
        stated(u64::MAX),
        ModelError::TooMany {
            count: u64::MAX,
            ..
        }
    ));
    assert!(matches!(
        stated(524_289),
        ModelError::TooMany { limit: 524_288, .. }
    ));
    let beyond = stated(524_288);
    assert!(
        matches!(beyond, ModelError::CountBeyondFile { count: 524_288, .. }),
        "{beyond}"
    );
    let fewer = [0, 1].map(stated);
    assert!(
        fewer
            .iter()
            .all(|error| matches!(error, ModelError::DirtyPadding { .. })),
        "{fewer:?}"
    );
    stated(3);
}

#[test]
fn padding_behind_the_header_must_be_zero() {
    let mut gguf = Gguf::good();
    gguf.padding = 1;

    assert!(matches!(refuse(&gguf), ModelError::DirtyPadding { .. }));
}

#[test]
fn a_header_longer_than_the_limit_is_refused_without_reading_it() {
    let file_len = 1 << 40;
    let gguf = Gguf::new().entry("key", 8, &(300_u64 << 20).to_le_bytes());
    let mut reader = std::io::Cursor::new(gguf.file());

    let error = ModelHeader::read(&mut reader, file_len, FormatHint::Gguf).unwrap_err();

    assert!(
        matches!(
            error,
            ModelError::TooLong {
                limit: 268_435_456,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_refused() {
    let file = Gguf::good().file();
    let longer = u64::try_from(file.len()).unwrap();
    for kept in [6, 30, 100, 200] {
        let mut reader = std::io::Cursor::new(&file[..kept]);

        let error = ModelHeader::read(&mut reader, longer, FormatHint::Gguf).unwrap_err();

        assert!(
            error.to_string().contains("became shorter"),
            "{kept}: {error}"
        );
    }
}
