/// Send and Data indications: RFC 8656, 11. A hot path: some clients never bind a channel.

#include <cassert>

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

/// RFC 8656, 13 to 15: from datagram to datagram DONT-FRAGMENT counts where both are of IPv4, from a stream always.
bool heeds_dont_fragment(const allocation& a, const transport_address& peer) noexcept {
    return is_stream(a.client.via) || (a.client.client.is_ipv4() && peer.is_ipv4());
}

// ICMP's numbers (RFC 792) and ICMPv6's (RFC 4443).
constexpr std::uint8_t unreachable = 3, fragmentation_needed = 4, time_exceeded = 11;
constexpr std::uint8_t unreachable_6 = 1, packet_too_big_6 = 2, time_exceeded_6 = 3;

bool is_told(const icmp_error& e) noexcept {
    if (e.peer.is_ipv4()) return e.type == unreachable || e.type == time_exceeded;
    return e.type == unreachable_6 || e.type == packet_too_big_6 || e.type == time_exceeded_6;
}

/// RFC 8656, 18.13: zero for everything that has no MTU.
std::uint32_t error_data(const icmp_error& e) noexcept {
    const bool too_big =
        e.peer.is_ipv4() ? e.type == unreachable && e.code == fragmentation_needed : e.type == packet_too_big_6;
    return too_big ? e.mtu : 0;
}

} // namespace

/// RFC 8656, 11.2.
void relay::state::send_indication(const packet& p, const stun::message_view& message, slot s, time_point now,
                                   outbox& out) {
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
    if (a.relays_tcp()) return drop(a, direction::up, reason::unsupported_transport);
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
              .dont_fragment = message.has<stun::dont_fragment>() && heeds_dont_fragment(a, *peer),
              .traffic_class = p.traffic_class});
}

/// RFC 8656, 11.3. Everything but the value of DATA is written into scratch; the value stays where it arrived.
void relay::state::data_indication(allocation& a, const packet& from_peer, bytes data, time_point now, outbox& out) {
    const transport_address& peer = from_peer.from;
    const std::size_t ip_size = address_size(peer.family);
    const std::size_t peer_attribute = 4 + 4 + ip_size;
    const std::size_t head_size = stun::header_size + peer_attribute + 4;
    const std::size_t pad = padding_of(data.size());
    if (head_size + data.size() + pad > largest_to(a.client.via)) return drop(a, direction::down, reason::too_big);
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
              .way = direction::down,
              .traffic_class = from_peer.traffic_class});
}

/// RFC 8656, 11.5. Counts against the allocation's bandwidth, as whoever forges ICMP should not get more than others.
void relay::state::icmp_arrived(const icmp_error& e, time_point now, outbox& out) {
    ++books_.icmp.received;
    if (const reason why = why_not_told(e, now); why != reason::none) {
        ++books_.icmp.dropped[static_cast<std::size_t>(why)];
        return;
    }
    ++books_.icmp.relayed;
    const allocation& a = allocations_[entry_of(e.via).index];
    stun::transaction_id id{};
    writer w(id);
    w.u32(static_cast<std::uint32_t>(next_indication_ >> 32));
    w.u32(static_cast<std::uint32_t>(next_indication_++));
    w.u32(static_cast<std::uint32_t>(a.id));

    constexpr std::size_t largest = stun::header_size + 4 + 20 + 4 + 8;
    const auto room = out.scratch(largest);
    stun::message_builder message(room, stun::message_class::indication, stun::method::data, id);
    message.add<stun::xor_peer_address>(e.peer).add<stun::icmp>({e.type, e.code, error_data(e)});
    const auto written = message.finish();
    assert(written);
    out.return_scratch(room.size() - written->size());
    out.send({.via = a.client.via, .to = a.client.client, .head = *written});
}

/// In the order of the section. The peer is where our datagram was to go, never who sent the ICMP packet.
reason relay::state::why_not_told(const icmp_error& e, time_point now) noexcept {
    if (!is_told(e)) return reason::icmp_type;
    const socket_entry socket = entry_of(e.via);
    if (socket.what != socket_entry::kind::relay) return reason::socket_closed;
    allocation& a = allocations_[socket.index];
    const permission* allowed = a.find_permission(e.peer);
    if (allowed == nullptr || allowed->expires <= now) return reason::no_permission;
    return bandwidth_.spend(a.bandwidth[static_cast<std::size_t>(direction::down)], 0, now) ? reason::none
                                                                                            : reason::bandwidth;
}

} // namespace turn
