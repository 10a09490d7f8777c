#pragma once
/// Which addresses relays are bound to and what clients are told: named by the operator, or each family's
/// default-route source address.

#include <string>
#include <vector>

#include "turn/net/packet_io.hpp"
#include "turn/server.hpp"

namespace turn {

/// Finds and checks them; each is tried with a socket of `probe`. At least one, when there is no error.
/// A private address that nobody may send to goes to `warnings`.
result<std::vector<server_description::family_relay>, start_error>
find_relay_places(const server_options&, net::packet_io& probe, std::vector<std::string>& warnings);

} // namespace turn
