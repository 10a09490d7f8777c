#include "tcp_relay.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include "tcp_path.hpp"

namespace turn::bench {
namespace {

constexpr std::size_t piece = 262'144;
constexpr std::uint64_t unit = 1'000'000; // bytes

/// A stream of words that are all different: what is lost, doubled or from another stream shows.
class pattern {
public:
    explicit pattern(std::uint64_t stream) noexcept : stream_(stream) {}
    /// Bytes [from, from + out.size()) of the stream; `from` is a multiple of 8.
    void write(std::uint64_t from, std::span<std::uint64_t> out) const noexcept {
        const std::uint64_t first = from / 8;
        for (std::size_t i = 0; i < out.size(); ++i) out[i] = (first + i) * 0x9e3779b97f4a7c15U ^ stream_;
    }

private:
    std::uint64_t stream_;
};

using words = std::array<std::uint64_t, piece / 8>;

/// One end's half of one direction: what it has sent, or heard.
class sender {
public:
    sender(int descriptor, std::uint64_t stream, std::uint64_t total)
        : descriptor_(descriptor), pattern_(stream), total_(total) {}
    [[nodiscard]] bool done() const noexcept { return sent_ == total_; }
    /// As much as goes. False: the connection is broken.
    bool go_on() {
        while (!done()) {
            if (sent_ == prepared_) {
                pattern_.write(sent_, buffer_);
                prepared_ = std::min(total_, sent_ + piece);
            }
            const auto data = std::as_bytes(std::span(buffer_)).subspan(sent_ % piece, prepared_ - sent_);
            const ssize_t n = ::send(descriptor_, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0) return errno == EAGAIN;
            sent_ += static_cast<std::uint64_t>(n);
        }
        return true;
    }

private:
    int descriptor_;
    pattern pattern_;
    std::uint64_t total_, sent_ = 0, prepared_ = 0;
    words buffer_{};
};

class listener {
public:
    listener(int descriptor, std::uint64_t stream, std::uint64_t total)
        : descriptor_(descriptor), pattern_(stream), total_(total) {}
    [[nodiscard]] std::uint64_t heard() const noexcept { return heard_; }
    [[nodiscard]] bool done() const noexcept { return heard_ == total_; }
    [[nodiscard]] std::uint64_t wrong() const noexcept { return wrong_; }
    /// False: the connection is over before everything has come, or more has come.
    bool go_on(words& came, words& expected) {
        // A piece begins where a word does, so that what is expected can be laid beside it.
        const std::size_t skew = heard_ % 8;
        const auto room = std::as_writable_bytes(std::span(came)).subspan(skew);
        const ssize_t n = ::recv(descriptor_, room.data(), room.size(), MSG_DONTWAIT);
        if (n < 0) return errno == EAGAIN;
        const auto size = static_cast<std::size_t>(n);
        if (n == 0 || heard_ + size > total_) return false;
        pattern_.write(heard_ - skew, std::span(expected).first((skew + size + 7) / 8));
        const auto right = std::as_bytes(std::span(expected)).subspan(skew, size);
        if (std::memcmp(room.data(), right.data(), size) != 0) ++wrong_;
        heard_ += size;
        return true;
    }

private:
    int descriptor_;
    pattern pattern_;
    std::uint64_t total_, heard_ = 0, wrong_ = 0;
};

/// One path with both of its directions.
struct bulk {
    bulk(tcp_path made, std::uint64_t number, std::uint64_t total)
        : path(std::move(made)), says{sender(path.client.number(), 2 * number, total),
                                      sender(path.peer.number(), 2 * number + 1, total)},
          hears{listener(path.peer.number(), 2 * number, total),
                listener(path.client.number(), 2 * number + 1, total)} {}
    tcp_path path;
    std::array<sender, 2> says;    ///< up by the client, down by the peer
    std::array<listener, 2> hears; ///< up by the peer, down by the client

    [[nodiscard]] bool done() const noexcept { return hears[0].done() && hears[1].done(); }
};

class transfer {
public:
    explicit transfer(const load_options& o) {
        for (std::uint64_t i = 0; i < o.clients; ++i)
            all_.push_back(std::make_unique<bulk>(make_tcp_path(o), i, o.bytes / o.clients));
    }

    /// Until everything has come, or nothing has for `patience`. Says what went wrong, or nothing.
    std::string run() {
        auto last = std::chrono::steady_clock::now();
        for (std::size_t open = all_.size(); open != 0;) {
            polled_.clear();
            for (const auto& each : all_) {
                add(each->path.client.number(), !each->hears[1].done(), !each->says[0].done());
                add(each->path.peer.number(), !each->hears[0].done(), !each->says[1].done());
            }
            ::poll(polled_.data(), polled_.size(), 1000);
            bool moved = false;
            for (std::size_t i = 0; i < polled_.size(); ++i) {
                bulk& b = *all_[i / 2];
                const bool client = i % 2 == 0;
                const auto events = polled_[i].revents;
                if (events == 0) continue;
                moved = true;
                if ((events & ~POLLOUT) != 0 && !b.hears[client ? 1 : 0].go_on(came_, expected_))
                    return "a connection ended before everything had come";
                if ((events & POLLOUT) != 0 && !b.says[client ? 0 : 1].go_on()) return "a connection broke";
            }
            const auto now = std::chrono::steady_clock::now();
            if (moved) {
                last = now;
                open = static_cast<std::size_t>(std::ranges::count_if(all_, [](auto& each) { return !each->done(); }));
            } else if (now - last > patience) {
                return fmt::format("nothing has moved for {} s", patience.count());
            }
        }
        return {};
    }

    [[nodiscard]] std::uint64_t heard(direction d) const noexcept {
        std::uint64_t sum = 0;
        for (const auto& each : all_) sum += each->hears[static_cast<std::size_t>(d)].heard();
        return sum;
    }
    [[nodiscard]] std::uint64_t wrong() const noexcept {
        std::uint64_t sum = 0;
        for (const auto& each : all_) sum += each->hears[0].wrong() + each->hears[1].wrong();
        return sum;
    }

private:
    void add(int descriptor, bool in, bool out) {
        const int wanted = (in ? POLLIN : 0) | (out ? POLLOUT : 0);
        polled_.push_back({wanted == 0 ? -1 : descriptor, static_cast<short>(wanted), 0});
    }

    std::vector<std::unique_ptr<bulk>> all_{};
    std::vector<pollfd> polled_{};
    words came_{}, expected_{};
};

} // namespace

outcome measure_tcp_relay(const load_options& o) {
    outcome result;
    result.clocks = meter(o.pid, o.threads_named);
    const auto work = std::make_unique<transfer>(o);
    result.clocks.start();
    result.failure = work->run();
    result.clocks.stop();
    if (!result.failure.empty()) ++result.failed;
    result.wrong = work->wrong();
    result.total_arrived = {work->heard(direction::up), work->heard(direction::down)};
    result.delivered = {result.total_arrived[0] / unit, result.total_arrived[1] / unit};
    result.total_sent = {o.bytes / o.clients * o.clients, o.bytes / o.clients * o.clients};
    result.sent = 2 * (o.bytes / unit);
    result.arrived = result.units();
    return result;
}

} // namespace turn::bench
