#include "sockets.hpp"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/prctl.h>

namespace turn::bench {

sockets::sockets(const load_options& o) {
    auto made = net::make_packet_io({.segmentation = o.segmentation});
    if (!made) throw trouble{fmt::format("no sockets: {}", std::strerror(errno))};
    io_ = std::move(*made);
    if (o.client == transport::tls)
        streams_.emplace(o.server, tls_settings(o.ca_file, o.server));
    else if (o.client == transport::tcp)
        streams_.emplace(o.server, std::nullopt);
    ::prctl(PR_SET_TIMERSLACK, 1000UL); // ns; the usual 50 µs would be a tenth of a round
}

socket_id sockets::open(const transport_address& ip, net::socket_role role) {
    const auto id = io_->open(ip, {.role = role});
    if (!id) throw trouble{fmt::format("no socket on {}: {}", ip.ip_to_string(), std::strerror(errno))};
    return *id;
}

socket_id sockets::open_next(const transport_address& ip) {
    for (int tries = lowest_port; tries <= 65535; ++tries) { // each port once: others may use thousands of them
        const auto id = io_->open(ip.with_port(next_port_), {});
        next_port_ = next_port_ == 65535 ? lowest_port : static_cast<std::uint16_t>(next_port_ + 1);
        if (id) return *id;
        if (errno != EADDRINUSE) break;
    }
    throw trouble{fmt::format("no socket on {}: {}", ip.ip_to_string(), std::strerror(errno))};
}

void wait_until(std::span<pollfd> ready, time_point until) noexcept {
    const auto left = until - std::chrono::steady_clock::now();
    if (left <= left.zero()) return;
    const auto whole = std::chrono::floor<std::chrono::seconds>(left);
    const timespec longest{static_cast<time_t>(whole.count()), static_cast<long>((left - whole).count())};
    ::ppoll(ready.data(), ready.size(), &longest, nullptr);
}

void sockets::watch(std::vector<pollfd>& ready) const {
    ready.push_back({io_->native_handle(), POLLIN, 0});
    if (streams_) ready.push_back({streams_->native_handle(), POLLIN, 0});
}

void sockets::wait(time_point until) const {
    std::vector<pollfd> ready;
    watch(ready);
    wait_until(ready, until);
}

std::uint64_t sockets::dropped() const noexcept {
    const auto& books = io_->counters();
    std::uint64_t all = books.kernel_drops.value() + (streams_ ? streams_->dropped() : 0);
    for (const auto& way : books.dropped)
        for (const auto& why : way) all += why.value();
    return all;
}

} // namespace turn::bench
