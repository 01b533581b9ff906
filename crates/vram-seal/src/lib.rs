//! Digests, the fs-verity tree, keys and the seal record: the pure cryptography of vram-residency
