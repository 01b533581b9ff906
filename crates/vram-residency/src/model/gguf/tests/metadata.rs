use super::*;

#[test]
fn metadata_of_every_type_is_read() {
    use MetadataValue::{Array, Bool, Float, Signed, Text, Unsigned};
    let header = accept(&Gguf::good());

    let wanted = [
        ("general.architecture", Text("llama".to_owned())),
        ("u8", Unsigned(200)),
        ("i8", Signed(-1)),
        ("u16", Unsigned(0x0201)),
        ("i16", Signed(-2)),
        ("u32", Unsigned(7)),
        ("i32", Signed(-7)),
        ("f32", Float(0.5)),
        ("bool", Bool(true)),
        (
            "array",
            Array {
                element: "uint32",
                len: 2,
            },
        ),
        (
            "texts",
            Array {
                element: "string",
                len: 2,
            },
        ),
        ("u64", Unsigned(u64::MAX)),
        ("i64", Signed(i64::MIN)),
        ("f64", Float(0.25)),
    ];
    assert_eq!(header.metadata().len(), wanted.len());
    for (key, value) in wanted {
        assert_eq!(header.metadata().get(key), Some(&value), "{key}");
    }
}

#[test]
fn a_metadata_count_that_lies_is_refused() {
    let stated = |count: u64| {
        let mut gguf = Gguf::good();
        gguf.metadata_count = Some(count);
        refuse(&gguf)
    };

    assert!(matches!(
        stated(u64::MAX),
        ModelError::TooMany { limit: 65_536, .. }
    ));
    assert!(matches!(stated(65_536), ModelError::CountBeyondFile { .. }));
    for near in [0, 13, 15] {
        stated(near);
    }
}

#[test]
fn a_text_length_that_lies_is_refused() {
    for len in [1_000_u64, u64::MAX, u64::MAX - 40] {
        let value = Gguf::new().entry("key", 8, &len.to_le_bytes());
        let in_array = [array(8, 1), len.to_le_bytes().to_vec()].concat();
        let in_array = Gguf::new().entry("key", 9, &in_array);

        for gguf in [value, in_array] {
            let error = refuse(&gguf);
            assert!(
                matches!(error, ModelError::Truncated { needed, .. } if needed == len),
                "{error}"
            );
        }
    }
}

#[test]
fn a_key_or_name_longer_than_the_limit_is_refused() {
    let mut key = Gguf::new();
    key.metadata
        .push([u64::MAX.to_le_bytes().as_slice(), &[0; 8]].concat());
    let mut name = Gguf::new();
    name.tensors
        .push([1025_u64.to_le_bytes().as_slice(), &[0; 32]].concat());

    assert!(matches!(
        refuse(&key),
        ModelError::TooLong { limit: 65_535, .. }
    ));
    assert!(matches!(
        refuse(&name),
        ModelError::TooLong {
            len: 1025,
            limit: 1024,
            ..
        }
    ));
}

#[test]
fn an_array_length_that_lies_is_refused_whatever_it_holds() {
    for element in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] {
        for len in [1 << 20, 1 << 61, u64::MAX] {
            let error = refuse(&Gguf::new().entry("key", 9, &array(element, len)));

            assert!(
                matches!(error, ModelError::CountBeyondFile { .. }),
                "{element} {len}: {error}"
            );
        }
    }
}

#[test]
fn arrays_may_nest_a_little() {
    let nested = |depth: usize| {
        let mut value = array(9, 1).repeat(depth - 1);
        value.extend(array(0, 1));
        value.push(5);
        Gguf::new().entry("key", 9, &value)
    };

    accept(&nested(4));
    assert!(matches!(
        refuse(&nested(5)),
        ModelError::ArrayTooDeep { limit: 4, .. }
    ));
    assert!(matches!(
        refuse(&nested(50_000)),
        ModelError::ArrayTooDeep { .. }
    ));
}

#[test]
fn long_texts_are_measured_instead_of_kept() {
    let longest = "x".repeat(65_536);
    let header = accept(&Gguf::new().entry("longest", 8, &text(&longest)).entry(
        "long",
        8,
        &text(&"x".repeat(65_537)),
    ));

    let metadata = header.metadata();
    assert_eq!(metadata.get("longest"), Some(&MetadataValue::Text(longest)));
    assert_eq!(
        metadata.get("long"),
        Some(&MetadataValue::LongText { bytes: 65_537 })
    );
}

#[test]
fn texts_that_are_not_utf8_are_refused_where_they_are() {
    let error = refuse(&Gguf::new().entry("key", 8, &[2, 0, 0, 0, 0, 0, 0, 0, b'a', 0xff]));

    assert!(
        matches!(error, ModelError::TextNotUtf8 { offset: 48, .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("value of metadata entry 0"),
        "{error}"
    );
}

#[test]
fn an_unknown_value_type_is_refused_by_its_number() {
    let value = refuse(&Gguf::new().entry("key", 13, &[0; 8]));
    let element = refuse(&Gguf::new().entry("key", 9, &array(99, 0)));

    assert!(matches!(
        value,
        ModelError::UnknownValueType { number: 13, .. }
    ));
    assert!(matches!(
        element,
        ModelError::UnknownValueType { number: 99, .. }
    ));
}

#[test]
fn a_truth_value_is_0_or_1_alone_and_in_arrays() {
    let alone = refuse(&Gguf::new().entry("key", 7, &[2]));
    let inside = refuse(&Gguf::new().entry("key", 9, &[array(7, 3), vec![0, 1, 255]].concat()));

    assert!(alone.to_string().contains("the truth value 2"), "{alone}");
    assert!(
        inside.to_string().contains("the truth value 255"),
        "{inside}"
    );
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    let error = refuse(&Gguf::new().entry("key", 0, &[1]).entry("key", 0, &[1]));

    assert!(matches!(
        error,
        ModelError::DuplicateName {
            what: "metadata key",
            ..
        }
    ));
}

#[test]
fn keys_are_printable_ascii() {
    accept(&Gguf::new().entry("command-r.Context_Length", 0, &[1]));
    for key in ["", "with space", "nul\0", "tab\t", "ümlaut"] {
        let error = refuse(&Gguf::new().entry(key, 0, &[1]));
        assert!(
            matches!(
                error,
                ModelError::BadName {
                    what: "metadata key",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn the_alignment_that_the_file_asks_for_is_kept() {
    let mut gguf = Gguf::new()
        .entry("general.alignment", 4, &64_u32.to_le_bytes())
        .tensor("a", &[1], 24, 0)
        .tensor("b", &[1], 24, 64)
        .with_data(65);
    gguf.alignment = 64;

    assert_eq!(
        accept(&gguf).tensors().get("b").unwrap().range().start % 64,
        0
    );
}

#[test]
fn an_alignment_that_can_not_be_is_refused_by_its_value() {
    for alignment in [0, 1, 4, 24, 33, 1 << 21, u32::MAX] {
        let error = refuse(&Gguf::good().entry("general.alignment", 4, &alignment.to_le_bytes()));

        assert!(
            error.to_string().contains(&alignment.to_string()),
            "{error}"
        );
    }
    for (kind, value) in [(8, text("32")), (5, 32_i32.to_le_bytes().to_vec())] {
        let error = refuse(&Gguf::good().entry("general.alignment", kind, &value));
        assert!(
            error.to_string().contains("not an unsigned integer"),
            "{error}"
        );
    }
}
