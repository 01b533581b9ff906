// Launches of the kernels on the CPU: the kernel source itself, one thread of the grid after the other.

#include "../vram_kernels.cu"
#include "../vram_probes.cu"
#include "guard.h"

namespace vram_cpu {
namespace {

// The kernels, numbered as the Rust side does.
enum KernelId : uint32_t {
    SHA256_BLOCKS = 0,
    SHA256_MESSAGES = 1,
    SHA256_FEW_BLOCKS = 2,
    VERITY_DIGESTS = 3,
    PROBE_REGISTERS = 100,
    PROBE_READ = 101
};

struct Launch {
    uint32_t kernel;
    uint32_t threads_per_block;
    uint32_t first_block;
    uint32_t end_block;
    const void *args;
};

template <class Args>
void run_blocks(const Launch &launch, void (*kernel)(Args)) {
    Args args;
    __builtin_memcpy(&args, launch.args, sizeof args);
    position.threads_per_block = launch.threads_per_block;
    for (uint32_t block = launch.first_block; block < launch.end_block; ++block) {
        position.block = block;
        for (uint32_t thread = 0; thread < launch.threads_per_block; ++thread) {
            position.thread = thread;
            kernel(args);
        }
    }
}

void run(void *context) {
    const Launch &launch = *static_cast<const Launch *>(context);
    switch (launch.kernel) {
        case SHA256_BLOCKS:
            run_blocks(launch, vram_sha256_blocks);
            break;
        case SHA256_MESSAGES:
            run_blocks(launch, vram_sha256_messages);
            break;
        case SHA256_FEW_BLOCKS:
            run_blocks(launch, vram_sha256_few_blocks);
            break;
        case VERITY_DIGESTS:
            run_blocks(launch, vram_verity_digests);
            break;
        case PROBE_REGISTERS:
            run_blocks(launch, vram_probe_registers);
            break;
        case PROBE_READ:
            run_blocks(launch, vram_probe_read);
            break;
    }
}

}  // namespace
}  // namespace vram_cpu

// How a launch ended: what src/cpu.rs knows as Outcome.
enum : int32_t { VRAM_CPU_DONE = 0, VRAM_CPU_FAULT = 1 };

// Runs the blocks first_block..end_block of a launch; the kernels themselves need no more of the grid.
extern "C" int32_t vram_cpu_launch(uint32_t kernel, uint32_t threads_per_block, uint32_t first_block,
                                   uint32_t end_block, const void *args, vram_cpu::Fault *fault) {
    vram_cpu::Launch launch = {kernel, threads_per_block, first_block, end_block, args};
    return vram_cpu::run_guarded(vram_cpu::run, &launch, fault) ? VRAM_CPU_DONE : VRAM_CPU_FAULT;
}
