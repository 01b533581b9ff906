// What the kernels are given: one struct each, passed by value, so that a launch puts it into the constant bank.
//
// The Rust side declares the same structs in src/arguments.rs. Both sides state every offset; a change
// to one that is not made to the other does not compile.
#pragma once

#include <stddef.h>
#include <stdint.h>

// A `prefix` of Sha256BlocksArgs: how many bytes the initial state has absorbed already.
#define VRAM_PREFIX_NONE 0u
#define VRAM_PREFIX_SALT_BLOCK 64u

// Arguments of vram_sha256_blocks and vram_sha256_few_blocks.
struct Sha256BlocksArgs {
    uint64_t data;              // device address of byte 0 of the data, if it is in one piece
    uint64_t data_len;          // bytes of data, if it is in one piece
    uint64_t digests;           // device address of the window's first digest
    uint64_t first_block;       // index of the window's first 4096-byte block
    uint64_t block_count;       // blocks in the window
    uint64_t rows;              // device address of the data's table of Row, 8-byte aligned; 0: in one piece
    uint32_t initial_state[8];  // SHA-256 state that each block starts from
    uint32_t prefix;            // VRAM_PREFIX_NONE or VRAM_PREFIX_SALT_BLOCK
    uint32_t one;               // always 1: see add() in sha256.cuh
    uint32_t row_shift;         // log2 of the blocks that a row stands for; below 32
    uint32_t reserved;          // zero
};

static_assert(sizeof(Sha256BlocksArgs) == 96, "laid out as in src/arguments.rs");
static_assert(alignof(Sha256BlocksArgs) == 8, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256BlocksArgs, data) == 0, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256BlocksArgs, data_len) == 8, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256BlocksArgs, digests) == 16, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256BlocksArgs, first_block) == 24, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256BlocksArgs, block_count) == 32, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256BlocksArgs, rows) == 40, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256BlocksArgs, initial_state) == 48, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256BlocksArgs, prefix) == 80, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256BlocksArgs, one) == 84, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256BlocksArgs, row_shift) == 88, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256BlocksArgs, reserved) == 92, "laid out as in src/arguments.rs");

// A row of a table: a piece of data of its own.
struct Row {
    uint64_t address;  // device address of its byte 0
    uint64_t length;   // bytes in it
};

static_assert(sizeof(Row) == 16, "laid out as in src/arguments.rs");
static_assert(alignof(Row) == 8, "laid out as in src/arguments.rs");
static_assert(offsetof(Row, address) == 0, "laid out as in src/arguments.rs");
static_assert(offsetof(Row, length) == 8, "laid out as in src/arguments.rs");

// Arguments of vram_verity_digests. Each row's address is where the root of its data lies, 32 bytes at a multiple of
// 8; its length is the data's.
struct VerityDigestsArgs {
    uint64_t rows;       // device address of `row_count` rows of Row, 8-byte aligned
    uint64_t digests;    // device address of the first row's digest
    uint64_t row_count;  // rows in the table
    uint32_t salt[8];    // the salt's bytes as they lie in memory, then zeros
    uint32_t salt_len;   // bytes of salt, 32 at most
    uint32_t one;        // always 1: see add() in sha256.cuh
};

static_assert(sizeof(VerityDigestsArgs) == 64, "laid out as in src/arguments.rs");
static_assert(alignof(VerityDigestsArgs) == 8, "laid out as in src/arguments.rs");
static_assert(offsetof(VerityDigestsArgs, rows) == 0, "laid out as in src/arguments.rs");
static_assert(offsetof(VerityDigestsArgs, digests) == 8, "laid out as in src/arguments.rs");
static_assert(offsetof(VerityDigestsArgs, row_count) == 16, "laid out as in src/arguments.rs");
static_assert(offsetof(VerityDigestsArgs, salt) == 24, "laid out as in src/arguments.rs");
static_assert(offsetof(VerityDigestsArgs, salt_len) == 56, "laid out as in src/arguments.rs");
static_assert(offsetof(VerityDigestsArgs, one) == 60, "laid out as in src/arguments.rs");

// Arguments of vram_sha256_messages.
struct Sha256MessagesArgs {
    uint64_t data;           // device address of the buffer that holds the messages
    uint64_t data_len;       // bytes in that buffer
    uint64_t messages;       // device address of `message_count` rows of Message, 8-byte aligned
    uint64_t digests;        // device address of the first digest
    uint64_t message_count;  // rows in the table
    uint32_t one;            // always 1: see add() in sha256.cuh
    uint32_t reserved;       // zero
};

static_assert(sizeof(Sha256MessagesArgs) == 48, "laid out as in src/arguments.rs");
static_assert(alignof(Sha256MessagesArgs) == 8, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256MessagesArgs, data) == 0, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256MessagesArgs, data_len) == 8, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256MessagesArgs, messages) == 16, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256MessagesArgs, digests) == 24, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256MessagesArgs, message_count) == 32, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256MessagesArgs, one) == 40, "laid out as in src/arguments.rs");
static_assert(offsetof(Sha256MessagesArgs, reserved) == 44, "laid out as in src/arguments.rs");

// A row of vram_sha256_messages' table.
struct Message {
    uint64_t offset;  // of the message's first byte in the data
    uint64_t length;  // bytes in the message
};

static_assert(sizeof(Message) == 16, "laid out as in src/arguments.rs");
static_assert(alignof(Message) == 8, "laid out as in src/arguments.rs");
static_assert(offsetof(Message, offset) == 0, "laid out as in src/arguments.rs");
static_assert(offsetof(Message, length) == 8, "laid out as in src/arguments.rs");
