#include "server/shard.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include <pthread.h>

#include "server/signals_blocked.hpp"

namespace turn {

namespace {

/// Datagrams in one flush: several full GRO trains.
constexpr std::size_t outbox_size = 512;
/// Batches of packets at most before everything else has its turn.
constexpr int batches_between_looks = 16;
/// Allocations looked at before packets have their turn again: some ten microseconds, and a tenth of a millisecond when
/// all of them are reported.
constexpr std::size_t places_at_a_time = 256;

time_point read_clock() noexcept {
    return std::chrono::steady_clock::now();
}

} // namespace

shard::shard(unsigned number, unsigned count, shared_state& shared, shard_sockets sockets, const relay_options& options)
    : name_("turn-shard-" + std::to_string(number)), shared_(shared), io_(std::move(sockets.datagrams)),
      streams_(std::move(sockets.streams)), dtls_(std::move(sockets.dtls)), peers_(std::move(sockets.peers)),
      sockets_(shared, *io_, peers_.get()),
      relay_(options, {sockets_, shared.quota, shared.events, number + 1U, count, number, count}, shared.nonce_secret),
      out_(outbox_size),
      // Twice, since the answers to look-ups that timed out may still come.
      mail_(std::make_shared<mailbox>(2 * options.max_lookups, [this] { bell_.ring(); })) {
    const bool wakes = bell_ && alarm_ && io_->also_watch(bell_.native_handle()) &&
                       io_->also_watch(alarm_.native_handle()) &&
                       (!streams_ || io_->shared_set() >= 0 || io_->also_watch(streams_->native_handle())) &&
                       (!peers_ || io_->also_watch(peers_->native_handle()));
    if (!wakes) throw std::system_error(errno, std::generic_category());
}

shard::~shard() {
    stop();
    join();
    mail_->close();
}

void shard::add_listener(socket_id id, listener_options options) {
    relay_.add_listener(id, std::move(options));
}

void shard::add_stream_listener(std::uint32_t number, listener_options options) {
    if (stream_listeners_.size() <= number) stream_listeners_.resize(number + 1);
    auto& place = stream_listeners_[number][static_cast<std::size_t>(options.protocol)];
    place = relay_.add_stream_listener(std::move(options));
}

void shard::add_dtls_listener(std::uint32_t number, listener_options options) {
    if (dtls_listeners_.size() <= number) dtls_listeners_.resize(number + 1);
    dtls_listeners_[number] = relay_.add_stream_listener(std::move(options));
}

void shard::start() {
    const signals_blocked while_starting;
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), name_.c_str()); // for top and perf; a failure changes nothing
}

void shard::stop_accepting() {
    post([this] { relay_.stop_accepting(); });
}

bool shard::answers() {
    if (asked_.exchange(true)) return false;
    post([this] { asked_ = false; });
    return true;
}

void shard::end_allocations_of(std::string realm, std::string username) {
    post([this, realm = std::move(realm), username = std::move(username)] {
        const auto now = read_clock();
        for (bool more = true; more;) {
            more = relay_.end_allocations_of(realm, username, now, out_);
            carry_out(now);
        }
    });
}

void shard::search(std::shared_ptr<allocation_search::part> part) {
    post([this, part = std::move(part)]() mutable {
        allocation_search& whole = part->search;
        if (whole.abandoned()) return;
        try {
            std::vector<allocation_report> some;
            relay_.report(whole.filter, part->at, places_at_a_time, whole.most - part->found, read_clock(), some);
            part->found += some.size();
            if (!some.empty()) whole.hand_over(std::move(some));
            if (!part->at.done) search(std::move(part));
        } catch (const std::bad_alloc&) { // what was found so far is the answer
        }
    });
}

void shard::end_allocation(allocation_id id, std::shared_ptr<allocation_search::part> part) {
    post([this, id, part = std::move(part)]() mutable {
        const auto now = read_clock();
        if (relay_.end_allocation(id, part->at, places_at_a_time, now, out_)) part->search.set_ended();
        carry_out(now);
        try {
            if (!part->at.done) end_allocation(id, std::move(part));
        } catch (const std::bad_alloc&) { // then it was not found
        }
    });
}

void shard::reconfigure(std::shared_ptr<const relay_options> relay, const net::stream_options& streams,
                        std::shared_ptr<errand::part> part) {
    post([this, relay = std::move(relay), streams, part = std::move(part)]() mutable {
        try {
            relay_.reconfigure(*relay);
        } catch (const std::bad_alloc&) { // this shard goes on with what it has
            return;
        }
        if (peers_) peers_->limit_bandwidth(relay->bandwidth_per_allocation, read_clock());
        if (streams_) streams_->reconfigure(streams);
        if (dtls_) dtls_->reconfigure({.idle = streams.idle, .handshake = streams.handshake});
        judge_peers_again({}, std::move(part));
    });
}

void shard::judge_peers_again(allocation_cursor at, std::shared_ptr<errand::part> part) {
    const auto now = read_clock();
    relay_.judge_peers_again(at, places_at_a_time, now, out_);
    carry_out(now);
    if (at.done) return;
    try {
        post([this, at, part = std::move(part)]() mutable { judge_peers_again(at, std::move(part)); });
    } catch (const std::bad_alloc&) { // then all at once: nobody keeps a peer for want of memory
        while (!at.done) {
            relay_.judge_peers_again(at, places_at_a_time, now, out_);
            carry_out(now);
        }
    }
}

void shard::take_in(net::stream_sockets::traveller connection) {
    // Shared, since a task may be copied; there is one owner at a time.
    auto moving = std::make_shared<net::stream_sockets::traveller>(std::move(connection));
    post([this, moving = std::move(moving)] { streams_->take_in(std::move(*moving), read_clock()); });
}

void shard::stop() {
    post([this] { end_everything(); });
}

void shard::join() {
    if (thread_.joinable()) thread_.join();
}

void shard::end_everything() {
    mail_->close();
    const auto now = read_clock();
    for (bool more = true; more;) {
        more = relay_.end_all_allocations(now, out_);
        carry_out(now);
    }
    sockets_.settle();
    if (streams_) streams_->close_all();
    if (dtls_) dtls_->close_all();
    ended_ = true;
    refuse_tasks();
}

/// Whoever waits for one that was posted hears of its end.
void shard::refuse_tasks() {
    std::vector<std::function<void()>> undone;
    {
        const std::lock_guard lock(tasks_mutex_);
        takes_tasks_ = false;
        undone.swap(tasks_);
    }
}

void shard::post(std::function<void()> task) {
    {
        const std::lock_guard lock(tasks_mutex_);
        if (!takes_tasks_) return;
        tasks_.push_back(std::move(task));
    }
    bell_.ring();
}

/// One sleep, one batch. Whatever is not a datagram has its turn when it ends the sleep, and beside a flood once in a
/// while.
void shard::run() {
    for (int batches = 0; !ended_; ++batches) {
        const bool more = (streams_ && streams_->more()) || (dtls_ && dtls_->more()) || (peers_ && peers_->more());
        const auto awake = io_->wait(more ? std::chrono::milliseconds(0) : net::packet_io::forever);
        const auto batch = awake.packets ? io_->receive() : std::span<const packet>();
        const auto now = read_clock();
        take_datagrams(batch, now);
        if (awake.packets) take_icmp_errors(now);
        if (awake.others || more || batches >= batches_between_looks) {
            look_around(now);
            batches = 0;
        }
        settle();
    }
}

/// What is DTLS takes a turn through its sessions, and the rest of its batch with it.
void shard::take_datagrams(std::span<const packet> batch, time_point now) {
    if (!dtls_ || !dtls_->concerns(batch)) return take_packets(batch, now);
    while (!batch.empty()) {
        const auto part = dtls_->receive(batch, now);
        take_sessions(part, now);
        batch = batch.subspan(part.taken);
    }
}

void shard::take_sessions(const net::dtls_sessions::arrivals& part, time_point now) {
    for (const auto& c : part.come)
        if (!relay_.connected(c.id, dtls_listeners_[c.listener])) dtls_->close(c.id, reason::out_of_memory);
    take_packets(part.packets, now);
    for (const auto& c : part.gone) {
        if (!out_.has_room()) carry_out(now);
        relay_.disconnected(c.id, c.client, now, out_);
    }
    carry_out(now);
}

void shard::take_packets(std::span<const packet> batch, time_point now) {
    if (batch.empty()) return;
    const auto handled = [this] {
        const relay_counters& books = relay_.counters();
        return books.from_clients.packets.value() + books.from_peers.packets.value();
    };
    const std::uint64_t before = handled();
    for (batch_cursor at; at.packet < batch.size();) {
        relay_.handle(batch, at, now, out_);
        carry_out(now);
    }
    book_batch(handled() - before, now);
}

void shard::take_icmp_errors(time_point now) {
    const auto errors = io_->icmp_errors();
    if (errors.empty()) return;
    for (const icmp_error& e : errors) {
        if (!out_.has_room()) carry_out(now);
        relay_.icmp_arrived(e, now, out_);
    }
    carry_out(now);
}

void shard::book_batch(std::uint64_t packets, time_point received) noexcept {
    record(books_.batches, shard_counters::batch_bounds, packets);
    if (until_sample_-- != 0) return;
    until_sample_ = shard_counters::batches_per_sample - 1;
    const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(read_clock() - received);
    record(books_.latencies, shard_counters::latency_bounds, static_cast<std::uint64_t>(took.count()));
}

void shard::look_around(time_point now) {
    bell_.silence();
    do_tasks();
    if (ended_) return;
    read_mail(now);
    if (streams_) take_streams(now);
    if (dtls_ && dtls_->more()) take_sessions(dtls_->receive({}, now), now);
    if (peers_) take_peers(now);
    if (alarm_.when() <= now) tick(now);
}

void shard::do_tasks() {
    std::vector<std::function<void()>> tasks;
    {
        const std::lock_guard lock(tasks_mutex_);
        tasks.swap(tasks_);
    }
    for (auto task = tasks.begin(); task != tasks.end() && !ended_; ++task) (*task)();
}

/// One batch of the connections; what is left keeps their descriptor readable, or is `more()`.
void shard::take_streams(time_point now) {
    const auto batch = streams_->receive(now, io_->take_shared());
    for (const auto& c : batch.come)
        if (!relay_.connected(c.id, stream_listeners_[c.listener][static_cast<std::size_t>(c.protocol)]))
            streams_->close(c.id, reason::out_of_memory);
    take_packets(batch.packets, now);
    for (const auto& c : batch.gone) {
        if (!out_.has_room()) carry_out(now);
        relay_.disconnected(c.id, c.client, now, out_);
    }
    carry_out(now);
}

/// What became of connections with peers; what they say does not come here.
void shard::take_peers(time_point now) {
    const auto news = peers_->receive(now);
    const auto make_room = [&] {
        if (!out_.has_room()) carry_out(now);
    };
    for (const auto& c : news.opened) {
        make_room();
        relay_.peer_connected(c.id, now, out_);
    }
    for (const auto& c : news.refused) {
        make_room();
        sockets_.forget_connection(c.id);
        relay_.peer_unreachable(c.id, c.error == ETIMEDOUT, now, out_);
    }
    for (const auto& c : news.come) {
        make_room();
        if (sockets_.keep_connection(c.id, c.relay))
            relay_.peer_arrived(c.id, c.relay, c.peer, now, out_);
        else
            peers_->close(c.id);
    }
    for (const auto& c : news.gone) {
        sockets_.forget_connection(c.id);
        relay_.peer_gone(c.id, c.carried);
    }
    carry_out(now);
}

void shard::tick(time_point now) {
    while (relay_.next_deadline() <= now) {
        relay_.tick(now, out_);
        carry_out(now);
    }
    sockets_.tick(now);
    if (streams_) streams_->tick(now);
    if (dtls_) dtls_->tick(now);
    if (peers_) peers_->tick(now);
    alarm_.set(time_point::max()); // settle() knows better
}

void shard::read_mail(time_point now) {
    while (mail_->take(letters_)) {
        for (const auto& letter : letters_) {
            if (!out_.has_room()) flush(now);
            relay_.credential_found(letter.ticket, letter.answer, now, out_);
        }
        flush(now);
    }
}

void shard::carry_out(time_point now) {
    if (flush(now)) read_mail(now); // some answers come at once
}

/// Returns whether the credential source was asked for something.
bool shard::flush(time_point now) {
    io_->send(out_.datagrams());
    if (!out_.frames().empty()) {
        if (streams_) streams_->send(out_.frames(), now);
        if (dtls_) dtls_->send(out_.frames());
    }
    bool asked = false;
    for (const auto& o : out_.orders()) {
        if (const auto* wanted = std::get_if<credential_wanted>(&o)) {
            if (!std::exchange(asked, true)) mail_->will_look();
            look_up(*wanted);
        } else if (const auto* close = std::get_if<close_socket>(&o)) {
            sockets_.close_later(close->id);
        } else if (const auto* claim = std::get_if<connection_claimed>(&o)) {
            if (is_stream(claim->id))
                streams_->claim(claim->id, claim->by_allocation, now);
            else
                dtls_->claim(claim->id, claim->by_allocation, now);
        } else if (const auto* joint = std::get_if<join_connections>(&o)) {
            join(*joint);
        } else if (const auto* journey = std::get_if<move_connection>(&o)) {
            move(*journey);
        } else if (const auto* unwanted = std::get_if<close_peer_connection>(&o)) {
            close_peer(unwanted->id);
        }
    }
    out_.clear();
    return asked;
}

/// The answer to ConnectionBind is on its way, or waits in front of whatever the peer says.
void shard::join(const join_connections& o) {
    try {
        auto client = streams_->take_out(o.client);
        if (client && peers_->join(o.peer, std::move(*client), o.of)) return;
    } catch (const std::bad_alloc&) { // then both of them are closed
    }
    close_peer(o.peer);
    relay_.peer_gone(o.peer, {});
}

void shard::move(const move_connection& o) try {
    if (auto leaving = streams_->send_away(o.id)) shared_.shards[o.shard]->take_in(std::move(*leaving));
} catch (const std::bad_alloc&) { // then it is closed
}

void shard::close_peer(peer_connection c) noexcept {
    peers_->close(c);
    sockets_.forget_connection(c);
}

void shard::look_up(const credential_wanted& wanted) {
    // The answer takes the same way whether it comes now or later: the relay is not re-entered from here.
    const auto reply = [mail = std::weak_ptr(mail_), ticket = wanted.ticket](credential_answer answer) {
        if (const auto open = mail.lock()) open->put({ticket, std::move(answer)});
    };
    if (!shared_.credentials) return reply(reason::unknown_user);
    try {
        shared_.credentials(wanted.question, reply);
    } catch (...) { // an application's mistake costs its user an answer, not everybody the server
        reply(reason::credential_source_failed);
    }
}

void shard::settle() {
    sockets_.settle();
    auto next = std::min(relay_.next_deadline(), sockets_.next_deadline());
    if (streams_) next = std::min(next, streams_->next_deadline());
    if (dtls_) next = std::min(next, dtls_->next_deadline());
    if (peers_) next = std::min(next, peers_->next_deadline());
    if (next < alarm_.when()) alarm_.set(next); // too early is harmless, and cheaper than following every refresh
}

} // namespace turn
