#pragma once
/// Time-limited credentials: a web service that shares a secret with us names the user "<expiry>:<user>" and gives him
/// base64(HMAC-SHA1(secret, that name)) as password. draft-uberti-behave-turn-rest-00.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turn/relay.hpp"

namespace turnd {

/// "<expiry>:<user>" or "<expiry>" taken apart. Expiry: seconds since 1970, in decimal digits.
struct time_limited_name {
    std::chrono::sys_seconds expiry{};
    std::string_view user{}; ///< empty when the name is the expiry alone
};
std::optional<time_limited_name> parse_time_limited_name(std::string_view username) noexcept;

/// Immutable; any thread may ask.
class rest_credentials {
public:
    /// `secrets`: several while one is being replaced by the next. `allocation_limit` per user; 0: the server's.
    rest_credentials(std::vector<std::string> secrets, std::size_t allocation_limit);

    /// One key for each secret, as the look-up does not see which of them made the password.
    /// None: unknown_user when the name is not of this form, expired (with the seconds since then) when it is past.
    /// A name cannot be found by its hash: unknown_user.
    [[nodiscard]] turn::credential_answer look_up(const turn::credential_question&,
                                                  std::chrono::system_clock::time_point now) const;
    [[nodiscard]] std::size_t secret_count() const noexcept { return secrets_.size(); }
    /// How many of these secrets `other` does not have.
    [[nodiscard]] std::size_t secrets_missing_in(const rest_credentials& other) const;

private:
    std::vector<std::string> secrets_;
    std::size_t allocation_limit_;
};

} // namespace turnd
