#pragma once
/// The observer that writes what happens into the log: relays that ended, and every "no" with its reason code.

#include <chrono>
#include <functional>
#include <string_view>
#include <utility>

#include "line_budget.hpp"
#include "log.hpp"
#include "refusal_digest.hpp"
#include "turn/observer.hpp"

namespace turnd {

/// How loud a refusal is. First challenges and stale nonces are how TURN works, browsers offer private candidates
/// (403) all day: debug. What a user or his administrator can mend: info. What this server lacks: warning.
log_level level_of(turn::reason) noexcept;

/// "allocate", "create-permission", ...; "unknown" for methods that are none of ours.
std::string_view name_of(turn::stun::method) noexcept;
std::string_view name_of(turn::allocation_end) noexcept;

/// Called on shard threads. Outlives the server; `to` outlives it. What a user or an administrator can mend is told
/// once, then once a minute with its number; what is written at level debug is written as it comes.
class event_log final : public turn::observer {
public:
    static constexpr std::uint32_t refusals_per_second = 20;
    static constexpr std::uint32_t relays_per_second = 200;

    using clock = std::function<std::chrono::steady_clock::time_point()>;

    explicit event_log(logger& to, clock now = std::chrono::steady_clock::now) : log_(to), now_(std::move(now)) {}
    /// Says what has not been said, and how many lines were held back.
    ~event_log() override;

    void allocation_created(const turn::allocation_info&) noexcept override;
    void allocation_ended(const turn::allocation_info&, const turn::usage&, turn::allocation_end) noexcept override;
    void certificates_changed(const turn::transport_address& listener, std::string_view error) noexcept override;
    void request_refused(const turn::refusal&) noexcept override;

    /// Writes of repeated refusals what has waited for its minute. Call every few seconds, from any thread.
    void say_due() noexcept;

private:
    void say(const std::vector<remembered_event>& refusals) noexcept;
    void say(const remembered_event&) noexcept;
    void say_held_back(std::string_view what, std::uint64_t lines) noexcept;

    logger& log_;
    clock now_;
    refusal_digest repeated_{};
    line_budget refusals_{refusals_per_second};
    line_budget created_{relays_per_second};
    line_budget ended_{relays_per_second};
};

} // namespace turnd
