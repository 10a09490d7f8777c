#pragma once
/// A connection to a server over TCP or TLS, for tests over loopback: in whole messages, or in whatever bytes.

#include <memory>
#include <string>
#include <vector>

#include "support/real_client.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace turn::test {

class real_stream final : public client_wire {
public:
    struct options {
        transport protocol = transport::tcp;
        std::string server_name{}; ///< TLS: SNI
        std::string trusted{};     ///< TLS: PEM file of the CA; empty: any certificate will do
        int receive_buffer = 0;    ///< SO_RCVBUF; 0: the system's
        transport_address from{};  ///< where to bind; port 0 and family of the server by default
    };
    /// Connects, and shakes hands over TLS. Throws std::runtime_error when that fails.
    explicit real_stream(const transport_address& server) : real_stream(server, options{}) {}
    real_stream(const transport_address& server, const options&);
    ~real_stream() override;

    [[nodiscard]] transport_address local() const override { return local_; }
    [[nodiscard]] socket_id id() const noexcept override { return stream_id(0); }
    void send(std::span<const datagram> messages) override;
    std::span<const packet> receive(time_point until) override;

    /// Just these bytes, all of them, or as many as go in time.
    void send_bytes(bytes);
    /// At most `size` bytes of whatever has come; empty: nothing by `until`, or the server has closed.
    std::vector<std::byte> receive_bytes(std::size_t size, time_point until);
    /// Reads until the server closes; false when it does not in time.
    bool closed_by(time_point until);
    /// No more from us; the other direction stays open.
    void finish();
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

private:
    bool wait(short events, time_point until) const;
    /// Takes whole messages off the front of `received_` into `messages_`.
    void cut();

    int descriptor_ = -1;
    transport_address server_{};
    transport_address local_{};
    ssl_ctx_st* context_ = nullptr;
    ssl_st* tls_ = nullptr;
    bool closed_ = false;
    std::vector<std::byte> received_{};
    std::vector<std::vector<std::byte>> messages_{};
    std::vector<packet> packets_{};
};

} // namespace turn::test
