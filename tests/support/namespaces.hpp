#pragma once
/// A network of its own for a piece of a test: what it finds there does not depend on the machine.

#include <functional>
#include <string>
#include <vector>

namespace turn::test {

struct new_network {
    bool ipv6 = true;    ///< false: this network has no IPv6 at all
    std::string setup{}; ///< shell commands to begin with, such as iproute2's "ip link set lo mtu 1500; ip ..."
    /// Arguments of ip(8), run one after the other, e.g. "link add near type veth peer name far".
    std::vector<std::string> ip{};
};

/// Runs `story` in a child process whose only interface, but for what `ip` adds, is a loopback that is up, and returns
/// what it returns. Needs user namespaces or root. Throws std::runtime_error when there is no such network or the child
/// fails.
std::string in_new_network(const new_network&, const std::function<std::string()>& story);

} // namespace turn::test
