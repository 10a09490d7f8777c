#include "net/transmit.hpp"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace turn::net {
namespace {

constexpr std::array<std::byte, 4> zeroes{};

/// A train of segments up to this size that meets EMSGSIZE has met its own path, not the interface: the socket's other
/// destinations keep their trains. 1400 - 40 - 8: smaller MTUs are tunnels'.
constexpr std::uint32_t segment_floor = 1352;

reason why_not(int error) noexcept {
    switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
        return reason::socket_buffer_full;
    case EMSGSIZE:
        return reason::too_big;
    default:
        return reason::send_refused;
    }
}

/// What the kernel says when it cannot segment: no checksum offload, a segment above the MTU (EINVAL before Linux 6.x).
bool blames_segmentation(int error) noexcept {
    return error == EIO || error == EINVAL || error == EMSGSIZE;
}

std::size_t gather(const datagram& d, iovec* out) noexcept {
    std::size_t n = 0;
    // sendmsg does not write through iov_base.
    if (!d.head.empty()) out[n++] = {const_cast<std::byte*>(d.head.data()), d.head.size()};
    if (!d.body.empty()) out[n++] = {const_cast<std::byte*>(d.body.data()), d.body.size()};
    if (d.pad > 0) out[n++] = {const_cast<std::byte*>(zeroes.data()), d.pad};
    return n;
}

/// Says what sendmmsg would, by the cheapest call: most relay sockets have one datagram for one peer.
int send_one(int descriptor, const msghdr& h) noexcept {
    const bool plain = h.msg_iovlen == 1 && h.msg_control == nullptr;
    const ssize_t n = plain ? ::sendto(descriptor, h.msg_iov->iov_base, h.msg_iov->iov_len, MSG_DONTWAIT,
                                       static_cast<const sockaddr*>(h.msg_name), h.msg_namelen)
                            : ::sendmsg(descriptor, &h, MSG_DONTWAIT);
    return n >= 0 ? 1 : -1;
}

} // namespace

transmitter::transmitter(net_counters& books) noexcept : books_(books) {}

void transmitter::send(udp_socket& socket, std::span<const datagram> batch, const coalescer& trains) noexcept {
    const pending work{socket, batch, trains};
    const auto wants_df = [&](std::uint32_t t) { return batch[trains[t].first].dont_fragment; };

    for (std::uint32_t t = socket.first_train; t != train::none;) {
        const bool dont_fragment = wants_df(t);
        for (; t != train::none && wants_df(t) == dont_fragment; t = trains[t].next_of_socket) write_message(work, t);

        if (dont_fragment) set_dont_fragment(socket.handle.number(), socket.local.family, true);
        flush(work);
        if (dont_fragment) set_dont_fragment(socket.handle.number(), socket.local.family, false);
    }
}

void transmitter::write_message(const pending& work, std::uint32_t train_index) noexcept {
    const train& t = work.trains[train_index];
    const std::size_t m = messages_++;
    train_of_[m] = train_index;
    msghdr& h = headers_[m].msg_hdr;
    h.msg_name = &names_[m];
    h.msg_namelen = to_socket_address(work.batch[t.first].to, names_[m]);
    h.msg_iov = &vectors_storage_[vectors_];
    for (std::uint32_t i = t.first; i != train::none; i = work.trains.next(i))
        vectors_ += gather(work.batch[i], &vectors_storage_[vectors_]);
    h.msg_iovlen = vectors_ - static_cast<std::size_t>(h.msg_iov - vectors_storage_.data());

    h.msg_control = nullptr;
    h.msg_controllen = 0;
    if (t.count > 1) add_control(h, controls_[m], SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(t.segment));
    if (t.traffic_class != 0) add_traffic_class(h, controls_[m], work.batch[t.first]);
}

template <class Value>
void transmitter::add_control(msghdr& h, control_data& room, int level, int type, Value value) noexcept {
    cmsghdr header{};
    header.cmsg_level = level;
    header.cmsg_type = type;
    header.cmsg_len = CMSG_LEN(sizeof value);
    std::byte* const at = room.bytes.data() + h.msg_controllen;
    std::memcpy(at, &header, sizeof header);
    std::memcpy(at + CMSG_LEN(0), &value, sizeof value);
    h.msg_control = room.bytes.data();
    h.msg_controllen += CMSG_SPACE(sizeof value);
}

void transmitter::add_traffic_class(msghdr& h, control_data& room, const datagram& d) noexcept {
    const bool v4 = d.to.is_ipv4();
    add_control(h, room, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS, static_cast<int>(d.traffic_class));
}

void transmitter::flush(const pending& work) noexcept {
    for (std::size_t done = 0; done < messages_;) {
        const int descriptor = work.socket.handle.number();
        const auto left = static_cast<unsigned>(messages_ - done);
        const int sent = left == 1 ? send_one(descriptor, headers_[done].msg_hdr)
                                   : ::sendmmsg(descriptor, &headers_[done], left, MSG_DONTWAIT);
        ++books_.send_calls;
        // A short count hides the error of the message behind it; the next round begins with that one, and tells.
        if (sent < 0) retry(work, done++, errno);
        for (int i = 0; i < sent; ++i) book_sent(work, work.trains[train_of_[done++]]);
    }
    messages_ = 0;
    vectors_ = 0;
}

void transmitter::retry(const pending& work, std::size_t message, int error) noexcept {
    const train& t = work.trains[train_of_[message]];
    error = send_again(work.socket, headers_[message].msg_hdr, error);
    if (error == 0)
        book_sent(work, t);
    else if (t.count > 1 && blames_segmentation(error))
        send_singly(work, t, error);
    else
        book_dropped(work, t, why_not(error));
}

/// The kernel refused a train: its datagrams go one by one, and if that works the socket remembers.
void transmitter::send_singly(const pending& work, const train& t, int error) noexcept {
    bool any_sent = false;
    for (std::uint32_t i = t.first; i != train::none; i = work.trains.next(i)) {
        const datagram& d = work.batch[i];
        if (const int failed = send_alone(work.socket, d); failed != 0) {
            drop(d, why_not(failed));
            continue;
        }
        any_sent = true;
        book_sent(d);
    }
    if (!any_sent) return; // not the train's fault
    std::uint32_t& limit = work.socket.largest_segment;
    if (error == EIO)
        limit = 0;
    else if (t.segment > segment_floor)
        limit = std::min(limit, t.segment - 1);
}

int transmitter::send_alone(const udp_socket& socket, const datagram& d) noexcept {
    std::array<iovec, vectors_a_datagram> parts{};
    socket_address name{};
    msghdr message{};
    message.msg_name = &name;
    message.msg_namelen = to_socket_address(d.to, name);
    message.msg_iov = parts.data();
    message.msg_iovlen = gather(d, parts.data());
    control_data control;
    if (d.traffic_class != 0) add_traffic_class(message, control, d);
    const int error = send_message(socket, message);
    return error == 0 ? 0 : send_again(socket, message, error);
}

/// The error may have been pending from an earlier packet; taking it has cleared it. A second try tells, and is the
/// last.
int transmitter::send_again(const udp_socket& socket, const msghdr& message, int error) noexcept {
    return why_not(error) == reason::socket_buffer_full ? error : send_message(socket, message);
}

int transmitter::send_message(const udp_socket& socket, const msghdr& message) noexcept {
    ++books_.send_calls;
    return ::sendmsg(socket.handle.number(), &message, MSG_DONTWAIT) >= 0 ? 0 : errno;
}

void transmitter::book_sent(const pending& work, const train& t) noexcept {
    for (std::uint32_t i = t.first; i != train::none; i = work.trains.next(i)) book_sent(work.batch[i]);
}

void transmitter::book_sent(const datagram& d) noexcept {
    ++books_.sent_packets[static_cast<std::size_t>(d.way)];
    books_.sent_bytes[static_cast<std::size_t>(d.way)].add(d.size());
}

void transmitter::book_dropped(const pending& work, const train& t, reason why) noexcept {
    for (std::uint32_t i = t.first; i != train::none; i = work.trains.next(i)) drop(work.batch[i], why);
}

void transmitter::drop(const datagram& d, reason why) noexcept {
    ++books_.dropped[static_cast<std::size_t>(d.way)][static_cast<std::size_t>(why)];
}

} // namespace turn::net
