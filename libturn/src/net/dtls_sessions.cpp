#include "net/dtls_sessions.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "base/crypto.hpp"

namespace turn::net {

namespace {

constexpr std::uint32_t no_listener = 0xffffffffU;
constexpr std::uint32_t nobody = index_table::none;
constexpr std::size_t largest_train = 65'536; ///< what one packet may bring, all its segments together
constexpr std::size_t arena_size = 4 * largest_train;
constexpr std::size_t messages_a_round = 1024;
constexpr std::size_t segments_of_train = 4096; ///< more than a packet has: each takes a record's header at least
constexpr std::size_t row_size = 262'144;       ///< what is gathered before it leaves

} // namespace

dtls_sessions::dtls_sessions(const dtls_options& options, connection_budget& budget, packet_io& io)
    : options_(options), budget_(budget), io_(io), mix_{crypto::random64()},
      arena_(arena_size + dtls_session::largest_record) {
    come_.reserve(messages_a_round);
    packets_.reserve(messages_a_round + segments_of_train);
}

dtls_sessions::~dtls_sessions() {
    close_all();
}

std::uint32_t dtls_sessions::listen(socket_id socket, std::shared_ptr<tls_context> context, bool plain) {
    const auto number = static_cast<std::uint32_t>(listeners_.size());
    if (listener_of_.size() <= index_of(socket)) listener_of_.resize(index_of(socket) + 1, no_listener);
    listener_of_[index_of(socket)] = number;
    listeners_.push_back({socket, std::move(context), plain});
    return number;
}

const dtls_sessions::listening* dtls_sessions::listening_at(socket_id socket) const noexcept {
    const std::size_t i = index_of(socket);
    if (i >= listener_of_.size() || listener_of_[i] == no_listener) return nullptr;
    return &listeners_[listener_of_[i]];
}

bool dtls_sessions::is_ours(const packet& p) const noexcept {
    const listening* const at = listening_at(p.via);
    if (at == nullptr) return false;
    if (!at->plain) return true;
    for (std::size_t i = 0; i < p.segments(); ++i)
        if (looks_like_dtls(p.segment(i))) return true;
    return false;
}

bool dtls_sessions::concerns(std::span<const packet> batch) const noexcept {
    return std::ranges::any_of(batch, [this](const packet& p) { return is_ours(p); });
}

// --- in --------------------------------------------------------------------------------------------------------------

dtls_sessions::arrivals dtls_sessions::receive(std::span<const packet> batch, time_point now) {
    free_.insert(free_.end(), resting_.begin(), resting_.end());
    resting_.clear();
    for (const closed& c : reported_) free_.push_back(static_cast<std::uint32_t>(index_of(c.id)));
    reported_.clear();
    come_.clear();
    packets_.clear();
    arena_used_ = 0;

    std::size_t taken = 0;
    for (; taken < batch.size(); ++taken) {
        if (packets_.size() >= messages_a_round || arena_size - arena_used_ < largest_train) break;
        const packet& p = batch[taken];
        if (!is_ours(p)) {
            packets_.push_back(p);
            continue;
        }
        for (std::size_t i = 0; i < p.segments(); ++i) {
            try {
                take_segment(p, p.segment(i), now);
            } catch (const std::bad_alloc&) {
                row_.cut(leaving_.size()); // lost, as datagrams may be
            }
        }
    }
    flush();
    std::swap(reported_, gone_);
    return {taken, come_, packets_, reported_};
}

void dtls_sessions::take_segment(const packet& p, bytes segment, time_point now) {
    const listening& at = *listening_at(p.via);
    if (at.plain && !looks_like_dtls(segment)) {
        packets_.push_back({p.via, p.from, segment, 0, p.traffic_class}); // out of a train with others
        return;
    }
    ++datagrams_.received;
    const auto first = first_record(segment);
    if (!first) return drop(reason::malformed);
    if (begins_hello(*first)) return take_hello(p, *first, now);
    const std::uint32_t index = find(listener_of_[index_of(p.via)], p.from);
    if (index == nobody) return drop(reason::no_session);
    ++datagrams_.for_sessions;
    take_records(index, segment, p.traffic_class, now);
}

/// RFC 6347, 4.2.1 and 4.2.8: whoever has not shown that he hears us gets a cookie, and what is there stays. Whoever
/// has shown it begins anew, also where he has a session: he would not if he still had it.
void dtls_sessions::take_hello(const packet& p, const dtls_record& record, time_point now) {
    const auto hello = parse_hello(record);
    if (!hello) return drop(reason::malformed);
    if (!cookies_.good(*hello, p.from, now)) {
        ++datagrams_.challenged;
        row_.append(cookies_.ask(*hello, p.from, now));
        return answer(listener_of_[index_of(p.via)], p.from);
    }
    const std::uint32_t there = find(listener_of_[index_of(p.via)], p.from);
    if (there != nobody && std::ranges::equal(sessions_[there].random, hello->random)) {
        ++datagrams_.for_sessions; // it was sent twice, and says nothing new
        return;
    }
    if (!begin(p, *hello, now)) return;
    ++datagrams_.for_sessions;
    take_records(find(listener_of_[index_of(p.via)], p.from), record.whole, p.traffic_class, now);
}

bool dtls_sessions::begin(const packet& p, const client_hello& hello, time_point now) try {
    const std::uint32_t listener = listener_of_[index_of(p.via)];
    if (const std::uint32_t before = find(listener, p.from); before != nobody) forget(before, reason::none);
    if (const auto refused = budget_.admit(p.from)) {
        ++books_.closed[static_cast<std::size_t>(*refused)];
        drop(*refused);
        return false;
    }
    std::uint32_t index = 0;
    std::unique_ptr<dtls_session> crypto;
    try {
        index = new_index();
        crypto = std::make_unique<dtls_session>(listeners_[listener].context->new_datagram_session(),
                                                options_.first_retransmission);
        by_client_.insert(hash_of(listener, p.from), index);
    } catch (const std::bad_alloc&) {
        budget_.leave(p.from);
        throw;
    }
    free_.pop_back();
    session& s = sessions_[index];
    s.crypto = std::move(crypto);
    s.client = p.from;
    s.listener = listener;
    std::ranges::copy(hello.random, s.random.begin());
    s.since = now;
    ++books_.without_allocation;
    ++books_.accepted[static_cast<std::size_t>(transport::dtls)];
    ++books_.connections[static_cast<std::size_t>(transport::dtls)];
    reschedule(index, now);
    return true;
} catch (const std::bad_alloc&) {
    ++books_.closed[static_cast<std::size_t>(reason::out_of_memory)];
    drop(reason::out_of_memory);
    return false;
}

/// The last of free_. Whatever the end of a session needs is there from its beginning.
std::uint32_t dtls_sessions::new_index() {
    if (free_.empty()) {
        const std::size_t count = sessions_.size() + 1;
        for (auto* list : {&free_, &resting_})
            if (list->capacity() < count) list->reserve(2 * count);
        for (auto* list : {&gone_, &reported_})
            if (list->capacity() < count) list->reserve(2 * count);
        sessions_.emplace_back();
        free_.push_back(static_cast<std::uint32_t>(sessions_.size() - 1));
    }
    deadlines_.reserve(free_.back());
    return free_.back();
}

void dtls_sessions::take_records(std::uint32_t index, bytes datagram, std::uint8_t traffic_class, time_point now) {
    session& s = sessions_[index];
    while (const auto record = first_record(datagram)) {
        datagram = datagram.subspan(record->whole.size());
        const auto room = std::span(arena_).subspan(arena_used_, dtls_session::largest_record);
        const bool was_open = s.crypto->established();
        const std::size_t came = s.crypto->receive(record->whole, room, row_);
        if (!was_open && s.crypto->established()) ++books_.handshakes;
        if (came != 0) heard(index, {dtls_id(index), s.client, room.first(came), 0, traffic_class}, now);
    }
    answer(s.listener, s.client);
    switch (s.crypto->now()) {
    case dtls_session::state::handshaking:
    case dtls_session::state::open:
        return reschedule(index, now);
    case dtls_session::state::closed:
        return end(index, reason::none);
    case dtls_session::state::failed:
        return end(index, s.crypto->established() ? reason::malformed : reason::handshake_failed);
    }
}

void dtls_sessions::heard(std::uint32_t index, const packet& message, time_point now) {
    session& s = sessions_[index];
    arena_used_ += message.data.size();
    if (!s.known) {
        s.known = true;
        come_.push_back({dtls_id(index), s.listener, s.client});
    }
    packets_.push_back(message);
    ++books_.received_frames;
    books_.received_bytes.add(message.data.size());
    if (!s.claimed) s.since = now;
}

// --- out -------------------------------------------------------------------------------------------------------------

void dtls_sessions::send(std::span<const datagram> messages) {
    for (const datagram& m : messages) {
        if (kind_of(m.via) != socket_kind::dtls) continue;
        const auto way = static_cast<std::size_t>(m.way);
        if (const auto why = put(m)) {
            ++books_.dropped[way][static_cast<std::size_t>(*why)];
            continue;
        }
        if (row_.octets.size() >= row_size) flush();
    }
    flush();
}

/// Into the row, or why not.
std::optional<reason> dtls_sessions::put(const datagram& m) noexcept try {
    const session* const s = find(m.via);
    if (s == nullptr || s->crypto->now() != dtls_session::state::open) return reason::socket_closed;
    if (m.size() > dtls_session::largest_record) return reason::too_big;
    if (!s->crypto->send(m, row_)) return reason::out_of_memory;
    address(s->listener, s->client, m.way, m.traffic_class);
    return std::nullopt;
} catch (const std::bad_alloc&) {
    row_.cut(leaving_.size());
    return reason::out_of_memory;
}

/// Says where those datagrams of the row go that have no address yet.
void dtls_sessions::address(std::uint32_t listener, const transport_address& client, direction way,
                            std::uint8_t traffic_class) {
    while (leaving_.size() < row_.size())
        leaving_.push_back(
            {.via = listeners_[listener].socket, .to = client, .way = way, .traffic_class = traffic_class});
}

/// Likewise, of what is no message of the relay.
void dtls_sessions::answer(std::uint32_t listener, const transport_address& client) {
    const std::size_t before = leaving_.size();
    address(listener, client, direction::control, 0);
    datagrams_.own.add(leaving_.size() - before);
}

void dtls_sessions::flush() {
    if (leaving_.empty()) return;
    for (std::size_t i = 0; i < leaving_.size(); ++i) leaving_[i].body = row_[i];
    io_.send(leaving_);
    leaving_.clear();
    row_.cut(0);
}

// --- what is alive and when it ends
// ------------------------------------------------------------------------------------

void dtls_sessions::end(std::uint32_t index, reason why) noexcept {
    session& s = sessions_[index];
    if (!s.crypto) return;
    say_goodbye(s);
    forget(index, why);
}

void dtls_sessions::say_goodbye(session& s) noexcept try {
    s.crypto->close(row_);
    answer(s.listener, s.client);
} catch (const std::bad_alloc&) { // a courtesy
    row_.cut(leaving_.size());
}

void dtls_sessions::forget(std::uint32_t index, reason why) noexcept {
    session& s = sessions_[index];
    if (why != reason::none) ++books_.closed[static_cast<std::size_t>(why)];
    books_.connections[static_cast<std::size_t>(transport::dtls)].subtract(1);
    if (!s.claimed) {
        budget_.leave(s.client);
        books_.without_allocation.subtract(1);
    }
    deadlines_.remove(index);
    by_client_.erase(hash_of(s.listener, s.client), index);
    if (s.known)
        gone_.push_back({dtls_id(index), s.client});
    else
        resting_.push_back(index);
    s = {};
    try {
        by_client_.shrink();
    } catch (const std::bad_alloc&) { // then it stays as large as it is
    }
}

/// After something came or was sent: when the flight is to be sent again, or the session to end.
void dtls_sessions::reschedule(std::uint32_t index, time_point now) {
    session& s = sessions_[index];
    const auto flight = s.crypto->time_left();
    s.flight_due = flight ? now + *flight : time_point::max();
    const time_point limit = s.claimed ? time_point::max() : s.since + (s.known ? options_.idle : options_.handshake);
    const time_point due = std::min(s.flight_due, limit);
    if (due == time_point::max())
        deadlines_.remove(index);
    else
        deadlines_.set(index, due);
}

void dtls_sessions::claim(socket_id id, bool by_allocation, time_point now) {
    session* const s = find(id);
    if (s == nullptr || s->claimed == by_allocation) return;
    s->claimed = by_allocation;
    s->since = now;
    if (by_allocation) {
        budget_.leave(s->client);
        books_.without_allocation.subtract(1);
    } else {
        budget_.readmit(s->client);
        ++books_.without_allocation;
    }
    reschedule(static_cast<std::uint32_t>(index_of(id)), now);
}

void dtls_sessions::close(socket_id id, reason why) {
    if (find(id) == nullptr) return;
    end(static_cast<std::uint32_t>(index_of(id)), why);
    flush();
}

void dtls_sessions::close_all() {
    for (std::uint32_t i = 0; i < sessions_.size(); ++i) end(i, reason::none);
    flush();
}

void dtls_sessions::tick(time_point now) {
    while (deadlines_.next() <= now) {
        const std::uint32_t index = deadlines_.front();
        session& s = sessions_[index];
        const bool shaking = s.crypto->now() == dtls_session::state::handshaking;
        if (!s.claimed && now - s.since >= (s.known ? options_.idle : options_.handshake)) {
            end(index, shaking ? reason::handshake_timeout : reason::connection_idle);
            continue;
        }
        send_again(s);
        if (s.crypto->now() == dtls_session::state::failed)
            end(index, reason::handshake_failed);
        else
            reschedule(index, now);
    }
    flush();
}

void dtls_sessions::send_again(session& s) noexcept try {
    s.crypto->retransmit(row_);
    answer(s.listener, s.client);
} catch (const std::bad_alloc&) { // lost, as datagrams may be
    row_.cut(leaving_.size());
}

std::uint32_t dtls_sessions::find(std::uint32_t listener, const transport_address& client) const noexcept {
    return by_client_.find(hash_of(listener, client), [&](std::uint32_t i) {
        return sessions_[i].listener == listener && sessions_[i].client == client;
    });
}

dtls_sessions::session* dtls_sessions::find(socket_id id) noexcept {
    const std::size_t i = index_of(id);
    const bool there = kind_of(id) == socket_kind::dtls && i < sessions_.size() && sessions_[i].crypto;
    return there ? &sessions_[i] : nullptr;
}

} // namespace turn::net
