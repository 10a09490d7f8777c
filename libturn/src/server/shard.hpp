#pragma once
/// One thread of a server: an io_context, the sockets and the relay that share it, and what moves between them.

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include "net/stream_sockets.hpp"
#include "server/mailbox.hpp"
#include "server/relay_sockets.hpp"
#include "server/shared.hpp"
#include "turn/net/packet_io.hpp"
#include "turn/relay.hpp"

namespace turn {

/// What a shard receives from; the listeners are open.
struct shard_sockets {
    std::unique_ptr<net::packet_io> datagrams{};
    std::unique_ptr<net::stream_sockets> streams{}; ///< null: no listener for TCP or TLS
};

/// Made and set up by one thread, then start(). Whatever is called afterwards may be called by any thread.
class shard {
public:
    /// The `number`th (from 0) of `count`. `shared` outlives the shard.
    shard(unsigned number, unsigned count, shared_state& shared, shard_sockets sockets, const relay_options&);
    ~shard(); ///< stop() and join()
    shard(const shard&) = delete;
    shard& operator=(const shard&) = delete;

    /// Before start().
    void add_listener(socket_id, listener_options);
    /// `number` as stream_sockets::listen() gave it; once for each protocol it takes.
    void add_stream_listener(std::uint32_t number, listener_options);
    /// Throws std::system_error when there is no thread to be had.
    void start();

    void stop_accepting();
    void end_allocations_of(std::string realm, std::string username);
    /// Ends every allocation and leaves the thread; does not wait for it.
    void stop();
    void join();

    /// Written by the shard's thread, read relaxed by anyone.
    [[nodiscard]] const relay_counters& relay_numbers() const noexcept { return relay_.counters(); }
    [[nodiscard]] const net_counters& net_numbers() const noexcept { return io_->counters(); }
    /// Null: no listener for TCP or TLS.
    [[nodiscard]] const stream_counters* stream_numbers() const noexcept {
        return streams_ ? &streams_->counters() : nullptr;
    }

private:
    void wait_for_packets();
    void on_packets();
    void wait_for_streams();
    void on_streams();
    bool take_streams();
    void post_streams();
    void read_mail(time_point now);
    void on_timer();
    void end_everything();

    /// What the relay put into the outbox: sends it and follows its orders, answers from the credential source
    /// included.
    void carry_out(time_point now);
    bool flush(time_point now);
    void look_up(const credential_wanted&);
    /// After a batch, a timer or mail: closes sockets, sets the timer.
    void settle();

    shared_state& shared_;
    std::unique_ptr<net::packet_io> io_;
    std::unique_ptr<net::stream_sockets> streams_;
    std::vector<std::array<listener_id, transport_count>> stream_listeners_{}; ///< by listener, by transport
    relay_sockets sockets_;
    relay relay_;
    outbox out_;

    asio::io_context context_{1};
    asio::posix::stream_descriptor readable_{context_}; ///< borrows io_'s descriptor
    asio::posix::stream_descriptor streams_readable_{context_};
    bool streams_awaited_ = false; ///< the loop watches it
    bool streams_posted_ = false;  ///< on_streams() runs soon
    asio::steady_timer timer_{context_};
    time_point armed_ = time_point::max();
    std::shared_ptr<mailbox> mail_; ///< shared with replies, which hold it weakly: they may outlive the shard
    std::vector<mailbox::letter> letters_{};
    std::thread thread_{};
};

} // namespace turn
