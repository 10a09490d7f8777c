#pragma once
/// "Why did this call fail": what is remembered of a user, a client or a relay and what its live relays say, put into
/// words with a remedy.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event_memory.hpp"
#include "turn/allocation_report.hpp"

namespace turnd {

enum class why_outcome : std::uint8_t {
    unknown,      ///< nothing is remembered
    ok,           ///< it works, and nothing was in the way
    recovered,    ///< it works now; `reason` is what was in the way before
    failing,      ///< `reason` is in the way
    inconclusive, ///< neither: a challenge nobody came back from, a relay nobody used
};

/// "unknown", "ok", "recovered", "failing", "inconclusive".
std::string_view name_of(why_outcome) noexcept;

/// An event of the memory, fit to print: texts of strangers have been made printable.
struct told_event {
    remembered_event::time_point first{}, last{};
    std::uint64_t times = 1;     ///< from `first` to `last`; the rest is of the last one
    std::string what{};          ///< "refused", "relay-begun", "relay-ended"
    std::string reason{};        ///< of a refusal: its code; of an end: the verdict
    std::uint16_t code = 0;      ///< of a refusal: ERROR-CODE on the wire
    std::string method{};        ///< of a refusal: "allocate", ...
    std::string client{};        ///< address and port
    std::string user{}, realm{}; ///< as claimed
    bool authenticated = true;   ///< false: anybody may have used this name
    std::uint64_t relay = 0;     ///< 0: none
    std::string peer{}, rule{};  ///< of a refused peer
    std::optional<std::chrono::seconds> expired_for{};
    std::string ended_by{};             ///< of an end: "client-ended", "expired", ...
    std::optional<turn::usage> usage{}; ///< of an end
    std::string text{};                 ///< all of it in a sentence
};

/// The answer. All texts are printable.
struct why_answer {
    std::string subject{}; ///< what was asked: "user ann", "client 192.0.2.7", "relay 17"
    why_outcome outcome{};
    std::string reason{};                          ///< the newest finding's code, e.g. "bad-password"; empty: none
    std::uint16_t code = 0;                        ///< which the wire said; 0: none
    remembered_event::time_point time{};           ///< when it happened last
    std::uint64_t times = 0;                       ///< how often; 0: no finding
    std::string explanation{};                     ///< what happened, in words
    std::string remedy{};                          ///< what to do
    std::vector<told_event> events{};              ///< newest first
    std::vector<turn::allocation_report> relays{}; ///< alive, as they were given; usernames are not made printable
    remembered_event::time_point remembered_since{};
};

/// `live`: the relays of this user, client or id that are alive, from server::allocations().
why_answer why_user(const event_memory&, std::string_view user, std::optional<std::string_view> realm,
                    std::vector<turn::allocation_report> live);
why_answer why_client(const event_memory&, const turn::transport_address&, std::vector<turn::allocation_report> live);
why_answer why_relay(const event_memory&, turn::allocation_id, std::vector<turn::allocation_report> live);

} // namespace turnd
