#pragma once
/// Log lines on stderr, for people or for machines. Never blocks: lines wait in a bounded queue for a thread of its
/// own, and are counted when there is no room.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "settings.hpp"
#include "turn/transport_address.hpp"

namespace turnd {

/// The address of a client or a peer, which is somebody: log.addresses says how it is shown. What is this server's own
/// is given as text.
struct address_of_somebody {
    turn::transport_address address{};

    /// Nobody's: 0.0.0.0:0, as where an event concerns no peer.
    [[nodiscard]] bool empty() const noexcept { return address.port == 0 && address.is_unspecified(); }
};

/// Several such. They outlive the line.
struct addresses_of_somebody {
    std::span<const turn::transport_address> addresses{};
};

/// One fact of a line. Texts may come from anybody: they are made printable. Without a value, and with an empty one,
/// it is left out.
struct field {
    std::string_view name{};
    std::variant<std::monostate, std::string_view, std::uint64_t, bool, address_of_somebody, addresses_of_somebody>
        value{};

    [[nodiscard]] bool empty() const noexcept {
        const auto* text = std::get_if<std::string_view>(&value);
        const auto* somebody = std::get_if<address_of_somebody>(&value);
        const auto* several = std::get_if<addresses_of_somebody>(&value);
        return std::holds_alternative<std::monostate>(value) || (text != nullptr && text->empty()) ||
               (somebody != nullptr && somebody->empty()) || (several != nullptr && several->addresses.empty());
    }
};

/// Names for addresses of clients and peers, by a secret that lasts as long as this object.
class address_names {
public:
    address_names();
    /// "~5fAa90-1d_e3": the same for every port of one IP address, and nothing that leads back to it. Ports are left
    /// out, as they tell whom of many a carrier's NAT stands for.
    [[nodiscard]] std::string name(const turn::transport_address&) const;

private:
    std::string secret_;
};

/// A line as it is printed, without its end: `2026-11-21T01:14:34.123Z info  relay ended user="ann" bytes-up=12`, or
/// one JSON object. `when` is UTC. `names`: nullptr shows addresses as they are.
std::string format_line(log_format, log_level, std::string_view message, std::initializer_list<field>,
                        std::chrono::system_clock::time_point when, const address_names* names = nullptr);

/// Thread-safe. The destructor prints what is still in the queue.
class logger {
public:
    /// Takes finished lines; called on the log's own thread.
    using sink = std::function<void(std::string_view line)>;
    static constexpr std::size_t queue_size = 8192; ///< lines

    /// Without a sink: stderr.
    logger(log_level, log_format, sink = {});
    ~logger();
    logger(const logger&) = delete;
    logger& operator=(const logger&) = delete;

    /// From the next line on; any thread.
    void set_level(log_level level) noexcept { level_.store(level, std::memory_order_relaxed); }
    void set_format(log_format format) noexcept { format_.store(format, std::memory_order_relaxed); }
    void set_addresses(log_addresses how) noexcept { addresses_.store(how, std::memory_order_relaxed); }

    [[nodiscard]] log_level level() const noexcept { return level_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool wants(log_level level) const noexcept { return level >= this->level(); }
    /// Formats on the calling thread; never throws and never waits for the terminal. Oldest lines give way.
    void write(log_level, std::string_view message, std::initializer_list<field> = {}) noexcept;
    /// Also when `level` is not wanted: for the lines that scripts wait for.
    void write_always(log_level, std::string_view message, std::initializer_list<field> = {}) noexcept;
    /// Lines lost because the queue was full or memory was short.
    [[nodiscard]] std::uint64_t dropped() const noexcept;

private:
    struct state;
    std::atomic<log_level> level_;
    std::atomic<log_format> format_;
    std::atomic<log_addresses> addresses_{log_addresses::plain};
    address_names names_{};
    std::unique_ptr<state> state_;
};

} // namespace turnd
