use super::*;

#[test]
fn tensors_are_placed_by_their_offsets_in_the_file() {
    let file = Gguf::good().file();
    let header = accept(&Gguf::good());

    assert_eq!(header.format(), ModelFormat::Gguf);
    let end = u64::try_from(file.len()).unwrap();
    let q4 = header.tensors().get("blk.0.q4").unwrap();
    assert_eq!(
        (q4.element().name(), q4.shape(), q4.size()),
        ("Q4_0", [64, 2].as_slice(), 72)
    );
    assert_eq!(q4.range(), end - 128..end - 56);
    let norm = header.tensors().get("norm").unwrap();
    assert_eq!(
        (norm.element().name(), norm.range()),
        ("F32", end - 32..end)
    );
    assert_eq!(header.data(), end - 128..end);
}

#[test]
fn too_many_dimensions_are_refused_before_they_are_read() {
    let four = Gguf::new().tensor("t", &[1, 1, 1, 1], 24, 0).with_data(1);
    let five = Gguf::new()
        .tensor("t", &[1, 1, 1, 1, 1], 24, 0)
        .with_data(1);
    let mut lying = Gguf::new();
    lying.tensors.push([text("t"), vec![0xff; 20]].concat());

    accept(&four);
    assert!(matches!(
        refuse(&five),
        ModelError::TooMany {
            count: 5,
            limit: 4,
            ..
        }
    ));
    assert!(matches!(
        refuse(&lying),
        ModelError::TooMany {
            count: 0xffff_ffff,
            ..
        }
    ));
}

#[test]
fn a_tensor_without_dimensions_is_one_element_and_a_zero_makes_it_empty() {
    let header = accept(
        &Gguf::new()
            .tensor("one", &[], 0, 0)
            .tensor("none", &[0], 0, 32)
            .with_data(32),
    );

    assert_eq!(header.tensors().get("one").unwrap().size(), 4);
    assert_eq!(header.tensors().get("none").unwrap().size(), 0);
}

#[test]
fn unknown_and_withdrawn_types_are_refused_by_their_number() {
    for number in [4, 5, 31, 32, 33, 36, 37, 38, 42, 1000, u32::MAX] {
        let error = refuse(&Gguf::new().tensor("t", &[256], number, 0).with_data(256));

        assert!(
            error.to_string().contains(&format!("number {number}")),
            "{error}"
        );
    }
}

#[test]
fn block_types_have_the_sizes_that_their_names_promise() {
    // Bits per weight as published for each type, in thousandths.
    for (number, name, thousandths) in [
        (0, "F32", 32_000),
        (1, "F16", 16_000),
        (2, "Q4_0", 4_500),
        (3, "Q4_1", 5_000),
        (6, "Q5_0", 5_500),
        (7, "Q5_1", 6_000),
        (8, "Q8_0", 8_500),
        (10, "Q2_K", 2_625),
        (11, "Q3_K", 3_437),
        (12, "Q4_K", 4_500),
        (13, "Q5_K", 5_500),
        (14, "Q6_K", 6_562),
        (16, "IQ2_XXS", 2_062),
        (17, "IQ2_XS", 2_312),
        (18, "IQ3_XXS", 3_062),
        (19, "IQ1_S", 1_562),
        (20, "IQ4_NL", 4_500),
        (21, "IQ3_S", 3_437),
        (22, "IQ2_S", 2_562),
        (23, "IQ4_XS", 4_250),
        (29, "IQ1_M", 1_750),
        (30, "BF16", 16_000),
        (34, "TQ1_0", 1_687),
        (35, "TQ2_0", 2_062),
        (39, "MXFP4", 4_250),
        (40, "NVFP4", 4_500),
    ] {
        let element = types::element(number).unwrap();

        assert_eq!(element.name(), name);
        assert_eq!(
            element.block_bytes() * 8_000 / element.block_elements(),
            thousandths,
            "{name}"
        );
    }
}

#[test]
fn every_known_type_is_read_and_sized() {
    let known: Vec<u32> = (0..100)
        .filter(|number| types::element(*number).is_some())
        .collect();
    assert_eq!(known.len(), 34);
    for number in known {
        let element = types::element(number).unwrap();
        let bytes = usize::try_from(element.block_bytes()).unwrap();

        let header = accept(
            &Gguf::new()
                .tensor("t", &[element.block_elements()], number, 0)
                .with_data(bytes),
        );

        assert_eq!(
            header.tensors().get("t").unwrap().size(),
            element.block_bytes()
        );
    }
}

#[test]
fn a_row_must_fill_whole_blocks() {
    let error = refuse(&Gguf::new().tensor("t", &[16, 2], 2, 0).with_data(18));

    let wanted = matches!(
        error,
        ModelError::PartialBlock {
            elements: 16,
            block: 32,
            ..
        }
    );
    assert!(wanted, "{error}");
}

#[test]
fn a_shape_that_overflows_is_refused() {
    for shape in [&[1 << 32, 1 << 32][..], &[u64::MAX], &[1 << 62]] {
        let error = refuse(&Gguf::new().tensor("t", shape, 28, 0).with_data(8));

        assert!(matches!(error, ModelError::ShapeOverflow { .. }), "{error}");
    }
}

#[test]
fn a_tensor_behind_the_files_end_is_refused() {
    let long = Gguf::new().tensor("t", &[1 << 40], 24, 0).with_data(8);
    let far = Gguf::new()
        .tensor("t", &[1], 24, u64::MAX - 31)
        .with_data(8);

    assert!(matches!(refuse(&long), ModelError::OutOfRange { .. }));
    assert!(matches!(refuse(&far), ModelError::OutOfRange { .. }));
}

#[test]
fn a_tensor_behind_the_last_possible_byte_is_refused_in_a_file_of_any_length() {
    let far = Gguf::new().tensor("t", &[1], 24, u64::MAX - 31);
    let long = Gguf::new().tensor("t", &[u64::MAX], 24, 32);
    for gguf in [far, long] {
        let mut reader = std::io::Cursor::new(gguf.file());

        let error = ModelHeader::read(&mut reader, u64::MAX, FormatHint::Gguf).unwrap_err();

        assert!(
            matches!(error, ModelError::OutOfRange { end: u64::MAX, .. }),
            "{error}"
        );
    }
}

#[test]
fn a_tensor_that_is_not_aligned_is_refused() {
    let error = refuse(&Gguf::new().tensor("t", &[1], 24, 8).with_data(9));

    assert!(
        matches!(
            error,
            ModelError::Misaligned {
                offset: 8,
                alignment: 32,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn tensors_that_overlap_or_leave_gaps_are_refused() {
    let two = |second: u64| {
        let gguf = Gguf::new()
            .tensor("a", &[40], 24, 0)
            .tensor("b", &[1], 24, second);
        refuse(&gguf.with_data(97))
    };

    assert!(matches!(two(32), ModelError::Overlap { .. }));
    assert!(matches!(two(0), ModelError::Overlap { .. }));
    assert!(matches!(two(96), ModelError::Gap { .. }));
}

#[test]
fn a_tensor_that_comes_twice_is_refused() {
    let error = refuse(
        &Gguf::new()
            .tensor("t", &[1], 24, 0)
            .tensor("t", &[1], 24, 32)
            .with_data(33),
    );

    assert!(
        matches!(error, ModelError::DuplicateName { what: "tensor", .. }),
        "{error}"
    );
}

#[test]
fn names_without_characters_or_with_control_characters_are_refused() {
    for name in ["", "nul\0", "\u{1b}[2J"] {
        let error = refuse(&Gguf::new().tensor(name, &[1], 24, 0).with_data(1));

        assert!(
            matches!(error, ModelError::BadName { what: "tensor", .. }),
            "{error}"
        );
    }
}
