#pragma once
/// Log lines on stderr, for people or for machines. Never blocks: lines wait in a bounded queue for a thread of its
/// own, and are counted when there is no room.

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "settings.hpp"

namespace turnd {

/// One fact of a line. Texts may come from anybody: they are made printable. Without a value, and with an empty text,
/// it is left out.
struct field {
    std::string_view name{};
    std::variant<std::monostate, std::string_view, std::uint64_t, bool> value{};

    [[nodiscard]] bool empty() const noexcept {
        const auto* text = std::get_if<std::string_view>(&value);
        return std::holds_alternative<std::monostate>(value) || (text != nullptr && text->empty());
    }
};

/// A line as it is printed, without its end: `2026-11-21T01:14:34.123Z info  relay ended user="ann" bytes-up=12`, or
/// one JSON object. `when` is UTC.
std::string format_line(log_format, log_level, std::string_view message, std::initializer_list<field>,
                        std::chrono::system_clock::time_point when);

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

    [[nodiscard]] bool wants(log_level level) const noexcept { return level >= level_; }
    /// Formats on the calling thread; never throws and never waits for the terminal. Oldest lines give way.
    void write(log_level, std::string_view message, std::initializer_list<field> = {}) noexcept;
    /// Also when `level` is not wanted: for the lines that scripts wait for.
    void write_always(log_level, std::string_view message, std::initializer_list<field> = {}) noexcept;
    /// Lines lost because the queue was full or memory was short.
    [[nodiscard]] std::uint64_t dropped() const noexcept;

private:
    struct state;
    log_level level_;
    log_format format_;
    std::unique_ptr<state> state_;
};

} // namespace turnd
