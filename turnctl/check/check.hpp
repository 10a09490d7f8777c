#pragma once
/// One server taken through everything its URI promises, the way a client goes: RFC 8656.

#include <chrono>
#include <memory>
#include <string>

#include "turn/uri.hpp"
#include "turnctl/check/conversation.hpp"
#include "turnctl/check/report.hpp"

namespace turnctl::check {

struct target {
    turn::uri server{};
    std::string text{}; ///< the URI as it was given
    who user{};         ///< empty: no credentials were given
};

struct check_options {
    std::chrono::milliseconds patience{5000};                    ///< for each step
    std::shared_ptr<const turn::net::tls_client_context> tls{};  ///< needed for turns: and stuns:; shared by all checks
    std::shared_ptr<const turn::net::tls_client_context> dtls{}; ///< likewise, with ?transport=udp
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now(); ///< for the certificate's end
};

/// Blocks, and ends within about 20 times the patience whatever the server does. Leaves no allocation behind if the
/// server can be told.
report check_server(const target&, const check_options&);

} // namespace turnctl::check
