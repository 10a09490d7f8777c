#include "mapping_guard.hpp"

#include <csignal>
#include <cstdint>

#include <sys/mman.h>
#include <unistd.h>

namespace turnd {
namespace {

// Touched before the handler can run on their thread, so the handler does not have to make them.
thread_local volatile std::sig_atomic_t guarding = 0;
thread_local volatile std::sig_atomic_t has_struck = 0;

/// Returning repeats the instruction: on a page of zeroes, or as the end of the process.
void on_bus_error(int, siginfo_t* about, void*) {
    if (guarding != 0 && about->si_code == BUS_ADRERR) {
        const auto size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
        auto* const page = static_cast<char*>(about->si_addr) - reinterpret_cast<std::uintptr_t>(about->si_addr) % size;
        // A system call and no more, so it may be made here.
        if (::mmap(page, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
            has_struck = 1;
            return;
        }
    }
    struct sigaction as_ever {};
    as_ever.sa_handler = SIG_DFL;
    ::sigaction(SIGBUS, &as_ever, nullptr);
    if (about->si_code <= 0) ::raise(SIGBUS); // somebody sent it: there is no instruction to repeat
}

} // namespace

mapping_guard::mapping_guard() noexcept {
    has_struck = 0;
    guarding = 1;
    struct sigaction ours {};
    ours.sa_sigaction = on_bus_error;
    ours.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &ours, nullptr);
}

mapping_guard::~mapping_guard() {
    guarding = 0;
}

bool mapping_guard::struck() noexcept {
    const bool yes = has_struck != 0;
    has_struck = 0;
    return yes;
}

} // namespace turnd
