#pragma once
/// Names to addresses, within a time that getaddrinfo alone would not keep.

#include <chrono>
#include <string>
#include <vector>

#include "turn/result.hpp"
#include "turn/transport_address.hpp"

namespace turnctl::check {

/// The addresses of a name in the order the system prefers, with this port, each once.
/// Errors: the system's words, or that nothing came in time.
turn::result<std::vector<turn::transport_address>, std::string> resolve(const std::string& host, std::uint16_t port,
                                                                        std::chrono::milliseconds patience);

} // namespace turnctl::check
