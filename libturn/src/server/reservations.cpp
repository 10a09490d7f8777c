#include "server/reservations.hpp"

#include <algorithm>

#include "base/crypto.hpp"

namespace turn {

reservations::reservations(std::size_t limit) : entries_(limit) {}

std::optional<reservations::token> reservations::hold(reserved_socket socket, time_point now) noexcept {
    token name{};
    crypto::random(name);
    const std::lock_guard lock(mutex_);
    const auto free = std::find_if(entries_.begin(), entries_.end(), [](const auto& e) { return !e; });
    if (free == entries_.end()) return std::nullopt;
    free->emplace(entry{name, now + lifetime, std::move(socket)});
    ++size_;
    return name;
}

std::optional<reserved_socket> reservations::redeem(const token& name, time_point now) noexcept {
    retire(now); // the timer may be late; a token never is
    const std::lock_guard lock(mutex_);
    return take(name);
}

void reservations::cancel(const token& name) noexcept {
    const std::lock_guard lock(mutex_);
    take(name);
}

std::optional<reserved_socket> reservations::take(const token& name) noexcept {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e && e->name == name; });
    if (found == entries_.end()) return std::nullopt;
    std::optional<reserved_socket> socket(std::move((*found)->held));
    found->reset();
    --size_;
    return socket;
}

void reservations::retire(time_point now) noexcept {
    const std::lock_guard lock(mutex_);
    if (size_ == 0) return;
    for (auto& e : entries_) {
        if (!e || e->expires > now) continue;
        e.reset();
        --size_;
    }
}

time_point reservations::next_expiry() const noexcept {
    const std::lock_guard lock(mutex_);
    auto first = time_point::max();
    if (size_ == 0) return first;
    for (const auto& e : entries_)
        if (e) first = std::min(first, e->expires);
    return first;
}

std::size_t reservations::size() const noexcept {
    const std::lock_guard lock(mutex_);
    return size_;
}

} // namespace turn
