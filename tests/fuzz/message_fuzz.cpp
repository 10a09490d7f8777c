/// STUN messages: reading stays inside the datagram, and what was read writes and reads back to the same.
/// RFC 8489, 5, 6 and 14; RFC 8656, 18.

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "fuzz.hpp"
#include "turn/stun/attributes.hpp"
#include "turn/stun/credentials.hpp"

using namespace turn;
using namespace turn::stun;
using fuzz::require;

namespace {

constexpr std::size_t largest_message = 65'555;

const credential_key key{{std::byte{1}, std::byte{2}, std::byte{3}}, 16};

template <class... A>
struct list {};

/// All attributes but the three that close a message.
using ordinary =
    list<mapped_address, xor_mapped_address, username, userhash, realm, nonce, software, alternate_server,
         alternate_domain, error_code, unknown_attributes, password_algorithm, password_algorithms, xor_peer_address,
         xor_relayed_address, requested_address_family, reservation_token, additional_address_family, channel_number,
         lifetime, data, even_port, requested_transport, dont_fragment, address_error_code, icmp>;

template <attribute A>
std::vector<std::byte> encoded(const typename A::value_type& value, const transaction_id& id) {
    static std::vector<std::byte> room(largest_message); // made once: clearing it would take most of the time
    const auto size = A::encode(value, id, room);
    require(size.has_value()); // what was read can be written
    return {room.begin(), room.begin() + static_cast<std::ptrdiff_t>(*size)};
}

/// Every value that decodes encodes, and means the same when read again.
template <attribute A>
void check_each(const message_view& m) {
    std::size_t visited = 0;
    m.for_each<A>([&](const result<typename A::value_type>& value) {
        const auto first = m.get<A>();
        if (visited++ == 0) require(first.has_value() == value.has_value());
        if (!value) {
            require(value.error() == errc::bad_attribute);
            return true;
        }
        const auto wire = encoded<A>(*value, m.id());
        const auto again = A::decode(wire, m.id());
        require(again.has_value());
        require(encoded<A>(*again, m.id()) == wire);
        return true;
    });
    require(m.has<A>() == (visited > 0));
    require(m.has<A>() || m.get<A>().error() == errc::missing_attribute);
}

template <attribute A>
void copy_to(message_builder& b, const message_view& m) {
    if (const auto value = m.get<A>()) b.add<A>(*value);
}

template <attribute A>
void check_same(const message_view& a, const message_view& b) {
    const auto x = a.get<A>();
    const auto y = b.get<A>();
    require(x.has_value() == y.has_value());
    if (x) require(encoded<A>(*x, a.id()) == encoded<A>(*y, b.id()));
}

/// The first readable attribute of each type, signed.
template <class... A>
result<bytes> rebuild(const message_view& m, std::span<std::byte> out, list<A...>) {
    message_builder b(out, m.cls(), m.method(), m.id());
    (copy_to<A>(b, m), ...);
    return b.integrity(key).integrity_sha256(key).fingerprint().finish();
}

/// The rebuilt message says the same, shows nothing of the buffer it was written to, and cannot be changed.
template <class... A>
void check_rebuilt(const message_view& m, list<A...> attributes) {
    std::vector<std::byte> out(m.raw().size() + 128, std::byte{0xff});
    const auto written = rebuild(m, out, attributes);
    if (!written) { // only a message that has no room for the three closing attributes
        require(written.error() == errc::no_capacity && m.raw().size() > largest_message - 128);
        return;
    }
    std::vector<std::byte> other(out.size());
    const auto written_again = rebuild(m, other, attributes);
    require(written_again && std::ranges::equal(*written, *written_again));

    const auto again = message_view::parse(*written);
    require(again.has_value());
    require(again->cls() == m.cls() && again->method() == m.method() && again->id() == m.id());
    (check_same<A>(m, *again), ...);
    require(again->unknown_required({}) == 0);
    require(again->check_integrity(key).has_value());
    require(again->check_fingerprint().has_value());

    const std::size_t changed = m.raw().size() * 31 % (written->size() - 8);
    out[changed] ^= std::byte{0x10};
    const auto forged = message_view::parse(*written);
    require(!forged || !forged->check_fingerprint());
}

std::size_t peers_in(const message_view& m) {
    std::size_t count = 0;
    m.for_each<xor_peer_address>([&](const auto&) { return ++count != 0; });
    return count;
}

/// What somebody appends to a signed message changes nothing but that FINGERPRINT no longer holds: RFC 8489, 14.5.
void check_appended(const message_view& m) {
    constexpr std::array appended{std::byte{0x00}, std::byte{0x12}, std::byte{0}, std::byte{0},  // XOR-PEER-ADDRESS
                                  std::byte{0x7f}, std::byte{0xfe}, std::byte{0}, std::byte{0}}; // unknown
    const std::size_t length = m.raw().size() + appended.size() - header_size;
    if (!m.has_integrity() || length > 0xffff) return;
    std::vector<std::byte> longer(m.raw().begin(), m.raw().end());
    longer.insert(longer.end(), appended.begin(), appended.end());
    longer[2] = static_cast<std::byte>(length >> 8);
    longer[3] = static_cast<std::byte>(length & 0xff);

    const auto more = message_view::parse(longer);
    require(more.has_value());
    require(peers_in(*more) == peers_in(m));
    require(more->unknown_required({}) == m.unknown_required({}));
    require(more->check_integrity(key).has_value() == m.check_integrity(key).has_value());
    require(!more->check_fingerprint());
}

void check_unknown(const message_view& m) {
    static std::vector<std::uint16_t> all(0x8000);
    const auto count = m.unknown_required(all);
    require(count <= (m.raw().size() - header_size) / 4);
    const std::set<std::uint16_t> distinct(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
    require(distinct.size() == count);
    require(distinct.empty() || *distinct.rbegin() < 0x8000);
    require(!distinct.contains(username::type) && !distinct.contains(xor_peer_address::type));

    std::array<std::uint16_t, 3> few{};
    require(m.unknown_required(few) == count);
    require(
        std::equal(few.begin(), few.begin() + static_cast<std::ptrdiff_t>(std::min(count, few.size())), all.begin()));
}

template <class... A>
void check_all(const message_view& m, list<A...> attributes) {
    (check_each<A>(m), ...);
    check_each<message_integrity>(m);
    check_each<message_integrity_sha256>(m);
    check_each<fingerprint>(m);
    check_rebuilt(m, attributes);
}

void check(bytes datagram) {
    const auto m = message_view::parse(datagram);
    if (!m) {
        require(m.error() == errc::truncated || m.error() == errc::not_stun || m.error() == errc::bad_attribute);
        return;
    }
    require(m->raw().data() == datagram.data() && m->raw().size() == datagram.size());
    require(datagram.size() >= header_size && datagram.size() % 4 == 0);
    // No prefix of a message is a message.
    require(!message_view::parse(datagram.first(datagram.size() - 1)));

    check_unknown(*m);
    require(m->has_integrity() == (m->has<message_integrity>() || m->has<message_integrity_sha256>()));
    require(m->has_fingerprint() == m->has<fingerprint>());
    const auto integrity = m->check_integrity(key);
    require(integrity || (integrity.error() == errc::missing_attribute) == !m->has_integrity());
    const auto fingerprint_ok = m->check_fingerprint();
    require(fingerprint_ok || (fingerprint_ok.error() == errc::missing_attribute) == !m->has_fingerprint());
    check_appended(*m);
    check_all(*m, ordinary{});
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const bytes datagram = fuzz::as_bytes(data, size);
    check(datagram);
    if (size < header_size || size > largest_message) return 0;

    // The same bytes with a header that fits, or nearly every mutation would end at the length field.
    std::vector<std::byte> patched(datagram.begin(),
                                   datagram.begin() + static_cast<std::ptrdiff_t>(size & ~std::size_t{3}));
    const std::size_t length = patched.size() - header_size;
    patched[0] &= std::byte{0x3f};
    patched[2] = static_cast<std::byte>(length >> 8);
    patched[3] = static_cast<std::byte>(length & 0xff);
    std::ranges::copy(std::array{std::byte{0x21}, std::byte{0x12}, std::byte{0xa4}, std::byte{0x42}},
                      patched.begin() + 4);
    check(patched);
    return 0;
}
