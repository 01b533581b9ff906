// A thread's place in a launch that runs on the CPU.
#pragma once

#include <stdint.h>

namespace vram_cpu {

struct Position {
    uint32_t block;
    uint32_t thread;
    uint32_t threads_per_block;
};

// Set by launch.cpp for each thread of the grid that it plays.
__attribute__((tls_model("initial-exec"))) static thread_local Position position;

}  // namespace vram_cpu
