// The fault handler behind run_guarded().

#include "guard.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

namespace vram_cpu {
namespace {

// A guarded call in progress on this thread.
struct Guard {
    sigjmp_buf resume;
    Fault *fault;
};

// The innermost one, or null. In the thread's static block, so that the handler can read it on a thread
// that never came by here without anything being allocated.
__attribute__((tls_model("initial-exec"))) thread_local Guard *volatile active = nullptr;

// The handlers that were there before.
struct sigaction previous_segv;
struct sigaction previous_bus;
pthread_once_t installed = PTHREAD_ONCE_INIT;

// Whether the processor says that the faulting instruction was writing.
int32_t access_of(const void *context) {
    const ucontext_t *state = static_cast<const ucontext_t *>(context);
#if defined(__linux__) && defined(__x86_64__)
    // Bit 1 of the page-fault error code: a write. Only a page fault (trap 14) has that code.
    if (state->uc_mcontext.gregs[REG_TRAPNO] != 14) {
        return ACCESS_UNKNOWN;
    }
    return (state->uc_mcontext.gregs[REG_ERR] & 2) != 0 ? ACCESS_WRITE : ACCESS_READ;
#elif defined(__linux__) && defined(__aarch64__)
    // The context's extra records are {magic, size, payload}; the exception syndrome's bit 6 is "write".
    const uint8_t *record = reinterpret_cast<const uint8_t *>(state->uc_mcontext.__reserved);
    const uint8_t *end = record + sizeof state->uc_mcontext.__reserved;
    while (end - record >= 16) {
        uint32_t head[2];
        __builtin_memcpy(head, record, sizeof head);
        if (head[0] == 0x45535201u) {
            uint64_t syndrome;
            __builtin_memcpy(&syndrome, record + 8, sizeof syndrome);
            return (syndrome & 0x40) != 0 ? ACCESS_WRITE : ACCESS_READ;
        }
        if (head[0] == 0 || head[1] < 8 || head[1] > static_cast<uint32_t>(end - record)) {
            break;
        }
        record += head[1];
    }
    return ACCESS_UNKNOWN;
#else
    (void)state;
    return ACCESS_UNKNOWN;
#endif
}

// Hands a fault that isn't ours to whoever had the signal before.
void pass_on(int signal, siginfo_t *info, void *context) {
    const struct sigaction *previous = signal == SIGBUS ? &previous_bus : &previous_segv;
    if ((previous->sa_flags & SA_SIGINFO) != 0) {
        previous->sa_sigaction(signal, info, context);
    } else if (previous->sa_handler == SIG_DFL || previous->sa_handler == SIG_IGN) {
        // A real fault can't be ignored. On return the instruction faults again, or the signal that a
        // process sent comes again, and the default ends the process with the right status.
        struct sigaction fallback = {};
        fallback.sa_handler = SIG_DFL;
        sigemptyset(&fallback.sa_mask);
        sigaction(signal, &fallback, nullptr);
        if (info->si_code <= 0) {
            raise(signal);
        }
    } else {
        previous->sa_handler(signal);
    }
}

void on_fault(int signal, siginfo_t *info, void *context) {
    Guard *guard = active;
    // A code of zero or less means that a process sent the signal: no access of ours caused it.
    if (guard == nullptr || info->si_code <= 0) {
        pass_on(signal, info, context);
        return;
    }
    guard->fault->address = reinterpret_cast<uint64_t>(info->si_addr);
    guard->fault->access = access_of(context);
    siglongjmp(guard->resume, 1);
}

// Takes both signals over. Where that fails nothing is guarded, and a fault ends the process as ever.
void install() {
    struct sigaction ours = {};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    // Read first, so that a fault on another thread in this moment finds a handler to pass on to.
    if (sigaction(SIGSEGV, nullptr, &previous_segv) == 0) {
        sigaction(SIGSEGV, &ours, nullptr);
    }
    if (sigaction(SIGBUS, nullptr, &previous_bus) == 0) {
        sigaction(SIGBUS, &ours, nullptr);
    }
}

}  // namespace

bool run_guarded(void (*body)(void *), void *context, Fault *fault) {
    pthread_once(&installed, install);
    Guard guard;
    guard.fault = fault;
    Guard *const outer = active;
    // Saves the signal mask too: the handler is left without returning from it.
    if (sigsetjmp(guard.resume, 1) != 0) {
        active = outer;
        return false;
    }
    active = &guard;
    // The compiler must not move the body's accesses out of the guarded stretch.
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    body(context);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    active = outer;
    return true;
}

}  // namespace vram_cpu
