#include "turn/net/client_wire.hpp"

#include <algorithm>
#include <cassert>
#include <deque>
#include <utility>
#include <variant>
#include <vector>

#include "net/dtls_session.hpp"
#include "net/stream_framer.hpp"
#include "net/tls_client_context.hpp"
#include "net/tls_session.hpp"
#include "net/written_later.hpp"
#include "turn/client_error.hpp"

namespace turn::net {
namespace {

std::error_code verdict_on(tls_distrust d, bool handshake_over) noexcept {
    if (handshake_over || d == tls_distrust::none) return client_error::tls_failed;
    return d == tls_distrust::wrong_name ? client_error::wrong_name : client_error::untrusted_certificate;
}

void append(std::vector<std::byte>& to, bytes data) {
    to.insert(to.end(), data.begin(), data.end());
}

} // namespace

struct client_trust::contexts {
    std::shared_ptr<const tls_client_context> stream, datagrams;
};

result<client_trust, std::string> client_trust::load(const std::string& authorities_file, proof wanted) {
    using layer = tls_client_context::layer;
    const auto how = wanted == proof::wanted ? tls_client_context::proof::wanted : tls_client_context::proof::unneeded;
    auto stream = tls_client_context::load(authorities_file, how, layer::stream);
    if (!stream) return stream.error();
    auto datagrams = tls_client_context::load(authorities_file, how, layer::datagrams);
    if (!datagrams) return datagrams.error();
    return client_trust(std::make_shared<const contexts>(contexts{std::move(*stream), std::move(*datagrams)}));
}

struct client_wire::parts {
    protocol what;
    state at = state::open;
    std::error_code error{};
    std::optional<tls_session> tls{};
    std::optional<dtls_session> dtls{};
    written_later out{};
    bytes datagram{};                ///< UDP: what came
    std::vector<std::byte> stream{}; ///< plaintext that came; DTLS: of the last datagram
    std::size_t taken = 0;           ///< of it
    std::deque<bytes> records{};     ///< DTLS: of stream, those that have not been handed out
    datagram_row row{};              ///< DTLS: what a call wants to send
    bool framed = true;
    frame_rules rules{.channel_data = false};

    explicit parts(protocol p) : what(p) {}

    void fail(std::error_code why) noexcept {
        at = state::failed;
        error = why;
    }
    void receive_ciphertext(bytes came);
    void receive_dtls(bytes came);
    void follow_dtls();
    void put_row();
    std::optional<bytes> next_record();
    std::optional<bytes> next_frame();
};

client_wire::client_wire(protocol p, const std::optional<secret>& with) : parts_(std::make_unique<parts>(p)) {
    if (p == protocol::udp || p == protocol::tcp) return;
    parts_->at = state::opening;
    assert(with);
    const auto& contexts = *with->trust.contexts_;
    if (p == protocol::tls) {
        parts_->tls.emplace(contexts.stream->new_session(with->host, with->application));
        parts_->receive_ciphertext({}); // a client begins
    } else {
        parts_->dtls.emplace(contexts.datagrams->new_session(with->host, with->application));
        parts_->receive_dtls({});
    }
}

client_wire::~client_wire() = default;
client_wire::client_wire(client_wire&&) noexcept = default;
client_wire& client_wire::operator=(client_wire&&) noexcept = default;

void client_wire::receive(bytes came) {
    parts& p = *parts_;
    p.stream.erase(p.stream.begin(), p.stream.begin() + static_cast<std::ptrdiff_t>(std::exchange(p.taken, 0)));
    switch (p.what) {
    case protocol::udp:
        p.datagram = came;
        return;
    case protocol::tcp:
        return append(p.stream, came);
    case protocol::tls:
        return p.receive_ciphertext(came);
    case protocol::dtls:
        return p.receive_dtls(came);
    }
}

void client_wire::parts::receive_ciphertext(bytes came) {
    using tls_state = tls_session::state;
    const std::size_t before = stream.size();
    stream.resize(before + came.size() + tls_session::largest_record);
    stream.resize(before + tls->receive(came, std::span(stream).subspan(before), out.stream()));
    if (tls->now() == tls_state::open) at = state::open;
    if (tls->now() == tls_state::closed) at = state::ended;
    if (tls->now() == tls_state::failed) fail(verdict_on(tls->distrust(), tls->established()));
}

void client_wire::parts::receive_dtls(bytes came) {
    records.clear();
    stream.resize(came.size() + dtls_session::largest_record); // plaintext is shorter than its record
    std::span<std::byte> room(stream);
    do {
        const bytes record = take_record(came);
        const std::size_t size = dtls->receive(record, room, row);
        if (size != 0) records.emplace_back(room.first(size));
        room = room.subspan(size);
        if (record.empty()) break; // no more, or no DTLS
    } while (!came.empty());
    follow_dtls();
}

void client_wire::parts::put_row() {
    for (std::size_t i = 0; i < row.size(); ++i) out.put_datagram(row[i]);
    row.cut(0);
}

void client_wire::parts::follow_dtls() {
    using dtls_state = dtls_session::state;
    put_row();
    const bool was_open = at == state::open;
    if (dtls->now() == dtls_state::open) at = state::open;
    if (dtls->now() == dtls_state::closed) at = state::ended;
    if (dtls->now() == dtls_state::failed) fail(verdict_on(dtls->distrust(), was_open));
}

/// The connection, not TLS: without close_notify what came before it counts all the same, for messages have lengths.
void client_wire::end() {
    parts& p = *parts_;
    if (p.at == state::opening) return p.fail(client_error::closed);
    if (p.at == state::open) p.at = state::ended;
}

std::optional<bytes> client_wire::next_message() {
    parts& p = *parts_;
    switch (p.what) {
    case protocol::udp:
        if (p.datagram.empty()) return std::nullopt;
        return std::exchange(p.datagram, {});
    case protocol::dtls:
        return p.next_record();
    case protocol::tcp:
    case protocol::tls:
        return p.framed ? p.next_frame() : std::nullopt;
    }
    return std::nullopt;
}

std::optional<bytes> client_wire::parts::next_record() {
    if (records.empty()) return std::nullopt;
    const bytes first = records.front();
    records.pop_front();
    return first;
}

std::optional<bytes> client_wire::parts::next_frame() {
    const auto next = net::next_frame(bytes(stream).subspan(taken), rules);
    if (next.what == frame::state::garbage) fail(client_error::garbage);
    if (next.what != frame::state::whole) return std::nullopt;
    taken += next.size;
    return next.message;
}

result<void> client_wire::send(const datagram& message) {
    parts& p = *parts_;
    const bool half_open = p.what == protocol::tcp && !p.framed && p.at == state::ended; // the other half: RFC 6062, 5
    if (p.at != state::open && !half_open) return errc::io;
    switch (p.what) {
    case protocol::udp: {
        thread_local std::vector<std::byte> gathered;
        gathered.assign(message.head.begin(), message.head.end());
        append(gathered, message.body);
        gathered.resize(message.size());
        p.out.put_datagram(gathered);
        return {};
    }
    case protocol::tcp:
        append(p.out.stream(), message.head);
        append(p.out.stream(), message.body);
        p.out.stream().resize(p.out.stream().size() + message.pad);
        return {};
    case protocol::tls:
        if (p.tls->send(message, p.out.stream())) return {};
        p.fail(client_error::tls_failed);
        return errc::io;
    case protocol::dtls:
        if (message.size() > dtls_session::largest_record) return errc::no_capacity;
        if (!p.dtls->send(message, p.row)) return errc::io; // no memory; the session goes on
        p.put_row();
        return {};
    }
    return {};
}

void client_wire::close() {
    if (parts_->tls) parts_->tls->close(parts_->out.stream());
    if (parts_->dtls) parts_->dtls->close(parts_->row);
    parts_->put_row();
}

void client_wire::expect_channel_data() noexcept {
    parts_->rules.channel_data = true;
}

void client_wire::stop_framing() noexcept {
    parts_->framed = false;
}

std::size_t client_wire::read(std::span<std::byte> into) {
    parts& p = *parts_;
    const bytes there = bytes(p.stream).subspan(p.taken);
    const auto count = std::min(there.size(), into.size());
    std::copy_n(there.begin(), count, into.begin());
    p.taken += count;
    return count;
}

bytes client_wire::to_write() const noexcept {
    return parts_->out.front();
}

void client_wire::written(std::size_t count) {
    parts_->out.written(count);
}

std::uint64_t client_wire::queued() const noexcept {
    return parts_->out.queued();
}

std::uint64_t client_wire::flushed() const noexcept {
    return parts_->out.flushed();
}

void client_wire::tick(time_point now) {
    if (!parts_->dtls || next_deadline(now) > now) return;
    parts_->dtls->retransmit(parts_->row);
    parts_->follow_dtls();
}

time_point client_wire::next_deadline(time_point now) const noexcept {
    const auto left = parts_->dtls ? parts_->dtls->time_left() : std::nullopt;
    return left ? now + *left : time_point::max();
}

client_wire::state client_wire::now() const noexcept {
    return parts_->at;
}

bool client_wire::is_stream() const noexcept {
    return parts_->what == protocol::tcp || parts_->what == protocol::tls;
}

std::error_code client_wire::error() const noexcept {
    return parts_->error;
}

const char* client_wire::failure() const noexcept {
    if (parts_->tls && parts_->tls->failure()) return parts_->tls->failure();
    return parts_->dtls ? parts_->dtls->failure() : nullptr;
}

} // namespace turn::net
