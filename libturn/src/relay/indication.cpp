/// Send and Data indications: RFC 8656, 11. A hot path: some clients never bind a channel.

#include "relay/judge_peer.hpp"
#include "relay/state.hpp"
#include "turn/channel_data.hpp"

namespace turn {

namespace {

/// Writes big-endian numbers and bytes front to back. The caller has made the room.
class writer {
public:
    explicit writer(std::span<std::byte> out) noexcept : out_(out) {}
    void u8(unsigned v) noexcept { out_[at_++] = static_cast<std::byte>(v); }
    void u16(std::size_t v) noexcept {
        u8(static_cast<unsigned>(v >> 8) & 0xff);
        u8(static_cast<unsigned>(v) & 0xff);
    }
    void u32(std::uint32_t v) noexcept {
        u16(v >> 16);
        u16(v & 0xffff);
    }

private:
    std::span<std::byte> out_;
    std::size_t at_ = 0;
};

std::size_t address_size(address_family f) noexcept {
    return f == address_family::ipv6 ? 16 : 4;
}

} // namespace

/// RFC 8656, 11.2.
void relay::state::send_indication(const stun::message_view& message, slot s, time_point now, outbox& out) {
    if (s == request::no_slot) return drop(direction::up, reason::no_allocation);
    if (message.unknown_required({}) != 0) return drop(s, direction::up, reason::unknown_attribute);

    const auto peer = message.get<stun::xor_peer_address>();
    const auto data = message.get<stun::data>();
    if (!peer || !data) {
        const bool absent = (!peer && peer.error() == errc::missing_attribute) || !data;
        return drop(s, direction::up, absent ? reason::no_data : reason::bad_attribute);
    }
    allocation& a = allocations_[s];
    if (!a.relays_family(peer->family)) return drop(a, direction::up, reason::wrong_family);
    const permission* allowed = a.find_permission(*peer);
    if (allowed == nullptr || allowed->expires <= now) return drop(a, direction::up, reason::no_permission);
    const bool judge = allowed->port_matters || peer->port == 0; // elsewhere every port is as good as the next
    if (judge) {
        const peer_judgement judgement = judge_peer(options_.peers, *peer, false);
        if (!judgement.allowed) return drop(a, direction::up, judgement.why());
    }

    if (!admit(a, direction::up, data->size(), now)) return;
    out.send({.via = a.relayed(peer->family).id,
              .to = *peer,
              .body = *data,
              .way = direction::up,
              .dont_fragment = message.has<stun::dont_fragment>()});
}

/// RFC 8656, 11.3. Everything but the value of DATA is written into scratch; the value stays where it arrived.
void relay::state::data_indication(allocation& a, const transport_address& peer, bytes data, time_point now,
                                   outbox& out) {
    const std::size_t ip_size = address_size(peer.family);
    const std::size_t peer_attribute = 4 + 4 + ip_size;
    const std::size_t head_size = stun::header_size + peer_attribute + 4;
    const std::size_t pad = padding_of(data.size());
    const std::size_t largest = is_stream(a.client.via) ? stun::header_size + 65535 : largest_datagram;
    if (head_size + data.size() + pad > largest) return drop(a, direction::down, reason::too_big);
    if (!admit(a, direction::down, data.size(), now)) return;

    const std::span<std::byte> head = out.scratch(head_size);
    writer w(head);
    w.u16(0x0017); // Data indication
    w.u16(peer_attribute + 4 + data.size() + pad);
    w.u32(stun::magic_cookie);
    const std::uint64_t id = next_indication_++;
    w.u32(static_cast<std::uint32_t>(id >> 32));
    w.u32(static_cast<std::uint32_t>(id));
    w.u32(static_cast<std::uint32_t>(a.id));

    w.u16(stun::xor_peer_address::type);
    w.u16(4 + ip_size);
    w.u8(0);
    w.u8(static_cast<unsigned>(peer.family));
    w.u16(peer.port ^ (stun::magic_cookie >> 16));
    for (std::size_t i = 0; i < ip_size; ++i) // XORed with cookie and transaction id, as they stand in the header
        w.u8(peer.ip[i] ^ std::to_integer<unsigned>(head[4 + i]));
    w.u16(stun::data::type);
    w.u16(data.size());

    out.send({.via = a.client.via,
              .to = a.client.client,
              .head = head,
              .body = data,
              .pad = static_cast<std::uint8_t>(pad),
              .way = direction::down});
}

} // namespace turn
