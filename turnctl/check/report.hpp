#pragma once
/// What a check of one server found: the fields people and scripts read, and each "no" with its meaning.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turn/transport_address.hpp"

namespace turnctl::check {

/// The values are turnctl's exit statuses.
enum class severity : std::uint8_t {
    note = 0,     ///< worth knowing, nothing to mend
    warning = 1,  ///< it works, but something is missing
    critical = 2, ///< it does not do what its URI promises
};

/// In the order they are taken.
enum class step : std::uint8_t { resolve, connect, binding, allocate, permission, channel, echo, end };
inline constexpr std::size_t step_count = 8;
/// "resolve", "connect", ...
std::string_view name(step) noexcept;

enum class outcome : std::uint8_t { not_tried, good, failed };

struct finding {
    severity weight = severity::critical;
    std::string code{};           ///< stable, such as "bad-credentials"
    step where{};                 ///< in which step
    std::uint16_t error_code = 0; ///< the server's ERROR-CODE; 0: it sent none
    std::string what{}, remedy{}; ///< what it means, and what to do
};

/// Who echoed.
enum class echo_peer : std::uint8_t {
    none,
    own_socket,   ///< a UDP socket of turnctl, so the network between here and the relay ports took part
    second_relay, ///< another allocation on the same server
};

struct report {
    std::string uri{};
    std::string transport{};                         ///< "udp", "tcp", "tls", "dtls"
    std::optional<turn::transport_address> server{}; ///< which address of the name was spoken to
    bool reachable = false;                          ///< it answered as a STUN or TURN server does
    std::optional<double> round_trip_ms{};           ///< of one request, without connecting
    std::optional<turn::transport_address> mapped{}; ///< our address as the server sees it
    std::string realm{};                             ///< of its challenge
    std::optional<turn::transport_address> relayed{};
    std::optional<std::int64_t> lifetime_seconds{};    ///< of the allocation
    std::optional<std::int64_t> certificate_seconds{}; ///< until the certificate ends; negative: since
    std::optional<std::uint64_t> allocations{};        ///< of a turnd on this machine, before the check
    echo_peer peer = echo_peer::none;
    outcome steps[step_count]{};
    std::vector<finding> findings{};

    [[nodiscard]] outcome& of(step s) noexcept { return steps[static_cast<std::size_t>(s)]; }
    [[nodiscard]] outcome of(step s) const noexcept { return steps[static_cast<std::size_t>(s)]; }
    /// Of the gravest finding; note: there is nothing to mend.
    [[nodiscard]] severity weight() const noexcept;
    /// "ok", or the code of the first of the gravest findings.
    [[nodiscard]] std::string_view verdict() const noexcept;
};

} // namespace turnctl::check
