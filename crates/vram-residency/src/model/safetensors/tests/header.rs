use super::*;

#[test]
fn reads_what_the_reference_writes() {
    let data: Vec<u8> = (0..64).collect();
    let view = |dtype, shape, range| TensorView::new(dtype, shape, &data[range]).unwrap();
    let tensors = [
        ("model.embed", view(Dtype::F32, vec![2, 4], 0..32)),
        ("model.norm", view(Dtype::BF16, vec![8], 32..48)),
        ("model.scalar", view(Dtype::I64, vec![], 48..56)),
        ("model.packed", view(Dtype::F4, vec![4, 4], 56..64)),
    ];
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let file = serialize(tensors, Some(metadata)).unwrap();

    let header = accept(&file);

    assert_eq!(header.format(), ModelFormat::SafeTensors);
    assert_eq!(header.metadata().text("format"), Some("pt"));
    assert_eq!(header.tensors().len(), 4);
    let reference = SafeTensors::deserialize(&file).unwrap();
    for tensor in header.tensors() {
        let wanted = reference.tensor(tensor.name()).unwrap();
        let place = tensor.range();
        let range = usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap();
        assert_eq!(&file[range], wanted.data());
        assert_eq!(tensor.element().name(), wanted.dtype().to_string());
        let shape: Vec<u64> = wanted
            .shape()
            .iter()
            .map(|n| u64::try_from(*n).unwrap())
            .collect();
        assert_eq!(tensor.shape(), shape);
    }
}

#[test]
fn a_file_without_tensors_is_one_too() {
    let header = accept(&safetensors("{}", 0));

    assert!(header.tensors().is_empty());
    assert_eq!(header.data(), 10..10);
}

#[test]
fn trailing_spaces_of_a_header_are_its_padding() {
    accept(&safetensors(
        r#"{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}     "#,
        1,
    ));
}

#[test]
fn a_header_length_that_lies_is_refused_by_its_value() {
    let stated = |len: u64| refuse(&[len.to_le_bytes().as_slice(), b"{}"].concat());

    assert!(matches!(
        stated(0),
        ModelError::HeaderTooShort { len: 0, least: 2 }
    ));
    assert!(matches!(
        stated(1),
        ModelError::HeaderTooShort { len: 1, .. }
    ));
    assert!(matches!(
        stated(3),
        ModelError::Truncated {
            needed: 3,
            at: 8,
            file_len: 10,
            ..
        }
    ));
    assert!(matches!(
        stated(100_000_000),
        ModelError::Truncated {
            needed: 100_000_000,
            ..
        }
    ));
    for too_long in [100_000_001, u64::MAX] {
        let error = stated(too_long);
        assert!(
            matches!(
                error,
                ModelError::TooLong {
                    limit: 100_000_000,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_refused() {
    let file = good_safetensors();
    let longer = u64::try_from(file.len()).unwrap();
    for kept in [4, 8, 20] {
        let mut reader = std::io::Cursor::new(&file[..kept]);

        let error = ModelHeader::read(&mut reader, longer, FormatHint::SafeTensors).unwrap_err();

        assert!(error.to_string().contains("became shorter"), "{error}");
    }
}

#[test]
fn text_that_is_not_utf8_is_refused_where_it_is() {
    let mut file = good_safetensors();
    file[11] = 0xff;

    assert!(matches!(
        refuse(&file),
        ModelError::HeaderNotUtf8 { offset: 11 }
    ));
}

#[test]
fn deep_json_is_refused_before_it_is_parsed() {
    let deep = format!("{}{}", "{\"a\":".repeat(100_000), "1");

    let error = refuse(&safetensors(&deep, 0));

    assert!(
        matches!(error, ModelError::HeaderTooDeep { limit: 3, .. }),
        "{error}"
    );
}

#[test]
fn json_that_is_no_header_is_refused() {
    for header in [
        "[]",
        "null",
        "\"{}\"",
        " {}",
        "{ ",
        "{}{}",
        "{} x",
        "{\"t\":1}",
        "{\"t\":{}}",
    ] {
        let error = refuse(&safetensors(header, 0));

        assert!(
            matches!(error, ModelError::HeaderSyntax { .. }),
            "{header}: {error}"
        );
    }
}

#[test]
fn a_wrong_entry_is_named() {
    let error = refuse_tensor(r#""dtype":"U8","shape":[-1],"data_offsets":[0,1]"#, 1);

    let message = error.to_string();
    assert!(
        message.contains("at `t`") && message.contains("-1"),
        "{message}"
    );
}

#[test]
fn an_unknown_field_could_change_what_the_bytes_mean_and_is_refused() {
    let error = refuse_tensor(
        r#""dtype":"U8","shape":[1],"data_offsets":[0,1],"order":"F""#,
        1,
    );

    assert!(
        error.to_string().contains("unknown field `order`"),
        "{error}"
    );
}

#[test]
fn a_field_that_comes_twice_is_refused() {
    let error = refuse_tensor(
        r#""dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]"#,
        1,
    );

    assert!(
        error.to_string().contains("duplicate field `dtype`"),
        "{error}"
    );
}

#[test]
fn a_tensor_that_comes_twice_is_refused_however_it_is_spelt() {
    for second in ["t", "\\u0074"] {
        let header = format!(
            r#"{{"t":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}},
                "{second}":{{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}}}"#
        );

        let error = refuse(&safetensors(&header, 2));

        assert!(
            matches!(error, ModelError::DuplicateName { what: "tensor", .. }),
            "{error}"
        );
    }
}

#[test]
fn metadata_that_comes_twice_is_refused() {
    let sections = refuse(&safetensors(r#"{"__metadata__":{},"__metadata__":{}}"#, 0));
    let keys = refuse(&safetensors(r#"{"__metadata__":{"a":"1","a":"2"}}"#, 0));

    assert!(
        sections.to_string().contains("header entry `__metadata__`"),
        "{sections}"
    );
    assert!(keys.to_string().contains("metadata key `a`"), "{keys}");
}

#[test]
fn metadata_must_be_texts() {
    for value in ["1", "null", "[]", r#"{"a":1}"#, r#"{"a":null}"#] {
        let error = refuse(&safetensors(&format!(r#"{{"__metadata__":{value}}}"#), 0));

        assert!(
            error.to_string().contains("at `__metadata__`"),
            "{value}: {error}"
        );
    }
}

#[test]
fn long_metadata_is_measured_instead_of_kept() {
    let long = "x".repeat(65_537);
    let header = accept(&safetensors(
        &format!(r#"{{"__metadata__":{{"a":"{long}"}}}}"#),
        0,
    ));

    assert_eq!(
        header.metadata().get("a"),
        Some(&MetadataValue::LongText { bytes: 65_537 })
    );
}

#[test]
fn names_with_control_characters_are_refused() {
    for name in ["a\\u0000", "\\n", "\\u001b[2J"] {
        let header = format!(r#"{{"{name}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}"#);

        let error = refuse(&safetensors(&header, 1));

        assert!(
            matches!(error, ModelError::BadName { what: "tensor", .. }),
            "{error}"
        );
        assert!(!error.to_string().contains(char::is_control));
    }
}

#[test]
fn a_header_longer_than_the_file_is_not_read() {
    let error = refuse(&[3_u64.to_le_bytes().as_slice(), b"{}"].concat());

    assert!(matches!(error, ModelError::Truncated { field, .. } if field == "the header"));
}

#[test]
fn too_much_metadata_is_refused_by_the_limit() {
    let entries: Vec<String> = (0..=65_536).map(|n| format!(r#""{n}":"""#)).collect();

    let error = refuse(&safetensors(
        &format!(r#"{{"__metadata__":{{{}}}}}"#, entries.join(",")),
        0,
    ));

    assert!(
        matches!(
            error,
            ModelError::TooMany {
                count: 65_537,
                limit: 65_536,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn too_many_tensors_are_refused_by_the_limit() {
    let mut header = String::from("{");
    for n in 0..=1_u32 << 19 {
        let comma = if n == 0 { "" } else { "," };
        header.push_str(&format!(
            r#"{comma}"{n}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#
        ));
    }
    header.push('}');

    let error = refuse(&safetensors(&header, 0));

    assert!(
        matches!(error, ModelError::TooMany { limit: 524_288, .. }),
        "{error}"
    );
}
