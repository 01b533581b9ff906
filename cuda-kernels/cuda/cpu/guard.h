// Running a function so that a memory fault inside it ends the function, not the process.
#pragma once

#include <stdint.h>

namespace vram_cpu {

enum Access : int32_t { ACCESS_UNKNOWN = 0, ACCESS_READ = 1, ACCESS_WRITE = 2 };

// A memory fault: what the function touched, and how.
struct Fault {
    uint64_t address;
    int32_t access;
    int32_t reserved;
};

// Calls body(context) and returns whether it came to its end. If it faulted, `fault` says where.
//
// The frames between here and the fault are left without being unwound: nothing that `body` calls may own
// a lock, memory or an object with a destructor. A fault outside of any guarded body goes to the handler
// that was installed before this one, or ends the process as if there were none.
bool run_guarded(void (*body)(void *), void *context, Fault *fault);

}  // namespace vram_cpu
