#include "relay/judge_allocation.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace turn {

namespace {

/// Above one packet in a hundred a call is heard to suffer.
bool too_much(std::uint32_t dropped, std::uint64_t relayed) noexcept {
    return std::uint64_t{dropped} * 100 > relayed + dropped;
}

/// What kept all data of a client that tried to send some from leaving: what did it most often.
verdict why_nothing_left(const allocation_books& books) noexcept {
    const auto& dropped = books.dropped_up;
    const std::uint32_t unusable =
        dropped.of(reason::malformed) + dropped.of(reason::fingerprint_mismatch) + dropped.of(reason::unknown_method) +
        dropped.of(reason::unexpected_class) + dropped.of(reason::truncated_data) + dropped.of(reason::no_data) +
        dropped.of(reason::bad_attribute) + dropped.of(reason::unknown_attribute) + dropped.of(reason::too_big);
    const std::array<std::pair<verdict, std::uint32_t>, 7> causes{{
        {verdict::no_permission, dropped.of(reason::no_permission)},
        {verdict::no_channel, dropped.of(reason::no_channel)},
        {verdict::wrong_family, dropped.of(reason::wrong_family)},
        {verdict::outside_range, dropped.of(reason::outside_range)},
        {verdict::peer_denied, dropped.of(reason::peer_denied)},
        {verdict::bandwidth, dropped.of(reason::bandwidth)},
        {verdict::malformed, unusable},
    }};
    const auto most = std::max_element(causes.begin(), causes.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return most->second == 0 ? verdict::client_silent : most->first;
}

/// A client whose every peer was refused has nobody to send to. Where one was granted, the others do not matter:
/// browsers offer private candidates all day.
verdict why_nobody_to_send_to(const allocation_books& books) noexcept {
    const auto granted = [&](request_method m) { return books.requests[static_cast<std::size_t>(m)] != 0; };
    if (granted(request_method::create_permission) || granted(request_method::channel_bind) ||
        granted(request_method::connect))
        return verdict::client_silent;
    if (books.refused.of(reason::wrong_family) != 0) return verdict::wrong_family;
    if (books.refused.of(reason::outside_range) != 0) return verdict::outside_range;
    if (books.refused.of(reason::peer_denied) != 0) return verdict::peer_denied;
    return verdict::client_silent;
}

} // namespace

std::string_view name(verdict v) noexcept {
    switch (v) {
    case verdict::ok:
        return "ok";
    case verdict::client_silent:
        return "client-silent";
    case verdict::peer_silent:
        return "peer-silent";
    case verdict::no_permission:
        return "no-permission";
    case verdict::no_channel:
        return "no-channel";
    case verdict::wrong_family:
        return "wrong-family";
    case verdict::outside_range:
        return "outside-range";
    case verdict::peer_denied:
        return "peer-denied";
    case verdict::malformed:
        return "malformed";
    case verdict::bandwidth:
        return "bandwidth";
    case verdict::count_:
        break;
    }
    return "unknown";
}

verdict judge_allocation(const usage& used, const allocation_books& books) noexcept {
    const bool sent = used.packets_up != 0 || used.bytes_up != 0; // a datagram may be empty; TCP has no packets
    const bool heard = used.packets_down != 0 || used.bytes_down != 0;
    if (sent && heard) {
        const bool up = too_much(books.dropped_up.of(reason::bandwidth), used.packets_up);
        const bool down = too_much(books.dropped_down.of(reason::bandwidth), used.packets_down);
        return up || down || used.held_back != 0 ? verdict::bandwidth : verdict::ok; // of TCP nothing is dropped
    }
    if (!sent)
        if (const verdict v = why_nothing_left(books); v != verdict::client_silent) return v;
    if (!heard && books.dropped_down.of(reason::no_permission) != 0) return verdict::no_permission;
    if (sent) return verdict::peer_silent;
    return heard ? verdict::client_silent : why_nobody_to_send_to(books);
}

} // namespace turn
