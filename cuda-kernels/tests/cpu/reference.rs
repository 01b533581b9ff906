//! What the kernels are held against: `ring`, and a compression function in its textbook form.

/// SHA-256 by `ring`.
pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    ring::digest::digest(&ring::digest::SHA256, message)
        .as_ref()
        .try_into()
        .unwrap()
}

/// The digest of block `index` of `data`, zero-padded, behind `prefix`.
pub(crate) fn block_digest(prefix: &[u8], data: &[u8], index: u64) -> [u8; 32] {
    let mut message = prefix.to_vec();
    let start = usize::try_from(index)
        .ok()
        .and_then(|index| index.checked_mul(4096));
    let rest = start
        .and_then(|start| data.get(start..))
        .unwrap_or_default();
    message.extend_from_slice(&rest[..rest.len().min(4096)]);
    message.resize(prefix.len() + 4096, 0);
    sha256(&message)
}

/// Bytes that look random and differ from one another at any distance.
pub(crate) fn data(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A salt as fs-verity puts it before a block: padded to 64 bytes.
pub(crate) fn salt_block(salt: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..salt.len()].copy_from_slice(salt);
    block
}

/// SHA-256's state after one 64-byte block.
pub(crate) fn state_after(block: &[u8; 64]) -> [u32; 8] {
    let words: Vec<u32> = block
        .chunks(4)
        .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
        .collect();
    let mut state: [u32; 8] = primes()
        .take(8)
        .map(|prime| root_fraction(prime, 2))
        .collect::<Vec<u32>>()
        .try_into()
        .unwrap();
    compress(&mut state, &words);
    state
}

fn primes() -> impl Iterator<Item = u32> {
    (2_u32..).filter(|n| (2..*n).all(|divisor| n % divisor != 0))
}

/// One compression of a message of 16 words. Returns the schedule of 64.
pub(crate) fn compress(state: &mut [u32; 8], message: &[u32]) -> Vec<u32> {
    static K: std::sync::LazyLock<Vec<u32>> = std::sync::LazyLock::new(|| {
        let primes = primes().take(64);
        primes.map(|prime| root_fraction(prime, 3)).collect()
    });
    let mut w = message.to_vec();
    for t in 16..64 {
        let s0 = w[t - 15].rotate_right(7) ^ w[t - 15].rotate_right(18) ^ (w[t - 15] >> 3);
        let s1 = w[t - 2].rotate_right(17) ^ w[t - 2].rotate_right(19) ^ (w[t - 2] >> 10);
        w.push(
            s1.wrapping_add(w[t - 7])
                .wrapping_add(s0)
                .wrapping_add(w[t - 16]),
        );
    }
    let mut v = *state;
    for t in 0..64 {
        let [a, b, c, d, e, f, g, h] = v;
        let sum1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let sum0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t1 = h
            .wrapping_add(sum1)
            .wrapping_add((e & f) ^ (!e & g))
            .wrapping_add(K[t])
            .wrapping_add(w[t]);
        let t2 = sum0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        v = [t1.wrapping_add(t2), a, b, c, d.wrapping_add(t1), e, f, g];
    }
    for (word, change) in state.iter_mut().zip(v) {
        *word = word.wrapping_add(change);
    }
    w
}

/// The first 32 bits of the fraction of a number's square or cube root, by bisection.
fn root_fraction(number: u32, degree: u32) -> u32 {
    let (mut low, mut high) = (0_u128, u128::from(number) << 32);
    let target = u128::from(number) << (32 * degree.min(2));
    while high - low > 1 {
        let middle = u128::midpoint(low, high);
        // Compares middle^degree with number * 2^(32 * degree), the cube with 32 bits taken off both sides.
        let below = if degree == 2 {
            middle * middle <= target
        } else {
            middle
                .pow(2)
                .checked_mul(middle)
                .is_some_and(|cube| cube <= target << 32)
        };
        if below {
            low = middle;
        } else {
            high = middle;
        }
    }
    u32::try_from(low & 0xffff_ffff).unwrap()
}

#[test]
fn the_reference_compression_agrees_with_known_constants() {
    assert_eq!(root_fraction(2, 2), 0x6a09_e667);
    assert_eq!(root_fraction(19, 2), 0x5be0_cd19);
    assert_eq!(root_fraction(2, 3), 0x428a_2f98);
    assert_eq!(root_fraction(311, 3), 0xc671_78f2);
    // The padded message "abc" is one block, so its state is its digest.
    let mut abc = [0; 64];
    abc[..4].copy_from_slice(b"abc\x80");
    abc[63] = 24;
    let digest: Vec<u8> = state_after(&abc)
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .collect();
    assert_eq!(digest, sha256(b"abc"));
}
