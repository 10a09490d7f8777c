#pragma once
/// The observer that writes what happens into the log: relays that ended, and every "no" with its reason code.

#include <string_view>

#include "line_budget.hpp"
#include "log.hpp"
#include "turn/observer.hpp"

namespace turnd {

/// How loud a refusal is. First challenges and stale nonces are how TURN works, browsers offer private candidates
/// (403) all day: debug. What a user or his administrator can mend: info. What this server lacks: warning.
log_level level_of(turn::reason) noexcept;

/// "allocate", "create-permission", ...; "unknown" for methods that are none of ours.
std::string_view name_of(turn::stun::method) noexcept;
std::string_view name_of(turn::allocation_end) noexcept;

/// Called on shard threads. Outlives the server; `to` outlives it.
class event_log final : public turn::observer {
public:
    static constexpr std::uint32_t refusals_per_second = 20;
    static constexpr std::uint32_t relays_per_second = 200;

    explicit event_log(logger& to) noexcept : log_(to) {}
    /// Says how many lines were held back.
    ~event_log() override;

    void allocation_created(const turn::allocation_info&) noexcept override;
    void allocation_ended(const turn::allocation_info&, const turn::usage&, turn::allocation_end) noexcept override;
    void certificates_changed(const turn::transport_address& listener, std::string_view error) noexcept override;
    void request_refused(const turn::refusal&) noexcept override;

private:
    void say_held_back(std::string_view what, std::uint64_t lines) noexcept;

    logger& log_;
    line_budget refusals_{refusals_per_second};
    line_budget created_{relays_per_second};
    line_budget ended_{relays_per_second};
};

} // namespace turnd
