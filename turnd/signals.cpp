#include "signals.hpp"

#include <ctime>

namespace turnd {

blocked_signals::blocked_signals() {
    ::sigemptyset(&set_);
    for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP}) ::sigaddset(&set_, number);
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
}

blocked_signals::~blocked_signals() {
    // A third SIGTERM that nobody waited for must not turn a proper end into a death by signal.
    while (wait(std::chrono::milliseconds{0})) {}
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<signal_kind> blocked_signals::wait(std::optional<std::chrono::milliseconds> timeout) const {
    timespec limit{};
    if (timeout) {
        limit.tv_sec = static_cast<std::time_t>(timeout->count() / 1000);
        limit.tv_nsec = static_cast<long>(timeout->count() % 1000) * 1'000'000;
    }
    // EINTR counts as "nothing came" with a time-out; without one it is tried again.
    int number = -1;
    do number = timeout ? ::sigtimedwait(&set_, nullptr, &limit) : ::sigwaitinfo(&set_, nullptr);
    while (number < 0 && !timeout);
    switch (number) {
    case SIGTERM:
    case SIGINT:
        return signal_kind::end;
    case SIGUSR1:
        return signal_kind::write_counters;
    case SIGUSR2:
        return signal_kind::drain;
    case SIGHUP:
        return signal_kind::reload;
    default:
        return {};
    }
}

} // namespace turnd
