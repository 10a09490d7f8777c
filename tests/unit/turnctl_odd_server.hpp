#pragma once
/// Servers as they should not be: on a UDP socket of loopback, at an address that no other process uses, answering
/// whatever a test wants.

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/real_client.hpp"
#include "turn/stun/attributes.hpp"
#include "turn/stun/message.hpp"

namespace turnctl::test {

class odd_server {
public:
    /// The answer to a datagram; empty: none.
    using manners = std::function<std::vector<std::byte>(turn::bytes request, const turn::transport_address& from)>;

    explicit odd_server(manners answer, std::uint16_t port = 0) : answer_(std::move(answer)) {
        sockaddr_in here{};
        here.sin_family = AF_INET;
        here.sin_port = htons(port);
        std::memcpy(&here.sin_addr, address_.ip.data(), sizeof here.sin_addr);
        socklen_t size = sizeof here;
        if (::bind(socket_, reinterpret_cast<sockaddr*>(&here), size) != 0 ||
            ::getsockname(socket_, reinterpret_cast<sockaddr*>(&here), &size) != 0)
            throw std::runtime_error("no port on loopback");
        address_.port = ntohs(here.sin_port);
        thread_ = std::jthread([this](const std::stop_token& end) { serve(end); });
    }
    ~odd_server() {
        thread_.request_stop();
        thread_.join();
        ::close(socket_);
    }
    odd_server(const odd_server&) = delete;
    odd_server& operator=(const odd_server&) = delete;

    [[nodiscard]] std::string uri(std::string_view scheme = "turn") const {
        return std::string(scheme) + ":" + address_.to_string();
    }

private:
    void serve(const std::stop_token& end) const {
        std::array<std::byte, 2048> room{};
        while (!end.stop_requested()) {
            pollfd readable{socket_, POLLIN, 0};
            if (::poll(&readable, 1, 5) <= 0) continue;
            sockaddr_in from{};
            socklen_t size = sizeof from;
            auto* const sender = reinterpret_cast<sockaddr*>(&from);
            const ssize_t n = ::recvfrom(socket_, room.data(), room.size(), 0, sender, &size);
            if (n < 0) continue;
            const auto client = turn::transport_address::parse_ip("127.0.0.1")->with_port(ntohs(from.sin_port));
            const auto said = answer_(turn::bytes(room).first(static_cast<std::size_t>(n)), client);
            if (!said.empty()) ::sendto(socket_, said.data(), said.size(), 0, sender, size);
        }
    }

    manners answer_;
    int socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    turn::transport_address address_ = turn::test::own_loopback();
    std::jthread thread_{};
};

/// How a server answers Allocate; Binding it answers as it should, if at all.
struct allocate_manners {
    std::uint16_t error = 0; ///< 0: no answer
    std::string phrase{};
    bool binds = true;       ///< answers Binding
    bool challenges = false; ///< says 401 to what is not signed before it says `error`
    bool names_realm = true; ///< in 401 and 438
};

inline odd_server::manners refuses_to_allocate(allocate_manners how) {
    namespace stun = turn::stun;
    return [how](turn::bytes request, const turn::transport_address& from) -> std::vector<std::byte> {
        const auto m = stun::message_view::parse(request);
        if (!m) return {};
        std::array<std::byte, 512> room{};
        if (m->method() == stun::method::binding) {
            if (!how.binds) return {};
            stun::message_builder answer(room, stun::message_class::success_response, m->method(), m->id());
            const auto whole = answer.add<stun::xor_mapped_address>(from).finish();
            return {whole->begin(), whole->end()};
        }
        if (how.error == 0) return {};
        const bool first = how.challenges && !m->has_integrity();
        const std::uint16_t code = first ? std::uint16_t{401} : how.error;
        stun::message_builder answer(room, stun::message_class::error_response, m->method(), m->id());
        answer.add<stun::error_code>({.code = code, .phrase = first ? "Unauthorized" : how.phrase});
        if ((code == 401 || code == 438) && how.names_realm) {
            answer.add<stun::realm>("example.org");
            answer.add<stun::nonce>("nonce");
        }
        const auto whole = answer.finish();
        return {whole->begin(), whole->end()};
    };
}

} // namespace turnctl::test
