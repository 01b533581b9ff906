use super::*;

#[test]
fn tensors_are_ordered_by_place_whatever_order_the_header_has() {
    let header = accept(&safetensors(
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},
            "b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#,
        3,
    ));

    let names: Vec<&str> = header.tensors().iter().map(Tensor::name).collect();
    assert_eq!(names, ["b", "a"]);
}

#[test]
fn every_type_of_the_reference_is_known_by_its_name_and_size() {
    for name in [
        "BOOL",
        "F4",
        "F6_E2M3",
        "F6_E3M2",
        "U8",
        "I8",
        "F8_E5M2",
        "F8_E4M3",
        "F8_E8M0",
        "F8_E4M3FNUZ",
        "F8_E5M2FNUZ",
        "I16",
        "U16",
        "F16",
        "BF16",
        "I32",
        "U32",
        "F32",
        "C64",
        "F64",
        "I64",
        "U64",
    ] {
        let (dtype, element) = element_type("t", name).unwrap();

        assert_eq!(element.name(), name);
        assert_eq!(element.name(), dtype.to_string());
        let bits = u64::try_from(dtype.bitsize()).unwrap();
        assert_eq!(
            Some(element.block_bytes() * 8),
            bits.checked_mul(element.block_elements())
        );
    }
    assert_eq!(element_of(Dtype::F4).unwrap().block_elements(), 2);
    assert_eq!(element_of(Dtype::F6_E2M3).unwrap().block_elements(), 4);
}

#[test]
fn an_unknown_type_is_refused_by_its_name() {
    let error = refuse_tensor(r#""dtype":"F128","shape":[1],"data_offsets":[0,16]"#, 16);

    assert!(
        matches!(error, ModelError::UnknownElementType { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("`F128`"), "{error}");
}

#[test]
fn a_shape_that_overflows_is_refused() {
    let elements = format!(
        r#""dtype":"U8","shape":[{0},{0}],"data_offsets":[0,1]"#,
        1_u64 << 32
    );
    let bytes = format!(
        r#""dtype":"F64","shape":[{}],"data_offsets":[0,1]"#,
        u64::MAX
    );
    let wider = r#""dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]"#;

    assert!(matches!(
        refuse_tensor(&elements, 1),
        ModelError::ShapeOverflow { .. }
    ));
    assert!(matches!(
        refuse_tensor(&bytes, 1),
        ModelError::ShapeOverflow { .. }
    ));
    assert!(matches!(
        refuse_tensor(wider, 1),
        ModelError::HeaderSyntax { .. }
    ));
}

#[test]
fn a_shape_of_too_many_dimensions_is_refused() {
    let shape = ["1"; 33].join(",");

    let error = refuse_tensor(
        &format!(r#""dtype":"U8","shape":[{shape}],"data_offsets":[0,1]"#),
        1,
    );

    assert!(
        error.to_string().contains("more than 32 dimensions"),
        "{error}"
    );
}

#[test]
fn offsets_that_disagree_with_type_and_shape_are_refused() {
    let error = refuse_tensor(r#""dtype":"F32","shape":[2],"data_offsets":[0,4]"#, 4);

    let wanted = matches!(
        error,
        ModelError::SizeMismatch {
            declared: 4,
            computed: 8,
            ..
        }
    );
    assert!(wanted, "{error}");
}

#[test]
fn packed_elements_must_fill_whole_bytes() {
    let error = refuse_tensor(r#""dtype":"F4","shape":[3],"data_offsets":[0,1]"#, 1);

    assert!(
        matches!(
            error,
            ModelError::PartialBlock {
                elements: 3,
                block: 2,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn offsets_that_run_backwards_are_refused() {
    let error = refuse_tensor(r#""dtype":"U8","shape":[1],"data_offsets":[1,0]"#, 1);

    assert!(
        matches!(
            error,
            ModelError::Reversed {
                begin: 1,
                end: 0,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_tensor_behind_the_files_end_is_refused() {
    let over = refuse_tensor(r#""dtype":"U8","shape":[2],"data_offsets":[0,2]"#, 1);
    let max = u64::MAX;
    let far = format!(
        r#""dtype":"U8","shape":[1],"data_offsets":[{},{max}]"#,
        max - 1
    );

    assert!(matches!(over, ModelError::OutOfRange { .. }), "{over}");
    assert!(matches!(
        refuse_tensor(&far, 1),
        ModelError::OutOfRange { .. }
    ));
}

#[test]
fn tensors_that_overlap_or_leave_gaps_are_refused() {
    let two = |begin: u64, end: u64| {
        let header = format!(
            r#"{{"a":{{"dtype":"U8","shape":[4],"data_offsets":[0,4]}},
                "b":{{"dtype":"U8","shape":[4],"data_offsets":[{begin},{end}]}}}}"#
        );
        refuse(&safetensors(&header, 9))
    };

    assert!(matches!(two(3, 7), ModelError::Overlap { .. }));
    assert!(matches!(two(0, 4), ModelError::Overlap { .. }));
    assert!(matches!(two(5, 9), ModelError::Gap { .. }));
    assert!(matches!(two(4, 8), ModelError::TrailingBytes { .. }));
}

#[test]
fn bytes_behind_the_last_tensor_are_refused() {
    let mut file = good_safetensors();
    file.push(0);

    assert!(matches!(refuse(&file), ModelError::TrailingBytes { .. }));
    assert!(matches!(
        refuse(&safetensors("{}", 1)),
        ModelError::TrailingBytes { .. }
    ));
}

#[test]
fn what_the_reference_alone_would_refuse_is_refused() {
    let gap = TensorInfo {
        dtype: Dtype::U8,
        shape: vec![1],
        data_offsets: (1, 2),
    };

    let error = ask_reference(vec![("t".to_owned(), gap)]).unwrap_err();

    assert!(matches!(error, ModelError::Reference { .. }));
    assert!(
        error.to_string().contains("invalid offset for tensor `t`"),
        "{error}"
    );
}
