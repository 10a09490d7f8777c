#include "server/shard.hpp"

#include <algorithm>

#include <asio/post.hpp>

#include "server/signals_blocked.hpp"

namespace turn {

namespace {

/// Datagrams in one flush: several full GRO trains.
constexpr std::size_t outbox_size = 512;
/// Batches before timers and mail get their turn.
constexpr int batches_per_turn = 16;

time_point read_clock() noexcept {
    return std::chrono::steady_clock::now();
}

} // namespace

shard::shard(unsigned number, unsigned count, shared_state& shared, shard_sockets sockets, const relay_options& options)
    : shared_(shared), io_(std::move(sockets.datagrams)), streams_(std::move(sockets.streams)), sockets_(shared, *io_),
      relay_(options, {sockets_, shared.quota, shared.events, number + 1U, count}, shared.nonce_secret),
      out_(outbox_size),
      // Twice, since the answers to look-ups that timed out may still come.
      mail_(std::make_shared<mailbox>(2 * options.max_lookups, [this] {
          asio::post(context_, [this] {
              read_mail(read_clock());
              settle();
          });
      })) {
    readable_.assign(io_->native_handle());
    if (streams_) streams_readable_.assign(streams_->native_handle());
}

shard::~shard() {
    stop();
    join();
    mail_->close();
    readable_.release(); // they are not ours to close
    streams_readable_.release();
}

void shard::add_listener(socket_id id, listener_options options) {
    relay_.add_listener(id, std::move(options));
}

void shard::add_stream_listener(std::uint32_t number, listener_options options) {
    if (stream_listeners_.size() <= number) stream_listeners_.resize(number + 1);
    auto& place = stream_listeners_[number][static_cast<std::size_t>(options.protocol)];
    place = relay_.add_stream_listener(std::move(options));
}

void shard::start() {
    wait_for_packets();
    if (streams_) wait_for_streams();
    const signals_blocked while_starting;
    thread_ = std::thread([this] { context_.run(); });
}

void shard::stop_accepting() {
    asio::post(context_, [this] { relay_.stop_accepting(); });
}

void shard::end_allocations_of(std::string realm, std::string username) {
    asio::post(context_, [this, realm = std::move(realm), username = std::move(username)] {
        const auto now = read_clock();
        for (bool more = true; more;) {
            more = relay_.end_allocations_of(realm, username, now, out_);
            carry_out(now);
        }
        settle();
    });
}

void shard::stop() {
    asio::post(context_, [this] { end_everything(); });
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
    context_.stop();
}

void shard::wait_for_packets() {
    readable_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
        if (!error) on_packets();
    });
}

void shard::on_packets() {
    for (int i = 0; i < batches_per_turn; ++i) {
        const auto batch = io_->receive();
        if (batch.empty()) {
            settle();
            wait_for_packets();
            return;
        }
        const auto now = read_clock();
        for (batch_cursor at; at.packet < batch.size();) {
            relay_.handle(batch, at, now, out_);
            carry_out(now);
        }
        sockets_.settle();
    }
    // More may be waiting, but so may timers and mail. Asio is edge-triggered: waiting would miss what is there.
    settle();
    asio::post(context_, [this] { on_packets(); });
}

void shard::wait_for_streams() {
    if (std::exchange(streams_awaited_, true)) return;
    streams_readable_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
        streams_awaited_ = false;
        if (!error) on_streams();
    });
}

void shard::on_streams() {
    bool more = true;
    for (int i = 0; more && i < batches_per_turn; ++i) more = take_streams();
    if (more)
        post_streams();
    else
        wait_for_streams();
    settle();
}

/// The rest of what connections sent gets its turn behind packets, timers and mail.
void shard::post_streams() {
    if (std::exchange(streams_posted_, true)) return;
    asio::post(context_, [this] {
        streams_posted_ = false;
        on_streams();
    });
}

/// One batch of the connections; false when nothing was ready.
bool shard::take_streams() {
    const auto now = read_clock();
    const auto batch = streams_->receive(now);
    if (batch.empty()) return batch.active;
    for (const auto& c : batch.come)
        if (!relay_.connected(c.id, stream_listeners_[c.listener][static_cast<std::size_t>(c.protocol)]))
            streams_->close(c.id, reason::out_of_memory);
    for (batch_cursor at; at.packet < batch.packets.size();) {
        relay_.handle(batch.packets, at, now, out_);
        carry_out(now);
    }
    for (const auto& c : batch.gone) {
        if (!out_.has_room()) carry_out(now);
        relay_.disconnected(c.id, c.client, now, out_);
    }
    carry_out(now);
    sockets_.settle();
    return batch.active;
}

void shard::on_timer() {
    armed_ = time_point::max();
    const auto now = read_clock();
    while (relay_.next_deadline() <= now) {
        relay_.tick(now, out_);
        carry_out(now);
    }
    sockets_.tick(now);
    if (streams_) streams_->tick(now);
    settle();
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
    if (!out_.frames().empty()) streams_->send(out_.frames(), now);
    bool asked = false;
    for (const auto& o : out_.orders()) {
        if (const auto* wanted = std::get_if<credential_wanted>(&o)) {
            if (!std::exchange(asked, true)) mail_->will_look();
            look_up(*wanted);
        } else if (const auto* close = std::get_if<close_socket>(&o)) {
            sockets_.close_later(close->id);
        } else if (const auto* claim = std::get_if<connection_claimed>(&o)) {
            streams_->claim(claim->id, claim->by_allocation, now);
        }
    }
    out_.clear();
    return asked;
}

void shard::look_up(const credential_wanted& wanted) {
    // The answer takes the same way whether it comes now or later: the relay is not re-entered from here.
    const auto reply = [mail = std::weak_ptr(mail_), ticket = wanted.ticket](credential_answer answer) {
        if (const auto open = mail.lock()) open->put({ticket, std::move(answer)});
    };
    if (!shared_.credentials) return reply(reason::unknown_user);
    try {
        shared_.credentials(wanted.username, wanted.realm, reply);
    } catch (...) { // an application's mistake costs its user an answer, not everybody the server
        reply(reason::credential_source_failed);
    }
}

void shard::settle() {
    sockets_.settle();
    // Connections that broke while being written to, whose allocations have to end.
    if (streams_ && streams_->more()) post_streams();
    auto next = std::min(relay_.next_deadline(), sockets_.next_deadline());
    if (streams_) next = std::min(next, streams_->next_deadline());
    if (next >= armed_) return; // too early is harmless, and cheaper than following every refresh
    armed_ = next;
    timer_.expires_at(next);
    timer_.async_wait([this](const asio::error_code& error) {
        if (!error) on_timer();
    });
}

} // namespace turn
