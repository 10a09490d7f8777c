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

/// Answers Binding as it should be, and Allocate by an error; error 0: not at all.
inline odd_server::manners refuses_to_allocate(std::uint16_t error, std::string phrase = {}, bool binds = true) {
    namespace stun = turn::stun;
    return [=](turn::bytes request, const turn::transport_address& from) -> std::vector<std::byte> {
        const auto m = stun::message_view::parse(request);
        if (!m) return {};
        std::array<std::byte, 512> room{};
        const bool binding = m->method() == stun::method::binding;
        if (binding ? !binds : error == 0) return {};
        stun::message_builder answer(
            room, binding ? stun::message_class::success_response : stun::message_class::error_response, m->method(),
            m->id());
        if (binding) {
            answer.add<stun::xor_mapped_address>(from);
        } else if (error == 438 && !m->has_integrity()) { // the first challenge
            answer.add<stun::error_code>({.code = 401, .phrase = "Unauthorized"});
        } else {
            answer.add<stun::error_code>({.code = error, .phrase = phrase});
        }
        if (!binding && (error == 401 || error == 438)) {
            answer.add<stun::realm>("example.org");
            answer.add<stun::nonce>("nonce");
        }
        const auto whole = answer.finish();
        return {whole->begin(), whole->end()};
    };
}

} // namespace turnctl::test
