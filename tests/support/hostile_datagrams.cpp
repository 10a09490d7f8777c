#include "support/hostile_datagrams.hpp"

#include <algorithm>
#include <chrono>

namespace turn::test {

using stun::message_class;
using stun::method;

namespace {

std::size_t read_u16(const blob& b, std::size_t at) {
    return std::to_integer<std::size_t>(b[at]) << 8 | std::to_integer<std::size_t>(b[at + 1]);
}

/// A length field that fits, or the first check of the length would be the only one that is tested.
void fit_length(blob& b) {
    if (b.size() < stun::header_size) return;
    const std::size_t length = b.size() - stun::header_size;
    b[2] = std::byte(length >> 8 & 0xff);
    b[3] = std::byte(length & 0xff);
}

} // namespace

blob hostile_datagrams::next() {
    const std::size_t kind = below(16);
    if (kind < 2) return noise(one_in(64) ? below(largest + 1) : below(1500));
    if (kind < 5) {
        blob b = channel_data_message(static_cast<std::uint16_t>(0x4000 + below(3)), noise(below(200)), below(4));
        if (one_in(2)) spoil(b);
        return b;
    }
    if (kind < 8) {
        blob b = one_in(4) ? stranger().raw() : indication().raw();
        if (one_in(2)) spoil(b);
        return b;
    }
    message m = unsigned_request();
    if (one_in(4)) { // hostile and signed: it gets past the door
        if (one_in(2)) double_attribute(m.raw());
        if (m.raw().size() > stun::header_size && one_in(2))
            m.raw()[stun::header_size + below(m.raw().size() - stun::header_size)] ^= std::byte(1U << below(8));
    }
    if (m.method() != method::binding && !one_in(8))
        m.credentials(who_.username, who_.realm, who_.nonce, who_.key).integrity();
    if (one_in(3)) m.fingerprint(one_in(4) ? 1 : 0);
    if (one_in(2)) spoil(m.raw());
    return m.raw();
}

blob hostile_datagrams::noise(std::size_t size) {
    blob b(size);
    std::ranges::generate(b, [this] { return std::byte(random_() & 0xff); });
    return b;
}

message hostile_datagrams::header(message_class cls, stun::method m) {
    stun::transaction_id id;
    std::ranges::generate(id, [this] { return std::byte(random_() & 0xff); });
    return {cls, m, id};
}

message hostile_datagrams::unsigned_request() {
    switch (below(5)) {
    case 0:
        return header(message_class::request, method::binding);
    case 1: {
        message m = header(message_class::request, method::allocate);
        m.with<stun::requested_transport>(stun::requested_transport::udp);
        if (one_in(4)) m.with<stun::even_port>({.reserve_next = one_in(2)});
        if (one_in(4)) m.with<stun::requested_address_family>(one_in(2) ? address_family::ipv4 : address_family::ipv6);
        if (one_in(4)) m.attribute(stun::dont_fragment::type, "");
        return m;
    }
    case 2: {
        message m = header(message_class::request, method::refresh);
        m.with<stun::lifetime>(std::chrono::seconds(one_in(4) ? 0 : 600));
        return m;
    }
    case 3: {
        message m = header(message_class::request, method::create_permission);
        m.with<stun::xor_peer_address>(who_.peer);
        return m;
    }
    default: {
        message m = header(message_class::request, method::channel_bind);
        m.with<stun::channel_number>(static_cast<std::uint16_t>(0x4000 + below(2)));
        m.with<stun::xor_peer_address>(who_.peer);
        return m;
    }
    }
}

message hostile_datagrams::indication() {
    if (one_in(4)) return header(message_class::indication, method::binding);
    message m = header(message_class::indication, one_in(8) ? method::data : method::send);
    m.with<stun::xor_peer_address>(who_.peer);
    if (one_in(4)) m.attribute(stun::dont_fragment::type, "");
    if (!one_in(8)) m.attribute(stun::data::type, bytes(noise(below(300))));
    return m;
}

message hostile_datagrams::stranger() {
    if (one_in(2)) return header(message_class::request, static_cast<stun::method>(below(0x1000)));
    message m = header(one_in(2) ? message_class::success_response : message_class::error_response, method::allocate);
    m.with<stun::xor_relayed_address>(who_.peer);
    return m;
}

void hostile_datagrams::spoil(blob& b) {
    for (std::size_t times = 1 + below(2); times > 0; --times) {
        switch (below(4)) {
        case 0:
            flip_bits(b);
            break;
        case 1:
            cut(b);
            break;
        case 2:
            lengthen(b);
            break;
        default:
            double_attribute(b);
        }
    }
}

void hostile_datagrams::flip_bits(blob& b) {
    for (std::size_t bits = 1 + below(4); bits > 0 && !b.empty(); --bits)
        b[below(b.size())] ^= std::byte(1U << below(8));
}

void hostile_datagrams::cut(blob& b) {
    const bool fit = one_in(2);
    b.resize(below(b.size() + 1) & (fit ? ~std::size_t{3} : ~std::size_t{0}));
    if (fit) fit_length(b);
}

void hostile_datagrams::lengthen(blob& b) {
    const bool fit = one_in(2);
    const std::size_t more = one_in(64) ? below(largest - 4096) : below(64);
    const blob tail = noise(fit ? more & ~std::size_t{3} : more);
    b.insert(b.end(), tail.begin(), tail.end());
    if (fit) fit_length(b);
    if (b.size() > largest) b.resize(largest);
}

void hostile_datagrams::double_attribute(blob& b) {
    std::vector<std::pair<std::size_t, std::size_t>> attributes; // where and how long, header and padding included
    for (std::size_t at = stun::header_size; at + 4 <= b.size();) {
        const std::size_t size = 4 + (read_u16(b, at + 2) + 3) / 4 * 4;
        if (at + size > b.size()) break;
        attributes.emplace_back(at, size);
        at += size;
    }
    if (attributes.empty()) return;
    const auto [from, size] = attributes[below(attributes.size())];
    if (b.size() + size > largest) return;
    const auto begin = b.begin() + static_cast<std::ptrdiff_t>(from);
    const blob copy(begin, begin + static_cast<std::ptrdiff_t>(size));
    const auto [behind, length] = attributes[below(attributes.size())];
    b.insert(b.begin() + static_cast<std::ptrdiff_t>(behind + length), copy.begin(), copy.end());
    fit_length(b);
}

} // namespace turn::test
