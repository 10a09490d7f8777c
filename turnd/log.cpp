#include "log.hpp"

#include <atomic>
#include <utility>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "printable.hpp"
#include "turn/stun/credentials.hpp"

namespace turnd {
namespace {

std::string_view word(log_level level) {
    switch (level) {
    case log_level::debug:
        return "debug";
    case log_level::info:
        return "info";
    case log_level::warning:
        return "warning";
    case log_level::error:
        return "error";
    }
    return "error";
}

spdlog::level::level_enum spdlog_level(log_level level) {
    switch (level) {
    case log_level::debug:
        return spdlog::level::debug;
    case log_level::info:
        return spdlog::level::info;
    case log_level::warning:
        return spdlog::level::warn;
    case log_level::error:
        return spdlog::level::err;
    }
    return spdlog::level::err;
}

std::string timestamp(std::chrono::system_clock::time_point when) {
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(when);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(ms);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                       (ms - seconds).count());
}

/// In quotes where a reader could take it for more than one word.
std::string text_value(std::string_view text) {
    std::string safe = printable(text);
    if (safe.find_first_of(" =\"") == std::string::npos) return safe;
    std::string quoted = "\"";
    for (const char c : safe) {
        if (c == '"') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

std::string shown(const address_of_somebody& somebody, const address_names* names) {
    return names == nullptr ? somebody.address.to_string() : names->name(somebody.address);
}

std::vector<std::string> shown(const addresses_of_somebody& several, const address_names* names) {
    std::vector<std::string> all;
    for (const turn::transport_address& address : several.addresses) all.push_back(shown({address}, names));
    return all;
}

std::string text_line(log_level level, std::string_view message, std::initializer_list<field> fields,
                      std::chrono::system_clock::time_point when, const address_names* names) {
    std::string line = fmt::format("{} {:<7} {}", timestamp(when), word(level), printable(message));
    for (const field& f : fields) {
        if (f.empty()) continue;
        line += fmt::format(" {}=", f.name);
        if (const auto* text = std::get_if<std::string_view>(&f.value))
            line += text_value(*text);
        else if (const auto* number = std::get_if<std::uint64_t>(&f.value))
            line += std::to_string(*number);
        else if (const auto* somebody = std::get_if<address_of_somebody>(&f.value))
            line += shown(*somebody, names);
        else if (const auto* several = std::get_if<addresses_of_somebody>(&f.value))
            line += fmt::format("{}", fmt::join(shown(*several, names), ","));
        else
            line += std::get<bool>(f.value) ? "yes" : "no";
    }
    return line;
}

std::string json_line(log_level level, std::string_view message, std::initializer_list<field> fields,
                      std::chrono::system_clock::time_point when, const address_names* names) {
    nlohmann::ordered_json line;
    line["time"] = timestamp(when);
    line["level"] = word(level);
    line["message"] = printable(message);
    for (const field& f : fields) {
        if (f.empty()) continue;
        auto& value = line[std::string(f.name)];
        if (const auto* text = std::get_if<std::string_view>(&f.value))
            value = printable(*text);
        else if (const auto* number = std::get_if<std::uint64_t>(&f.value))
            value = *number;
        else if (const auto* somebody = std::get_if<address_of_somebody>(&f.value))
            value = shown(*somebody, names);
        else if (const auto* several = std::get_if<addresses_of_somebody>(&f.value))
            value = shown(*several, names);
        else
            value = std::get<bool>(f.value);
    }
    return line.dump();
}

/// Hands each line to a function.
class function_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit function_sink(logger::sink to) : to_(std::move(to)) {}

private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        to_(std::string_view(message.payload.data(), message.payload.size()));
    }
    void flush_() override {}

    logger::sink to_;
};

spdlog::sink_ptr make_sink(logger::sink to) {
    if (to) return std::make_shared<function_sink>(std::move(to));
    return std::make_shared<spdlog::sinks::stderr_sink_mt>();
}

} // namespace

std::string format_line(log_format format, log_level level, std::string_view message,
                        std::initializer_list<field> fields, std::chrono::system_clock::time_point when,
                        const address_names* names) {
    return format == log_format::json ? json_line(level, message, fields, when, names)
                                      : text_line(level, message, fields, when, names);
}

address_names::address_names() {
    const auto random = turn::stun::make_nonce_secret(); // 32 bytes of the CSPRNG
    for (const std::byte b : random) secret_ += static_cast<char>(b);
}

std::string address_names::name(const turn::transport_address& address) const {
    // base64(HMAC-SHA1(secret, address)); 12 of its characters are 72 bits, and + and / are letters elsewhere.
    std::string token = turn::stun::rest_password(secret_, address.ip_to_string()).substr(0, 12);
    for (char& c : token) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return "~" + token;
}

/// shared_ptr because spdlog's interface wants it so; none leaves this struct.
struct logger::state {
    std::shared_ptr<spdlog::details::thread_pool> thread;
    std::shared_ptr<spdlog::async_logger> lines;
    std::atomic<std::uint64_t> failed{0};
};

logger::logger(log_level level, log_format format, sink to)
    : level_(level), format_(format), state_(std::make_unique<state>()) {
    state_->thread = std::make_shared<spdlog::details::thread_pool>(queue_size, 1);
    state_->lines = std::make_shared<spdlog::async_logger>("turnd", make_sink(std::move(to)), state_->thread,
                                                           spdlog::async_overflow_policy::overrun_oldest);
    state_->lines->set_level(spdlog::level::trace); // what is wanted is decided here, before formatting
    state_->lines->set_formatter(
        std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::utc, "\n"));
}

logger::~logger() = default;

void logger::write(log_level level, std::string_view message, std::initializer_list<field> fields) noexcept {
    if (wants(level)) write_always(level, message, fields);
}

void logger::write_always(log_level level, std::string_view message, std::initializer_list<field> fields) noexcept {
    try {
        const bool hashed = addresses_.load(std::memory_order_relaxed) == log_addresses::hashed;
        const address_names* const names = hashed ? &names_ : nullptr;
        state_->lines->log(spdlog_level(level),
                           spdlog::string_view_t(
                               format_line(format_, level, message, fields, std::chrono::system_clock::now(), names)));
    } catch (...) {
        state_->failed.fetch_add(1, std::memory_order_relaxed);
    }
}

std::uint64_t logger::dropped() const noexcept {
    return state_->failed.load(std::memory_order_relaxed) + state_->thread->overrun_counter();
}

} // namespace turnd
