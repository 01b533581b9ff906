// SHA-256's compression function (FIPS 180-4, section 6.2.2) in one source for the GPU and the CPU. No word of
// the state or the message is indexed by a variable, so a GPU keeps all of them in registers.
#pragma once

#include "target.h"

namespace sha256 {

// The eight words a..h of FIPS 180-4.
struct State {
    uint32_t a, b, c, d, e, f, g, h;
};

// The initial hash value (FIPS 180-4, section 5.3.3).
VRAM_INLINE State initial_state() {
    return State{0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
}

// The constants K of the rounds (FIPS 180-4, section 4.2.2).
struct RoundConstants {
    uint32_t k[64];
};
VRAM_CONSTEXPR RoundConstants round_constants() {
    return RoundConstants{{
        0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
        0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
        0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
        0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
        0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
        0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
        0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
        0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u}};
}

// The constant K of round `t`, which is part of the instructions.
VRAM_CONSTEXPR uint32_t round_constant(int t) {
    constexpr RoundConstants constants = round_constants();
    return constants.k[t];
}

// The same in memory, for rounds that a loop's counter picks. Its name says nothing of where this was compiled.
extern "C" {
extern VRAM_CONSTANT RoundConstants vram_round_constants;
VRAM_CONSTANT RoundConstants vram_round_constants = round_constants();
}

VRAM_CONSTEXPR uint32_t rotate_right(uint32_t x, int n) {
    return (x >> n) | (x << (32 - n));
}

// The functions of FIPS 180-4, section 4.1.2.
VRAM_CONSTEXPR uint32_t choose(uint32_t x, uint32_t y, uint32_t z) { return (x & y) ^ (~x & z); }
VRAM_CONSTEXPR uint32_t majority(uint32_t x, uint32_t y, uint32_t z) { return (x & y) ^ (x & z) ^ (y & z); }
VRAM_CONSTEXPR uint32_t big_sigma0(uint32_t x) {
    return rotate_right(x, 2) ^ rotate_right(x, 13) ^ rotate_right(x, 22);
}
VRAM_CONSTEXPR uint32_t big_sigma1(uint32_t x) {
    return rotate_right(x, 6) ^ rotate_right(x, 11) ^ rotate_right(x, 25);
}
VRAM_CONSTEXPR uint32_t small_sigma0(uint32_t x) { return rotate_right(x, 7) ^ rotate_right(x, 18) ^ (x >> 3); }
VRAM_CONSTEXPR uint32_t small_sigma1(uint32_t x) { return rotate_right(x, 17) ^ rotate_right(x, 19) ^ (x >> 10); }

// x + y. A GPU does additions, shifts and logic on one pipe, which SHA-256 keeps full, while the pipe for
// multiply-adds idles: x * one + y moves an addition there, as long as the compiler can't tell that `one`
// is 1. It comes from the kernel's parameters, whose bank an instruction reads at no cost.
VRAM_INLINE uint32_t add(uint32_t x, uint32_t y, uint32_t one) {
#if defined(__CUDA_ARCH__)
    uint32_t sum;
    asm("mad.lo.u32 %0, %1, %2, %3;" : "=r"(sum) : "r"(x), "r"(one), "r"(y));
    return sum;
#else
    (void)one;
    return x + y;
#endif
}

// x with its bytes in reverse order: a word as it lies in memory, as SHA-256 reads it. A permutation of bytes is
// work for the busy pipe, dot products are the idle one's: the lower half of x comes out swapped as
// 256 * byte 0 + byte 1, the upper half likewise.
VRAM_INLINE uint32_t swap_bytes(uint32_t x, uint32_t one) {
#if defined(__CUDA_ARCH__)
    constexpr uint32_t weights = 256u | 1u << 16;
    const uint32_t up = one << 16;
    uint32_t swapped;
    asm("dp2a.lo.u32.u32 %0, %1, %2, %3;" : "=r"(swapped) : "r"(weights), "r"(x), "r"(0));
    asm("mad.lo.u32 %0, %1, %2, %3;" : "=r"(swapped) : "r"(swapped), "r"(up), "r"(0));
    asm("dp2a.hi.u32.u32 %0, %1, %2, %3;" : "=r"(swapped) : "r"(weights), "r"(x), "r"(swapped));
    return swapped;
#else
    (void)one;
    return memory::swap_bytes(x);
#endif
}

// A 64-byte block of a message that is known at run time: a window of 16 words of its schedule.
struct BlockMessage {
    uint32_t w[16];

    // Moves the window on by one word, from W[t - 16] to W[t], where t is T modulo 16.
    template <int T>
    VRAM_INLINE void move_on(uint32_t one) {
        uint32_t next = add(w[T % 16], small_sigma0(w[(T + 1) % 16]), one);
        next = add(w[(T + 9) % 16], next, one);
        w[T % 16] = add(small_sigma1(w[(T + 14) % 16]), next, one);
    }

    // h + K[T] + W[T], having moved the window on if round T needs it.
    template <int T>
    VRAM_INLINE uint32_t add_to(uint32_t h, uint32_t one) {
        if constexpr (T >= 16) {
            move_on<T>(one);
        }
        constexpr uint32_t k = round_constant(T);
        return add(w[T % 16], h + k, one);
    }
};

// Sixteen rounds of a block's message in a loop: its round T is round `first` + T, which is 16 at least.
struct Turn {
    BlockMessage &block;
    uint32_t first;

    // h + K + W of that round.
    template <int T>
    VRAM_INLINE uint32_t add_to(uint32_t h, uint32_t one) {
        block.template move_on<T>(one);
        return add(block.w[T % 16], h + vram_round_constants.k[first + T], one);
    }
};

struct Schedule {
    uint32_t w[64];
};

// The whole schedule of the block that ends a message of `message_bits` bits, a multiple of 512: the 1 bit,
// zeros, and the length.
VRAM_CONSTEXPR Schedule padding_schedule(uint64_t message_bits) {
    Schedule schedule = {};
    schedule.w[0] = 0x80000000u;
    schedule.w[14] = static_cast<uint32_t>(message_bits >> 32);
    schedule.w[15] = static_cast<uint32_t>(message_bits);
    for (int t = 16; t < 64; ++t) {
        schedule.w[t] = small_sigma1(schedule.w[t - 2]) + schedule.w[t - 7] + small_sigma0(schedule.w[t - 15]) +
                        schedule.w[t - 16];
    }
    return schedule;
}

// The padding after `MESSAGE_BYTES` bytes, a multiple of 64: each round's K + W is one constant.
template <uint64_t MESSAGE_BYTES>
struct PaddingMessage {
    static_assert(MESSAGE_BYTES % 64 == 0, "otherwise the padding shares a block with the message");

    // h + K[T] + W[T].
    template <int T>
    VRAM_INLINE uint32_t add_to(uint32_t h, uint32_t) const {
        constexpr uint32_t k_and_w = padding_schedule(MESSAGE_BYTES * 8).w[T] + round_constant(T);
        return h + k_and_w;
    }
};

// Round T; the caller renames a..h instead of moving them.
template <int T, class AnyMessage>
VRAM_INLINE void round(uint32_t a, uint32_t b, uint32_t c, uint32_t &d, uint32_t e, uint32_t f, uint32_t g,
                       uint32_t &h, AnyMessage &message, uint32_t one) {
    uint32_t t1 = message.template add_to<T>(h, one);
    t1 = add(choose(e, f, g), t1, one);
    t1 = add(big_sigma1(e), t1, one);
    d = add(d, t1, one);
    h = add(big_sigma0(a), t1, one);
    h = add(majority(a, b, c), h, one);
}

// Rounds T to T + 7, after which every word is back under its own name.
template <int T, class AnyMessage>
VRAM_INLINE void eight_rounds(State &s, AnyMessage &message, uint32_t one) {
    round<T + 0>(s.a, s.b, s.c, s.d, s.e, s.f, s.g, s.h, message, one);
    round<T + 1>(s.h, s.a, s.b, s.c, s.d, s.e, s.f, s.g, message, one);
    round<T + 2>(s.g, s.h, s.a, s.b, s.c, s.d, s.e, s.f, message, one);
    round<T + 3>(s.f, s.g, s.h, s.a, s.b, s.c, s.d, s.e, message, one);
    round<T + 4>(s.e, s.f, s.g, s.h, s.a, s.b, s.c, s.d, message, one);
    round<T + 5>(s.d, s.e, s.f, s.g, s.h, s.a, s.b, s.c, message, one);
    round<T + 6>(s.c, s.d, s.e, s.f, s.g, s.h, s.a, s.b, message, one);
    round<T + 7>(s.b, s.c, s.d, s.e, s.f, s.g, s.h, s.a, message, one);
}

// What ends a compression: the words that the rounds made are added to those that they began with.
VRAM_INLINE void add_state(State &state, const State &s, uint32_t one) {
    state.a = add(s.a, state.a, one);
    state.b = add(s.b, state.b, one);
    state.c = add(s.c, state.c, one);
    state.d = add(s.d, state.d, one);
    state.e = add(s.e, state.e, one);
    state.f = add(s.f, state.f, one);
    state.g = add(s.g, state.g, one);
    state.h = add(s.h, state.h, one);
}

// One compression: `state` absorbs `message`. All 64 rounds in a row, without a branch: 26 KiB of instructions,
// which pay once a multiprocessor has many warps to hide fetching them.
template <class AnyMessage>
VRAM_INLINE void compress(State &state, AnyMessage &message, uint32_t one) {
    State s = state;
    eight_rounds<0>(s, message, one);
    eight_rounds<8>(s, message, one);
    eight_rounds<16>(s, message, one);
    eight_rounds<24>(s, message, one);
    eight_rounds<32>(s, message, one);
    eight_rounds<40>(s, message, one);
    eight_rounds<48>(s, message, one);
    eight_rounds<56>(s, message, one);
    add_state(state, s, one);
}

// The same with the last 48 rounds in a loop: fewer than half the instructions, for warps that have a scheduler to
// themselves and wait for every one that isn't cached.
VRAM_INLINE void compress_in_turns(State &state, BlockMessage &message, uint32_t one) {
    State s = state;
    eight_rounds<0>(s, message, one);
    eight_rounds<8>(s, message, one);
    Turn turn = {message, 16};
#pragma unroll 1
    for (; turn.first < 64; turn.first += 16) {
        eight_rounds<0>(s, turn, one);
        eight_rounds<8>(s, turn, one);
    }
    add_state(state, s, one);
}

}  // namespace sha256
