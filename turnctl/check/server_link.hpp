#pragma once
/// One way to a server, by UDP, TCP, TLS or DTLS: whole messages out and in. Blocks, never longer than it is told.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "net/dtls_session.hpp"
#include "net/file_descriptor.hpp"
#include "net/tls_session.hpp"
#include "turn/packet.hpp"
#include "turnctl/check/trouble.hpp"

namespace turnctl::check {

struct link_options {
    turn::transport protocol = turn::transport::udp;
    turn::transport_address server{};
    std::string host{};                                          ///< TLS, DTLS: whom the certificate must be for
    std::shared_ptr<const turn::net::tls_client_context> tls{};  ///< TLS; shared by all checks of a run
    std::shared_ptr<const turn::net::tls_client_context> dtls{}; ///< DTLS; likewise
};

class server_link {
public:
    using result_of_open = turn::result<std::unique_ptr<server_link>, trouble>;
    /// Connects, and shakes hands over TLS or DTLS.
    static result_of_open open(const link_options&, turn::time_point deadline);

    [[nodiscard]] turn::socket_id id() const noexcept;
    [[nodiscard]] int descriptor() const noexcept { return socket_.number(); }
    /// Each datagram is one message. Errors: closed, refused, tls, system, silence (a stream that takes nothing until
    /// `deadline`).
    turn::result<void, trouble> send(std::span<const turn::datagram>, turn::time_point deadline);
    /// What has come by `until`, whole messages; empty: nothing. The bytes live until the next call.
    turn::result<std::span<const turn::bytes>, trouble> receive(turn::time_point until);

    /// TLS, DTLS: see tls_session.
    [[nodiscard]] turn::net::tls_distrust distrust() const noexcept;
    [[nodiscard]] std::int64_t certificate_ends() const noexcept;

private:
    server_link(turn::net::file_descriptor socket, const link_options&);
    std::optional<trouble> connect(turn::time_point deadline);
    std::optional<trouble> shake_hands(turn::time_point deadline);
    std::optional<trouble> shake_hands_by_datagrams(turn::time_point deadline);
    std::optional<trouble> write_all(turn::bytes, turn::time_point deadline);
    std::optional<trouble> take_what_came();
    std::optional<trouble> take_ciphertext(turn::bytes);
    std::optional<trouble> take_datagram(turn::bytes);
    std::optional<trouble> write_row(turn::time_point deadline);
    std::optional<trouble> cut();
    [[nodiscard]] trouble tls_trouble() const;
    [[nodiscard]] bool wait(short events, turn::time_point until) const;

    link_options options_;
    turn::net::file_descriptor socket_;
    std::optional<turn::net::tls_session> tls_{};
    std::optional<turn::net::dtls_session> dtls_{};
    turn::net::datagram_row row_{};                   ///< DTLS: about to leave
    std::vector<std::byte> room_{};                   ///< what one read took
    std::vector<std::byte> stream_{};                 ///< plaintext that has not been taken
    std::size_t taken_ = 0;                           ///< of it, with the messages that were handed out
    std::vector<std::vector<std::byte>> datagrams_{}; ///< UDP, DTLS
    std::vector<turn::bytes> messages_{};
    bool ended_ = false; ///< the server has closed; what came before is handed out first
};

} // namespace turnctl::check
