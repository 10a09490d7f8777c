#pragma once
/// What this machine offers: the addresses of its interfaces, the way out, how many descriptors a process may have.

#include <cstddef>
#include <vector>

#include "turn/result.hpp"
#include "turn/transport_address.hpp"

namespace turn::net {

/// The addresses of all interfaces that a socket can be bound to now, each once, in the kernel's order; port 0. Without
/// IPv6 link-local ones (they need a scope) and those that cannot be used (yet), such as tentative ones.
/// Errors: io, with the cause in errno.
result<std::vector<transport_address>> interface_addresses(address_family family);

/// The address from which packets leave by the default route; port 0. Nothing is sent to find out.
/// Errors: not_found (no route, or none of this family).
result<transport_address> default_source_address(address_family family) noexcept;

/// Raises the soft limit of open descriptors to the hard one, and returns what holds afterwards.
std::size_t raise_descriptor_limit() noexcept;

} // namespace turn::net
