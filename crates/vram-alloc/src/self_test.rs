//! Known answers: a device that computes SHA-256 wrongly must not be believed to measure.

use vram_kernels::{Row, VerityDigestsArgs};

use crate::kernels::{HashStart, Kernels, message_row};
use crate::region::OpenRegion;
use crate::size::len_u64;
use crate::stream::Stream;
use crate::{Error, Result};

/// Messages of FIPS 180-2, appendix B, and their digests; the third is padded over two blocks.
const MESSAGES: [(&str, &[u8], &str); 3] = [
    (
        "the empty message",
        b"",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    (
        "\"abc\"",
        b"abc",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    (
        "the 448-bit message",
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
];

/// SHA-256 of two blocks of bytes that count from 0 to 250 again and again, and of the second where all but its first
/// byte is missing.
const FIRST_BLOCK: &str = "d67c656e01756650d77717b0839985a056ec28ffe174601d690fc407a2ceffca";
const SECOND_BLOCK: &str = "416317ed11e1666ed2a36373377df576bd327eb944640bf119b242d6f941bb5a";
const CUT_BLOCK: &str = "8739b9d292016268de92e584032a92f95e176f01e69230bd5a056e769c8b9363";

/// A descriptor whose every field counts: the size, the root and the salt of no file there is, and fs-verity's
/// digest of them.
const SIZE: u64 = 0x0102_0304_0506_0708;
const ROOT: [u8; 32] = *b"a root of 32 bytes, all counting";
const SALT: &[u8] = b"salt of 32 bytes, all of them in";
const VERITY_DIGEST: &str = "c1a1f604c56f444eaa32e48b36d4cfedff9005c4460be89e8272c230cd32a398";

/// Bytes of scratch that [`Kernels::self_test`] needs in each of its two regions.
pub const SELF_TEST_SCRATCH: u64 = 8192;

impl Kernels {
    /// Runs each kernel on known answers, as FIPS 140-3 has modules do before they are used.
    ///
    /// `input` and `output` are scratch of [`SELF_TEST_SCRATCH`] bytes each; what they hold is lost.
    ///
    /// # Errors
    ///
    /// [`Error::SelfTest`] names the first known answer that didn't come out; otherwise as
    /// [`hash_blocks`](Self::hash_blocks).
    pub fn self_test(
        &self,
        stream: &Stream,
        input: &mut OpenRegion,
        output: &mut OpenRegion,
    ) -> Result<()> {
        self.test_messages(stream, input, output)?;
        // Where one block is few, and where it is many.
        self.test_blocks(u64::MAX, "few blocks", stream, input, output)?;
        self.test_blocks(0, "many blocks", stream, input, output)?;
        self.test_verity_digest(stream, input, output)
    }

    fn test_messages(
        &self,
        stream: &Stream,
        input: &mut OpenRegion,
        output: &mut OpenRegion,
    ) -> Result<()> {
        // The table first, then the messages one after the other.
        let mut bytes = Vec::new();
        let mut text = Vec::new();
        for (_, message, _) in MESSAGES {
            let (start, length) = (len_u64(&text), len_u64(message));
            bytes.extend_from_slice(&message_row(start, length));
            text.extend_from_slice(message);
        }
        let (table_len, text_len) = (len_u64(&bytes), len_u64(&text));
        bytes.append(&mut text);
        input.write(0, &bytes)?;
        let mut digests = [[0xa5; 32]; MESSAGES.len()];
        output.write(0, digests.as_flattened())?;
        let table = input.span(0, table_len)?;
        let text = input.span(table_len, text_len)?;
        let mut room = output.span_mut(0, len_u64(digests.as_flattened()))?;
        self.hash_messages(stream, text, table, &mut room)?;
        stream.synchronize()?;
        output.read_back(0, digests.as_flattened_mut())?;
        for ((vector, _, expected), digest) in MESSAGES.iter().zip(&digests) {
            compare(vector, digest, expected)?;
        }
        Ok(())
    }

    fn test_blocks(
        &self,
        many_blocks: u64,
        vector: &'static str,
        stream: &Stream,
        input: &mut OpenRegion,
        output: &mut OpenRegion,
    ) -> Result<()> {
        let data: Vec<u8> = (0..=250).cycle().take(8192).collect();
        input.write(0, &data)?;
        // Threads in step with one whose block isn't whole take another path than those whose blocks all are.
        for (len, second) in [(8192, SECOND_BLOCK), (4097, CUT_BLOCK)] {
            output.write(0, &[0xa5; 64])?;
            let mut digests = output.span_mut(0, 64)?;
            self.hash_blocks_from(
                many_blocks,
                stream,
                input.span(0, len)?,
                0,
                HashStart::default(),
                &mut digests,
            )?;
            stream.synchronize()?;
            let mut both = [0; 64];
            output.read_back(0, &mut both)?;
            let expected = [FIRST_BLOCK, second];
            for (digest, expected) in both.chunks_exact(32).zip(expected) {
                compare(vector, digest, expected)?;
            }
        }
        Ok(())
    }

    fn test_verity_digest(
        &self,
        stream: &Stream,
        input: &mut OpenRegion,
        output: &mut OpenRegion,
    ) -> Result<()> {
        // The row, then the root that it names.
        const ROW: u64 = 16;
        let row = Row {
            address: input.span(ROW, len_u64(&ROOT))?.address(),
            length: SIZE,
        };
        input.write(0, &[&row.to_bytes()[..], &ROOT].concat())?;
        output.write(0, &[0xa5; 32])?;
        let (rows, digests) = (input.span(0, ROW)?.address(), output.span_mut(0, 32)?);
        let args = VerityDigestsArgs::new(rows, 1, digests.address());
        let args = args.with_salt(SALT).unwrap_or(args);
        // SAFETY: the kernel reads the row and the root behind it, both in `input`, whose address is aligned, and
        // writes 32 bytes to `output`, which is borrowed alone. Both are of the stream's device, as the tests before
        // this one have asked.
        unsafe { self.launch_verity_digests(stream, args) }?;
        stream.synchronize()?;
        let mut digest = [0; 32];
        output.read_back(0, &mut digest)?;
        compare("an fs-verity descriptor", &digest, VERITY_DIGEST)
    }
}

fn compare(vector: &'static str, digest: &[u8], expected: &str) -> Result<()> {
    let shown: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    if shown == expected {
        Ok(())
    } else {
        Err(Error::SelfTest { vector })
    }
}
