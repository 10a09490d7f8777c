#pragma once
/// STUN and TURN URIs, as browsers and configurations name servers: RFC 7064 and RFC 7065.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "turn/result.hpp"
#include "turn/transport_address.hpp"

namespace turn {

enum class uri_scheme : std::uint8_t { stun, stuns, turn, turns };

/// "turns:example.org:5349?transport=tcp" taken apart. A value: equal means the same server, however it was spelled.
struct uri {
    uri_scheme scheme = uri_scheme::stun;
    /// In lower case: a name of letters, digits and "-._~", an IPv4 address, or an IPv6 address (RFC 5952 spelling,
    /// without brackets). Never empty.
    std::string host{};
    std::optional<std::uint16_t> port{}; ///< as given; never 0
    std::string transport{};             ///< as given, in lower case: "udp", "tcp" or an extension; empty: none given

    friend bool operator==(const uri&, const uri&) = default;

    /// The whole of `text` as one URI. A percent-encoded character is taken for what it stands for, and must be one
    /// that could stand there itself: an internationalized name is written in its ASCII form ("xn--…", RFC 5890).
    /// Takes no more memory than `text` has. Errors: invalid_text.
    static result<uri> parse(std::string_view text);
    /// Scheme, host and what else was given: parse() makes the same value of it.
    [[nodiscard]] std::string to_string() const;

    /// "stuns" and "turns": over TLS, or DTLS when the transport is UDP.
    [[nodiscard]] bool is_secure() const noexcept { return scheme == uri_scheme::stuns || scheme == uri_scheme::turns; }
    /// The given port, or else 3478, or 5349 when secure. RFC 7064, 3.2; RFC 7065, 3.2.
    [[nodiscard]] std::uint16_t port_or_default() const noexcept { return port.value_or(is_secure() ? 5349 : 3478); }
    /// The given transport, or else "udp", or "tcp" when secure. Valid as long as the URI.
    [[nodiscard]] std::string_view transport_or_default() const noexcept {
        if (!transport.empty()) return transport;
        return is_secure() ? "tcp" : "udp";
    }
    /// Host and port when the host is an IP address; nothing when it is a name, which somebody has to look up.
    [[nodiscard]] std::optional<transport_address> address() const noexcept;
};

} // namespace turn
