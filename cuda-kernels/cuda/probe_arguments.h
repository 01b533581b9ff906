// What the probe kernels are given: one struct each, passed by value, as in arguments.h.
//
// The Rust side declares the same structs in src/probe.rs. Both sides state every offset.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Arguments of vram_probe_registers.
struct ProbeRegistersArgs {
    uint64_t states;        // device address of the first thread's 32-byte state, 16-byte aligned
    uint64_t threads;       // threads that work; the launch's others do nothing
    uint32_t compressions;  // one after the other, by each thread
    uint32_t one;           // always 1: see add() in sha256.cuh
};

static_assert(sizeof(ProbeRegistersArgs) == 24, "laid out as in src/probe.rs");
static_assert(alignof(ProbeRegistersArgs) == 8, "laid out as in src/probe.rs");
static_assert(offsetof(ProbeRegistersArgs, states) == 0, "laid out as in src/probe.rs");
static_assert(offsetof(ProbeRegistersArgs, threads) == 8, "laid out as in src/probe.rs");
static_assert(offsetof(ProbeRegistersArgs, compressions) == 16, "laid out as in src/probe.rs");
static_assert(offsetof(ProbeRegistersArgs, one) == 20, "laid out as in src/probe.rs");

// Arguments of vram_probe_read.
struct ProbeReadArgs {
    uint64_t data;      // device address of the bytes to read, 16-byte aligned
    uint64_t data_len;  // bytes to read
    uint64_t sums;      // device address of the first thread's 16-byte sum, 16-byte aligned
    uint64_t threads;   // threads that share the work; the launch's others do nothing
};

static_assert(sizeof(ProbeReadArgs) == 32, "laid out as in src/probe.rs");
static_assert(alignof(ProbeReadArgs) == 8, "laid out as in src/probe.rs");
static_assert(offsetof(ProbeReadArgs, data) == 0, "laid out as in src/probe.rs");
static_assert(offsetof(ProbeReadArgs, data_len) == 8, "laid out as in src/probe.rs");
static_assert(offsetof(ProbeReadArgs, sums) == 16, "laid out as in src/probe.rs");
static_assert(offsetof(ProbeReadArgs, threads) == 24, "laid out as in src/probe.rs");
