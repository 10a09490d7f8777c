#include "event_log.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace turnd {
namespace {

std::uint64_t whole(std::chrono::seconds time) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.count()));
}

std::string additional_of(const turn::allocation_info& a) {
    return a.relayed_additional.port == 0 ? std::string() : a.relayed_additional.to_string();
}

} // namespace

log_level level_of(turn::reason why) noexcept {
    using turn::reason;
    switch (why) {
    case reason::unknown_user:
    case reason::bad_password:
    case reason::expired:
    case reason::wrong_realm:
    case reason::wrong_credentials:
    case reason::quota_user:
    case reason::bad_token:
    case reason::permission_limit:
    case reason::channel_limit:
    case reason::draining:
    case reason::redirected:
    case reason::algorithms_altered:
        return log_level::info;

    case reason::credential_source_failed:
    case reason::credential_timeout:
    case reason::lookups_full:
    case reason::quota_total:
    case reason::no_ports:
    case reason::no_descriptors:
    case reason::out_of_memory:
        return log_level::warning;

    default:
        return log_level::debug;
    }
}

std::string_view name_of(turn::stun::method m) noexcept {
    using turn::stun::method;
    switch (m) {
    case method::binding:
        return "binding";
    case method::allocate:
        return "allocate";
    case method::refresh:
        return "refresh";
    case method::send:
        return "send";
    case method::data:
        return "data";
    case method::create_permission:
        return "create-permission";
    case method::channel_bind:
        return "channel-bind";
    case method::connect:
        return "connect";
    case method::connection_bind:
        return "connection-bind";
    case method::connection_attempt:
        return "connection-attempt";
    }
    return "unknown";
}

/// Nothing for the usual one.
std::string_view peer_transport_of(const turn::allocation_info& a) noexcept {
    return a.relayed_protocol == turn::transport::udp ? std::string_view() : turn::name(a.relayed_protocol);
}

std::string_view name_of(turn::allocation_end how) noexcept {
    using turn::allocation_end;
    switch (how) {
    case allocation_end::refreshed_to_zero:
        return "client-ended";
    case allocation_end::expired:
        return "expired";
    case allocation_end::user_removed:
        return "user-removed";
    case allocation_end::disconnected:
        return "disconnected";
    case allocation_end::shutdown:
        return "shutdown";
    case allocation_end::kicked:
        return "kicked";
    }
    return "unknown";
}

event_log::~event_log() {
    try {
        say(repeated_.rest());
    } catch (...) {
        // Out of memory for log lines at the end.
    }
    say_held_back("refusals", refusals_.held_back());
    say_held_back("new relays", created_.held_back());
    say_held_back("ended relays", ended_.held_back());
}

void event_log::say_held_back(std::string_view what, std::uint64_t lines) noexcept {
    if (lines != 0) log_.write(log_level::info, "lines held back", {{"about", what}, {"count", lines}});
}

void event_log::allocation_created(const turn::allocation_info& a) noexcept try {
    if (!log_.wants(log_level::debug)) return;
    const auto held_back = created_.take(now_());
    if (!held_back) return;
    say_held_back("new relays", *held_back);
    const std::string server = a.server.to_string();
    const std::string relayed = a.relayed.to_string();
    const std::string additional = additional_of(a);
    log_.write(log_level::debug, "relay begun",
               {{"id", static_cast<std::uint64_t>(a.id)},
                {"user", a.username},
                {"realm", a.realm},
                {"transport", turn::name(a.protocol)},
                {"client", address_of_somebody{a.client}},
                {"server", server},
                {"relayed", relayed},
                {"relayed-additional", additional},
                {"peer-transport", peer_transport_of(a)}});
} catch (...) {
    // Out of memory for a log line: the relay goes on.
}

void event_log::allocation_ended(const turn::allocation_info& a, const turn::usage& used,
                                 turn::allocation_end how) noexcept try {
    if (!log_.wants(log_level::info)) return;
    const auto held_back = ended_.take(now_());
    if (!held_back) return;
    say_held_back("ended relays", *held_back);
    const std::string relayed = a.relayed.to_string();
    const std::string additional = additional_of(a);
    log_.write(log_level::info, "relay ended",
               {{"id", static_cast<std::uint64_t>(a.id)},
                {"user", a.username},
                {"realm", a.realm},
                {"transport", turn::name(a.protocol)},
                {"client", address_of_somebody{a.client}},
                {"relayed", relayed},
                {"relayed-additional", additional},
                {"peer-transport", peer_transport_of(a)},
                {"peers", addresses_of_somebody{a.peers}},
                {"why", name_of(how)},
                {"verdict", turn::name(used.verdict)},
                {"seconds", whole(used.age)},
                {"packets-up", used.packets_up},
                {"bytes-up", used.bytes_up},
                {"packets-down", used.packets_down},
                {"bytes-down", used.bytes_down}});
} catch (...) {
    // As above.
}

void event_log::certificates_changed(const turn::transport_address& listener, std::string_view error) noexcept try {
    const std::string address = listener.to_string();
    if (error.empty())
        log_.write(log_level::info, "certificates renewed", {{"listener", address}});
    else
        log_.write(log_level::warning, "new certificates cannot be used; the old ones stay",
                   {{"listener", address}, {"why", error}});
} catch (...) {
    // As above.
}

void event_log::request_refused(const turn::refusal& r) noexcept try {
    const log_level level = level_of(r.why);
    if (!log_.wants(level)) return;
    remembered_event e = event_of(r, std::chrono::system_clock::now());
    if (level == log_level::debug) return say(e);
    say(repeated_.take(std::move(e), now_()));
} catch (...) {
    // As above.
}

void event_log::say_due() noexcept try { say(repeated_.due(now_())); } catch (...) {
    // As above.
}

void event_log::say(const std::vector<remembered_event>& refusals) noexcept {
    for (const remembered_event& e : refusals) say(e);
}

void event_log::say(const remembered_event& e) noexcept {
    const auto held_back = refusals_.take(now_());
    if (!held_back) return;
    say_held_back("refusals", *held_back);
    field expired{"expired-for-seconds"}, times{"times"}, within{"within-seconds"};
    if (e.why == turn::reason::expired) expired.value = whole(e.expired_for);
    if (e.times > 1) {
        times.value = e.times;
        within.value = whole(std::chrono::ceil<std::chrono::seconds>(e.last - e.first));
    }
    log_.write(level_of(e.why), "request refused",
               {{"reason", turn::name(e.why)},
                {"method", name_of(e.method)},
                {"code", std::uint64_t{e.code}},
                {"client", address_of_somebody{e.client}},
                {"user", e.user},
                {"realm", e.realm},
                {"peer", address_of_somebody{e.peer}},
                {"rule", e.rule},
                expired,
                times,
                within});
}

} // namespace turnd
