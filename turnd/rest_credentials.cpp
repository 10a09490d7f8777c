#include "rest_credentials.hpp"

#include <algorithm>
#include <utility>

#include "turn/stun/credentials.hpp"

namespace turnd {

std::optional<time_limited_name> parse_time_limited_name(std::string_view username) noexcept {
    const std::size_t colon = username.find(':');
    const std::string_view digits = username.substr(0, colon);
    // 15 digits reach beyond the year 31 000 000 and cannot overflow any clock; a sign is not a digit.
    if (digits.empty() || digits.size() > 15) return {};
    std::int64_t seconds = 0;
    for (const char c : digits) {
        if (c < '0' || c > '9') return {};
        seconds = seconds * 10 + (c - '0');
    }
    return time_limited_name{std::chrono::sys_seconds(std::chrono::seconds(seconds)),
                             colon == std::string_view::npos ? std::string_view{} : username.substr(colon + 1)};
}

rest_credentials::rest_credentials(std::vector<std::string> secrets, std::size_t allocation_limit)
    : secrets_(std::move(secrets)), allocation_limit_(allocation_limit) {}

std::size_t rest_credentials::secrets_missing_in(const rest_credentials& other) const {
    return static_cast<std::size_t>(std::count_if(secrets_.begin(), secrets_.end(), [&](const std::string& mine) {
        return std::find(other.secrets_.begin(), other.secrets_.end(), mine) == other.secrets_.end();
    }));
}

turn::credential_answer rest_credentials::look_up(const turn::credential_question& who,
                                                  std::chrono::system_clock::time_point now) const {
    const std::string_view username = who.username;
    const auto name = parse_time_limited_name(username);
    // Control characters or bad UTF-8 in the name: nobody issues such credentials.
    if (!name || secrets_.empty() || !turn::stun::opaque_string(username))
        return {turn::reason::unknown_user, {}, std::max<std::size_t>(1, secrets_.size())};
    const auto seconds_now = std::chrono::floor<std::chrono::seconds>(now);
    if (seconds_now > name->expiry) return {turn::reason::expired, seconds_now - name->expiry, secrets_.size()};

    turn::credential found;
    found.account = name->user;
    found.allocation_limit = allocation_limit_;
    for (const std::string& secret : secrets_) {
        const auto key =
            turn::stun::long_term_key(who.algorithm, username, who.realm, turn::stun::rest_password(secret, username));
        if (!key) return {turn::reason::unknown_user, {}, secrets_.size()};
        if (found.key.size == 0)
            found.key = *key;
        else
            found.alternatives.push_back(*key);
    }
    return found;
}

} // namespace turnd
