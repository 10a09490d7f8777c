#pragma once
/// turnd's HTTP service: threads of its own at a unix socket (read and write) and at a TCP address (read only). HTTP
/// itself is cpp-httplib's; sockets, threads and bounds are ours.

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "admin_message.hpp"
#include "turn/result.hpp"
#include "turn/transport_address.hpp"

namespace turnd {

/// Each connection carries one request, whose head and body are at most so long, and has so much time.
inline constexpr std::size_t admin_request_bytes = 8192;
inline constexpr int admin_request_seconds = 5;
inline constexpr unsigned admin_threads = 4; ///< for each of the two sockets; more connections wait in its backlog

class http_service {
public:
    using handler = std::function<admin_answer(const admin_request&)>;

    struct places {
        std::string socket{}; ///< path; empty: none
        std::optional<turn::transport_address> status_listen{};
    };
    /// What is at which place, when it could not be opened.
    struct failure {
        std::string place{};
        std::string why{};
    };

    /// Opens the sockets and starts to answer; `handler` is called on several threads at once until the service ends.
    static turn::result<http_service, failure> start(const places&, handler);
    http_service(http_service&&) noexcept;
    http_service& operator=(http_service&&) noexcept;
    ~http_service(); ///< requests that have come are answered, half ones are cut off

    /// Where the status is shown, with the port that the system chose.
    [[nodiscard]] std::optional<turn::transport_address> status_address() const;

private:
    struct impl;
    explicit http_service(std::unique_ptr<impl>) noexcept;
    std::unique_ptr<impl> impl_;
};

} // namespace turnd
