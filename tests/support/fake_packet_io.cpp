#include "support/fake_packet_io.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace turn::test {
namespace {

constexpr std::size_t largest_payload = 65507;
constexpr std::size_t usual_buffer = 4 * 1024 * 1024;
constexpr std::size_t most_segments = 64; // what Linux merges

// Of ICMP: RFC 792.
constexpr std::uint8_t unreachable = 3, port_unreachable = 3, fragmentation_needed = 4;

std::vector<std::byte> bytes_of(const datagram& d) {
    std::vector<std::byte> out(d.head.begin(), d.head.end());
    out.insert(out.end(), d.body.begin(), d.body.end());
    out.resize(out.size() + d.pad);
    return out;
}

} // namespace

fake_packet_io::fake_packet_io(fake_ports& ports, const net::packet_io_options& options)
    : ports_(ports), options_(options), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

fake_packet_io::~fake_packet_io() {
    for (std::size_t i = 0; i < sockets_.size(); ++i) close(socket_id{static_cast<std::uint32_t>(i)});
    ::close(event_);
}

result<socket_id> fake_packet_io::open(const transport_address& local, const net::socket_options& options) {
    transport_address wanted = local;
    while (wanted.port == 0) {
        const std::uint16_t port = ports_.next_port_++;
        if (port != 0 && !ports_.bound_.contains(local.with_port(port).to_string())) wanted.port = port;
    }
    auto& group = ports_.bound_[wanted.to_string()];
    const auto shares = [&](const fake_ports::place& p) {
        return options.reuse_port && p.owner->sockets_[index(p.id)].reuse_port;
    };
    if (!std::all_of(group.begin(), group.end(), shares)) {
        errno = EADDRINUSE;
        return errc::io;
    }

    auto id = socket_id{static_cast<std::uint32_t>(sockets_.size())};
    if (free_ids_.empty())
        sockets_.emplace_back();
    else {
        id = free_ids_.back();
        free_ids_.pop_back();
    }
    socket& s = sockets_[index(id)] = {};
    s.is_open = true;
    s.reuse_port = options.reuse_port;
    s.role = options.role;
    s.local = wanted;
    s.receive_buffer = options.receive_buffer > 0 ? static_cast<std::size_t>(options.receive_buffer) : usual_buffer;
    group.push_back({this, id});
    return id;
}

result<socket_id> fake_packet_io::adopt(int descriptor, const net::socket_options&) {
    ::close(descriptor);
    errno = ENOTSUP;
    return errc::io;
}

int fake_packet_io::release(socket_id id) {
    close(id);
    return -1;
}

void fake_packet_io::close(socket_id id) {
    if (!is_open(id)) return;
    socket& s = sockets_[index(id)];
    const auto group = ports_.bound_.find(s.local.to_string());
    std::erase_if(group->second, [&](const fake_ports::place& p) { return p.owner == this && p.id == id; });
    if (group->second.empty()) ports_.bound_.erase(group);
    s = {};
    std::erase_if(icmp_waiting_, [&](const icmp_error& e) { return e.via == id; });
    resting_ids_.push_back(id);
    signal();
}

transport_address fake_packet_io::local_address(socket_id id) const {
    return is_open(id) ? sockets_[index(id)].local : transport_address{};
}

std::span<const packet> fake_packet_io::receive() {
    free_ids_.insert(free_ids_.end(), resting_ids_.begin(), resting_ids_.end());
    resting_ids_.clear();
    received_.clear();
    memory_.clear();
    icmp_errors_ = std::exchange(icmp_waiting_, {});
    ++books_.receive_calls;

    const std::size_t batch = std::max<std::size_t>(options_.batch, 1);
    const std::size_t first = sockets_.empty() ? 0 : first_turn_ % sockets_.size();
    for (std::size_t turn = 0; turn < sockets_.size() && received_.size() < batch; ++turn) {
        const std::size_t i = (first + turn) % sockets_.size();
        const auto id = socket_id{static_cast<std::uint32_t>(i)};
        while (!sockets_[i].queue.empty() && received_.size() < batch) take_one(id);
        first_turn_ = i + 1;
    }
    signal();
    return received_;
}

/// One packet, with all that a kernel with GRO would have merged into it.
void fake_packet_io::take_one(socket_id id) {
    socket& s = sockets_[index(id)];
    const auto next = [&] {
        waiting w = std::move(s.queue.front());
        s.queue.pop_front();
        s.bytes_waiting -= w.data.size();
        return w;
    };
    waiting first = next();
    std::vector<std::byte> data = std::move(first.data);
    const std::size_t stride = data.size();
    std::size_t segments = 1;
    while (options_.segmentation && stride > 0 && data.size() == segments * stride && !s.queue.empty()) {
        const waiting& more = s.queue.front();
        if (more.from != first.from || more.traffic_class != first.traffic_class) break;
        if (more.data.empty() || more.data.size() > stride) break;
        if (segments == most_segments || data.size() + more.data.size() > largest_payload) break;
        const waiting taken = next();
        data.insert(data.end(), taken.data.begin(), taken.data.end());
        ++segments;
    }
    memory_.push_back(std::move(data));
    received_.push_back({id, first.from, memory_.back(),
                         static_cast<std::uint16_t>(segments > 1 ? stride : std::size_t{0}), first.traffic_class});
    books_.received_packets.add(segments);
    books_.received_bytes.add(memory_.back().size());
}

void fake_packet_io::send(std::span<const datagram> datagrams) {
    for (const datagram& d : datagrams) {
        const auto way = static_cast<std::size_t>(d.way);
        if (const reason why = refusal(d); why != reason::none) {
            ++books_.dropped[way][static_cast<std::size_t>(why)];
            if (why == reason::too_big && d.size() <= largest_payload) complain(d, fragmentation_needed, ports_.mtu);
            continue;
        }
        ++books_.send_calls;
        ++books_.sent_packets[way];
        books_.sent_bytes[way].add(d.size());
        carry(d);
    }
}

reason fake_packet_io::refusal(const datagram& d) const {
    if (!is_open(d.via)) return reason::socket_closed;
    const socket& s = sockets_[index(d.via)];
    const std::size_t headers = d.to.is_ipv4() ? 28 : 48;
    if (d.size() > largest_payload || (d.dont_fragment && d.size() + headers > ports_.mtu)) return reason::too_big;
    if (d.to.port == 0 || d.to.family != s.local.family) return reason::send_refused;
    if (s.send_buffer_full) return reason::socket_buffer_full;
    return reason::none;
}

/// To nobody, when nobody is bound there: as on a network, which says so.
void fake_packet_io::carry(const datagram& d) {
    const auto group = ports_.bound_.find(d.to.to_string());
    if (group == ports_.bound_.end()) return complain(d, port_unreachable, 0);
    const transport_address from = sockets_[index(d.via)].local;
    const auto& member = group->second[from.port % group->second.size()];
    member.owner->arrive(member.id, from, d);
}

/// With ICMP: the fake's network is IPv4's as far as the tests go.
void fake_packet_io::complain(const datagram& d, std::uint8_t code, std::size_t mtu) {
    if (sockets_[index(d.via)].role != net::socket_role::relay) return;
    icmp_waiting_.push_back({d.via, d.to, unreachable, code, static_cast<std::uint32_t>(mtu)});
    signal();
}

void fake_packet_io::arrive(socket_id id, const transport_address& from, const datagram& d) {
    socket& s = sockets_[index(id)];
    std::vector<std::byte> data = bytes_of(d);
    if (s.bytes_waiting + data.size() > s.receive_buffer) {
        ++books_.kernel_drops;
        ++books_.kernel_drops_of[static_cast<std::size_t>(s.role)];
        return;
    }
    s.bytes_waiting += data.size();
    s.queue.push_back({from, std::move(data), options_.traffic_class ? d.traffic_class : std::uint8_t{0}});
    signal();
}

bool fake_packet_io::is_open(socket_id id) const noexcept {
    return index(id) < sockets_.size() && sockets_[index(id)].is_open;
}

net::packet_io::awake fake_packet_io::wait(std::chrono::milliseconds patience) {
    if (signalled_) return {.packets = true};
    std::vector<pollfd> others;
    for (const int descriptor : others_) others.push_back({descriptor, POLLIN, 0});
    ::poll(others.data(), others.size(), static_cast<int>(patience.count()));
    return {.others = std::ranges::any_of(others, [](const pollfd& p) { return (p.revents & POLLIN) != 0; })};
}

result<void> fake_packet_io::also_watch(int descriptor) {
    others_.push_back(descriptor);
    return {};
}

/// The event descriptor is readable exactly while something waits.
void fake_packet_io::signal() {
    const bool wanted = !icmp_waiting_.empty() ||
                        std::any_of(sockets_.begin(), sockets_.end(), [](const socket& s) { return !s.queue.empty(); });
    if (wanted == std::exchange(signalled_, wanted)) return;
    std::uint64_t value = 1;
    [[maybe_unused]] const ssize_t done =
        wanted ? ::write(event_, &value, sizeof value) : ::read(event_, &value, sizeof value);
}

net::abilities fake_packet_io::what_works() const {
    if (!options_.segmentation) return {};
    return {true, true, static_cast<unsigned>(most_segments)};
}

} // namespace turn::test
