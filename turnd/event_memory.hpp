#pragma once
/// What happened lately, by user, by client address and by relay: what `turnctl why` answers from. Bounded in every
/// direction, so that nobody can make it grow, and strangers cannot make it forget whom it knows.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "line_budget.hpp"
#include "recent_table.hpp"
#include "turn/observer.hpp"

namespace turnd {

/// Something that happened to somebody, the last time it did. Texts are as they came, not fit to print.
struct remembered_event {
    enum class kind : std::uint8_t { refused, relay_begun, relay_ended };
    using time_point = std::chrono::system_clock::time_point;

    kind what{};
    time_point first{}, last{};
    std::uint64_t times = 1; ///< from `first` to `last`

    turn::transport_address client{};
    std::string user{}; ///< as the client called itself; empty: it did not
    std::string realm{};
    turn::allocation_id relay{}; ///< 0: none

    // refused
    turn::reason why{};
    turn::stun::method method{};
    std::uint16_t code = 0;
    bool authenticated = false; ///< false: anybody may have said this name
    turn::transport_address peer{};
    std::string rule{};
    std::chrono::seconds expired_for{0};

    // relay_begun, relay_ended
    turn::transport protocol{};
    turn::transport_address relayed{};
    turn::usage used{}; ///< with the verdict
    turn::allocation_end how{};
};

/// Whose relay it is, from turn::allocation_info or turn::allocation_report.
template <class Allocation>
remembered_event event_of(const Allocation& a, remembered_event::kind what, remembered_event::time_point now) {
    remembered_event e;
    e.what = what;
    e.first = e.last = now;
    e.client = a.client;
    e.user = a.username;
    e.realm = a.realm;
    e.relay = a.id;
    e.protocol = a.protocol;
    e.relayed = a.relayed;
    return e;
}
remembered_event event_of(const turn::refusal&, remembered_event::time_point now);

/// What is known of one user, client or relay.
struct recollection {
    std::vector<remembered_event> events{}; ///< newest first; what is alike is one event with a number
    bool proven = false;                    ///< it has authenticated itself once, or had a relay
};

/// How many are remembered; of what each does, the last `events` different things.
struct memory_limits {
    std::size_t proven = 4096;  ///< users who have authenticated themselves, and as many addresses of such
    std::size_t claimed = 1024; ///< names and addresses for which that is not so
    std::size_t relays = 2048;
    std::size_t events = 12;
    std::size_t realms = 64;
    /// How often a second something is noted whose source nobody has proven: a flood of forged addresses is not worth
    /// the time.
    std::uint32_t strangers_per_second = 1000;
};

/// The user a name stands for: what is behind the colon of a time-limited name, else the name itself.
std::string_view account_of(std::string_view username) noexcept;

/// Called on shard threads: a lock for as long as it takes to note something. Any thread may ask.
class event_memory final : public turn::observer {
public:
    using clock = std::function<remembered_event::time_point()>;

    explicit event_memory(memory_limits = {}, clock = std::chrono::system_clock::now);

    void allocation_created(const turn::allocation_info&) noexcept override;
    void allocation_ended(const turn::allocation_info&, const turn::usage&, turn::allocation_end) noexcept override;
    void request_refused(const turn::refusal&) noexcept override;

    /// `name`: as the client gives it, or the account behind it. Without a realm: in all of them.
    [[nodiscard]] recollection of_user(std::string_view name, std::optional<std::string_view> realm = {}) const;
    /// By IP address; the port does not matter.
    [[nodiscard]] recollection of_client(const turn::transport_address&) const;
    [[nodiscard]] recollection of_relay(turn::allocation_id) const;

    [[nodiscard]] remembered_event::time_point since() const noexcept { return since_; } ///< when it began
    [[nodiscard]] remembered_event::time_point now() const { return now_(); }
    /// Users, clients and relays that are remembered now.
    [[nodiscard]] std::size_t size() const;
    /// Events that were not noted: more of unproven sources than limits say, or no memory.
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

private:
    using events = std::vector<remembered_event>;
    struct ip_hash {
        std::size_t operator()(const turn::transport_address&) const noexcept;
    };
    /// Those who are known, and those who only say so.
    template <class Key, class Hash = std::hash<Key>>
    struct two_tables {
        recent_table<Key, events, Hash> proven;
        recent_table<Key, events, Hash> claimed;
        mutable std::mutex mutex{};
    };

    void note(const remembered_event&, bool proven);
    template <class Key, class Hash>
    void note_in(two_tables<Key, Hash>&, const Key&, const remembered_event&, bool proven) const;
    void add(events&, const remembered_event&) const;

    memory_limits limits_;
    clock now_;
    remembered_event::time_point since_;
    two_tables<std::string> users_; ///< by realm and account
    two_tables<turn::transport_address, ip_hash> clients_;
    recent_table<std::uint64_t, events> relays_;
    mutable std::mutex relays_mutex_{};
    line_budget strangers_;
    std::vector<std::string> realms_{}; ///< those of listeners; under the lock of users_
    std::atomic<std::uint64_t> lost_{0};
};

} // namespace turnd
