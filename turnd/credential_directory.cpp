#include "credential_directory.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "configuration.hpp"
#include "file_text.hpp"
#include "turn/stun/credentials.hpp"

namespace turnd {
namespace {

/// Without a limit of the operator's own, holders of time-limited credentials get the usual one.
std::size_t rest_limit(const settings& s) {
    return s.allocations_per_user ? 0 : rest_allocation_limit;
}

std::vector<turn::stun::credential_key> random_keys(std::size_t n) {
    std::vector<turn::stun::credential_key> keys(n);
    for (turn::stun::credential_key& key : keys) {
        key.value = turn::stun::make_nonce_secret(); // 32 bytes of the CSPRNG
        key.size = 16;
    }
    return keys;
}

} // namespace

credential_directory::credential_directory(settings& from)
    : rest_(from.rest_secrets, rest_limit(from)),
      decoys_(random_keys(std::max<std::size_t>(1, from.rest_secrets.size()) - 1)) {
    std::set<std::string_view> realms;
    for (const listener_setting& listener : from.listeners) realms.insert(realm_of(listener, from));
    for (const std::string_view realm : realms)
        for (const user_setting& user : from.users)
            // The configuration has let only acceptable names, realms and passwords through.
            static_cast<void>(users_.add(realm, user.name, user.password));
    for (user_setting& user : from.users) wipe(user.password);
    for (std::string& secret : from.rest_secrets) wipe(secret);
}

turn::credential_answer credential_directory::look_up(std::string_view username, std::string_view realm,
                                                      std::chrono::system_clock::time_point now) const {
    if (const turn::stun::credential_key* key = users_.find(realm, username)) {
        turn::credential found;
        found.key = *key;
        found.alternatives = decoys_;
        return found;
    }
    return rest_.look_up(username, realm, now);
}

turn::credential_source source_of(const credential_directory& directory) {
    return [&directory](std::string_view username, std::string_view realm, const turn::credential_reply& reply) {
        reply(directory.look_up(username, realm, std::chrono::system_clock::now()));
    };
}

turn::credential_source source_of(const credential_directory& directory, user_lookups& database) {
    return [&](std::string_view username, std::string_view realm, turn::credential_reply reply) {
        turn::credential_answer known = directory.look_up(username, realm, std::chrono::system_clock::now());
        if (known.found) return reply(std::move(known));
        database.ask(username, realm, std::move(known), std::move(reply));
    };
}

} // namespace turnd
