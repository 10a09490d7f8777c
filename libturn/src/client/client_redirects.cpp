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

} // namespace

bool client::state::was_asked_lately(const transport_address& server, time_point now) const noexcept {
    if (server == options.server) return true;
    return std::ranges::any_of(visits,
                               [&](const visit& v) { return v.server == server && now < v.left + five_minutes; });
}

/// Asks the other server with the same transaction, as somebody whom it does not know.
std::optional<client::event> client::state::redirected(std::size_t index, const stun::message_view& m, time_point now,
                                                       outbox& out) {
    std::erase_if(visits, [&](const visit& v) { return v.left + five_minutes <= now; });
    transaction& t = transactions[index];
    const auto to = alternate_in(m, options.server.family);
    const bool may_follow = to && std::holds_alternative<allocate_request>(t.what) && !allocated() &&
                            visits.size() < most_visits && !was_asked_lately(*to, now);
    if (!may_follow) {
        const auto error = m.get<stun::error_code>();
        return failed_with(take(index), 300, error ? error->phrase : std::string_view(), now);
    }
    visits.push_back({options.server, now});
    options.server = *to;
    known.reset(); // realm and nonce were the other server's
    t.with.reset();
    t.retries = 0;
    prepare(t, now);
    if (kind_of(options.via) == socket_kind::udp)
        transmit(t, now, out);
    else
        t.timetable = {timing_of(options), time_point::max()}; // until there is a connection
    return client::redirected{*to, m.get<stun::alternate_domain>().value_or(""), t.first_id};
}

void client::reconnected(socket_id via, time_point now, outbox& out) {
    state_->options.via = via;
    for (state::transaction& t : state_->transactions) {
        if (t.timetable.due() != time_point::max()) continue;
        t.timetable = {timing_of(state_->options), now};
        state_->transmit(t, now, out);
    }
}

} // namespace turn
