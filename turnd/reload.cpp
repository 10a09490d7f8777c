#include "reload.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <type_traits>

#include <fmt/format.h>

#include "configuration.hpp"
#include "keys.hpp"

namespace turnd {
namespace {

constexpr std::string_view nothing = "(not set)";

std::string words(const std::string& text) {
    return text;
}
std::string words(bool on) {
    return on ? "true" : "false";
}
template <class Number>
requires(std::is_unsigned_v<Number> && !std::is_same_v<Number, bool>) std::string words(Number n) {
    return std::to_string(n);
}
std::string words(std::chrono::milliseconds time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    return seconds == time ? fmt::format("{}s", seconds.count()) : fmt::format("{}ms", time.count());
}
std::string words(const std::optional<std::size_t>& n) {
    return n ? std::to_string(*n) : "";
}
std::string words(const std::optional<turn::transport_address>& address) {
    return address ? address->to_string() : "";
}
std::string words(auth_mode mode) {
    return mode == auth_mode::none ? "none" : "credentials";
}
std::string traffic_class(const settings& s) {
    return s.copy_traffic_class ? "copy" : "best-effort";
}
std::string peer_policy(const settings& s) {
    return s.public_peers ? "public" : "allow-list";
}
std::string words(turn::net::backend kind) {
    return kind == turn::net::backend::sockets ? "sockets" : "auto";
}
std::string words(log_level level) {
    constexpr std::array names{"debug", "info", "warning", "error"};
    return names.at(static_cast<std::size_t>(level));
}
std::string words(log_format format) {
    return format == log_format::json ? "json" : "text";
}
std::string words(log_addresses how) {
    return how == log_addresses::hashed ? "hashed" : "plain";
}
std::string words(const turn::address_prefix& prefix) {
    return prefix.to_string();
}
std::string words(const turn::relay_address& relay) {
    return relay.bind.ip_to_string() + (relay.advertised ? "=" + relay.advertised->ip_to_string() : "");
}
std::string words(const user_setting& user) {
    return user.name;
}
template <class List, class Show>
std::string listed(const List& all, Show show) {
    std::string text;
    for (const auto& one : all) text += (text.empty() ? "" : ", ") + show(one);
    return text;
}
template <class Item>
std::string words(const std::vector<Item>& all) {
    return listed(all, [](const Item& one) { return words(one); });
}

/// "udp 192.0.2.1:3478, tcp ..." of the listeners of flags `listen` or `tls-listen`.
template <bool Tls>
std::string listeners(const settings& s) {
    std::vector<std::string> found;
    for (const listener_setting& l : s.listeners)
        if (is_secure(l.protocol) == Tls)
            found.push_back(fmt::format("{} {}{}{}", turn::name(l.protocol), l.address.to_string(),
                                        l.realm.empty() ? "" : " of ", l.realm));
    return words(found);
}

template <std::string turn::certificate_files::*File>
std::string certificates(const settings& s) {
    std::vector<std::string> found;
    for (const listener_setting& l : s.listeners)
        if (is_secure(l.protocol))
            for (const auto& pair : certificates_of(l, s))
                if (found.empty() || found.back() != pair.*File) found.push_back(pair.*File); // TLS and DTLS share them
    return words(found);
}

std::string secrets(const settings& s) {
    return s.rest_secrets.empty()
               ? ""
               : fmt::format("{} secret{}", s.rest_secrets.size(), s.rest_secrets.size() == 1 ? "" : "s");
}

void take_nothing(settings&, const settings&) {}

/// A key that is these members of settings.
template <auto Member, auto... Others>
constexpr reload_rule rule(std::string_view key, takes_effect when) {
    return {key, when, [](const settings& s) { return (words(s.*Member) + ... + ("-" + words(s.*Others))); },
            [](settings& into, const settings& from) {
                into.*Member = from.*Member;
                ((into.*Others = from.*Others), ...);
            }};
}

using enum takes_effect;

// clang-format off
constexpr std::array rules{
    // Which file it is stays as it was at the start; what it says is what a reload is about.
    reload_rule{"config", after_restart, [](const settings&) { return std::string(); }, take_nothing},
    reload_rule{"listen", after_restart, listeners<false>, take_nothing},
    reload_rule{"tls-listen", after_restart, listeners<true>, take_nothing},
    reload_rule{"cert", after_restart, certificates<&turn::certificate_files::chain>, take_nothing},
    reload_rule{"key", after_restart, certificates<&turn::certificate_files::key>, take_nothing},
    rule<&settings::realm>("realm", after_restart),
    rule<&settings::auth>("auth", after_restart),
    rule<&settings::allow_anonymous_relay>("allow-anonymous-relay", after_restart),
    rule<&settings::users>("user", at_once),
    reload_rule{"rest-secret-file", at_once, secrets,
                [](settings& into, const settings& from) { into.rest_secrets = from.rest_secrets; }},
    rule<&settings::user_database>("user-database", after_restart),
    rule<&settings::username_anonymity>("username-anonymity", after_restart),
    rule<&settings::integrity_failure_code>("integrity-failure-code", at_once),
    rule<&settings::stale_nonce>("stale-nonce", at_once),
    rule<&settings::relay_addresses>("relay-address", after_restart),
    rule<&settings::relay_port_min, &settings::relay_port_max>("relay-ports", after_restart),
    rule<&settings::tcp_relay>("tcp-relay", after_restart),
    reload_rule{"traffic-class", after_restart, traffic_class, take_nothing},
    reload_rule{"peer-policy", at_once, peer_policy,
                [](settings& into, const settings& from) { into.public_peers = from.public_peers; }},
    rule<&settings::allow_peers>("allow-peer", at_once),
    rule<&settings::deny_peers>("deny-peer", at_once),
    rule<&settings::allocations_total>("allocations-total", at_once),
    rule<&settings::allocations_per_user>("allocations-per-user", at_once),
    rule<&settings::bandwidth_per_allocation>("bandwidth-per-allocation", at_once),
    rule<&settings::permissions_per_allocation>("permissions-per-allocation", at_once),
    rule<&settings::channels_per_allocation>("channels-per-allocation", at_once),
    rule<&settings::peer_connections_per_allocation>("peer-connections-per-allocation", at_once),
    rule<&settings::unauthenticated_bytes_per_second>("unauthenticated-bytes-per-second", at_once),
    rule<&settings::unauthenticated_exempt>("unauthenticated-exempt", at_once),
    rule<&settings::connections_without_allocation>("connections-without-allocation", at_once),
    rule<&settings::connections_per_source>("connections-per-source", at_once),
    rule<&settings::connection_idle_timeout>("connection-idle-timeout", at_once),
    rule<&settings::tls_handshake_timeout>("tls-handshake-timeout", at_once),
    rule<&settings::client_queue_bytes>("client-queue-bytes", at_once),
    rule<&settings::client_queue_age>("client-queue-age", at_once),
    rule<&settings::threads>("threads", after_restart),
    rule<&settings::backend>("backend", after_restart),
    rule<&settings::drain_timeout>("drain-timeout", at_once),
    rule<&settings::counters_file>("counters-file", at_once),
    rule<&settings::admin_socket>("admin-socket", after_restart),
    rule<&settings::status_listen>("status-listen", after_restart),
    rule<&settings::log_level>("log-level", at_once),
    rule<&settings::log_format>("log-format", at_once),
    rule<&settings::log_addresses>("log-addresses", at_once),
};
// clang-format on

std::string name_in_file(std::string_view key) {
    const turnd::key* const known = find_key(key);
    return std::string(known == nullptr || known->path.empty() ? key : known->path);
}

/// Names, and which of them have another password than before.
std::string users_after(const settings& wanted, const credential_changes& credentials) {
    return listed(wanted.users, [&](const user_setting& user) {
        const bool other = std::any_of(credentials.ended.begin(), credentials.ended.end(),
                                       [&](const user_in_realm& u) { return u.name == user.name; });
        return user.name + (other ? " (new password)" : "");
    });
}

std::string secrets_after(const settings& wanted, const credential_changes& credentials) {
    const std::string now = secrets(wanted);
    return credentials.new_secrets == 0 || now.empty() ? now : fmt::format("{} ({} new)", now, credentials.new_secrets);
}

} // namespace

std::string change::to_string() const {
    return fmt::format("{}: {} -> {}{}", key, from.empty() ? nothing : from, to.empty() ? nothing : to,
                       when == after_restart ? " (needs a restart)" : "");
}

std::span<const reload_rule> reload_rules() noexcept {
    return rules;
}

std::vector<change> changes_between(const settings& running, const settings& wanted,
                                    const credential_changes& credentials) {
    std::vector<change> changes;
    for (const reload_rule& r : rules) {
        std::string from = r.show(running);
        std::string to = r.key == "user"               ? users_after(wanted, credentials)
                         : r.key == "rest-secret-file" ? secrets_after(wanted, credentials)
                                                       : r.show(wanted);
        if (from != to) changes.push_back({name_in_file(r.key), std::move(from), std::move(to), r.when});
    }
    return changes;
}

settings after_reload(settings running, const settings& wanted) {
    for (const reload_rule& r : rules)
        if (r.when == at_once) r.take(running, wanted);
    return running;
}

} // namespace turnd
