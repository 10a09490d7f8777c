#pragma once
/// A DTLS 1.2 server without a socket: the other end for tests of the client's.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "turn/certificate.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace turn::test {

class dtls_server {
public:
    explicit dtls_server(const certificate_files&);

    void receive(std::span<const std::byte> datagram);
    /// Takes what is to be sent to the client: records that would leave as one datagram or more.
    std::vector<std::byte> to_send();
    void send(std::span<const std::byte> plaintext);
    void close();

    [[nodiscard]] bool open() const;
    [[nodiscard]] bool closed() const; ///< the client said close_notify
    [[nodiscard]] std::string name_wanted() const;
    /// What the client said, a record each.
    [[nodiscard]] const std::vector<std::vector<std::byte>>& received() const { return received_; }

private:
    std::shared_ptr<ssl_ctx_st> context_; ///< shared only because their deleters need no type here
    std::shared_ptr<ssl_st> ssl_;
    std::vector<std::vector<std::byte>> received_{};
};

} // namespace turn::test
