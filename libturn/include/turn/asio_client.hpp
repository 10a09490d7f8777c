#pragma once
/// A TURN client on an Asio io_context, by UDP, TCP, TLS or DTLS. RFC 8656; URIs of RFC 7065. The only header that
/// needs Asio (standalone, 1.22 or later).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/buffer.hpp>
#include <asio/post.hpp>

#include "turn/asio_client/completion.hpp"
#include "turn/asio_client/peer_stream.hpp"
#include "turn/asio_client/session.hpp"

namespace turn {

/// One 5-tuple and its allocation. Each async_ function takes a completion token: a callback, asio::use_future,
/// asio::use_awaitable, … Handlers are never called from within the call. Errors are those of the system and of Asio,
/// client_error, and ERROR-CODEs in stun_category(). Cancellation slots are honoured; a cancelled request may have been
/// carried out all the same.
///
/// Use it from its executor alone: a single thread, or a strand. While it is connected its io_context does not run out
/// of work, since it keeps allocation, permissions and channels alive by itself.
class asio_client {
public:
    using executor_type = asio::any_io_executor;

    asio_client(executor_type executor, asio_client_options options)
        : session_(std::make_shared<asio_detail::session>(executor, std::move(options))) {}
    template <class ExecutionContext>
    requires requires(ExecutionContext& c) { executor_type(c.get_executor()); }
    asio_client(ExecutionContext& context, asio_client_options options)
        : asio_client(executor_type(context.get_executor()), std::move(options)) {}
    ~asio_client() { close(); }
    asio_client(asio_client&&) noexcept = default;
    asio_client& operator=(asio_client&& other) noexcept {
        if (this == &other) return *this;
        close();
        session_ = std::move(other.session_);
        return *this;
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return session_->executor(); }

    /// Looks up the server's name and connects to the first of its addresses that takes us: over UDP that is the first,
    /// over the others the one that a connection, and a handshake, could be had with. `void(std::error_code)`
    template <class Token>
    auto async_connect(Token&& token) {
        return initiate<>(std::forward<Token>(token),
                          [](session& s, serial_number n, auto done) { s.connect(n, std::move(done)); });
    }

    /// Binding: where the server sees us. `void(std::error_code, turn::transport_address mapped)`
    template <class Token>
    auto async_bind(Token&& token) {
        return initiate<transport_address>(std::forward<Token>(token), [](session& s, serial_number n, auto done) {
            s.request<client::mapped>(
                n, [](client& c, time_point now, outbox& out) { return c.bind(now, out); }, std::move(done),
                [](const client::mapped& m, auto to) { to->finish({}, m.address); });
        });
    }

    /// Afterwards it is kept alive until async_refresh(0), or until the server thinks otherwise: then waiting
    /// async_receive() end with no_allocation. A server that names another one (300) is left for that, over a new
    /// socket; if it is not reached, or its certificate is not for the name that it was given (ALTERNATE-DOMAIN) or
    /// else for the one of before, this is the end of the connection. Error 300: we would be sent to a server that was
    /// asked within five minutes, to a ninth one, or to none that we can reach. RFC 8489, 10.
    /// `void(std::error_code, turn::client::allocated)`
    template <class Token>
    auto async_allocate(const allocate_wishes& wishes, Token&& token) {
        return initiate<client::allocated>(
            std::forward<Token>(token), [wishes](session& s, serial_number n, auto done) {
                s.request<client::allocated>(
                    n, [&](client& c, time_point now, outbox& out) { return c.allocate(wishes, now, out); },
                    std::move(done), [](const client::allocated& a, auto to) { to->finish({}, a); });
            });
    }

    /// A lifetime of 0 ends the allocation. `void(std::error_code, std::chrono::seconds granted)`
    template <class Token>
    auto async_refresh(std::chrono::seconds lifetime, Token&& token) {
        return initiate<std::chrono::seconds>(
            std::forward<Token>(token), [lifetime](session& s, serial_number n, auto done) {
                s.request<client::refreshed>(
                    n, [&](client& c, time_point now, outbox& out) { return c.refresh(lifetime, {}, now, out); },
                    std::move(done), [](const client::refreshed& r, auto to) { to->finish({}, r.lifetime); });
            });
    }

    /// CreatePermission for up to client::max_peers_per_request addresses; their ports do not matter. Kept alive.
    /// `void(std::error_code)`
    template <class Token>
    auto async_permit(std::vector<transport_address> peers, Token&& token) {
        return initiate<>(std::forward<Token>(token),
                          [peers = std::move(peers)](session& s, serial_number n, auto done) {
                              s.request<client::permitted>(
                                  n, [&](client& c, time_point now, outbox& out) { return c.permit(peers, now, out); },
                                  std::move(done), [](const client::permitted&, auto to) { to->finish({}); });
                          });
    }
    template <class Token>
    auto async_permit(const transport_address& peer, Token&& token) {
        return async_permit(std::vector{peer}, std::forward<Token>(token));
    }

    /// A channel, with a number of the client's choice, and the permission that goes with it. Kept alive; data to this
    /// peer then travels on it. `void(std::error_code)`
    template <class Token>
    auto async_bind_channel(const transport_address& peer, Token&& token) {
        return initiate<>(std::forward<Token>(token),
                          [peer](session& s, serial_number n, auto done) { s.bind_channel(n, peer, std::move(done)); });
    }

    /// One datagram to a peer: by its channel, or else in a Send indication. Complete when it is on its way; what is
    /// lost behind that nobody tells. `data` is copied when the operation begins. `void(std::error_code)`
    template <class Token>
    auto async_send(const transport_address& peer, asio::const_buffer data, Token&& token) {
        return initiate<>(std::forward<Token>(token), [peer, data](session& s, serial_number n, auto done) {
            s.send(n, peer, {static_cast<const std::byte*>(data.data()), data.size()}, std::move(done));
        });
    }

    /// The next datagram from a peer; what does not fit is cut off, with asio::error::message_size. Keep `into` until
    /// then. `void(std::error_code, turn::transport_address from, std::size_t size)`
    template <class Token>
    auto async_receive(asio::mutable_buffer into, Token&& token) {
        return initiate<transport_address, std::size_t>(
            std::forward<Token>(token),
            [into](session& s, serial_number n, auto done) { s.receive(n, into, std::move(done)); });
    }

    /// The next ICMP error that the network has answered to what we sent to a peer. Anybody on the way may forge it: a
    /// hint. The newest 64 are kept. RFC 8656, 11.6. `void(std::error_code, turn::client::peer_unreachable)`
    template <class Token>
    auto async_receive_icmp(Token&& token) {
        return initiate<client::peer_unreachable>(
            std::forward<Token>(token),
            [](session& s, serial_number n, auto done) { s.receive_icmp(n, std::move(done)); });
    }

    /// Connect, of an allocation that was made with allocate_wishes::tcp: a TCP connection with a peer, from the
    /// relayed transport address. RFC 6062, 4.3. `void(std::error_code, turn::peer_stream)`
    template <class Token>
    auto async_connect_peer(const transport_address& peer, Token&& token) {
        return initiate<peer_stream>(std::forward<Token>(token), [peer](session& s, serial_number n, auto done) {
            s.connect_peer(n, peer, std::move(done));
        });
    }

    /// The next connection that a peer with a permission makes to the relayed transport address. RFC 6062, 4.4.
    /// `void(std::error_code, turn::peer_stream)`
    template <class Token>
    auto async_accept_peer(Token&& token) {
        return initiate<peer_stream>(std::forward<Token>(token),
                                     [](session& s, serial_number n, auto done) { s.accept_peer(n, std::move(done)); });
    }

    /// Ends everything that waits, with asio::error::operation_aborted, and the connection. An allocation over UDP
    /// lives on at the server until it expires: async_refresh(0) ends it. A peer_stream is not closed, but the server
    /// closes those of an allocation that ends. async_connect() begins anew.
    void close() {
        if (session_) session_->close();
    }

    /// Whether an allocation is alive as far as we know.
    [[nodiscard]] bool has_allocation() const noexcept { return session_->has_allocation(); }
    /// The address that was connected to, or that this server has sent us on to.
    [[nodiscard]] transport_address server() const noexcept { return session_->server(); }
    /// Datagrams from peers that came faster than they were received.
    [[nodiscard]] std::uint64_t dropped() const noexcept { return session_->dropped(); }
    /// Behind tls_failed and untrusted_certificate: OpenSSL's words, or null. They live as long as the process.
    [[nodiscard]] const char* tls_failure() const noexcept { return session_->tls_failure(); }

private:
    using session = asio_detail::session;
    using serial_number = asio_detail::serial_number;

    /// Hands the handler that the token makes to `begin`, which keeps it until there are results.
    template <class... Results, class Token, class Begin>
    auto initiate(Token&& token, Begin begin) {
        auto start = [session = session_, begin = std::move(begin)](auto handler) mutable {
            asio_detail::begin<Results...>(session, std::move(handler), std::move(begin));
        };
        return asio::async_initiate<Token, void(std::error_code, Results...)>(std::move(start), token);
    }

    std::shared_ptr<session> session_; ///< with handlers that are on their way
};

} // namespace turn
