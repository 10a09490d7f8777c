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

turn::credential_answer credential_directory::look_up(const turn::credential_question& who,
                                                      std::chrono::system_clock::time_point now) const {
    const auto* const user =
        who.userhash ? users_.find(who.realm, *who.userhash) : users_.find(who.realm, who.username);
    if (user == nullptr) return rest_.look_up(who, now);
    turn::credential found;
    found.key = user->keys.of(who.algorithm);
    found.alternatives = decoys_;
    found.username = user->name;
    return found;
}

credential_changes credential_directory::changes_to(const credential_directory& next) const {
    credential_changes changes;
    users_.for_each([&](const std::string& realm, const known_user& user) {
        const known_user* const now = next.users_.find(realm, user.name);
        if (now == nullptr || now->keys.sha256.value != user.keys.sha256.value)
            changes.ended.push_back({realm, user.name});
    });
    changes.new_secrets = next.rest_.secrets_missing_in(rest_);
    return changes;
}

std::shared_ptr<const credential_directory> current_directory::now() const {
    const std::lock_guard lock(mutex_);
    return now_;
}

void current_directory::replace(std::shared_ptr<const credential_directory> next) {
    const std::lock_guard lock(mutex_);
    now_.swap(next); // the old one ends behind the lock
}

turn::credential_source source_of(const current_directory& directory) {
    return [&directory](const turn::credential_question& who, const turn::credential_reply& reply) {
        reply(directory.now()->look_up(who, std::chrono::system_clock::now()));
    };
}

turn::credential_source source_of(const current_directory& directory, user_lookups& database) {
    return [&](const turn::credential_question& who, turn::credential_reply reply) {
        auto now = directory.now();
        turn::credential_answer known = now->look_up(who, std::chrono::system_clock::now());
        if (known.found) return reply(std::move(known));
        const auto filled_up = [now = std::move(now), reply = std::move(reply)](turn::credential_answer answer) {
            if (answer.found) answer.found->alternatives = now->decoys();
            reply(std::move(answer));
        };
        database.ask(who, std::move(known), filled_up);
    };
}

} // namespace turnd
