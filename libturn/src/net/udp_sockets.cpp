#include "net/udp_sockets.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <new>

#include "net/epoll.hpp"
#include "net/error_queue.hpp"
#include "net/probe.hpp"

namespace turn::net {
namespace {

// A listener has all clients of its shard behind it and may fill a batch, a relay socket with a flood may not.
constexpr std::uint32_t listener_turn = 64;
constexpr std::uint32_t relay_turn = 16;

/// Datagrams between the one that is sorted in and the one whose socket is fetched.
constexpr std::uint32_t fetched_ahead = 8;

/// That one receive() takes off all sockets.
constexpr std::size_t most_icmp_errors = 256;

/// In epoll's data instead of a socket's id: a descriptor of also_watch().
constexpr std::uint32_t not_a_socket = 0xffffffffU;

std::size_t index(socket_id id) noexcept {
    return static_cast<std::size_t>(id);
}

} // namespace

udp_sockets::udp_sockets(const packet_io_options& options, const abilities& kernel, file_descriptor epoll,
                         std::size_t slot_size)
    : kernel_(kernel), reports_{kernel.gro, options.traffic_class}, epoll_(std::move(epoll)),
      slots_(std::max<std::size_t>(options.batch, 1), slot_size), ready_(std::max<std::size_t>(options.batch, 1)),
      trains_(kernel.gso ? kernel.max_segments : 1), transmitter_(books_) {
    received_.reserve(ready_.size());
    shared_ready_.reserve(ready_.size());
    shared_taken_.reserve(ready_.size());
    icmp_errors_.reserve(most_icmp_errors);
    senders_.reserve(coalescer::most_datagrams);
}

// --- sockets ---------------------------------------------------------------------------------------------------------

result<socket_id> udp_sockets::open(const transport_address& local, const socket_options& options) {
    auto opened = open_udp_socket(local, options);
    if (!opened) return opened.error();
    // No system call that an allocation can do without: only whoever left the port to the kernel has to ask for it.
    const auto bound = local.port != 0 ? result<transport_address>(local) : bound_address(opened->number());
    if (!bound) return bound.error();
    return watch(std::move(*opened), *bound, 0, options);
}

result<socket_id> udp_sockets::adopt(int number, const socket_options& options) {
    file_descriptor adopted(number);
    if (const auto ok = tame_descriptor(number); !ok) return ok.error();
    const auto bound = bound_address(number);
    if (!bound) return bound.error();
    return watch(std::move(adopted), *bound, kernel_drop_count(number), options);
}

result<socket_id> udp_sockets::watch(file_descriptor opened, const transport_address& local, std::uint32_t drops,
                                     const socket_options& options) {
    if (const auto ok = configure_udp_socket(opened.number(), local.family, options, reports_); !ok) return ok.error();

    const bool reuse = !free_ids_.empty();
    const auto id = reuse ? free_ids_.back() : socket_id{static_cast<std::uint32_t>(sockets_.size())};
    if (!epoll_add(epoll_.number(), opened.number(), static_cast<std::uint32_t>(id))) return errc::io;

    if (reuse)
        free_ids_.pop_back();
    else
        sockets_.emplace_back();
    udp_socket& socket = sockets_[index(id)];
    socket.drops_seen = drops;
    socket.handle = std::move(opened);
    socket.local = local;
    socket.largest_segment = kernel_.gso ? largest_payload : 0;
    socket.first_train = socket.last_train = train::none;
    const bool listens = options.role == socket_role::listener;
    socket.expected = socket.least_expected = listens ? listener_turn : 1;
    socket.most_expected = listens ? listener_turn : relay_turn;
    socket.last_full = round_ - 2;
    return id;
}

int udp_sockets::release(socket_id id) {
    return forget(id).release();
}

void udp_sockets::close(socket_id id) {
    forget(id).reset();
}

/// Without EPOLL_CTL_DEL a descriptor that somebody duplicated would go on reporting.
file_descriptor udp_sockets::forget(socket_id id) noexcept {
    udp_socket* const socket = find(id);
    if (socket == nullptr) return {};
    ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, socket->handle.number(), nullptr);
    book_kernel_drops(*socket, kernel_drop_count(socket->handle.number()));
    resting_ids_.push_back(id);
    return std::move(socket->handle);
}

transport_address udp_sockets::local_address(socket_id id) const {
    const udp_socket* const socket = find(id);
    return socket == nullptr ? transport_address{} : socket->local;
}

int udp_sockets::descriptor(socket_id id) const {
    const udp_socket* const socket = find(id);
    return socket == nullptr ? -1 : socket->handle.number();
}

const udp_socket* udp_sockets::find(socket_id id) const noexcept {
    return index(id) < sockets_.size() && sockets_[index(id)].handle ? &sockets_[index(id)] : nullptr;
}

udp_socket* udp_sockets::find(socket_id id) noexcept {
    return index(id) < sockets_.size() && sockets_[index(id)].handle ? &sockets_[index(id)] : nullptr;
}

/// Between two packets of a socket the kernel's work has displaced it from the processor's cache.
void udp_sockets::fetch(socket_id id) const noexcept {
    if (index(id) < sockets_.size()) __builtin_prefetch(&sockets_[index(id)], 1);
}

// --- receiving -------------------------------------------------------------------------------------------------------

/// Sockets that were ready when the slots ran out come first next time, before epoll is asked again: one that always
/// fills all slots delays the others by one batch, not for ever.
std::span<const packet> udp_sockets::receive() {
    // An id rests until here, so that what was still queued for a closed socket cannot leave through a new one.
    free_ids_.insert(free_ids_.end(), resting_ids_.begin(), resting_ids_.end());
    resting_ids_.clear();
    received_.clear();
    icmp_errors_.clear();
    slots_.clear();

    // A socket that brought all it was asked for may have more: then epoll is asked again.
    for (bool ask = next_ready_ == ready_count_; !slots_.full();) {
        if (next_ready_ == ready_count_ && (!std::exchange(ask, false) || !find_ready({}))) break;
        if (next_ready_ + 1 < ready_count_) fetch(socket_id{ready_[next_ready_ + 1].data.u32});
        ask |= take_turn(ready_[next_ready_++]);
    }
    return received_;
}

packet_io::awake udp_sockets::wait(std::chrono::milliseconds patience) {
    if (next_ready_ < ready_count_) return {.packets = true, .others = !shared_ready_.empty()};
    const bool packets = find_ready(patience); // receive() begins with what it finds: one call for both
    return {packets, others_ready_ || !shared_ready_.empty()};
}

result<void> udp_sockets::also_watch(int descriptor) {
    if (!epoll_add(epoll_.number(), descriptor, not_a_socket)) return errc::io;
    return {};
}

std::span<const readiness> udp_sockets::take_shared() {
    std::swap(shared_ready_, shared_taken_);
    shared_ready_.clear();
    return shared_taken_;
}

bool udp_sockets::find_ready(std::chrono::milliseconds patience) noexcept {
    const auto at_most = static_cast<int>(std::clamp<std::int64_t>(patience.count(), -1, 86'400'000)); // a day
    const int n = ::epoll_wait(epoll_.number(), ready_.data(), static_cast<int>(ready_.size()), at_most);
    const auto end = ready_.begin() + std::max(n, 0);
    others_ready_ = false;
    const auto end_of_sockets = std::remove_if(ready_.begin(), end, [this](const epoll_event& e) {
        if (e.data.u32 < first_shared_token) return false; // a socket's id
        if (e.data.u32 == not_a_socket)
            others_ready_ = true;
        else if (shared_ready_.size() < ready_.size()) // else epoll names it again
            shared_ready_.push_back({e.data.u32, e.events});
        return true;
    });
    next_ready_ = 0;
    ready_count_ = static_cast<std::size_t>(end_of_sockets - ready_.begin());
    ++round_;
    return ready_count_ > 0;
}

/// Whether there may be more behind what it brought.
bool udp_sockets::take_turn(const epoll_event& event) noexcept {
    const socket_id id{event.data.u32};
    udp_socket* const socket = find(id);
    if (socket == nullptr) return false; // closed since epoll said so
    if ((event.events & EPOLLERR) != 0) {
        if (socket->listens())
            drain_errors(socket->handle.number());
        else
            take_icmp_errors(socket->handle.number(), id, socket->local.family, icmp_errors_);
    }

    // Asked again at once: it is worth a longer call.
    if (socket->last_full + 1 == round_) socket->expected = std::min(socket->expected * 4, socket->most_expected);
    const std::size_t asked = std::min<std::size_t>(socket->expected, slots_.left());
    const std::size_t slot = slots_.used();
    // An error instead of packets ends the turn, not the socket: what waits behind it keeps epoll ready.
    const std::size_t arrived = slots_.fill(socket->handle.number(), asked);
    ++books_.receive_calls;
    for (std::size_t i = 0; i < arrived; ++i) deliver(id, *socket, slots_[slot + i]);

    if (arrived == asked)
        socket->last_full = round_;
    else if (arrived <= 1)
        socket->expected = socket->least_expected;
    return arrived == asked;
}

void udp_sockets::deliver(socket_id id, udp_socket& socket, const receive_slots::arrival& a) noexcept {
    if (a.drops) book_kernel_drops(socket, *a.drops);
    if (a.truncated) {
        ++books_.receive_truncated;
        return;
    }
    const packet& p = received_.emplace_back(packet{id, a.from, a.data, a.stride, a.traffic_class});
    books_.received_packets.add(p.segments());
    books_.received_bytes.add(p.data.size());
}

void udp_sockets::book_kernel_drops(udp_socket& socket, std::uint32_t drops) noexcept {
    const std::uint32_t delta = drops - socket.drops_seen; // modulo 2^32, as the kernel counts
    if (delta > 0x80000000U) return;                       // an older report than the one we have
    books_.kernel_drops.add(delta);
    const auto role = socket.listens() ? socket_role::listener : socket_role::relay;
    books_.kernel_drops_of[static_cast<std::size_t>(role)].add(delta);
    socket.drops_seen = drops;
}

// --- sending ---------------------------------------------------------------------------------------------------------

void udp_sockets::send(std::span<const datagram> datagrams) {
    while (!datagrams.empty()) {
        const auto batch = datagrams.first(std::min(datagrams.size(), coalescer::most_datagrams));
        datagrams = datagrams.subspan(batch.size());

        trains_.clear();
        senders_.clear();
        for (std::uint32_t i = 0; i < batch.size(); ++i) {
            if (i + fetched_ahead < batch.size()) fetch(batch[i + fetched_ahead].via);
            if (!may_leave(batch[i])) continue;
            udp_socket& socket = sockets_[index(batch[i].via)];
            const auto [t, is_new] = trains_.add(batch, i, socket.largest_segment);
            if (!is_new) continue;
            if (socket.first_train == train::none) {
                socket.first_train = t;
                senders_.push_back(batch[i].via);
            } else
                trains_[socket.last_train].next_of_socket = t;
            socket.last_train = t;
        }

        for (const socket_id id : senders_) {
            udp_socket& socket = sockets_[index(id)];
            transmitter_.send(socket, batch, trains_);
            socket.first_train = socket.last_train = train::none;
        }
    }
}

/// What needs no kernel to know. Port 0 is refused here because the kernel's EINVAL would look like one about trains.
bool udp_sockets::may_leave(const datagram& d) noexcept {
    if (find(d.via) == nullptr)
        transmitter_.drop(d, reason::socket_closed);
    else if (d.size() > largest_payload)
        transmitter_.drop(d, reason::too_big);
    else if (d.to.port == 0)
        transmitter_.drop(d, reason::send_refused);
    else
        return true;
    return false;
}

result<std::unique_ptr<packet_io>> make_packet_io(const packet_io_options& options) {
    file_descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return errc::io;
    const abilities kernel = options.segmentation ? probe_abilities() : abilities{};
    auto made = std::make_unique<udp_sockets>(options, kernel, std::move(epoll));
    if (!*made) {
        errno = ENOMEM;
        return errc::io;
    }
    return std::unique_ptr<packet_io>(std::move(made));
}

} // namespace turn::net
