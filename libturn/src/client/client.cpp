#include "turn/client.hpp"

#include <algorithm>

#include "client/client_state.hpp"
#include "turn/channel_data.hpp"

namespace turn {
namespace {

/// Peers in one automatic CreatePermission: 16 IPv6 addresses and the longest credentials fit one answer's worth.
constexpr std::size_t peers_per_refresh = 16;

constexpr std::size_t index_of(address_family f) noexcept {
    return f == address_family::ipv4 ? 0 : 1;
}

} // namespace

client::client(client_options o) : state_(std::make_unique<state>(std::move(o))) {}
client::~client() = default;
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;

stun::transaction_id client::bind(time_point now, outbox& out) {
    return state_->begin(binding_request{}, false, now, out);
}

stun::transaction_id client::allocate(const allocate_wishes& wishes, time_point now, outbox& out) {
    return state_->begin(allocate_request{wishes, state_->options.lifetime}, false, now, out);
}

stun::transaction_id client::refresh(std::chrono::seconds lifetime, std::optional<address_family> family,
                                     time_point now, outbox& out) {
    return state_->begin(refresh_request{lifetime, family}, false, now, out);
}

stun::transaction_id client::permit(std::span<const transport_address> peers, time_point now, outbox& out) {
    if (peers.size() > max_peers_per_request || !state_->peers.has_room_for(peers.size(), 0)) return {};
    const auto id = state_->begin(permission_request{{peers.begin(), peers.end()}}, false, now, out);
    if (id != stun::transaction_id{})
        for (const auto& peer : peers) state_->peers.asked_permission(peer);
    return id;
}

stun::transaction_id client::bind_channel(std::uint16_t number, const transport_address& peer, time_point now,
                                          outbox& out) {
    if (!state_->peers.has_room_for(1, 1)) return {};
    const auto id = state_->begin(channel_request{number, peer}, false, now, out);
    if (id != stun::transaction_id{}) state_->peers.asked_channel(number, peer);
    return id;
}

stun::transaction_id client::connect(const transport_address& peer, time_point now, outbox& out) {
    return state_->begin(connect_request{peer}, false, now, out);
}

stun::transaction_id client::bind_connection(connection_id connection, time_point now, outbox& out) {
    return state_->begin(connection_bind_request{connection}, false, now, out);
}

client client::for_data_connection(socket_id via) const {
    client_options options = state_->options;
    options.via = via;
    client made(std::move(options));
    made.state_->known = state_->known;
    return made;
}

std::optional<client::event> client::handle(bytes datagram, time_point now, outbox& out) {
    if (datagram.empty()) return std::nullopt;
    if (std::to_integer<unsigned>(datagram[0]) >= 0x40) return state_->channel_data_arrived(datagram);
    const auto message = stun::message_view::parse(datagram);
    if (!message || (message->has_fingerprint() && !message->check_fingerprint())) return std::nullopt;
    switch (message->cls()) {
    case stun::message_class::indication:
        return state_->indication_arrived(*message);
    case stun::message_class::success_response:
    case stun::message_class::error_response:
        return state_->answered(*message, now, out);
    case stun::message_class::request:
        break; // we are nobody's server
    }
    return std::nullopt;
}

std::optional<client::event> client::tick(time_point now, outbox& out) {
    if (auto ended = state_->retransmit_or_give_up(now, out)) return ended;
    if (state_->forget_expired(now)) return refreshed{std::chrono::seconds(0)};
    state_->keep_alive(now, out);
    return std::nullopt;
}

time_point client::next_deadline() const noexcept {
    time_point next = state_->peers.next_expiry();
    for (const auto& t : state_->transactions) next = std::min(next, t.timetable.due());
    for (const auto e : state_->expires)
        if (e != time_point::min()) next = std::min(next, e);
    // With all transactions in flight a keep-alive waits until one has ended.
    if (state_->options.keep_alive && state_->allocated() && state_->transactions.size() < max_transactions)
        next = std::min({next, state_->refresh_at, state_->peers.next_refresh()});
    return next;
}

const transport_address& client::server() const noexcept {
    return state_->options.server;
}

bool client::has_allocation() const noexcept {
    return state_->allocated();
}

std::string_view client::realm() const noexcept {
    return state_->known ? std::string_view(state_->known->realm) : std::string_view();
}

bool client::state::allocated() const noexcept {
    return std::ranges::any_of(expires, [](time_point e) { return e != time_point::min(); });
}

void client::state::forget(address_family family) {
    expires[index_of(family)] = time_point::min();
    peers.forget(family);
    if (!allocated()) forget_allocation();
}

void client::state::forget_allocation() noexcept {
    expires.fill(time_point::min());
    refresh_at = time_point::max();
    peers.clear();
}

/// True when this was the end of the allocation.
bool client::state::forget_expired(time_point now) {
    peers.forget_expired(now);
    const bool before = allocated();
    for (const auto family : {address_family::ipv4, address_family::ipv6})
        if (const time_point e = expires[index_of(family)]; e != time_point::min() && e <= now) forget(family);
    return before && !allocated();
}

/// Asks again for whatever ends soon: RFC 8656, 8, 9 and 12.
void client::state::keep_alive(time_point now, outbox& out) {
    if (!options.keep_alive || !allocated()) return;
    const auto may_ask = [&] { return transactions.size() < max_transactions && out.has_room(); };
    if (refresh_at <= now && may_ask()) {
        refresh_at = time_point::max();
        begin(refresh_request{options.lifetime, std::nullopt}, true, now, out);
    }
    while (may_ask()) {
        auto due = peers.take_due_permissions(now, peers_per_refresh);
        if (due.empty()) break;
        begin(permission_request{std::move(due)}, true, now, out);
    }
    while (may_ask()) {
        const auto* due = peers.take_due_channel(now);
        if (due == nullptr) break;
        begin(channel_request{due->number, due->peer}, true, now, out);
    }
}

} // namespace turn
