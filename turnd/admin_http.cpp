#include "admin_http.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include <httplib.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "admin_host.hpp"
#include "admin_sockets.hpp"

namespace turnd {
namespace {

using clock = std::chrono::steady_clock;

constexpr int no_descriptor = -1; ///< poll(2) passes it over

/// Waits until `fd` is ready for `events`. False: `stop` is readable, or the time is over.
bool wait_for(int fd, short events, int stop, clock::time_point deadline) noexcept {
    for (;;) {
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
        if (rest <= 0) return false;
        std::array<pollfd, 2> both{pollfd{fd, events, 0}, pollfd{stop, POLLIN, 0}};
        const int ready = ::poll(both.data(), both.size(), static_cast<int>(rest));
        if (ready < 0 && errno != EINTR) return false;
        if (both[1].revents != 0) return false;
        if (ready > 0 && both[0].revents != 0) return true;
    }
}

/// A connection with an end: so many bytes of request, so much time, or that of the service. cpp-httplib bounds a line
/// and a body, but neither the number of headers nor the time that they take.
class bounded_stream final : public httplib::Stream {
public:
    bounded_stream(int fd, int stop)
        : fd_(fd), stop_(stop), deadline_(clock::now() + std::chrono::seconds(admin_request_seconds)) {}

    [[nodiscard]] bool is_readable() const override {
        return begin_ != end_ || wait_for(fd_, POLLIN, stop_, deadline_);
    }
    [[nodiscard]] bool is_writable() const override { return wait_for(fd_, POLLOUT, stop_, deadline_); }

    ssize_t read(char* to, std::size_t size) override {
        if (begin_ == end_ && !fill()) return -1;
        const std::size_t taken = std::min(size, end_ - begin_);
        std::memcpy(to, buffer_.data() + begin_, taken);
        begin_ += taken;
        return static_cast<ssize_t>(taken);
    }

    /// Also when the service ends: the answer may be about that.
    ssize_t write(const char* from, std::size_t size) override {
        wrote_ = true;
        std::size_t sent = 0;
        while (sent < size) {
            if (!wait_for(fd_, POLLOUT, no_descriptor, deadline_)) return -1;
            const ssize_t n = ::send(fd_, from + sent, size - sent, MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN && errno != EINTR) return -1;
            if (n > 0) sent += static_cast<std::size_t>(n);
        }
        return static_cast<ssize_t>(size);
    }

    void get_remote_ip_and_port(std::string&, int&) const override {} // nobody asks
    void get_local_ip_and_port(std::string&, int&) const override {}
    [[nodiscard]] socket_t socket() const override { return fd_; }

    [[nodiscard]] bool too_long() const noexcept { return end_ == buffer_.size() && begin_ == end_; }
    [[nodiscard]] bool wrote() const noexcept { return wrote_; }

private:
    /// The whole request has room in the buffer, or is too long.
    bool fill() {
        for (;;) {
            if (end_ == buffer_.size() || !wait_for(fd_, POLLIN, stop_, deadline_)) return false;
            const ssize_t n = ::recv(fd_, buffer_.data() + end_, buffer_.size() - end_, 0);
            if (n > 0) {
                end_ += static_cast<std::size_t>(n);
                return true;
            }
            if (n == 0 || (errno != EAGAIN && errno != EINTR)) return false;
        }
    }

    int fd_;
    int stop_;
    clock::time_point deadline_;
    std::array<char, admin_request_bytes> buffer_{};
    std::size_t begin_ = 0, end_ = 0;
    bool wrote_ = false;
};

/// One listening socket and its threads.
class door final : private httplib::Server {
public:
    /// `own`: of the TCP listener, which is read only. `listening` outlives the door.
    door(int listening, std::optional<turn::transport_address> own, const http_service::handler& handle)
        : listening_(listening), stop_(::eventfd(0, EFD_CLOEXEC)), own_(own), handle_(handle) {
        for (const auto& [name, value] : admin_headers) headers_.emplace(name, value);
        set_default_headers(headers_);
        set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
            fill(response, answer(request));
            return HandlerResponse::Handled;
        });
        // What cpp-httplib itself refuses: a request that is none.
        set_error_handler(HandlerWithResponse([](const httplib::Request&, httplib::Response& response) {
            if (!response.body.empty()) return HandlerResponse::Unhandled;
            fill(response, admin_error(response.status, "bad-request", "this is not an HTTP request"));
            return HandlerResponse::Handled;
        }));
        set_exception_handler([](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
            fill(response, admin_error(500, "failed", "there was no memory for the answer"));
        });
        for (unsigned i = 0; i < admin_threads; ++i) threads_.emplace_back([this] { serve(); });
    }
    door(const door&) = delete;
    door& operator=(const door&) = delete;
    ~door() override {
        ::eventfd_write(stop_.value(), 1);
        for (std::thread& t : threads_) t.join();
    }

private:
    void serve() {
        while (!stopped()) {
            if (!wait_for(listening_, POLLIN, stop_.value(), clock::now() + std::chrono::hours(1))) continue;
            const owned_descriptor connection(::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (connection.value() >= 0)
                serve(connection.value());
            else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                wait_for(no_descriptor, 0, stop_.value(), clock::now() + std::chrono::milliseconds(100));
        }
    }

    [[nodiscard]] bool stopped() const noexcept {
        pollfd one{stop_.value(), POLLIN, 0};
        return ::poll(&one, 1, 0) > 0;
    }

    void serve(int connection) {
        bounded_stream stream(connection, stop_.value());
        bool closed = false;
        // No parts of answers: a request for many small ones would cost more than all of it.
        process_request(stream, true, closed, [](httplib::Request& request) { request.ranges.clear(); });
        if (!stream.wrote() && stream.too_long()) {
            constexpr std::string_view no = "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n"
                                            "Content-Length: 0\r\n\r\n";
            stream.write(no.data(), no.size());
        }
        finish(connection);
    }

    /// A connection that is closed with bytes unread is reset, and its answer may be lost.
    void finish(int connection) const noexcept {
        ::shutdown(connection, SHUT_WR);
        std::array<char, 4096> rest{};
        const auto deadline = clock::now() + std::chrono::milliseconds(200);
        for (int i = 0; i < 16 && wait_for(connection, POLLIN, stop_.value(), deadline); ++i)
            if (::recv(connection, rest.data(), rest.size(), 0) <= 0) return;
    }

    admin_answer answer(const httplib::Request& request) const {
        if (own_ &&
            (request.get_header_value_count("Host") != 1 || !is_own_host(request.get_header_value("Host"), *own_)))
            return admin_error(403, "foreign-host", "this name is not known to be mine",
                               "ask for the IP address that turnd listens on, or for localhost");
        const std::string length = request.get_header_value("Content-Length");
        return handle_({.method = request.method,
                        .target = request.target,
                        .if_none_match = request.get_header_value("If-None-Match"),
                        .may_write = !own_,
                        .has_body = (!length.empty() && length != "0") || request.has_header("Transfer-Encoding")});
    }

    static void fill(httplib::Response& response, const admin_answer& from) {
        response.status = from.status;
        for (const auto& [name, value] : from.headers) response.set_header(name, value);
        if (from.status != 304) response.set_content(from.body, from.content_type);
    }

    int listening_;
    owned_descriptor stop_;
    std::optional<turn::transport_address> own_;
    const http_service::handler& handle_;
    httplib::Headers headers_;
    std::vector<std::thread> threads_;
};

} // namespace

/// In this order: doors go before the sockets they serve and the function they call.
struct http_service::impl {
    handler handle;
    std::optional<unix_listener> socket;
    owned_descriptor status;
    std::optional<turn::transport_address> status_address;
    std::vector<std::unique_ptr<door>> doors;
};

turn::result<http_service, http_service::failure> http_service::start(const places& where, handler handle) {
    auto made = std::make_unique<impl>();
    made->handle = std::move(handle);
    if (!where.socket.empty()) {
        auto socket = unix_listener::open(where.socket);
        if (!socket) return failure{where.socket, socket.error()};
        made->socket.emplace(*std::move(socket));
        made->doors.push_back(std::make_unique<door>(made->socket->descriptor(), std::nullopt, made->handle));
    }
    if (where.status_listen) {
        made->status_address = where.status_listen;
        auto socket = open_status_listener(*made->status_address);
        if (!socket) return failure{where.status_listen->to_string(), socket.error()};
        made->status = *std::move(socket);
        made->doors.push_back(std::make_unique<door>(made->status.value(), made->status_address, made->handle));
    }
    return http_service(std::move(made));
}

http_service::http_service(std::unique_ptr<impl> made) noexcept : impl_(std::move(made)) {}
http_service::http_service(http_service&&) noexcept = default;
http_service& http_service::operator=(http_service&&) noexcept = default;
http_service::~http_service() = default;

std::optional<turn::transport_address> http_service::status_address() const {
    return impl_->status_address;
}

} // namespace turnd
