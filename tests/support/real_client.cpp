#include "support/real_client.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace turn::test {

namespace {

time_point read_clock() {
    return std::chrono::steady_clock::now();
}

std::string to_text(bytes data) {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

bytes to_bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

} // namespace

transport_address loopback(address_family family) {
    return *transport_address::parse(family == address_family::ipv4 ? "127.0.0.1:0" : "[::1]:0");
}

transport_address own_loopback() {
    auto address = loopback();
    const auto number = static_cast<std::uint32_t>(::getpid()); // at most 22 bits
    address.ip[1] = static_cast<std::uint8_t>(64 + (number >> 16 & 0x3f));
    address.ip[2] = static_cast<std::uint8_t>(number >> 8 & 0xff);
    address.ip[3] = static_cast<std::uint8_t>(number & 0xff);
    return address;
}

real_socket::real_socket(const transport_address& local) {
    auto io = net::make_packet_io({.batch = 4, .segmentation = false});
    if (!io) throw std::runtime_error("no packet_io");
    io_ = std::move(*io);
    const auto id = io_->open(local, {});
    if (!id) throw std::runtime_error("no socket on loopback");
    id_ = *id;
}

std::span<const packet> real_socket::receive(time_point until) {
    for (;;) {
        if (const auto batch = io_->receive(); !batch.empty()) return batch;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - read_clock());
        if (left.count() <= 0) return {};
        pollfd readable{io_->native_handle(), POLLIN, 0};
        ::poll(&readable, 1, static_cast<int>(left.count()));
    }
}

void real_peer::send(const transport_address& to, std::string_view text) {
    const datagram d{.via = socket_.id(), .to = to, .body = to_bytes(text)};
    socket_.send({&d, 1});
}

std::optional<arrival> real_peer::receive() {
    if (inbox_.empty())
        for (const packet& p : socket_.receive(read_clock() + patience)) inbox_.push_back({p.from, to_text(p.data)});
    if (inbox_.empty()) return std::nullopt;
    auto first = std::move(inbox_.front());
    inbox_.pop_front();
    return first;
}

real_client::real_client(const transport_address& server, std::string username, std::string password)
    : real_client(std::make_unique<real_socket>(server.family), server, std::move(username), std::move(password)) {}

real_client::real_client(std::unique_ptr<client_wire> wire, const transport_address& server, std::string username,
                         std::string password)
    : wire_(std::move(wire)),
      core_({.server = server, .via = wire_->id(), .username = std::move(username), .password = std::move(password)}) {}

real_client::outcome<client::mapped> real_client::bind() {
    core_.bind(read_clock(), out_);
    return await<client::mapped>();
}

real_client::outcome<client::allocated> real_client::allocate(const allocate_wishes& wishes) {
    core_.allocate(wishes, read_clock(), out_);
    return await<client::allocated>();
}

real_client::outcome<client::refreshed> real_client::refresh(std::chrono::seconds lifetime) {
    core_.refresh(lifetime, std::nullopt, read_clock(), out_);
    return await<client::refreshed>();
}

real_client::outcome<client::permitted> real_client::permit(const transport_address& peer) {
    core_.permit({&peer, 1}, read_clock(), out_);
    return await<client::permitted>();
}

real_client::outcome<client::channel_bound> real_client::bind_channel(std::uint16_t number,
                                                                      const transport_address& peer) {
    core_.bind_channel(number, peer, read_clock(), out_);
    return await<client::channel_bound>();
}

void real_client::start_allocate() {
    core_.allocate({}, read_clock(), out_);
    flush();
}

void real_client::send(const transport_address& peer, std::string_view text) {
    if (!core_.send(peer, to_bytes(text), out_)) throw std::logic_error("sent without an allocation");
    flush();
}

std::optional<arrival> real_client::receive() {
    for (const auto until = read_clock() + patience; inbox_.empty();)
        if (!step(until)) return std::nullopt;
    auto first = std::move(inbox_.front());
    inbox_.pop_front();
    return first;
}

std::optional<client::peer_unreachable> real_client::unreachable(std::chrono::seconds within) {
    for (const auto until = read_clock() + within; unreachable_.empty();)
        if (!step(until) && unreachable_.empty()) return std::nullopt; // what came in the last step counts
    const auto first = unreachable_.front();
    unreachable_.pop_front();
    return first;
}

/// The next news that ends a request of this kind. The client's own refreshes may bring others.
template <class Event>
real_client::outcome<Event> real_client::await() {
    flush();
    for (const auto until = read_clock() + patience;;) {
        while (!news_.empty()) {
            const news first = news_.front();
            news_.pop_front();
            if (const auto* done = std::get_if<Event>(&first)) return *done;
            if (const auto* failed = std::get_if<failure>(&first)) return failed->code;
        }
        if (!step(until)) return std::uint16_t{0};
    }
}

bool real_client::step(time_point until) {
    const auto batch = wire_->receive(std::min(until, core_.next_deadline()));
    const auto now = read_clock();
    for (const packet& p : batch)
        if (const auto e = core_.handle(p.data, now, out_)) note(*e);
    while (const auto e = core_.tick(now, out_)) note(*e);
    flush();
    return now < until;
}

void real_client::note(const client::event& e) {
    std::visit(
        [this](const auto& what) {
            using kind = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<kind, client::peer_data>)
                inbox_.push_back({what.from, to_text(what.data)});
            else if constexpr (std::is_same_v<kind, client::peer_unreachable>)
                unreachable_.push_back(what);
            else if constexpr (std::is_same_v<kind, client::redirected>)
                return; // what follows is the news
            else if constexpr (std::is_same_v<kind, client::failed>)
                news_.push_back(failure{what.code});
            else if constexpr (std::is_constructible_v<news, const kind&>)
                news_.push_back(what);
        },
        e);
}

void real_client::flush() {
    wire_->send(out_.datagrams());
    wire_->send(out_.frames());
    out_.clear();
}

} // namespace turn::test
