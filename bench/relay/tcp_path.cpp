#include "tcp_path.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <string>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "ipv4.hpp"
#include "lesson.hpp"
#include "sockets.hpp"
#include "turn/stun/attributes.hpp"
#include "turn/stun/credentials.hpp"
#include "turn/stun/message.hpp"

namespace turn::bench {
namespace {

[[noreturn]] void give_up(std::string_view what) {
    throw trouble{fmt::format("{}: {}", what, std::strerror(errno))};
}

/// Bound to `ip`, and waiting no longer than `patience` for anything.
net::file_descriptor open(const transport_address& ip) {
    net::file_descriptor opened(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in name = ipv4_name(ip);
    const timeval wait{std::chrono::seconds(patience).count(), 0};
    const int yes = 1;
    const int d = opened.number();
    if (!opened || ::bind(d, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
        ::setsockopt(d, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
        ::setsockopt(d, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0 ||
        ::setsockopt(d, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0)
        give_up("a socket");
    return opened;
}

net::file_descriptor call(const transport_address& server) {
    auto opened = open(client_ip);
    const sockaddr_in name = ipv4_name(server);
    if (::connect(opened.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
        give_up("the server takes no connection");
    return opened;
}

void write_all(int descriptor, bytes data) {
    if (::send(descriptor, data.data(), data.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(data.size()))
        give_up("the server takes no request");
}

void read_all(int descriptor, std::span<std::byte> room) {
    errno = 0;
    if (::recv(descriptor, room.data(), room.size(), MSG_WAITALL) != static_cast<ssize_t>(room.size()))
        give_up("the server does not answer");
}

/// A peer's listener.
class doorway {
public:
    doorway() : listener_(open(peer_ip)) {
        sockaddr_in name{};
        socklen_t size = sizeof name;
        if (::listen(listener_.number(), 1) != 0 ||
            ::getsockname(listener_.number(), reinterpret_cast<sockaddr*>(&name), &size) != 0)
            give_up("a peer's socket");
        address_ = from_ipv4(name);
    }
    [[nodiscard]] const transport_address& address() const noexcept { return address_; }
    [[nodiscard]] net::file_descriptor accept() const {
        net::file_descriptor came(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!came) give_up("nobody comes to the peer");
        return came;
    }

private:
    net::file_descriptor listener_;
    transport_address address_{};
};

/// Asks, one request at a time, with long-term credentials once the server has asked for them.
class questions {
public:
    explicit questions(const load_options& o) : options_(o) {}

    /// The answer's bytes live until the next question. `add` writes the attributes. Throws trouble unless it is a
    /// success.
    template <class Add>
    stun::message_view ask(int descriptor, stun::method what, Add&& add) {
        for (int attempt = 0;; ++attempt) {
            stun::transaction_id id{};
            for (std::byte& each : id) each = static_cast<std::byte>(random_());
            stun::message_builder request(request_, stun::message_class::request, what, id);
            add(request);
            if (!realm_.empty())
                request.add<stun::username>(options_.username)
                    .add<stun::realm>(realm_)
                    .add<stun::nonce>(nonce_)
                    .integrity(*stun::long_term_key(options_.username, realm_, options_.password));
            write_all(descriptor, *request.finish());
            const auto answer = read(descriptor);
            if (answer.id() != id) throw trouble{"the server answers something else"};
            if (answer.cls() == stun::message_class::success_response) return answer;
            const auto error = answer.get<stun::error_code>();
            const unsigned code = error ? error->code : 0;
            if (attempt == 2 || (code != 401 && code != 438) || !learn(answer))
                throw trouble{fmt::format("method 0x{:03x}: {} {}", static_cast<unsigned>(what), code,
                                          error ? error->phrase : std::string_view())};
        }
    }

private:
    stun::message_view read(int descriptor) {
        const std::span<std::byte> room(answer_);
        read_all(descriptor, room.first(stun::header_size));
        const std::size_t length = std::to_integer<std::size_t>(room[2]) << 8 | std::to_integer<std::size_t>(room[3]);
        if (stun::header_size + length > room.size()) throw trouble{"the server's answer is too long"};
        read_all(descriptor, room.subspan(stun::header_size, length));
        const auto answer = stun::message_view::parse(room.first(stun::header_size + length));
        if (!answer) throw trouble{"the server's answer is no STUN message"};
        return *answer;
    }
    bool learn(const stun::message_view& challenge) {
        const auto realm = challenge.get<stun::realm>();
        const auto nonce = challenge.get<stun::nonce>();
        if (!realm || !nonce) return false;
        realm_ = *realm;
        nonce_ = *nonce;
        return true;
    }

    const load_options& options_;
    std::random_device random_{};
    std::string realm_{}, nonce_{};
    std::array<std::byte, 2048> request_{}, answer_{};
};

tcp_path path_by_turn(const load_options& o) {
    tcp_path p;
    const doorway door;
    questions q(o);
    p.control = call(o.server);
    q.ask(p.control.number(), stun::method::allocate,
          [](stun::message_builder& b) { b.add<stun::requested_transport>(stun::requested_transport::tcp); });
    const auto connected = q.ask(p.control.number(), stun::method::connect,
                                 [&](stun::message_builder& b) { b.add<stun::xor_peer_address>(door.address()); });
    const auto named = connected.get<stun::connection_id>();
    if (!named) throw trouble{"the server names no connection"};
    const auto id = *named;
    p.peer = door.accept();
    p.client = call(o.server);
    q.ask(p.client.number(), stun::method::connection_bind,
          [&](stun::message_builder& b) { b.add<stun::connection_id>(id); });
    return p;
}

tcp_path path_by_floor(const load_options& o) {
    tcp_path p;
    const doorway door;
    lesson taught;
    taught.where = door.address();
    p.client = call(o.server);
    write_all(p.client.number(), std::as_bytes(std::span(&taught, 1)));
    p.peer = door.accept();
    read_all(p.client.number(), std::as_writable_bytes(std::span(&taught, 1)));
    return p;
}

} // namespace

tcp_path make_tcp_path(const load_options& o) {
    return o.at == target::floor ? path_by_floor(o) : path_by_turn(o);
}

} // namespace turn::bench
