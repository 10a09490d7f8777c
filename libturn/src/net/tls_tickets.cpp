#include "net/tls_tickets.hpp"

#include <algorithm>

#include "base/crypto.hpp"

namespace turn::net {

namespace {

ticket_key random_key() {
    ticket_key k;
    crypto::random(k.name);
    crypto::random(k.cipher);
    crypto::random(k.authentication);
    return k;
}

} // namespace

ticket_keys::ticket_keys(time_point now) : now_(random_key()), since_(now) {}

ticket_key ticket_keys::sealing(time_point now) {
    const std::lock_guard lock(mutex_);
    advance(now);
    return now_;
}

std::optional<ticket_keys::opening_key> ticket_keys::opening(std::span<const std::byte> name, time_point now) {
    const std::lock_guard lock(mutex_);
    advance(now);
    if (std::ranges::equal(name, now_.name)) return opening_key{.key = now_};
    if (before_ && std::ranges::equal(name, before_->name)) return opening_key{.key = *before_, .replaced = true};
    return std::nullopt;
}

void ticket_keys::advance(time_point now) {
    if (now - since_ < period) return;
    // Nobody came for two periods: the key of now has had its time for opening, too.
    before_ = now - since_ < 2 * period ? std::optional(now_) : std::nullopt;
    now_ = random_key();
    since_ = now;
}

} // namespace turn::net
