#pragma once
/// peer_connections on loopback, with the clients and the peers at both ends of them, and a time that the test passes.

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "net/peer_connections.hpp"
#include "net/socket_address.hpp"
#include "support/model.hpp"
#include "support/real_client.hpp"
#include "tls_connection.hpp"

namespace turn::net_test {

using namespace std::chrono_literals;
using test::loopback;

/// `size` bytes, all different from what lies somewhere else: made in no time, unlike random ones.
inline blob numbered(std::size_t size) {
    blob out(size);
    for (std::size_t i = 0; i < size; i += sizeof i) {
        const std::uint64_t word = i * 0x9e3779b97f4a7c15U;
        std::memcpy(out.data() + i, &word, std::min(sizeof word, size - i));
    }
    return out;
}

/// Somebody's TCP socket, with what came and what waits to be sent. Nothing here blocks.
class talker {
public:
    talker() = default;
    explicit talker(net::file_descriptor handle) : handle_(std::move(handle)) {
        ::fcntl(handle_.number(), F_SETFL, O_NONBLOCK);
    }
    static talker calling(const transport_address& whom) {
        net::file_descriptor handle(::socket(net::kernel_family(whom.family), SOCK_STREAM | SOCK_CLOEXEC, 0));
        net::socket_address name{};
        const socklen_t size = net::to_socket_address(whom, name);
        REQUIRE(::connect(handle.number(), &name.any, size) == 0);
        return talker(std::move(handle));
    }

    void say(bytes data) { to_send_.insert(to_send_.end(), data.begin(), data.end()); }
    void say(std::string_view text) { say(to_blob(text)); }
    /// What fits goes, what is there comes, at most `most` bytes of it.
    void go_on(std::size_t most = whole) {
        if (!handle_) return;
        while (sent_ < to_send_.size()) {
            const ssize_t n =
                ::send(handle_.number(), to_send_.data() + sent_, to_send_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n <= 0) break;
            sent_ += static_cast<std::size_t>(n);
        }
        if (finishes_ && said_all()) {
            ::shutdown(handle_.number(), SHUT_WR);
            finishes_ = false;
        }
        static std::vector<std::byte> room(1 << 20);
        while (!heard_end && !reset && most > 0) {
            const ssize_t n = ::recv(handle_.number(), room.data(), std::min(most, room.size()), MSG_DONTWAIT);
            if (n < 0 && errno == EAGAIN) break;
            if (n == 0) heard_end = true;
            if (n < 0) reset = true;
            if (n <= 0) break;
            heard.insert(heard.end(), room.begin(), room.begin() + n);
            most -= static_cast<std::size_t>(n);
        }
    }
    /// No more from here, once all has been sent.
    void finish() { finishes_ = true; }
    void close() { handle_.reset(); }
    /// So that the other side is reset.
    void abort() {
        const linger at_once{1, 0};
        ::setsockopt(handle_.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close();
    }
    /// Nobody will take what is said here, nor say anything: it was reset.
    [[nodiscard]] bool is_cut_off() const {
        pollfd asked{handle_.number(), 0, 0};
        return ::poll(&asked, 1, 0) == 1 && (asked.revents & POLLHUP) != 0;
    }
    [[nodiscard]] bool said_all() const { return sent_ == to_send_.size(); }
    [[nodiscard]] std::size_t sent() const { return sent_; }
    [[nodiscard]] std::string text() const { return {reinterpret_cast<const char*>(heard.data()), heard.size()}; }
    [[nodiscard]] transport_address local() const { return *net::bound_address(handle_.number()); }
    [[nodiscard]] int descriptor() const { return handle_.number(); }

    blob heard{};
    bool heard_end = false; ///< the other side has finished
    bool reset = false;

private:
    net::file_descriptor handle_{};
    blob to_send_{};
    std::size_t sent_ = 0;
    bool finishes_ = false;
};

/// A peer's listener.
class doorway {
public:
    explicit doorway(const transport_address& local = loopback(), int backlog = 16)
        : handle_(::socket(net::kernel_family(local.family), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        net::socket_address name{};
        const socklen_t size = net::to_socket_address(local, name);
        REQUIRE(::bind(handle_.number(), &name.any, size) == 0);
        REQUIRE(::listen(handle_.number(), backlog) == 0);
    }
    [[nodiscard]] transport_address local() const { return *net::bound_address(handle_.number()); }
    void close() { handle_.reset(); }
    /// Precondition: somebody has connected.
    talker accept(transport_address* from = nullptr) {
        net::socket_address name{};
        socklen_t size = sizeof name;
        net::file_descriptor handle(::accept4(handle_.number(), &name.any, &size, SOCK_CLOEXEC));
        REQUIRE(handle);
        if (from != nullptr) *from = net::from_socket_address(name);
        return talker(std::move(handle));
    }

private:
    net::file_descriptor handle_;
};

struct joining {
    explicit joining(const net::peer_connection_options& options = {}, const transport_address& at = loopback())
        : it(std::move(*net::peer_connections::make(options))), relay(new_relay(at)) {}

    socket_id new_relay(const transport_address& at = loopback()) {
        auto bound = net::peer_connections::bind(at);
        REQUIRE(bound);
        const auto id = it->listen(std::move(*bound));
        REQUIRE(id);
        return *id;
    }
    [[nodiscard]] transport_address address() const { return it->local_address(relay); }

    void receive() {
        const auto batch = it->receive(now);
        opened.insert(opened.end(), batch.opened.begin(), batch.opened.end());
        refused.insert(refused.end(), batch.refused.begin(), batch.refused.end());
        come.insert(come.end(), batch.come.begin(), batch.come.end());
        gone.insert(gone.end(), batch.gone.begin(), batch.gone.end());
    }
    /// Everybody goes on until `done`, for as long as anything on loopback may take.
    template <class Condition>
    bool until(Condition&& done) {
        for (const auto end = std::chrono::steady_clock::now() + test::patience; !done();) {
            if (std::chrono::steady_clock::now() > end) return false;
            pollfd readable{it->native_handle(), POLLIN, 0};
            if (!it->more()) ::poll(&readable, 1, 1);
            receive();
            for (talker* each : everybody) each->go_on();
        }
        return true;
    }
    /// Until nothing has moved for a while: for what must not happen.
    void settle() {
        for (int quiet = 0; quiet < 3;) {
            pollfd readable{it->native_handle(), POLLIN, 0};
            const bool something = it->more() || ::poll(&readable, 1, 5) > 0;
            quiet = something ? 0 : quiet + 1;
            receive();
            for (talker* each : everybody) each->go_on();
        }
    }
    void pass(time_point::duration d) {
        now += d;
        it->tick(now);
        receive();
    }

    /// A peer that has connected to the relay.
    talker peer(net::peer_connection& id) {
        talker made = talker::calling(address());
        const std::size_t before = come.size();
        REQUIRE(until([&] { return come.size() > before; }));
        id = come.back().id;
        return made;
    }
    /// A client that has connected; what is returned is the server's end of it.
    static net::client_connection client(talker& far) {
        doorway server;
        far = talker::calling(server.local());
        talker near = server.accept();
        net::client_connection accepted;
        accepted.handle = net::file_descriptor(::fcntl(near.descriptor(), F_DUPFD_CLOEXEC, 0));
        return accepted;
    }

    time_point now = time_point() + 1h;
    std::unique_ptr<net::peer_connections> it;
    socket_id relay;
    std::vector<net::peer_connections::connected> opened{};
    std::vector<net::peer_connections::failed> refused{};
    std::vector<net::peer_connections::arrived> come{};
    std::vector<net::peer_connections::ended> gone{};
    std::vector<talker*> everybody{};
};

/// ann, a client, and bob, a peer that has connected to her relay; joined.
struct couple : joining {
    explicit couple(const net::peer_connection_options& options = {}) : joining(options) {
        bob = peer(id);
        auto near = client(ann);
        everybody = {&ann, &bob};
        REQUIRE(it->join(id, std::move(near)));
    }
    [[nodiscard]] bool over() const { return !gone.empty(); }

    net::peer_connection id{};
    talker ann{}, bob{};
};

/// ann over TLS; bob as ever.
struct secret_couple : joining {
    explicit secret_couple(test::tls_version version, const net::peer_connection_options& options = {})
        : joining(options), tls({.version = version}) {
        bob = peer(id);
        auto near = client(wire);
        near.tls = std::make_unique<net::tls_session>(*context);
        blob room(1 << 20);
        for (int i = 0; i < 4; ++i) {
            blob answer;
            const blob said = tls.to_send();
            near.tls->receive(said, room, answer);
            tls.receive(answer);
        }
        REQUIRE(near.tls->now() == state::open);
        everybody = {&wire, &bob};
        REQUIRE(it->join(id, std::move(near)));
    }
    void carry() {
        tls.receive(bytes(wire.heard).subspan(carried));
        carried = wire.heard.size();
        wire.say(tls.to_send());
    }
    template <class Condition>
    bool until(Condition&& done) {
        return joining::until([&] { return carry(), done(); });
    }
    std::shared_ptr<net::tls_context> context = any_context();
    test::tls_client tls;
    net::peer_connection id{};
    talker wire{}, bob{};
    std::size_t carried = 0;
};

} // namespace turn::net_test
