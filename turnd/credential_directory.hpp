#pragma once
/// Everybody turnd knows: users with a password and holders of time-limited credentials, behind one look-up.

#include <chrono>
#include <cstddef>
#include <string_view>
#include <vector>

#include "rest_credentials.hpp"
#include "settings.hpp"
#include "turn/relay.hpp"
#include "turn/server.hpp"
#include "user_lookups.hpp"
#include "users.hpp"

namespace turnd {

/// Immutable; any thread may ask. Every answer stands for the same number of keys, so that on the wire and on the
/// clock a user with a password, a time-limited one and nobody at all are refused alike.
class credential_directory {
public:
    /// Makes a key for each user in each realm that a listener has; then passwords and secrets in `from` are wiped.
    explicit credential_directory(settings& from);

    [[nodiscard]] turn::credential_answer look_up(std::string_view username, std::string_view realm,
                                                  std::chrono::system_clock::time_point now) const;
    [[nodiscard]] std::size_t keys_per_user() const noexcept { return 1 + decoys_.size(); }
    [[nodiscard]] const std::vector<turn::stun::credential_key>& decoys() const noexcept { return decoys_; }
    /// Whether he is a user with a password of the configuration.
    [[nodiscard]] bool has_user(std::string_view realm, std::string_view username) const {
        return users_.find(realm, username) != nullptr;
    }
    [[nodiscard]] std::size_t user_count() const noexcept { return users_.size(); }

private:
    user_table users_;
    rest_credentials rest_;
    /// Keys that nobody knows, which fill up the answer for a user with one password.
    std::vector<turn::stun::credential_key> decoys_;
};

/// Answers at once, on the thread that asks. `directory` must outlive the server.
turn::credential_source source_of(const credential_directory& directory);
/// The same for those it knows; the others are looked up in a database. Both must outlive the server.
turn::credential_source source_of(const credential_directory& directory, user_lookups& database);

} // namespace turnd
