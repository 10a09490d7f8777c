#pragma once
/// The local authentication database: users with their keys in each realm (RFC 8489, 9.2.2), in a file that turnctl
/// writes and turnd reads. Passwords are not in it; the keys are as secret as they were.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "problem.hpp"
#include "turn/result.hpp"
#include "turn/stun/credentials.hpp"

namespace turnd {

inline constexpr const char* default_user_database = "/var/lib/turnd/users.db";

/// Why the database cannot be used.
enum class database_fault : std::uint8_t {
    missing,       ///< there is no such file
    locked,        ///< another program keeps it to itself
    damaged,       ///< bytes in it are not as they were written
    foreign,       ///< a database, but not one of users, or of a later version
    full,          ///< its file system has no room
    not_permitted, ///< the file, or its directory, may not be used by this process
    out_of_memory,
    broken_io, ///< the file system failed
};
/// "missing", "locked", ..., "not-permitted", ...
std::string_view name_of(database_fault) noexcept;

struct database_error {
    database_fault why{};
    std::string detail{}; ///< as the database engine has it
};
/// For an operator: what it means, and what to do.
complaint explain(const database_error&);

template <class T>
using database_result = turn::result<T, database_error>;

/// What takes the place of a password.
struct user_keys {
    turn::stun::credential_key md5{};
    turn::stun::credential_key sha256{};
};
/// `name` and `realm` as OpaqueStrings. Errors: invalid_text, when the password is none.
turn::result<user_keys> make_user_keys(std::string_view name, std::string_view realm, std::string_view password);

/// One connection to the file; for one thread at a time. Names and realms are OpaqueStrings (RFC 8265, 4.2), but any
/// bytes are safe.
class user_database {
public:
    enum class access {
        look_up, ///< nothing is ever written to the file
        change,
        create, ///< as change, and the file is made when there is none: mode 0640, owned as its directory is
    };
    struct options {
        std::chrono::milliseconds patience{5000}; ///< with another program that is writing
    };
    struct user {
        std::string realm{}, name{};
        std::chrono::sys_seconds changed{}; ///< added, or given another password
    };
    struct removal {
        std::int64_t id = 0; ///< higher for later ones
        std::string realm{}, name{};
    };

    static database_result<user_database> open(const std::string& path, access, options);
    ~user_database();
    user_database(user_database&&) noexcept;
    user_database& operator=(user_database&&) noexcept;

    [[nodiscard]] database_result<std::optional<user_keys>> find(std::string_view realm, std::string_view name);
    /// False: there is such a user already, and nothing is changed.
    [[nodiscard]] database_result<bool> add(std::string_view realm, std::string_view name, const user_keys&);
    /// False: there is no such user.
    [[nodiscard]] database_result<bool> change_keys(std::string_view realm, std::string_view name, const user_keys&);
    [[nodiscard]] database_result<bool> remove(std::string_view realm, std::string_view name);
    /// By realm and name. Without a realm: of all.
    [[nodiscard]] database_result<std::vector<user>> users(std::optional<std::string_view> realm = {});
    [[nodiscard]] database_result<std::vector<std::string>> realms();

    /// Changes whenever another connection has changed something.
    [[nodiscard]] database_result<std::int64_t> generation();
    /// Users that were removed after the removal with this id; the latest 100 000 are known.
    [[nodiscard]] database_result<std::vector<removal>> removals_after(std::int64_t id);
    [[nodiscard]] database_result<std::int64_t> last_removal();

    /// Whether the path names another file by now, none at all, or one that was written to from outside: then this
    /// connection shows what is no more. A system call.
    [[nodiscard]] bool outdated() const noexcept;

private:
    struct state;
    explicit user_database(std::unique_ptr<state>) noexcept;
    std::unique_ptr<state> state_;
};

} // namespace turnd
