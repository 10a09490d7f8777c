#pragma once
/// A server as a fuzzed client meets it when nobody lies: it challenges, signs and remembers as the relay does (RFC
/// 8489, 9.2.4), and says yes, no or "ask there" to what is signed.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "support/wire.hpp"
#include "turn/stun/credentials.hpp"

namespace turn::fuzz {

inline constexpr std::string_view user = "ann", password = "secret";

/// Of the user whom every server knows; nothing: no key is made of such a realm.
inline std::optional<stun::credential_key> key_of(std::string_view realm, stun::password_algorithm_number algorithm) {
    const auto key = stun::long_term_key(algorithm, user, realm, password);
    return key ? std::optional(*key) : std::nullopt;
}

/// What a signed request was signed with, as it says itself.
inline std::optional<stun::credential_key> key_of(const stun::message_view& request) {
    const auto realm = request.get<stun::realm>();
    const auto named = request.get<stun::password_algorithm>();
    return key_of(realm ? *realm : "", named ? named->number : stun::password_algorithm_number::md5);
}

class scripted_server {
public:
    // May be changed at any time.
    bool offers_algorithms = true;
    bool hides_users = false;               ///< asks for USERHASH
    std::optional<unsigned> sends_on{};     ///< 300, to this server
    std::optional<std::uint16_t> refuses{}; ///< whatever is signed
    std::chrono::seconds lifetime{600};     ///< of allocations

    /// To a request sent to the server at `at`. Each address is of another server; all but the first are of one realm.
    test::message answer(bytes raw, const transport_address& at, time_point now) {
        const auto request = *stun::message_view::parse(raw);
        realm_ = at == address(0) ? "example.org" : "elsewhere";
        if (request.method() == stun::method::binding) return finished(success(request), request);
        const auto nonce = request.get<stun::nonce>();
        const auto verdict = nonce ? nonces_.check(*nonce, client(), now) : stun::nonce_issuer::verdict::foreign;
        const auto key = key_of(request);
        if (!key || request.get<stun::realm>().value_or("") != realm_ || !request.check_integrity(*key))
            return finished(challenge(request, 401, now), request);
        if (stale_ || verdict != stun::nonce_issuer::verdict::valid)
            return finished(challenge(request, 438, now), request);
        test::message m = decide(request);
        request.has<stun::password_algorithm>() ? m.integrity_sha256(*key) : m.integrity(*key);
        return finished(std::move(m), request);
    }
    /// RFC 6062, 5.3. Not signed: indications are not.
    test::message attempt(const transport_address& peer) {
        test::message m(stun::message_class::indication, stun::method::connection_attempt, {});
        return m.with<stun::xor_peer_address>(peer).with<stun::connection_id>(new_connection());
    }
    /// Once, all that it has issued so far.
    void forget_nonces() { stale_ = true; }
    [[nodiscard]] connection_id last_connection() const { return connection_id{connections_}; }

    static transport_address address(unsigned n) {
        return *transport_address::parse("192.0.2." + std::to_string(n % 16 + 1) + ":3478");
    }

private:
    static transport_address client() { return *transport_address::parse("198.51.100.7:40000"); }

    static test::message success(const stun::message_view& request) {
        test::message m(stun::message_class::success_response, request.method(), request.id());
        return m.with<stun::xor_mapped_address>(client());
    }
    static test::message error(const stun::message_view& request, std::uint16_t code) {
        test::message m(stun::message_class::error_response, request.method(), request.id());
        return m.with<stun::error_code>({code, "as it must be"});
    }
    test::message challenge(const stun::message_view& request, std::uint16_t code, time_point now) {
        stale_ = false;
        nonces_.set_features({.password_algorithms = offers_algorithms, .username_anonymity = hides_users});
        const auto nonce = nonces_.issue(client(), now, ++issued_);
        test::message m = error(request, code);
        m.with<stun::realm>(realm_).with<stun::nonce>(std::string_view(nonce.data(), nonce.size()));
        if (offers_algorithms) m.with<stun::password_algorithms>(test::both_algorithms);
        return m;
    }
    test::message decide(const stun::message_view& request) {
        if (refuses) return error(request, *refuses);
        if (sends_on && request.method() == stun::method::allocate)
            return error(request, 300)
                .with<stun::alternate_server>(*transport_address::parse("[2001:db8::9]:3478"))
                .with<stun::alternate_server>(address(*sends_on))
                .with<stun::alternate_domain>("other.example");
        test::message m = success(request);
        if (request.method() == stun::method::allocate) allocate(request, m);
        if (request.method() == stun::method::refresh)
            m.with<stun::lifetime>(request.get<stun::lifetime>().value_or(lifetime));
        if (request.method() == stun::method::connect) m.with<stun::connection_id>(new_connection());
        return m;
    }
    void allocate(const stun::message_view& request, test::message& m) const {
        const bool ipv6 =
            request.get<stun::requested_address_family>().value_or(address_family::ipv4) == address_family::ipv6;
        const bool both = request.has<stun::additional_address_family>();
        const auto even = request.get<stun::even_port>();
        if (!ipv6) m.with<stun::xor_relayed_address>(*transport_address::parse("192.0.2.1:50000"));
        if (ipv6 || both) m.with<stun::xor_relayed_address>(*transport_address::parse("[2001:db8::1]:50000"));
        m.with<stun::lifetime>(lifetime);
        if (even && even->reserve_next) m.with<stun::reservation_token>({});
    }
    static test::message finished(test::message m, const stun::message_view& request) {
        if (request.has_fingerprint()) m.fingerprint();
        return m;
    }
    connection_id new_connection() { return connection_id{++connections_}; }

    stun::nonce_issuer nonces_{stun::nonce_secret{std::byte{7}}, std::chrono::seconds(600)};
    std::string_view realm_{};
    std::uint64_t issued_ = 0;
    std::uint32_t connections_ = 0;
    bool stale_ = false;
};

} // namespace turn::fuzz
