#include "net/dtls_hello.hpp"

#include <algorithm>

#include "base/crypto.hpp"

namespace turn::net {

namespace {

constexpr std::uint8_t type_of_client_hello = 1;
constexpr unsigned type_of_hello_verify_request = 3;
constexpr std::size_t message_header_size = 12;
constexpr std::size_t random_size = 32;
/// RFC 6347, 4.2.1: of a HelloVerifyRequest, whatever version will be agreed on.
constexpr unsigned dtls_1_0 = 0xfeff;

/// Takes fields off the front; after one that is not there everything is empty.
class reader {
public:
    explicit reader(bytes all) noexcept : rest_(all) {}

    bytes take(std::size_t n) noexcept {
        ok_ = ok_ && n <= rest_.size();
        if (!ok_) return {};
        const bytes taken = rest_.first(n);
        rest_ = rest_.subspan(n);
        return taken;
    }
    /// Big-endian.
    std::uint32_t number(std::size_t size) noexcept {
        std::uint32_t n = 0;
        for (const std::byte b : take(size)) n = n << 8 | std::to_integer<std::uint32_t>(b);
        return n;
    }
    /// A field behind its own length.
    bytes vector(std::size_t size_of_length) noexcept { return take(number(size_of_length)); }

    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] bytes rest() const noexcept { return rest_; }

private:
    bytes rest_;
    bool ok_ = true;
};

/// Puts fields one behind the other; there is room for all of them.
class writer {
public:
    explicit writer(std::span<std::byte> all) noexcept : rest_(all) {}

    void u8(unsigned n) noexcept { number(n, 1); }
    void u16(unsigned n) noexcept { number(n, 2); }
    void u24(unsigned n) noexcept { number(n, 3); }
    void copy(bytes data) noexcept {
        std::ranges::copy(data, rest_.begin());
        rest_ = rest_.subspan(data.size());
    }

private:
    void number(unsigned n, std::size_t size) noexcept {
        for (std::size_t i = 0; i < size; ++i) rest_[i] = static_cast<std::byte>(n >> (8 * (size - 1 - i)));
        rest_ = rest_.subspan(size);
    }
    std::span<std::byte> rest_;
};

/// From the beginning of one part of a message to the end of another.
bytes from_to(bytes first, bytes last) noexcept {
    return {first.data(), last.data() + last.size()};
}

std::uint64_t period_of(time_point now) noexcept {
    return static_cast<std::uint64_t>(now.time_since_epoch() / dtls_cookies::period);
}

} // namespace

std::optional<dtls_record> first_record(bytes datagram) noexcept {
    constexpr std::uint32_t dtls_1_2 = 0xfefd;
    reader r(datagram);
    dtls_record record;
    record.type = static_cast<std::uint8_t>(r.number(1));
    const std::uint32_t version = r.number(2);
    record.numbers = r.take(8);
    record.fragment = r.vector(2);
    if (!r.ok() || (version != dtls_1_0 && version != dtls_1_2)) return std::nullopt;
    record.epoch = static_cast<std::uint16_t>(reader(record.numbers).number(2));
    record.whole = datagram.first(dtls_record::header_size + record.fragment.size());
    return record;
}

bool begins_hello(const dtls_record& r) noexcept {
    return r.type == dtls_record::handshake && r.epoch == 0 && !r.fragment.empty() &&
           std::to_integer<std::uint8_t>(r.fragment.front()) == type_of_client_hello;
}

std::optional<client_hello> parse_hello(const dtls_record& record) noexcept {
    reader message(record.fragment);
    message.take(1); // the type: see begins_hello()
    const std::uint32_t length = message.number(3);
    message.take(2); // the message's number
    const std::uint32_t offset = message.number(3);
    const std::uint32_t size = message.number(3);
    const bytes body = message.take(size);
    if (!message.ok() || offset != 0 || size != length) return std::nullopt;

    reader r(body);
    client_hello hello{.record_numbers = record.numbers};
    const bytes version = r.take(2);
    hello.random = r.take(random_size);
    const bytes session_id = r.vector(1);
    hello.cookie = r.vector(1);
    const bytes behind_cookie = r.rest();
    r.vector(2); // cipher suites
    const bytes compressions = r.vector(1);
    if (!r.ok()) return std::nullopt;
    hello.begin = body.first(version.size() + random_size + 1 + session_id.size());
    hello.offers = from_to(behind_cookie.first(0), compressions);
    return hello;
}

bool messages_within(bytes fragment, std::size_t largest) noexcept {
    for (reader r(fragment); r.rest().size() >= message_header_size;) {
        r.take(1);
        if (r.number(3) > largest) return false;
        r.take(2 + 3);
        r.vector(3);
        if (!r.ok()) break;
    }
    return true;
}

dtls_cookies::dtls_cookies() {
    crypto::random(secret_);
}

dtls_cookies::cookie dtls_cookies::cookie_of(const client_hello& hello, const transport_address& client,
                                             std::uint64_t period_number) const noexcept {
    std::array<std::byte, 11> when_and_port{};
    for (std::size_t i = 0; i < 8; ++i) when_and_port[i] = static_cast<std::byte>(period_number >> (8 * i));
    when_and_port[8] = static_cast<std::byte>(client.port >> 8);
    when_and_port[9] = static_cast<std::byte>(client.port & 0xff);
    when_and_port[10] = static_cast<std::byte>(client.family);
    const std::array<bytes, 4> parts{when_and_port, std::as_bytes(std::span(client.ip)), hello.begin, hello.offers};
    cookie c{};
    std::copy_n(crypto::hmac_sha256(secret_, parts).begin(), c.size(), c.begin());
    return c;
}

dtls_cookies::challenge dtls_cookies::ask(const client_hello& hello, const transport_address& client,
                                          time_point now) const noexcept {
    constexpr unsigned body = 2 + 1 + cookie{}.size();
    challenge all{};
    writer w(all);
    w.u8(dtls_record::handshake);
    w.u16(dtls_1_0);
    w.copy(hello.record_numbers); // RFC 6347, 4.2.1: the client's
    w.u16(message_header_size + body);
    w.u8(type_of_hello_verify_request);
    w.u24(body);
    w.u16(0); // its number
    w.u24(0); // where it begins: it is whole
    w.u24(body);
    w.u16(dtls_1_0);
    w.u8(cookie{}.size());
    w.copy(cookie_of(hello, client, period_of(now)));
    return all;
}

bool dtls_cookies::good(const client_hello& hello, const transport_address& client, time_point now) const noexcept {
    if (hello.cookie.size() != cookie{}.size()) return false;
    const std::uint64_t period_now = period_of(now);
    for (const std::uint64_t p : {period_now, period_now - 1})
        if (crypto::equal(hello.cookie, cookie_of(hello, client, p))) return true;
    return false;
}

} // namespace turn::net
