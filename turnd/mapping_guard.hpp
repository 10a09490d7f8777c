#pragma once
/// A database engine maps a file of its own, and a mapped file that somebody cuts off is SIGBUS, which ends a process
/// with all its relays. Not where this guards.

namespace turnd {

/// On the thread that makes it, and while it lives: mapped pages that have no file behind them any more become pages of
/// zeroes. One at a time on a thread; elsewhere in the process SIGBUS is what it always is.
class mapping_guard {
public:
    mapping_guard() noexcept;
    ~mapping_guard();
    mapping_guard(const mapping_guard&) = delete;
    mapping_guard& operator=(const mapping_guard&) = delete;

    /// Whether that has happened since it was last asked: then what was read is not what was written.
    [[nodiscard]] static bool struck() noexcept;
};

} // namespace turnd
