#pragma once
/// A TCP connection with a peer through a relay: RFC 6062, 4.3 and 5. Part of turn/asio_client.hpp.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include "turn/asio_client/completion.hpp"
#include "turn/asio_client/link.hpp"
#include "turn/client.hpp"
#include "turn/client_error.hpp"

namespace turn::asio_detail {

/// A connection of its own to the server, which a ConnectionBind turns into one with the peer.
class data_connection final : public std::enable_shared_from_this<data_connection>, private link_user {
public:
    using bound_handler = std::function<void(std::error_code)>;

    data_connection(const asio::any_io_executor& executor, client core, const transport_address& peer)
        : executor_(executor), core_(std::move(core)), peer_(peer) {}
    ~data_connection() { close(); }
    data_connection(const data_connection&) = delete;
    data_connection& operator=(const data_connection&) = delete;

    /// Connects to the server and binds; `bound` is told how that went, unless close() comes first.
    void open(const transport_address& server, protocol p, const std::optional<net::client_wire::secret>& with,
              std::chrono::milliseconds patience, connection_id what, bound_handler bound) {
        what_ = what;
        bound_ = std::move(bound);
        link_ = std::make_shared<link>(executor_, static_cast<link_user&>(*this), p, with);
        link_->open(server, patience);
    }

    [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }
    [[nodiscard]] const transport_address& peer() const noexcept { return peer_; }
    [[nodiscard]] std::uint64_t next_serial() noexcept { return ++last_serial_; }

    void read(std::uint64_t serial, asio::mutable_buffer into, completion_ptr<std::size_t> done) {
        if (into.size() == 0) return done->finish({}, 0);
        if (!link_) return done->fail(failure_);
        reader_ = reader{serial, into, std::move(done)};
        if (hand_over()) return;
        link_->read();
    }
    void write(std::uint64_t serial, bytes data, completion_ptr<std::size_t> done) {
        if (!link_) return done->fail(failure_);
        if (!link_->wire().send({.body = data})) return done->fail(asio::error::broken_pipe);
        writers_.push_back({serial, link_->wire().queued(), data.size(), std::move(done)});
        link_->flush();
    }
    void cancel(std::uint64_t serial) {
        const std::error_code aborted = asio::error::operation_aborted;
        if (reader_ && reader_->serial == serial) std::exchange(reader_, std::nullopt)->done->fail(aborted);
        const auto found = std::ranges::find(writers_, serial, &writer::serial);
        if (found == writers_.end()) return;
        const auto done = std::move(found->done);
        writers_.erase(found);
        done->fail(aborted);
    }
    void shut_down_sending() {
        if (link_) link_->shut_down_sending();
    }
    void close() { stop(asio::error::operation_aborted); }

private:
    struct reader {
        std::uint64_t serial;
        asio::mutable_buffer into;
        completion_ptr<std::size_t> done;
    };
    struct writer {
        std::uint64_t serial;
        std::uint64_t mark; ///< done when so many bytes have left
        std::size_t size;
        completion_ptr<std::size_t> done;
    };

    void opened() override {
        core_.bind_connection(what_, std::chrono::steady_clock::now(), out_);
        send_out();
    }
    bool arrived(net::client_wire& wire) override {
        const auto self = shared_from_this(); // whoever is told may let go of us
        while (bound_) {
            const auto message = wire.next_message();
            if (!message) return true;
            if (const auto event = core_.handle(*message, std::chrono::steady_clock::now(), out_)) judge(*event, wire);
            if (!link_) return false;
            send_out();
        }
        hand_over();
        return reader_.has_value();
    }
    void judge(const client::event& event, net::client_wire& wire) {
        if (const auto* failed = std::get_if<client::failed>(&event))
            return stop(failed->code != 0 ? refused_with(failed->code) : make_error_code(client_error::no_answer));
        if (!std::holds_alternative<client::connection_bound>(event)) return;
        wire.stop_framing(); // what follows is the peer's
        link_->outlive_end();
        std::exchange(bound_, nullptr)({});
    }
    void send_out() {
        for (const datagram& d : out_.frames())
            if (!link_->wire().send(d)) break;
        out_.clear();
        link_->flush();
    }

    /// Gives the reader what is there, or the end. False: it has to wait.
    bool hand_over() {
        if (!reader_) return false;
        const std::span into(static_cast<std::byte*>(reader_->into.data()), reader_->into.size());
        const auto count = link_->wire().read(into);
        const bool over = count == 0 && link_->wire().now() == net::client_wire::state::ended;
        if (count == 0 && !over) return false;
        std::exchange(reader_, std::nullopt)->done->finish(over ? asio::error::eof : std::error_code(), count);
        return true;
    }
    void wrote(std::uint64_t flushed, std::error_code error) override {
        while (!writers_.empty() && writers_.front().mark <= flushed) {
            auto first = std::move(writers_.front());
            writers_.pop_front();
            first.done->finish(error, error ? 0 : first.size);
        }
    }
    void refused(std::error_code) override {} // of datagrams
    void ended(std::error_code why) override {
        const auto self = shared_from_this();
        stop(why);
    }

    void stop(std::error_code why) {
        failure_ = why;
        if (link_) link_->close();
        link_.reset();
        if (auto r = std::exchange(reader_, std::nullopt)) r->done->fail(why);
        for (auto& w : std::exchange(writers_, {})) w.done->fail(why);
        if (const auto tell = std::exchange(bound_, nullptr)) tell(why);
    }

    asio::any_io_executor executor_;
    client core_; ///< only for the ConnectionBind
    transport_address peer_;
    outbox out_{4};
    connection_id what_{};
    bound_handler bound_{}; ///< until it is bound
    std::shared_ptr<link> link_{};
    std::error_code failure_ = client_error::not_connected;
    std::uint64_t last_serial_ = 0;
    std::optional<reader> reader_{};
    std::deque<writer> writers_{};
};

} // namespace turn::asio_detail

namespace turn {

/// An AsyncReadStream and AsyncWriteStream for asio::async_read, async_write and what stands on them, such as
/// asio::ssl::stream. One read and one write at a time. Use it from its executor alone.
class peer_stream {
public:
    using executor_type = asio::any_io_executor;

    /// Of nobody, until one is assigned.
    peer_stream() = default;
    explicit peer_stream(std::shared_ptr<asio_detail::data_connection> c) noexcept : connection_(std::move(c)) {}
    ~peer_stream() { close(); }
    peer_stream(peer_stream&&) noexcept = default;
    peer_stream& operator=(peer_stream&& other) noexcept {
        if (this == &other) return *this;
        close();
        connection_ = std::move(other.connection_);
        return *this;
    }

    [[nodiscard]] explicit operator bool() const noexcept { return connection_ != nullptr; }
    [[nodiscard]] executor_type get_executor() const noexcept { return connection_->executor(); }
    [[nodiscard]] const transport_address& peer() const noexcept { return connection_->peer(); }

    /// asio::error::eof: the peer has said all it wanted to. `void(std::error_code, std::size_t)`
    template <class Buffers, class Token>
    auto async_read_some(const Buffers& into, Token&& token) {
        const auto first = first_of<asio::mutable_buffer>(into);
        return initiate(std::forward<Token>(token),
                        [first](connection& c, std::uint64_t n, auto done) { c.read(n, first, std::move(done)); });
    }
    /// Copies what it takes when the operation begins. `void(std::error_code, std::size_t)`
    template <class Buffers, class Token>
    auto async_write_some(const Buffers& data, Token&& token) {
        const auto first = first_of<asio::const_buffer>(data);
        return initiate(std::forward<Token>(token), [first](connection& c, std::uint64_t n, auto done) {
            const auto size = std::min(first.size(), largest_write);
            c.write(n, {static_cast<const std::byte*>(first.data()), size}, std::move(done));
        });
    }
    /// Nothing follows what was written; the peer may go on.
    void shut_down_sending() { connection_->shut_down_sending(); }
    void close() {
        if (connection_) connection_->close();
    }

private:
    using connection = asio_detail::data_connection;
    static constexpr std::size_t largest_write = 65'536;

    /// The first buffer that is not empty: a stream need not take them all.
    template <class Buffer, class Buffers>
    static Buffer first_of(const Buffers& all) {
        for (auto b = asio::buffer_sequence_begin(all); b != asio::buffer_sequence_end(all); ++b)
            if (const Buffer one(*b); one.size() > 0) return one;
        return Buffer();
    }
    template <class Token, class Begin>
    auto initiate(Token&& token, Begin begin) {
        auto start = [connection = connection_, begin](auto handler) {
            asio_detail::begin<std::size_t>(connection, std::move(handler), begin);
        };
        return asio::async_initiate<Token, void(std::error_code, std::size_t)>(std::move(start), token);
    }

    std::shared_ptr<connection> connection_{}; ///< with handlers that are on their way
};

} // namespace turn
