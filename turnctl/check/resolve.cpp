#include "turnctl/check/resolve.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "net/socket_address.hpp"

namespace turnctl::check {
namespace {

using addresses = std::vector<turn::transport_address>;
using outcome = turn::result<addresses, std::string>;

outcome look_up(const std::string& host, std::uint16_t port) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_DGRAM; // one entry per address
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found); error != 0)
        return std::string(error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    addresses all;
    for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
        turn::net::socket_address address{};
        if ((a->ai_family != AF_INET && a->ai_family != AF_INET6) || a->ai_addrlen > sizeof address) continue;
        std::memcpy(&address, a->ai_addr, a->ai_addrlen);
        const auto one = turn::net::from_socket_address(address).with_port(port);
        if (std::ranges::find(all, one) == all.end()) all.push_back(one);
    }
    if (all.empty()) return std::string("the name has no address");
    return all;
}

/// Shared with a thread that may outlast the wait.
struct pending {
    std::mutex mutex{};
    std::condition_variable changed{};
    std::optional<outcome> found{};
};

} // namespace

turn::result<std::vector<turn::transport_address>, std::string> resolve(const std::string& host, std::uint16_t port,
                                                                        std::chrono::milliseconds patience) {
    const auto state = std::make_shared<pending>();
    std::thread([state, host, port] {
        auto found = look_up(host, port);
        const std::lock_guard lock(state->mutex);
        state->found = std::move(found);
        state->changed.notify_all();
    }).detach(); // getaddrinfo cannot be called off
    std::unique_lock lock(state->mutex);
    if (!state->changed.wait_for(lock, patience, [&] { return state->found.has_value(); }))
        return std::string("no name server answered in time");
    return std::move(*state->found);
}

} // namespace turnctl::check
