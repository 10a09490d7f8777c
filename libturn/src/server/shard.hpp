#pragma once
/// One thread of a server: it sleeps on its sockets, and moves what comes from there to the relay and back.

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/dtls_sessions.hpp"
#include "net/peer_connections.hpp"
#include "net/stream_sockets.hpp"
#include "net/wakeups.hpp"
#include "server/allocation_search.hpp"
#include "server/errand.hpp"
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
    std::unique_ptr<net::dtls_sessions> dtls{};     ///< over `datagrams`; null: no listener for DTLS
    std::unique_ptr<net::peer_connections> peers{}; ///< null: no TCP allocations
};

/// Made and set up by one thread, then start(). Whatever is called afterwards may be called by any thread.
class shard {
public:
    /// The `number`th (from 0) of `count`. `shared` outlives the shard. Throws std::system_error when the system has no
    /// descriptor left for it.
    shard(unsigned number, unsigned count, shared_state& shared, shard_sockets sockets, const relay_options&);
    ~shard(); ///< stop() and join()
    shard(const shard&) = delete;
    shard& operator=(const shard&) = delete;

    /// Before start().
    void add_listener(socket_id, listener_options);
    /// `number` as stream_sockets::listen() gave it; once for each protocol it takes.
    void add_stream_listener(std::uint32_t number, listener_options);
    /// `number` as dtls_sessions::listen() gave it.
    void add_dtls_listener(std::uint32_t number, listener_options);
    /// Throws std::system_error when there is no thread to be had.
    void start();

    void stop_accepting();
    /// Whether the thread has answered the last such question; then asks the next. One thread at a time.
    bool answers();
    void end_allocations_of(std::string realm, std::string username);
    /// Both look at a few allocations at a time, between batches, and let go of `part` when they are done.
    void search(std::shared_ptr<allocation_search::part> part);
    void end_allocation(allocation_id, std::shared_ptr<allocation_search::part> part);
    /// relay::reconfigure() and judge_peers_again(), the latter little by little.
    void reconfigure(std::shared_ptr<const relay_options>, const net::stream_options&,
                     std::shared_ptr<errand::part> part);
    /// A connection that another shard has accepted and this one shall have.
    void take_in(net::stream_sockets::traveller);
    /// Ends every allocation and leaves the thread; does not wait for it.
    void stop();
    void join();

    /// Written by the shard's thread, read relaxed by anyone.
    [[nodiscard]] const relay_counters& relay_numbers() const noexcept { return relay_.counters(); }
    [[nodiscard]] const shard_counters& numbers() const noexcept { return books_; }
    [[nodiscard]] const net_counters& net_numbers() const noexcept { return io_->counters(); }
    /// Null: no listener for TCP or TLS.
    [[nodiscard]] const stream_counters* stream_numbers() const noexcept {
        return streams_ ? &streams_->counters() : nullptr;
    }
    /// Both null: no listener for DTLS.
    [[nodiscard]] const stream_counters* session_numbers() const noexcept {
        return dtls_ ? &dtls_->counters() : nullptr;
    }
    [[nodiscard]] const dtls_counters* dtls_numbers() const noexcept {
        return dtls_ ? &dtls_->datagram_counters() : nullptr;
    }
    /// Null: no TCP allocations.
    [[nodiscard]] const peer_connection_counters* peer_numbers() const noexcept {
        return peers_ ? &peers_->counters() : nullptr;
    }

private:
    /// By any thread: `task` is done soon by this shard's. Once everything has ended it is destroyed undone.
    void post(std::function<void()> task);

    void run();
    void take_datagrams(std::span<const packet>, time_point now);
    void take_packets(std::span<const packet>, time_point now);
    void take_icmp_errors(time_point now);
    void book_batch(std::uint64_t packets, time_point received) noexcept;
    void look_around(time_point now);
    void take_streams(time_point now);
    void take_sessions(const net::dtls_sessions::arrivals&, time_point now);
    void take_peers(time_point now);
    void do_tasks();
    void read_mail(time_point now);
    void tick(time_point now);
    void judge_peers_again(allocation_cursor at, std::shared_ptr<errand::part> part);
    void end_everything();
    void refuse_tasks();

    /// What the relay put into the outbox: sends it and follows its orders, answers from the credential source
    /// included.
    void carry_out(time_point now);
    bool flush(time_point now);
    void join(const join_connections&);
    void move(const move_connection&);
    void close_peer(peer_connection) noexcept;
    void look_up(const credential_wanted&);
    /// After a batch, a timer or mail: closes sockets, sets the alarm.
    void settle();

    const std::string name_; ///< of the thread: "turn-shard-0"
    shared_state& shared_;
    std::unique_ptr<net::packet_io> io_;
    std::unique_ptr<net::stream_sockets> streams_;
    std::unique_ptr<net::dtls_sessions> dtls_;
    std::unique_ptr<net::peer_connections> peers_;
    std::vector<std::array<listener_id, transport_count>> stream_listeners_{}; ///< by listener, by transport
    std::vector<listener_id> dtls_listeners_{};                                ///< by listener
    relay_sockets sockets_;
    relay relay_;
    outbox out_;

    shard_counters books_{};
    std::uint32_t until_sample_ = 0; ///< batches

    net::bell bell_{}; ///< tasks or mail
    net::alarm_clock alarm_{};
    std::mutex tasks_mutex_{};
    std::vector<std::function<void()>> tasks_{}; ///< guarded by it
    bool takes_tasks_ = true;                    ///< likewise
    bool ended_ = false;
    std::atomic<bool> asked_{false}; ///< answers() waits for an answer
    std::shared_ptr<mailbox> mail_;  ///< shared with replies, which hold it weakly: they may outlive the shard
    std::vector<mailbox::letter> letters_{};
    std::thread thread_{};
};

} // namespace turn
