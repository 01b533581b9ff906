// The SHA-256 tree kernels. One thread hashes one block or message from start to end, in registers.
//
// Each kernel takes one struct by value (arguments.h). Each reads and writes exactly what src/arguments.rs
// says of it, whatever the data's length.

#include "arguments.h"
#include "sha256.cuh"

namespace {

constexpr uint64_t BLOCK_SIZE = 4096;
constexpr uint32_t CHUNK_SIZE = 64;
constexpr uint32_t CHUNKS = BLOCK_SIZE / CHUNK_SIZE;
constexpr uint64_t DIGEST_SIZE = 32;
// fs-verity's descriptor of a file (Documentation/filesystems/fsverity.rst).
constexpr uint64_t DESCRIPTOR_SIZE = 256;

// A 64-byte chunk as it lies in memory.
struct Chunk {
    memory::Words4 quarter[4];
};

// 16 bytes of which the first `present` are in memory and the rest are zeros.
VRAM_INLINE memory::Words4 load_partial16(uint64_t address, uint32_t present) {
    uint32_t words[4];
#pragma unroll
    for (uint32_t word = 0; word < 4; ++word) {
        words[word] = 0;
#pragma unroll
        for (uint32_t byte = 0; byte < 4; ++byte) {
            const uint32_t at = 4 * word + byte;
            if (at < present) {
                words[word] |= memory::load1(address + at) << (8 * byte);
            }
        }
    }
    return memory::Words4{words[0], words[1], words[2], words[3]};
}

// The chunk at an address that is a multiple of 16.
VRAM_INLINE Chunk load_whole_chunk(uint64_t address) {
    Chunk chunk;
#pragma unroll
    for (uint32_t q = 0; q < 4; ++q) {
        chunk.quarter[q] = memory::load16(address + 16 * q);
    }
    return chunk;
}

// The chunk at byte `at` of a block that has `present` bytes in memory, the rest being zeros. Of those
// bytes the first `wide` may be read 16 at a time.
VRAM_INLINE Chunk load_chunk(uint64_t block, uint32_t at, uint32_t present, uint32_t wide) {
    Chunk chunk;
    if (at + CHUNK_SIZE <= wide) {
        chunk = load_whole_chunk(block + at);
    } else {
#pragma unroll
        for (uint32_t q = 0; q < 4; ++q) {
            const uint32_t from = at + 16 * q;
            if (from + 16 <= wide) {
                chunk.quarter[q] = memory::load16(block + from);
            } else {
                chunk.quarter[q] = load_partial16(block + from, from < present ? present - from : 0);
            }
        }
    }
    return chunk;
}

// The padding after a salt block and a block: the 1 bit, zeros, and the length in bits.
VRAM_INLINE sha256::BlockMessage salted_padding() {
    sha256::BlockMessage message = {};
    message.w[0] = 0x80000000u;
    message.w[15] = (VRAM_PREFIX_SALT_BLOCK + static_cast<uint32_t>(BLOCK_SIZE)) * 8;
    return message;
}

// The chunk as SHA-256 reads it: big-endian words.
VRAM_INLINE sha256::BlockMessage message_of(const Chunk &chunk, uint32_t one) {
    sha256::BlockMessage message;
#pragma unroll
    for (uint32_t q = 0; q < 4; ++q) {
        message.w[4 * q + 0] = sha256::swap_bytes(chunk.quarter[q].x, one);
        message.w[4 * q + 1] = sha256::swap_bytes(chunk.quarter[q].y, one);
        message.w[4 * q + 2] = sha256::swap_bytes(chunk.quarter[q].z, one);
        message.w[4 * q + 3] = sha256::swap_bytes(chunk.quarter[q].w, one);
    }
    return message;
}

// Writes the digest: the state as big-endian words.
VRAM_INLINE void store_digest(uint64_t address, const sha256::State &s) {
    const uint32_t words[8] = {
        memory::swap_bytes(s.a), memory::swap_bytes(s.b), memory::swap_bytes(s.c), memory::swap_bytes(s.d),
        memory::swap_bytes(s.e), memory::swap_bytes(s.f), memory::swap_bytes(s.g), memory::swap_bytes(s.h)};
    if (memory::is_aligned16(address)) {
        memory::store16(address, memory::Words4{words[0], words[1], words[2], words[3]});
        memory::store16(address + 16, memory::Words4{words[4], words[5], words[6], words[7]});
    } else {
#pragma unroll
        for (uint32_t word = 0; word < 8; ++word) {
#pragma unroll
            for (uint32_t byte = 0; byte < 4; ++byte) {
                memory::store1(address + 4 * word + byte, words[word] >> (8 * byte));
            }
        }
    }
}

// What bounds a launch. Both ways give the same digests.
enum class Bound {
    // The multiprocessors are full. Every register that a thread doesn't need lets another warp in, and the other warps
    // hide memory's latency.
    THROUGHPUT,
    // A thread has its scheduler almost to itself, and nothing hides what it waits for.
    LATENCY,
};

// Hashes this thread's block of a window.
template <Bound BY>
VRAM_INLINE void hash_block(const Sha256BlocksArgs &args) {
    const uint64_t index = thread_index();
    if (index >= args.block_count) {
        return;
    }
    const uint64_t block = args.first_block + index;
    uint64_t address;
    uint32_t present = 0;
    if (args.rows == 0) {
        // What of this block is data. A block past the end, or an index that wrapped, has none.
        const uint64_t whole_blocks = args.data_len / BLOCK_SIZE;
        if (block >= index) {
            if (block < whole_blocks) {
                present = BLOCK_SIZE;
            } else if (block == whole_blocks) {
                present = static_cast<uint32_t>(args.data_len % BLOCK_SIZE);
            }
        }
        address = args.data + block * BLOCK_SIZE;
    } else {
        // Its row, and where it lies there. A row need not fill the blocks that it stands for: the others
        // are nobody's, and their digests are left as they are.
        const uint64_t row = args.rows + (block >> args.row_shift) * sizeof(Row);
        const uint64_t length = memory::load8(row + offsetof(Row, length));
        const uint64_t offset = (block & ((uint64_t{1} << args.row_shift) - 1)) * BLOCK_SIZE;
        if (offset >= length) {
            return;
        }
        const uint64_t left = length - offset;
        present = static_cast<uint32_t>(left < BLOCK_SIZE ? left : BLOCK_SIZE);
        address = memory::load8(row + offsetof(Row, address)) + offset;
    }
    const uint32_t wide = memory::is_aligned16(address) ? present & ~15u : 0;

    sha256::State state = {args.initial_state[0], args.initial_state[1], args.initial_state[2],
                           args.initial_state[3], args.initial_state[4], args.initial_state[5],
                           args.initial_state[6], args.initial_state[7]};
    uint32_t chunk = 0;
    if (holds_for_warp(wide == BLOCK_SIZE)) {
        if constexpr (BY == Bound::THROUGHPUT) {
#pragma unroll 1
            for (; chunk < CHUNKS; ++chunk) {
                sha256::BlockMessage message = message_of(load_whole_chunk(address + chunk * CHUNK_SIZE), args.one);
                sha256::compress(state, message, args.one);
            }
        } else {
            // The next chunk is asked for one compression before it is needed: memory's latency hides behind the
            // rounds.
            Chunk next = load_whole_chunk(address);
#pragma unroll 1
            for (; chunk < CHUNKS; ++chunk) {
                sha256::BlockMessage message = message_of(next, args.one);
                // The last time, a chunk that is there already: cheaper than to ask whether there is a next one.
                next = load_whole_chunk(address + (chunk + 1 < CHUNKS ? chunk + 1 : chunk) * CHUNK_SIZE);
                sha256::compress_in_turns(state, message, args.one);
            }
        }
    }
    // What the loops above didn't do: blocks of which something is missing or unaligned, with their
    // neighbours; and after a salt the padding, which otherwise is done below.
    const bool salted = args.prefix != VRAM_PREFIX_NONE;
    const uint32_t chunks = CHUNKS + (salted ? 1 : 0);
#pragma unroll 1
    for (; chunk < chunks; ++chunk) {
        sha256::BlockMessage message;
        if (chunk < CHUNKS) {
            message = message_of(load_chunk(address, chunk * CHUNK_SIZE, present, wide), args.one);
        } else {
            message = salted_padding();
        }
        sha256::compress_in_turns(state, message, args.one);
    }
    // Every block is padded to the same length, so the last compression's message is a constant.
    if (!salted) {
        sha256::PaddingMessage<BLOCK_SIZE> padding;
        sha256::compress(state, padding, args.one);
    }
    store_digest(args.digests + index * DIGEST_SIZE, state);
}

}  // namespace

// Level by level, the fs-verity tree: the digest of every 4096-byte block of a window of the data. For windows that,
// with those under way beside them, fill the device.
VRAM_KERNEL(128, 8) vram_sha256_blocks(const Sha256BlocksArgs args) { hash_block<Bound::THROUGHPUT>(args); }

// The same, for windows that leave room.
VRAM_KERNEL(128, 4) vram_sha256_few_blocks(const Sha256BlocksArgs args) { hash_block<Bound::LATENCY>(args); }

// fs-verity's digest of every row's data: SHA-256 of a descriptor of 256 bytes that holds the data's length, its
// root and the salt.
VRAM_KERNEL(128, 4) vram_verity_digests(const VerityDigestsArgs args) {
    const uint64_t index = thread_index();
    if (index >= args.row_count) {
        return;
    }
    const uint64_t row = args.rows + index * sizeof(Row);
    const uint64_t length = memory::load8(row + offsetof(Row, length));
    const uint64_t root = memory::load8(row + offsetof(Row, address));

    sha256::State state = sha256::initial_state();
#pragma unroll 1
    for (uint32_t chunk = 0; chunk <= DESCRIPTOR_SIZE / CHUNK_SIZE; ++chunk) {
        sha256::BlockMessage message = {};
        if (chunk == 0) {
            // Version 1, SHA-256, blocks of 2^12 bytes, the salt's length, a reserved word, the data's length, and
            // of 64 bytes for the root as many as it has.
            message.w[0] = 0x01010c00u | args.salt_len;
            message.w[2] = memory::swap_bytes(static_cast<uint32_t>(length));
            message.w[3] = memory::swap_bytes(static_cast<uint32_t>(length >> 32));
#pragma unroll
            for (uint32_t word = 0; word < 4; ++word) {
                const uint64_t eight = memory::load8(root + 8 * word);
                message.w[4 + 2 * word] = memory::swap_bytes(static_cast<uint32_t>(eight));
                message.w[5 + 2 * word] = memory::swap_bytes(static_cast<uint32_t>(eight >> 32));
            }
        } else if (chunk == 1) {
            // The rest of the root's place, and the salt.
#pragma unroll
            for (uint32_t word = 0; word < 8; ++word) {
                message.w[4 + word] = memory::swap_bytes(args.salt[word]);
            }
        } else if (chunk == DESCRIPTOR_SIZE / CHUNK_SIZE) {
            message.w[0] = 0x80000000u;
            message.w[15] = static_cast<uint32_t>(DESCRIPTOR_SIZE) * 8;
        }
        sha256::compress_in_turns(state, message, args.one);
    }
    store_digest(args.digests + index * DIGEST_SIZE, state);
}

// The SHA-256 of every message of a table: known-answer tests of the device. Simple rather than fast.
VRAM_KERNEL(128, 4) vram_sha256_messages(const Sha256MessagesArgs args) {
    const uint64_t index = thread_index();
    if (index >= args.message_count) {
        return;
    }
    const uint64_t row = args.messages + index * sizeof(Message);
    const uint64_t offset = memory::load8(row + offsetof(Message, offset));
    const uint64_t length = memory::load8(row + offsetof(Message, length));
    const uint64_t digest = args.digests + index * DIGEST_SIZE;
    if (offset > args.data_len || length > args.data_len - offset) {
        store_digest(digest, sha256::State{0, 0, 0, 0, 0, 0, 0, 0});
        return;
    }

    const uint64_t address = args.data + offset;
    // The last chunk holds the message's rest, the 1 bit, zeros and the length in bits: 9 bytes at least.
    const uint64_t rest = length % CHUNK_SIZE;
    const uint64_t chunks = length / CHUNK_SIZE + (rest + 9 > CHUNK_SIZE ? 2 : 1);
    sha256::State state = sha256::initial_state();
#pragma unroll 1
    for (uint64_t chunk = 0; chunk < chunks; ++chunk) {
        sha256::BlockMessage message;
#pragma unroll
        for (uint32_t word = 0; word < 16; ++word) {
            message.w[word] = 0;
#pragma unroll
            for (uint32_t byte = 0; byte < 4; ++byte) {
                const uint64_t at = chunk * CHUNK_SIZE + 4 * word + byte;
                if (at < length) {
                    message.w[word] |= memory::load1(address + at) << (24 - 8 * byte);
                } else if (at == length) {
                    message.w[word] |= 0x80u << (24 - 8 * byte);
                }
            }
        }
        if (chunk + 1 == chunks) {
            message.w[14] = static_cast<uint32_t>(length >> 29);
            message.w[15] = static_cast<uint32_t>(length << 3);
        }
        sha256::compress_in_turns(state, message, args.one);
    }
    store_digest(digest, state);
}
