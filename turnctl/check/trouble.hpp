#pragma once
/// Why a step did not succeed, before anybody has put it into words for people.

#include <cstdint>
#include <string>

#include "net/tls_client_context.hpp"

namespace turnctl::check {

struct trouble {
    enum class kind : std::uint8_t {
        refused,     ///< nothing listens there: a TCP reset, or ICMP's "port unreachable"
        unreachable, ///< this machine knows no way there
        silence,     ///< nothing came in time
        closed,      ///< the server closed the connection
        garbage,     ///< what came is no STUN
        certificate, ///< see `distrust`
        tls,         ///< the handshake or a record went wrong
        answered,    ///< with ERROR-CODE `code`
        unusable,    ///< STUN answers came, but none that may be believed or used
        system,      ///< the operating system said no
    };
    kind what = kind::silence;
    std::uint16_t code = 0;
    turn::net::tls_distrust distrust = turn::net::tls_distrust::none;
    std::string words{}; ///< the server's reason phrase, the system's or OpenSSL's words; not made safe to print
};

} // namespace turnctl::check
