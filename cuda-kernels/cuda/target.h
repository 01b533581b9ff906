// What differs between the GPU and the CPU: qualifiers, where a thread finds its place in the grid, byte
// order, and how memory is reached.
//
// Memory is reached through these functions alone, by address. Addresses may have any alignment unless a
// function says otherwise.
#pragma once

#include <stdint.h>

#if defined(__CUDACC__)

#define VRAM_KERNEL(threads_per_block, blocks_per_sm) \
    extern "C" __global__ void __launch_bounds__(threads_per_block, blocks_per_sm)
#define VRAM_INLINE __device__ __forceinline__
#define VRAM_CONSTEXPR __host__ __device__ __forceinline__ constexpr
#define VRAM_CONSTANT __constant__ const

// The thread's index in the whole launch.
VRAM_INLINE uint64_t thread_index() {
    return static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// Whether a condition holds for every thread that runs in step with this one.
VRAM_INLINE bool holds_for_warp(bool condition) { return __all_sync(__activemask(), condition) != 0; }

#else

#include "cpu/grid.h"

#define VRAM_KERNEL(threads_per_block, blocks_per_sm) static void
#define VRAM_INLINE inline __attribute__((always_inline))
#define VRAM_CONSTEXPR constexpr inline __attribute__((always_inline))
#define VRAM_CONSTANT const

VRAM_INLINE uint64_t thread_index() {
    return static_cast<uint64_t>(vram_cpu::position.block) * vram_cpu::position.threads_per_block +
           vram_cpu::position.thread;
}

VRAM_INLINE bool holds_for_warp(bool condition) { return condition; }

#endif

namespace memory {

// Sixteen bytes as four words of native byte order.
struct Words4 {
    uint32_t x, y, z, w;
};

VRAM_INLINE uint32_t swap_bytes(uint32_t x) {
#if defined(__CUDA_ARCH__)
    return __byte_perm(x, 0, 0x0123);
#else
    return __builtin_bswap32(x);
#endif
}

// The 16 bytes at an address that is a multiple of 16, which nothing writes while the kernel runs.
VRAM_INLINE Words4 load16(uint64_t address) {
#if defined(__CUDA_ARCH__)
    const uint4 v = __ldg(reinterpret_cast<const uint4 *>(address));
    return Words4{v.x, v.y, v.z, v.w};
#else
    Words4 v;
    __builtin_memcpy(&v, reinterpret_cast<const void *>(address), sizeof v);
    return v;
#endif
}

// The 8 bytes at an address that is a multiple of 8, which nothing writes while the kernel runs.
VRAM_INLINE uint64_t load8(uint64_t address) {
#if defined(__CUDA_ARCH__)
    return __ldg(reinterpret_cast<const unsigned long long *>(address));
#else
    uint64_t v;
    __builtin_memcpy(&v, reinterpret_cast<const void *>(address), sizeof v);
    return v;
#endif
}

// The byte at an address, which nothing writes while the kernel runs.
VRAM_INLINE uint32_t load1(uint64_t address) {
#if defined(__CUDA_ARCH__)
    return __ldg(reinterpret_cast<const unsigned char *>(address));
#else
    return *reinterpret_cast<const unsigned char *>(address);
#endif
}

// Stores 16 bytes to an address that is a multiple of 16.
VRAM_INLINE void store16(uint64_t address, Words4 v) {
#if defined(__CUDA_ARCH__)
    *reinterpret_cast<uint4 *>(address) = make_uint4(v.x, v.y, v.z, v.w);
#else
    __builtin_memcpy(reinterpret_cast<void *>(address), &v, sizeof v);
#endif
}

VRAM_INLINE void store1(uint64_t address, uint32_t byte) {
    *reinterpret_cast<unsigned char *>(address) = static_cast<unsigned char>(byte);
}

VRAM_INLINE bool is_aligned16(uint64_t address) { return (address & 15u) == 0; }

}  // namespace memory
