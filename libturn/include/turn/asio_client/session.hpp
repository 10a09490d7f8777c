#pragma once
/// What stands behind an asio_client: the sans-IO client, its link, and who waits for what. Part of
/// turn/asio_client.hpp.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/udp.hpp>
#include <asio/steady_timer.hpp>

#include "turn/asio_client/completion.hpp"
#include "turn/asio_client/inbox.hpp"
#include "turn/asio_client/link.hpp"
#include "turn/asio_client/peer_stream.hpp"
#include "turn/client.hpp"
#include "turn/client_error.hpp"
#include "turn/uri.hpp"

namespace turn {

struct asio_client_options {
    uri server{};
    std::string username{};
    std::string password{};
    /// For TLS and DTLS. Nothing: the authorities that the system believes, loaded for this client alone.
    std::optional<net::client_trust> trust{};
    bool offer_protocol = true;                         ///< TLS and DTLS: by ALPN, RFC 7443
    std::chrono::milliseconds connect_patience{10'000}; ///< for each of the server's addresses, handshake included
    std::size_t receive_buffer = 256 * 1024;            ///< bytes of peers' data kept for async_receive()
    /// SOFTWARE, FINGERPRINT, lifetime and retransmissions; server, via and credentials in it do not count.
    client_options protocol{};
};

namespace asio_detail {

/// Shared by the asio_client and by handlers on their way; close() ends it.
class session final : public std::enable_shared_from_this<session>, private link_user {
public:
    session(const asio::any_io_executor& executor, asio_client_options o)
        : options_(std::move(o)), executor_(executor), resolver_(executor), timer_(executor),
          inbox_(options_.receive_buffer) {}

    [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }
    [[nodiscard]] bool has_allocation() const noexcept { return core_ && core_->has_allocation(); }
    [[nodiscard]] std::uint64_t dropped() const noexcept { return inbox_.dropped(); }
    [[nodiscard]] transport_address server() const noexcept { return server_; }
    [[nodiscard]] const char* tls_failure() const noexcept { return tls_failure_; }

    [[nodiscard]] serial_number next_serial() noexcept { return ++last_serial_; }

    // Each keeps `done` under `serial` until its result is known.
    void connect(serial_number serial, completion_ptr<> done) {
        if (connecting_) return refuse(std::move(done), asio::error::already_started);
        if (core_) return refuse(std::move(done), asio::error::already_connected);
        const auto& transport = options_.server.transport_or_default();
        const bool secure = options_.server.is_secure();
        if (transport == "udp") {
            protocol_ = secure ? protocol::dtls : protocol::udp;
        } else if (transport == "tcp") {
            protocol_ = secure ? protocol::tls : protocol::tcp;
        } else {
            return refuse(std::move(done), client_error::unsupported_uri);
        }
        if (secure && !options_.trust) {
            auto trust = net::client_trust::load();
            if (!trust) return refuse(std::move(done), client_error::untrusted_certificate);
            options_.trust = std::move(*trust);
        }
        connecting_ = waiter<completion_ptr<>>{serial, std::move(done)};
        failure_ = client_error::not_connected;
        name_ = options_.server.host;
        if (const auto literal = options_.server.address()) {
            addresses_ = {*literal};
            try_next();
        } else {
            look_up();
        }
    }

    /// `begin` starts a transaction of the client's; its event, as Event, is what `done` is told by way of `tell`.
    template <class Event, class... Results, class Begin, class Tell>
    void request(serial_number serial, Begin begin, completion_ptr<Results...> done, Tell tell) {
        if (!core_) return refuse(std::move(done), failure_);
        const auto id = begin(*core_, std::chrono::steady_clock::now(), out_);
        if (id == stun::transaction_id{}) return refuse(std::move(done), client_error::busy);
        using held = outcome_of<Event, Tell, Results...>;
        requests_.push_back({serial, id, std::make_unique<held>(std::move(done), std::move(tell))});
        if constexpr (std::is_same_v<Event, client::allocated>) lost_ = false;
        send_out();
    }
    void bind_channel(serial_number serial, const transport_address& peer, completion_ptr<> done) {
        const auto known = std::ranges::find(channels_, peer);
        if (known == channels_.end() && channels_.size() == channel_numbers)
            return refuse(std::move(done), client_error::busy);
        const auto number = static_cast<std::uint16_t>(first_channel + (known - channels_.begin()));
        if (known == channels_.end()) channels_.push_back(peer);
        if (link_) link_->wire().expect_channel_data();
        request<client::channel_bound>(
            serial, [&](client& c, time_point now, outbox& out) { return c.bind_channel(number, peer, now, out); },
            std::move(done), [](const client::channel_bound&, completion_ptr<> to) { to->finish({}); });
    }

    void send(serial_number serial, const transport_address& peer, bytes data, completion_ptr<> done) {
        if (!core_) return refuse(std::move(done), failure_);
        const auto sent = core_->send(peer, data, out_);
        if (!sent && sent.error() == errc::not_found) return refuse(std::move(done), client_error::no_allocation);
        if (!sent) return refuse(std::move(done), client_error::too_large);
        if (!take_outbox()) return refuse(std::move(done), client_error::too_large);
        writes_.push_back({serial, link_->wire().queued(), std::move(done)});
        flush();
    }

    void receive(serial_number serial, asio::mutable_buffer into, completion_ptr<transport_address, std::size_t> done) {
        if (const auto why_not = nothing_will_come(); why_not && !inbox_.has_datagram())
            return refuse(std::move(done), why_not);
        inbox_.wait_for_datagram(serial, into, std::move(done));
    }
    void receive_icmp(serial_number serial, completion_ptr<client::peer_unreachable> done) {
        if (const auto why_not = nothing_will_come(); why_not && !inbox_.has_icmp())
            return refuse(std::move(done), why_not);
        inbox_.wait_for_icmp(serial, std::move(done));
    }

    void connect_peer(serial_number serial, const transport_address& peer, completion_ptr<peer_stream> done) {
        request<client::connected>(
            serial, [&](client& c, time_point now, outbox& out) { return c.connect(peer, now, out); }, std::move(done),
            [this, serial](const client::connected& c, completion_ptr<peer_stream> to) {
                bind_connection(serial, c.peer, c.connection, std::move(to));
            });
    }
    void accept_peer(serial_number serial, completion_ptr<peer_stream> done) {
        if (!core_) return refuse(std::move(done), failure_);
        if (lost_) return refuse(std::move(done), client_error::no_allocation);
        accepts_.push_back({serial, std::move(done)});
        meet_callers();
    }

    /// Whoever waited under this number has lost interest. What was sent is sent.
    void cancel(serial_number serial) {
        const std::error_code aborted = asio::error::operation_aborted;
        if (connecting_ && connecting_->serial == serial) return end(aborted);
        cut(requests_, serial, aborted);
        cut(writes_, serial, aborted);
        cut(accepts_, serial, aborted);
        cut(data_connections_, serial, aborted);
        inbox_.cancel(serial, aborted);
    }
    void close() { end(asio::error::operation_aborted); }

private:
    static constexpr std::uint16_t first_channel = 0x4000; ///< RFC 8656, 12
    static constexpr std::size_t channel_numbers = 0x1000;
    static constexpr std::size_t max_callers = 64; ///< the server closes the others after 30 s: RFC 6062, 5.3

    class outcome {
    public:
        virtual ~outcome() = default;
        virtual void happened(const client::event&) = 0;
        virtual void fail(std::error_code) = 0;
    };
    template <class Event, class Tell, class... Results>
    class outcome_of final : public outcome {
    public:
        outcome_of(completion_ptr<Results...> done, Tell tell) : done_(std::move(done)), tell_(std::move(tell)) {}
        void happened(const client::event& e) override {
            if (const auto* what = std::get_if<Event>(&e)) return tell_(*what, std::move(done_));
            done_->fail(client_error::no_answer);
        }
        void fail(std::error_code why) override { done_->fail(why); }

    private:
        completion_ptr<Results...> done_;
        Tell tell_;
    };
    template <class Done>
    struct waiter {
        serial_number serial;
        Done done;
    };
    struct asked {
        serial_number serial;
        stun::transaction_id id;
        std::unique_ptr<outcome> done;
    };
    struct written {
        serial_number serial;
        std::uint64_t mark; ///< done when so many bytes have left
        completion_ptr<> done;
    };
    /// A peer that has called and was not answered.
    struct caller {
        transport_address peer;
        connection_id connection;
    };
    /// On its way to become a peer_stream.
    struct data_link {
        serial_number serial;
        std::shared_ptr<data_connection> it;
        completion_ptr<peer_stream> done;
    };

    template <class... Results>
    static void refuse(completion_ptr<Results...> done, std::error_code why) {
        done->fail(why);
    }
    /// Why nothing of peers will be heard any more; no error: it may be.
    [[nodiscard]] std::error_code nothing_will_come() const {
        if (!core_ && !connecting_) return failure_;
        return lost_ ? make_error_code(client_error::no_allocation) : std::error_code();
    }

    void look_up() {
        auto react = [self = shared_from_this()](std::error_code error, const auto& found) {
            if (!self->connecting_) return;
            for (const auto& entry : found) self->addresses_.push_back(from_endpoint(entry.endpoint()));
            if (error) self->failure_ = error;
            self->try_next();
        };
        resolver_.async_resolve(options_.server.host, std::to_string(options_.server.port_or_default()),
                                asio::ip::udp::resolver::numeric_service, std::move(react));
    }
    /// The addresses in the order in which the resolver gave them, until one does.
    void try_next() {
        if (addresses_.empty()) return end(failure_);
        server_ = addresses_.front();
        addresses_.erase(addresses_.begin());
        open_link();
    }
    void open_link() {
        link_ = std::make_shared<link>(executor_, static_cast<link_user&>(*this), protocol_, secret());
        link_->open(server_, options_.connect_patience);
    }
    /// Only a stream is told from datagrams by its id (RFC 8489, 6.2.2), and what shakes hands from what need not.
    [[nodiscard]] socket_id via() const {
        if (protocol_ == protocol::udp) return socket_id{0};
        return protocol_ == protocol::dtls ? dtls_id(0) : stream_id(0);
    }
    /// Whom TLS and DTLS are to speak to.
    [[nodiscard]] std::optional<net::client_wire::secret> secret() const {
        if (protocol_ == protocol::udp || protocol_ == protocol::tcp) return std::nullopt;
        const bool relay = options_.server.scheme == uri_scheme::turns;
        const char* const application = relay ? "stun.turn" : "stun.nat-discovery"; // RFC 7443
        return net::client_wire::secret{*options_.trust, name_, options_.offer_protocol ? application : ""};
    }

    /// RFC 8489, 10: the same, over a link of its own to the server that was named.
    void follow(const client::redirected& to) {
        if (!to.domain.empty()) name_ = to.domain;
        server_ = to.server;
        link_->close();
        open_link();
        if (!channels_.empty()) link_->wire().expect_channel_data();
        for (auto& w : std::exchange(writes_, {})) w.done->fail(client_error::no_allocation); // of one that has ended
    }

    void opened() override {
        if (!connecting_) {
            core_->reconnected(via(), std::chrono::steady_clock::now(), out_);
            return send_out();
        }
        client_options o = options_.protocol;
        o.server = server_;
        o.username = options_.username;
        o.password = options_.password;
        o.via = via();
        core_.emplace(std::move(o));
        addresses_.clear();
        auto done = std::move(connecting_->done);
        connecting_.reset();
        done->finish({});
    }

    bool arrived(net::client_wire& wire) override {
        const auto now = std::chrono::steady_clock::now();
        while (const auto message = wire.next_message())
            if (core_)
                if (const auto event = core_->handle(*message, now, out_)) happened(*event);
        if (core_) send_out();
        return true;
    }

    /// All that a call of the client's may have left: what to send, what has changed, when to wake it.
    void send_out() {
        take_outbox();
        const bool held = std::exchange(holds_, core_->has_allocation());
        if (holds_) lost_ = false;
        if (held && !holds_) lost();
        flush();
        arm();
    }
    /// False: something did not fit into a message of this link.
    bool take_outbox() {
        bool fits = true;
        for (const auto list : {out_.datagrams(), out_.frames()})
            for (const datagram& d : list)
                if (!link_->wire().send(d)) fits = false;
        out_.clear();
        return fits;
    }
    /// Nothing of ours is touched behind it.
    void flush() {
        if (link_) link_->flush();
    }
    void wrote(std::uint64_t flushed, std::error_code error) override {
        while (!writes_.empty() && writes_.front().mark <= flushed) {
            auto done = std::move(writes_.front().done);
            writes_.pop_front();
            done->finish(error);
        }
    }

    void happened(const client::event& event) {
        if (const auto* data = std::get_if<client::peer_data>(&event)) return inbox_.heard(*data);
        if (const auto* icmp = std::get_if<client::peer_unreachable>(&event)) return inbox_.heard(*icmp);
        if (const auto* to = std::get_if<client::redirected>(&event)) return follow(*to);
        if (const auto* call = std::get_if<client::connection_attempted>(&event)) {
            if (callers_.size() < max_callers) callers_.push_back({call->peer, call->connection});
            return meet_callers();
        }
        const auto id = std::visit(
            [](const auto& e) {
                if constexpr (requires { e.id; }) return e.id;
                return stun::transaction_id{};
            },
            event);
        const auto found = std::ranges::find(requests_, id, &asked::id);
        if (found == requests_.end()) return; // its own refreshes: what they end, send_out() sees
        const auto waiting = std::move(found->done);
        requests_.erase(found);
        const auto* failed = std::get_if<client::failed>(&event);
        if (!failed) return waiting->happened(event);
        waiting->fail(failed->code != 0 ? refused_with(failed->code) : make_error_code(client_error::no_answer));
    }

    void meet_callers() {
        while (!callers_.empty() && !accepts_.empty()) {
            const auto call = callers_.front();
            callers_.pop_front();
            auto first = std::move(accepts_.front());
            accepts_.pop_front();
            bind_connection(first.serial, call.peer, call.connection, std::move(first.done));
        }
    }
    void bind_connection(serial_number serial, const transport_address& peer, connection_id what,
                         completion_ptr<peer_stream> done) {
        auto made = std::make_shared<data_connection>(executor_, core_->for_data_connection(stream_id(0)), peer);
        data_connections_.push_back({serial, made, std::move(done)});
        made->open(server_, protocol_, secret(), options_.connect_patience, what,
                   [self = weak_from_this(), serial](std::error_code error) {
                       if (const auto s = self.lock()) s->bound(serial, error);
                   });
    }
    void bound(serial_number serial, std::error_code error) {
        const auto found = std::ranges::find(data_connections_, serial, &data_link::serial);
        if (found == data_connections_.end()) return;
        auto ready = std::move(*found);
        data_connections_.erase(found);
        if (error) return ready.done->fail(error);
        ready.done->finish({}, peer_stream(std::move(ready.it)));
    }

    /// The allocation has ended, and nothing will come from peers.
    void lost() {
        lost_ = true;
        channels_.clear();
        callers_.clear();
        for (auto& a : std::exchange(accepts_, {})) a.done->fail(client_error::no_allocation);
        inbox_.fail(client_error::no_allocation);
    }

    void arm() {
        const auto due = core_->next_deadline();
        if (due == time_point::max() || due >= armed_) return; // it will wake, and look again
        armed_ = due;
        timer_.expires_at(due);
        timer_.async_wait([self = shared_from_this()](std::error_code error) {
            if (!error) self->time_has_come();
        });
    }
    void time_has_come() {
        armed_ = time_point::max();
        if (!core_) return;
        const auto now = std::chrono::steady_clock::now();
        while (const auto event = core_->tick(now, out_)) happened(*event);
        send_out();
    }

    /// RFC 8489, 6.2.1: a hard ICMP error fails what is under way.
    void refused(std::error_code why) override {
        for (auto& r : std::exchange(requests_, {})) r.done->fail(why);
    }
    void ended(std::error_code why) override {
        tls_failure_ = link_->wire().failure();
        if (!connecting_) return end(why);
        failure_ = why;
        try_next();
    }

    void end(std::error_code why) {
        const auto self = shared_from_this(); // whoever waits may be the last to know us
        failure_ = client_error::not_connected;
        resolver_.cancel();
        timer_.cancel();
        armed_ = time_point::max();
        if (link_) link_->close();
        link_.reset();
        core_.reset();
        addresses_.clear();
        channels_.clear();
        holds_ = lost_ = false;
        if (auto waiting = std::exchange(connecting_, std::nullopt)) waiting->done->fail(why);
        for (auto& r : std::exchange(requests_, {})) r.done->fail(why);
        for (auto& w : std::exchange(writes_, {})) w.done->fail(why);
        for (auto& a : std::exchange(accepts_, {})) a.done->fail(why);
        for (auto& d : std::exchange(data_connections_, {})) d.done->fail(why);
        inbox_.fail(why);
        callers_.clear();
    }

    asio_client_options options_;
    asio::any_io_executor executor_;
    asio::ip::udp::resolver resolver_;
    asio::steady_timer timer_;
    time_point armed_ = time_point::max(); ///< when timer_ fires
    protocol protocol_ = protocol::udp;
    std::vector<transport_address> addresses_{}; ///< not tried yet
    transport_address server_{};
    std::string name_{}; ///< that its certificate must have
    std::shared_ptr<link> link_{};
    std::optional<client> core_{}; ///< while connected
    outbox out_{32};
    std::error_code failure_ = client_error::not_connected; ///< of whatever is asked for without a connection
    const char* tls_failure_ = nullptr;
    bool holds_ = false; ///< an allocation, when last looked
    bool lost_ = false;  ///< there was one
    serial_number last_serial_ = 0;
    std::optional<waiter<completion_ptr<>>> connecting_{};
    std::vector<asked> requests_{}; ///< at most client::max_transactions
    std::deque<written> writes_{};
    std::deque<waiter<completion_ptr<peer_stream>>> accepts_{};
    std::deque<caller> callers_{};
    std::vector<data_link> data_connections_{};
    inbox inbox_;
    std::vector<transport_address> channels_{}; ///< by number, from first_channel on
};

} // namespace asio_detail
} // namespace turn
