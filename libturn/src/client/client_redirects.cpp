/// Try Alternate: RFC 8489, 10.

#include <algorithm>

#include "client/client_state.hpp"
#include "turn/stun/attributes.hpp"

namespace turn {
namespace {

using namespace std::chrono_literals;

/// How long a server that sent us on is not asked again.
constexpr auto five_minutes = 5min;
/// Redirections in that time. A chain of more leads nowhere.
constexpr std::size_t most_visits = 8;

/// The first ALTERNATE-SERVER that our socket can reach.
std::optional<transport_address> alternate_in(const stun::message_view& m, address_family family) {
    std::optional<transport_address> found;
    m.for_each<stun::alternate_server>([&](const result<transport_address>& server) {
        if (server && server->family == family && server->port != 0) found = *server;
        return !found;
    });
    return found;
}

/// RFC 8489, 14.16: a name of RFC 1123. Anything else cannot be looked for in a certificate, and is as if not there.
std::string_view domain_in(const stun::message_view& m) {
    const auto is_name_character = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    };
    const auto domain = m.get<stun::alternate_domain>().value_or("");
    // One that begins with a dot would stand for every name below it.
    return !domain.starts_with('.') && std::ranges::all_of(domain, is_name_character) ? domain : std::string_view();
}

} // namespace

bool client::state::was_asked_lately(const transport_address& server, time_point now) const noexcept {
    if (server == options.server) return true;
    return std::ranges::any_of(visits,
                               [&](const visit& v) { return v.server == server && now < v.left + five_minutes; });
}

/// Asks the other server with the same transaction, as somebody whom it does not know; so with all that is under way,
/// for the old one is not listened to any more.
std::optional<client::event> client::state::redirected(std::size_t index, const stun::message_view& m, time_point now,
                                                       outbox& out) {
    std::erase_if(visits, [&](const visit& v) { return v.left + five_minutes <= now; });
    const transaction& refused = transactions[index];
    const auto to = alternate_in(m, options.server.family);
    const bool may_follow = to && std::holds_alternative<allocate_request>(refused.what) && !allocated() &&
                            visits.size() < most_visits && !was_asked_lately(*to, now);
    if (!may_follow) {
        const auto error = m.get<stun::error_code>();
        return failed_with(take(index), 300, error ? error->phrase : std::string_view(), now);
    }
    visits.push_back({options.server, now});
    options.server = *to;
    known.reset(); // realm and nonce were the other server's
    away = kind_of(options.via) != socket_kind::udp;
    for (transaction& t : transactions) {
        t.with.reset();
        t.retries = 0;
        t.tampered = false;
        prepare(t, now);
        transmit(t, now, out);
    }
    return client::redirected{*to, domain_in(m), refused.first_id};
}

void client::reconnected(socket_id via, time_point now, outbox& out) {
    state_->options.via = via;
    state_->away = false;
    for (state::transaction& t : state_->transactions) {
        if (t.timetable.due() != time_point::max()) continue;
        t.timetable = {timing_of(state_->options), now};
        state_->transmit(t, now, out);
    }
}

} // namespace turn
