#pragma once
/// Answers shards from the user database, on a thread of its own: a database that is slow, locked or gone costs a
/// request its answer, and relaying nothing.

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "turn/relay.hpp"
#include "turn/server.hpp"
#include "user_database.hpp"

namespace turnd {

/// What somebody should hear of, on the thread of the look-ups.
struct user_lookups_events {
    std::function<void(const database_error&)> faulted{}; ///< once for each kind of fault in a row
    /// Good again, or good for the first time; how many look-ups failed since it was last.
    std::function<void(std::uint64_t failed)> usable{};
};

class user_lookups {
public:
    struct options {
        std::string path{};
        std::chrono::milliseconds patience{100};  ///< with another program that writes
        std::chrono::milliseconds retry{250};     ///< a database that failed is left alone so long
        std::chrono::milliseconds removals{1000}; ///< how often removed users are looked for
        std::size_t queue = 4096;                 ///< look-ups that may wait
        bool by_userhash = false;                 ///< clients hide their names: see user_database::options
    };
    struct counts {
        std::uint64_t answered = 0;    ///< with a user, or that there is none
        std::uint64_t failed = 0;      ///< with credential_source_failed
        std::uint64_t turned_away = 0; ///< of those, because too many waited
    };

    /// Opens nothing yet: a database that is not there, or not good, is a fault like any later one.
    user_lookups(options, user_lookups_events);
    ~user_lookups();
    user_lookups(const user_lookups&) = delete;
    user_lookups& operator=(const user_lookups&) = delete;

    /// From any thread; never waits for the database. `otherwise` is the answer when it does not know the user.
    /// A failed one is credential_source_failed, unless `otherwise` knows better than unknown_user.
    void ask(const turn::credential_question&, turn::credential_answer otherwise, turn::credential_reply);
    /// Has `removed` called for users that were taken out of the database, from now on, within options::removals.
    void watch_removals(std::function<void(const std::string& realm, const std::string& name)> removed);
    /// Answers what waits, as failed, and ends the thread. Nothing is called any more afterwards.
    void stop();

    /// Why the database cannot be used; nothing: it can, as far as anybody has tried.
    [[nodiscard]] std::optional<database_error> fault() const;
    [[nodiscard]] counts so_far() const;

private:
    struct question {
        std::string username{}, realm{};
        std::optional<std::array<std::byte, 32>> userhash{};
        turn::stun::password_algorithm_number algorithm{};
        turn::credential_answer otherwise;
        turn::credential_reply reply{};
    };
    using clock = std::chrono::steady_clock;

    void run();
    void answer(const question&) noexcept;
    [[nodiscard]] turn::credential_answer answer_of(const question&);
    void look_for_removals();
    [[nodiscard]] std::optional<database_error> tell_removals(user_database&);
    [[nodiscard]] database_result<std::optional<known_user>> find(user_database&, const question&);
    /// The open database, or nullptr with a fault noted. Opens it when it is time to.
    user_database* usable();
    void note_fault(const database_error&);
    void note_usable();

    options options_;
    user_lookups_events events_;

    mutable std::mutex mutex_{};
    std::condition_variable wanted_{};
    std::vector<question> queue_{};
    bool stopping_ = false;
    std::optional<database_error> fault_{};
    counts counts_{};
    std::function<void(const std::string&, const std::string&)> removed_{};

    // Of the thread alone.
    std::optional<user_database> database_{};
    bool known_good_ = false;
    clock::time_point retry_at_{};
    clock::time_point removals_at_{};
    std::uint64_t failed_in_a_row_ = 0;
    std::optional<std::int64_t> generation_{}; ///< of database_, when removals were last looked for
    std::optional<std::int64_t> last_removal_{};

    std::thread thread_;
};

} // namespace turnd
