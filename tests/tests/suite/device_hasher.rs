//! SHA-256 as the device computes it: the project's kernels, launched by `vram-alloc` on a simulated
//! driver, with nothing of the host's hashing in between.

use vram_alloc::{Allocator, AllocatorConfig, HashStart, Kernels, OpenRegion, Stream, message_row};
use vram_seal::verity::{Shape, finish_from_groups};
use vram_seal::{BlockHash, Digest, Salt, VerityMeasurement};

use crate::rig::{MIB, machine, platform};

/// Bytes of a digest.
const HASH: u64 = 32;

/// A device with the kernels loaded.
pub(crate) struct DeviceHasher {
    allocator: Allocator,
    kernels: Kernels,
    stream: Stream,
}

impl DeviceHasher {
    /// A fresh machine with a device of 256 MiB.
    pub(crate) fn new() -> Self {
        let device = platform(&machine(256 * MIB)).open(0).unwrap();
        Self {
            allocator: Allocator::new(&device, AllocatorConfig::default()).unwrap(),
            kernels: Kernels::load(&device).unwrap(),
            stream: Stream::new(&device).unwrap(),
        }
    }

    /// Puts bytes, of which there is at least one, into device memory.
    pub(crate) fn upload(&self, bytes: &[u8]) -> OpenRegion {
        let mut region = self.room(bytes.len() as u64);
        region.write(0, bytes).unwrap();
        region
    }

    /// Device memory for so many bytes.
    pub(crate) fn room(&self, bytes: u64) -> OpenRegion {
        self.allocator.allocate(bytes).unwrap()
    }

    /// Measures a region: leaf hashes and group hashes on the device, the few above on the host.
    pub(crate) fn measure(&self, data: &OpenRegion, salt: &Salt) -> VerityMeasurement {
        let shape = Shape::new(data.len());
        let state = salt.initial_state();
        let start = HashStart {
            words: state.words,
            prefix_len: state.prefix_len,
        };
        let leaves = self.hash_blocks(data, shape.leaves(), start);
        let groups = if shape.leaves() == 1 {
            leaves
        } else {
            self.hash_blocks(&leaves, shape.groups(), start)
        };
        let hashes = read(&groups).into_iter().map(BlockHash::from_bytes);
        finish_from_groups(hashes.collect(), data.len(), salt).unwrap()
    }

    /// The hash of each of a region's blocks, of which there must be `blocks`, in a region of its own.
    fn hash_blocks(&self, data: &OpenRegion, blocks: u64, start: HashStart) -> OpenRegion {
        let mut hashes = self.room(blocks * HASH);
        let data = data.span(0, data.len()).unwrap();
        let mut digests = hashes.span_mut(0, blocks * HASH).unwrap();
        let hashed = self
            .kernels
            .hash_blocks(&self.stream, data, 0, start, &mut digests)
            .unwrap();
        self.stream.synchronize().unwrap();
        assert_eq!(hashed, blocks);
        hashes
    }

    /// The digest of each message, all of them in one launch.
    pub(crate) fn hash_messages(&self, messages: &[Vec<u8>]) -> Vec<Digest> {
        let mut table = Vec::new();
        let mut data = Vec::new();
        for message in messages {
            table.extend(message_row(data.len() as u64, message.len() as u64));
            data.extend_from_slice(message);
        }
        let data = self.upload(&data);
        let table = self.upload(&table);
        let mut digests = self.room(messages.len() as u64 * HASH);
        self.launch_messages(&data, &table, &mut digests);
        read(&digests).into_iter().map(Digest::from_bytes).collect()
    }

    /// One launch over messages that lie in device memory: as many as `digests` has room for.
    pub(crate) fn launch_messages(
        &self,
        data: &OpenRegion,
        table: &OpenRegion,
        digests: &mut OpenRegion,
    ) {
        let len = digests.len();
        let data = data.span(0, data.len()).unwrap();
        let table = table.span(0, table.len()).unwrap();
        let mut digests = digests.span_mut(0, len).unwrap();
        let hashed = self
            .kernels
            .hash_messages(&self.stream, data, table, &mut digests)
            .unwrap();
        self.stream.synchronize().unwrap();
        assert_eq!(hashed * HASH, len);
    }
}

/// The digests that a region holds.
pub(crate) fn read(digests: &OpenRegion) -> Vec<[u8; 32]> {
    let mut bytes = vec![0; usize::try_from(digests.len()).unwrap()];
    digests.read_back(0, &mut bytes).unwrap();
    bytes.as_chunks::<32>().0.to_vec()
}
