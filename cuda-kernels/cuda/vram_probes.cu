// Probes: kernels that find a device's limits, for what is measured to be held against.
//
// Each takes one struct by value (probe_arguments.h), and reads and writes exactly what src/probe.rs says.

#include "probe_arguments.h"
#include "sha256.cuh"

namespace probe {

constexpr uint64_t UNIT = 16;
constexpr uint64_t STATE_SIZE = 32;
// Loads that a thread has under way at a time: enough of them hide the memory's latency.
constexpr uint32_t LOADS = 8;

VRAM_INLINE void take_in(memory::Words4 &sum, const memory::Words4 &unit) {
    sum.x ^= unit.x;
    sum.y ^= unit.y;
    sum.z ^= unit.z;
    sum.w ^= unit.w;
}

}  // namespace probe

// How fast the device compresses when no memory is in the way: each thread does `compressions` in a row, on
// a message that never leaves its registers. A compression leaves the last sixteen words of its schedule
// where the message was; they are the next message, at no cost.
VRAM_KERNEL(128, 4) vram_probe_registers(const ProbeRegistersArgs args) {
    const uint64_t index = thread_index();
    if (index >= args.threads) {
        return;
    }
    sha256::State state = sha256::initial_state();
    sha256::BlockMessage message;
    // Of each thread's own, or the compiler would compute it once for all of a warp.
    const uint32_t seed = static_cast<uint32_t>(index);
#pragma unroll
    for (uint32_t word = 0; word < 16; ++word) {
        message.w[word] = seed + word * 0x9e3779b9u;
    }
#pragma unroll 1
    for (uint32_t done = 0; done < args.compressions; ++done) {
        sha256::compress(state, message, args.one);
    }
    const uint64_t to = args.states + index * probe::STATE_SIZE;
    memory::store16(to, memory::Words4{state.a, state.b, state.c, state.d});
    memory::store16(to + 16, memory::Words4{state.e, state.f, state.g, state.h});
}

// How fast the device reads: the threads go through the data together, 16 bytes each at a time, and each
// writes the exclusive or of what it has read. All of the sums together are that of the data's 16-byte units,
// the last one padded with zeros.
VRAM_KERNEL(128, 8) vram_probe_read(const ProbeReadArgs args) {
    const uint64_t index = thread_index();
    if (index >= args.threads) {
        return;
    }
    const uint64_t units = args.data_len / probe::UNIT;
    const uint64_t step = args.threads;
    memory::Words4 sum = {0, 0, 0, 0};
    uint64_t unit = index;
    // As long as there is a unit for every one of the loads. Nothing overflows: a device's memory and a launch's
    // threads are both counted in less than 50 bits.
#pragma unroll 1
    for (; unit + (probe::LOADS - 1) * step < units; unit += probe::LOADS * step) {
        memory::Words4 loaded[probe::LOADS];
#pragma unroll
        for (uint32_t load = 0; load < probe::LOADS; ++load) {
            loaded[load] = memory::load16(args.data + (unit + load * step) * probe::UNIT);
        }
#pragma unroll
        for (uint32_t load = 0; load < probe::LOADS; ++load) {
            probe::take_in(sum, loaded[load]);
        }
    }
#pragma unroll 1
    for (; unit < units; unit += step) {
        probe::take_in(sum, memory::load16(args.data + unit * probe::UNIT));
    }
    // The rest of less than a unit is the first thread's.
    if (index == 0) {
        uint32_t rest[4] = {0, 0, 0, 0};
#pragma unroll
        for (uint32_t byte = 0; byte < probe::UNIT; ++byte) {
            const uint64_t at = units * probe::UNIT + byte;
            if (at < args.data_len) {
                rest[byte / 4] |= memory::load1(args.data + at) << (8 * (byte % 4));
            }
        }
        probe::take_in(sum, memory::Words4{rest[0], rest[1], rest[2], rest[3]});
    }
    memory::store16(args.sums + index * probe::UNIT, sum);
}
