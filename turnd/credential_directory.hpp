#pragma once
/// Everybody turnd knows: users with a password and holders of time-limited credentials, behind one look-up.

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "rest_credentials.hpp"
#include "settings.hpp"
#include "turn/relay.hpp"
#include "turn/server.hpp"
#include "user_lookups.hpp"
#include "users.hpp"

namespace turnd {

struct user_in_realm {
    std::string realm{}, name{};
};

/// What one directory knows otherwise than the one before it.
struct credential_changes {
    std::vector<user_in_realm> ended{}; ///< users that are gone or have another password, by realm and name
    std::size_t new_secrets = 0;        ///< shared secrets of time-limited credentials
};

/// Immutable; any thread may ask. Every answer stands for the same number of keys, so that on the wire and on the
/// clock a user with a password, a time-limited one and nobody at all are refused alike.
class credential_directory {
public:
    /// Makes a key for each user in each realm that a listener has; then passwords and secrets in `from` are wiped.
    explicit credential_directory(settings& from);

    [[nodiscard]] turn::credential_answer look_up(const turn::credential_question&,
                                                  std::chrono::system_clock::time_point now) const;
    [[nodiscard]] std::size_t keys_per_user() const noexcept { return 1 + decoys_.size(); }
    [[nodiscard]] const std::vector<turn::stun::credential_key>& decoys() const noexcept { return decoys_; }
    /// Whether he is a user with a password of the configuration.
    [[nodiscard]] bool has_user(std::string_view realm, std::string_view username) const {
        return users_.find(realm, username) != nullptr;
    }
    [[nodiscard]] std::size_t user_count() const noexcept { return users_.size(); }
    [[nodiscard]] credential_changes changes_to(const credential_directory& next) const;

private:
    user_table users_;
    rest_credentials rest_;
    /// Keys that nobody knows, which fill up the answer for a user with one password.
    std::vector<turn::stun::credential_key> decoys_;
};

/// The directory that answers, and its successor at a reload. Any thread.
class current_directory {
public:
    explicit current_directory(settings& from) : now_(std::make_shared<const credential_directory>(from)) {}

    /// A shared_ptr, as a shard may still look into a directory that has just been replaced.
    [[nodiscard]] std::shared_ptr<const credential_directory> now() const;
    void replace(std::shared_ptr<const credential_directory> next);

private:
    mutable std::mutex mutex_{};
    std::shared_ptr<const credential_directory> now_; ///< guarded by it; never null
};

/// Answers at once, on the thread that asks. `directory` must outlive the server.
turn::credential_source source_of(const current_directory& directory);
/// The same for those it knows; the others are looked up in a database. Both must outlive the server.
turn::credential_source source_of(const current_directory& directory, user_lookups& database);

} // namespace turnd
