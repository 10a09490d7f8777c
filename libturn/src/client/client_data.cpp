/// Application data to and from peers: RFC 8656, 11 and 12.

#include <algorithm>
#include <array>

#include "base/byte_order.hpp"
#include "base/crypto.hpp"
#include "client/client_state.hpp"
#include "turn/channel_data.hpp"
#include "turn/stun/attributes.hpp"

namespace turn {
namespace {

/// UDP carries no more: RFC 768.
constexpr std::size_t largest_datagram = 65'507;
constexpr std::size_t attribute_header = 4;
/// Header, IPv6 peer, DONT-FRAGMENT and the header of DATA.
constexpr std::size_t largest_send_head = stun::header_size + 24 + 4 + attribute_header;

/// 96 bits that are never used again, from the CSPRNG's per-thread buffer: indications are many.
stun::transaction_id indication_id() noexcept {
    stun::transaction_id id;
    const std::uint64_t random[] = {crypto::random64(), crypto::random64()};
    std::ranges::copy(std::as_bytes(std::span(random)).first(id.size()), id.begin());
    return id;
}

} // namespace

result<void> client::send(const transport_address& peer, bytes data, outbox& out) {
    if (!state_->allocated()) return errc::not_found;
    const auto* channel = state_->peers.by_peer(peer);
    if (channel == nullptr) return send_indication(peer, data, false, out);
    if (data.size() > largest_datagram - channel_data_header_size) return errc::no_capacity;
    const auto head = out.scratch(channel_data_header_size);
    std::ranges::copy(channel_data_header(channel->number, static_cast<std::uint16_t>(data.size())), head.begin());
    const bool stream = is_stream(state_->options.via);
    out.send({.via = state_->options.via,
              .to = state_->options.server,
              .head = head,
              .body = data,
              .pad = static_cast<std::uint8_t>(stream ? padding_of(data.size()) : 0), // RFC 8656, 12.5
              .way = direction::up});
    return {};
}

result<void> client::send_indication(const transport_address& peer, bytes data, bool dont_fragment, outbox& out) {
    if (!state_->allocated()) return errc::not_found;
    if (data.size() > largest_datagram - largest_send_head - 3) return errc::no_capacity;
    const auto room = out.scratch(largest_send_head);
    stun::message_builder message(room, stun::message_class::indication, stun::method::send, indication_id());
    message.add<stun::xor_peer_address>(peer);
    if (dont_fragment) message.add<stun::dont_fragment>({});
    // DATA is last and stays where the application has it: only its header is written here.
    const std::size_t head_size = message.size() + attribute_header;
    const auto pad = static_cast<std::uint8_t>(padding_of(data.size()));
    if (!message.finish()) return errc::no_capacity;
    store_u16(room, head_size - 4, stun::data::type);
    store_u16(room, head_size - 2, static_cast<std::uint16_t>(data.size()));
    store_u16(room, 2, static_cast<std::uint16_t>(head_size - stun::header_size + data.size() + pad));
    out.return_scratch(room.size() - head_size);
    out.send({.via = state_->options.via,
              .to = state_->options.server,
              .head = room.first(head_size),
              .body = data,
              .pad = pad,
              .way = direction::up});
    return {};
}

std::optional<client::event> client::state::channel_data_arrived(bytes datagram) const {
    const auto data = channel_data::parse(datagram);
    if (!data || !allocated()) return std::nullopt;
    const auto* channel = peers.by_number(data->number);
    if (channel == nullptr || !peers.may_hear(channel->peer)) return std::nullopt; // RFC 8656, 12.6
    return peer_data{channel->peer, data->payload};
}

std::optional<client::event> client::state::indication_arrived(const stun::message_view& m) const {
    if (!allocated()) return std::nullopt;
    const auto peer = m.get<stun::xor_peer_address>();
    std::array<std::uint16_t, 1> unknown{};
    if (!peer || m.unknown_required(unknown) > 0) return std::nullopt;
    if (!peers.may_hear(*peer)) return std::nullopt; // RFC 8656, 11.4
    if (m.method() == stun::method::connection_attempt) {
        const auto connection = m.get<stun::connection_id>();
        if (!connection || !is_stream(options.via)) return std::nullopt;
        return connection_attempted{*peer, *connection}; // RFC 6062, 4.4
    }
    if (m.method() != stun::method::data) return std::nullopt;
    if (const auto data = m.get<stun::data>()) return peer_data{*peer, *data};
    if (const auto icmp = m.get<stun::icmp>()) // RFC 8656, 11.6
        return peer_unreachable{*peer, icmp->type, icmp->code, icmp->error_data};
    return std::nullopt;
}

} // namespace turn
