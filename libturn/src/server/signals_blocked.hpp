#pragma once
/// Threads of a library take no signals of its application.

#include <csignal>
#include <pthread.h>

namespace turn {

/// While it lives, threads are born deaf to signals, which belong to the application's threads; but for those that
/// report a fault of the thread itself, or profile it.
class signals_blocked {
public:
    signals_blocked() noexcept {
        sigset_t blocked;
        sigfillset(&blocked);
        for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
            sigdelset(&blocked, own);
        pthread_sigmask(SIG_BLOCK, &blocked, &before_);
    }
    ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    sigset_t before_{};
};

} // namespace turn
