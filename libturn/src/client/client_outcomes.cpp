/// What the answer to a request means for the client: RFC 8656, 7.3, 7.4, 8.3, 10.3 and 12.3;
/// RFC 6062, 4.3.

#include <algorithm>

#include "client/client_state.hpp"
#include "turn/stun/attributes.hpp"

namespace turn {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view incomplete = "the answer lacks what its method needs";
constexpr std::uint16_t allocation_mismatch = 437;

/// A minute before the end (RFC 8656, 8), or half-way when it lasts less than two.
time_point refresh_time(std::chrono::seconds lifetime, time_point now) {
    return now + (lifetime >= 120s ? lifetime - 60s : lifetime / 2);
}

constexpr std::size_t index_of(address_family f) noexcept {
    return f == address_family::ipv4 ? 0 : 1;
}

result<transport_address> mapped_address_of(const stun::message_view& m) {
    if (auto address = m.get<stun::xor_mapped_address>()) return address;
    return m.get<stun::mapped_address>(); // servers of RFC 3489
}

/// Errors: missing_attribute, bad_attribute.
result<client::allocated> read_allocated(const stun::message_view& m) {
    const auto lifetime = m.get<stun::lifetime>();
    const auto mapped = m.get<stun::xor_mapped_address>();
    if (!lifetime) return lifetime.error();
    if (!mapped) return mapped.error();
    client::allocated a{.relayed = {}, .mapped = *mapped, .lifetime = *lifetime};
    m.for_each<stun::xor_relayed_address>([&](const result<transport_address>& relayed) {
        if (!relayed) return true;
        if (a.relayed.port == 0) {
            a.relayed = *relayed;
        } else if (relayed->family != a.relayed.family) {
            a.relayed_additional = *relayed;
        }
        return true;
    });
    if (a.relayed.port == 0) return errc::missing_attribute;
    if (a.relayed_additional.port != 0 && !a.relayed.is_ipv4()) std::swap(a.relayed, a.relayed_additional);
    if (const auto token = m.get<stun::reservation_token>()) a.token = *token;
    if (const auto error = m.get<stun::address_error_code>()) a.additional_error = error->code;
    return a;
}

} // namespace

std::optional<client::event> client::state::succeeded(const transaction& t, const stun::message_view& m,
                                                      time_point now) {
    if (std::holds_alternative<binding_request>(t.what)) {
        if (const auto address = mapped_address_of(m)) return mapped{*address};
        return failed_with(t, 0, incomplete, now);
    }
    if (std::holds_alternative<allocate_request>(t.what)) {
        const auto a = read_allocated(m);
        if (!a) return failed_with(t, 0, incomplete, now);
        forget_allocation();
        expires[index_of(a->relayed.family)] = now + a->lifetime;
        if (a->relayed_additional.port != 0) expires[index_of(a->relayed_additional.family)] = now + a->lifetime;
        refresh_at = refresh_time(a->lifetime, now);
        return *a;
    }
    if (const auto* r = std::get_if<refresh_request>(&t.what)) {
        const auto lifetime = m.get<stun::lifetime>();
        if (!lifetime) return failed_with(t, 0, incomplete, now);
        for (const auto family : {address_family::ipv4, address_family::ipv6}) {
            if (r->family && *r->family != family) continue;
            time_point& end = expires[index_of(family)];
            if (*lifetime == 0s) {
                forget(family);
            } else if (end != time_point::min()) {
                end = now + *lifetime;
            }
        }
        // With two families the one that was not refreshed may end first.
        time_point first = time_point::max();
        for (const auto e : expires)
            if (e != time_point::min()) first = std::min(first, e);
        refresh_at = first == time_point::max()
                         ? first
                         : refresh_time(std::chrono::floor<std::chrono::seconds>(first - now), now);
        if (t.automatic) return std::nullopt;
        return refreshed{*lifetime};
    }
    if (const auto* p = std::get_if<permission_request>(&t.what)) {
        for (const auto& peer : p->peers) peers.permitted(peer, now);
        if (t.automatic) return std::nullopt;
        return permitted{};
    }
    if (const auto* c = std::get_if<connect_request>(&t.what)) {
        const auto connection = m.get<stun::connection_id>();
        if (!connection) return failed_with(t, 0, incomplete, now);
        return connected{c->peer, *connection};
    }
    if (std::holds_alternative<connection_bind_request>(t.what)) return connection_bound{};
    const auto& c = std::get<channel_request>(t.what);
    peers.bound(c.number, c.peer, now);
    if (t.automatic) return std::nullopt;
    return channel_bound{c.number, c.peer};
}

client::event client::state::failed_with(const transaction& t, std::uint16_t code, std::string_view phrase,
                                         time_point now) {
    const stun::method method = method_of(t.what);
    const bool needs_allocation = method != stun::method::binding && method != stun::method::allocate;
    if (code == allocation_mismatch && needs_allocation) {
        forget_allocation();
        const auto* r = std::get_if<refresh_request>(&t.what);
        // It is gone, which is what was asked for: RFC 8656, 8.3.
        if (r != nullptr && r->lifetime == 0s) return refreshed{0s, t.first_id};
        return failed{method, code, phrase, t.first_id};
    }
    // Silence may be the network's: try again while the old grant lasts. A refusal is final.
    const time_point again = code == 0 ? now + peer_table::retry_after : time_point::max();
    if (std::holds_alternative<refresh_request>(t.what)) {
        if (t.automatic) refresh_at = allocated() ? again : time_point::max();
    } else if (const auto* p = std::get_if<permission_request>(&t.what)) {
        for (const auto& peer : p->peers) peers.not_permitted(peer, again);
    } else if (const auto* c = std::get_if<channel_request>(&t.what)) {
        peers.not_bound(c->number, c->peer, again);
    }
    return failed{method, code, phrase, t.first_id};
}

} // namespace turn
