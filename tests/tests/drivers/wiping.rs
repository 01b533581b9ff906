//! What a region held is gone when it is given back.

use vram_alloc::{Error, HashStart, Kernels, OpenRegion, Stream};

use crate::content::{BLOCK, noise, sha256};
use crate::subject::{MIB, PAGE, Subject, platforms, platforms_alone};

/// Covers: WI-1.
#[test]
fn a_wiped_region_reads_as_zeros() {
    for subject in platforms().iter() {
        let len = usize::try_from(PAGE).unwrap() + 4097;
        let mut region = subject.allocator().allocate(len as u64).unwrap();
        region.write(0, &noise(4, len)).unwrap();

        let open = region.freeze().unwrap().wipe().unwrap();

        let mut bytes = vec![1; len];
        open.read_back(0, &mut bytes).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0));
    }
}

/// Bytes of secrets that are freed: enough that what is allocated next can't miss them all.
const FREED: u64 = 32 * MIB;

/// Nearly all the device's memory, in pieces: the same physical memory again.
fn everything(subject: &Subject) -> Vec<OpenRegion> {
    let allocator = subject.allocator();
    let mut regions = Vec::new();
    let mut piece = 1 << 40;
    while piece >= PAGE {
        match allocator.allocate(piece) {
            Ok(region) => regions.push(region),
            Err(Error::OutOfMemory { available, .. }) if available.0 >= piece => piece /= 2,
            Err(Error::OutOfMemory { available, .. }) => piece = available.0.min(piece / 2),
            Err(error) => panic!("{error}"),
        }
    }
    regions
}

/// Has the device hash every block of a region, and counts those that hash to `wanted`.
fn count_blocks(
    bench: &(Kernels, Stream),
    region: &OpenRegion,
    digests: &mut OpenRegion,
    wanted: &[u8; 32],
) -> usize {
    let (kernels, stream) = bench;
    let blocks = region.len() / BLOCK as u64;
    let mut found = 0;
    let mut first = 0;
    let mut bytes = vec![0; usize::try_from(digests.len()).unwrap()];
    while first < blocks {
        let room = digests.len();
        let mut into = digests.span_mut(0, room).unwrap();
        let span = region.span(0, region.len()).unwrap();
        let start = HashStart::default();
        let count = kernels
            .hash_blocks(stream, span, first, start, &mut into)
            .unwrap();
        stream.synchronize().unwrap();
        digests.read_back(0, &mut bytes).unwrap();
        let hashes = bytes.chunks(32).take(usize::try_from(count).unwrap());
        found += hashes.filter(|hash| hash == wanted).count();
        first += count;
    }
    found
}

/// Covers: WI-1.
#[test]
fn freed_memory_holds_nothing_when_it_is_taken_again() {
    for subject in platforms_alone().iter() {
        let bench = (
            Kernels::load(&subject.device).unwrap(),
            Stream::new(&subject.device).unwrap(),
        );
        // Scratch first, so that it is not what the secrets lay in.
        let mut digests = subject.allocator().allocate_scratch(4 * MIB).unwrap();
        let block = noise(99, BLOCK);
        let wanted = sha256(&block);
        let mut secrets = subject.allocator().allocate(FREED).unwrap();
        let copies = usize::try_from(FREED).unwrap() / BLOCK;
        secrets.write(0, &block.repeat(copies)).unwrap();
        // The search finds what is there.
        assert_eq!(
            count_blocks(&bench, &secrets, &mut digests, &wanted),
            copies
        );

        drop(secrets.freeze().unwrap());

        let regions = everything(subject);
        let taken: u64 = regions.iter().map(OpenRegion::len).sum();
        let total = subject.device.properties().total_memory.0;
        assert!(taken >= total / 2, "took {taken} of {total}");
        for region in &regions {
            assert_eq!(count_blocks(&bench, region, &mut digests, &wanted), 0);
        }
    }
}
