#include "user_lookups.hpp"

#include <utility>

#include "mapping_guard.hpp"

namespace turnd {
namespace {

/// What a request hears when the database could not be asked: what is known without it, if that is anything.
turn::credential_answer failed(const turn::credential_answer& otherwise) {
    if (otherwise.why != turn::reason::unknown_user) return otherwise;
    return turn::reason::credential_source_failed;
}

/// What the database engine has not noticed: it maps the file that ends in -shm.
database_error cut_off() {
    return {database_fault::damaged, "the file beside it that ends in -shm was cut off"};
}

} // namespace

user_lookups::user_lookups(options o, user_lookups_events events)
    : options_(std::move(o)), events_(std::move(events)), removals_at_(clock::now()), thread_([this] { run(); }) {}

user_lookups::~user_lookups() {
    stop();
}

void user_lookups::ask(const turn::credential_question& who, turn::credential_answer otherwise,
                       turn::credential_reply reply) {
    {
        const std::lock_guard lock(mutex_);
        if (!stopping_ && queue_.size() < options_.queue) {
            queue_.push_back({std::string(who.username), std::string(who.realm), who.userhash, who.algorithm,
                              std::move(otherwise), std::move(reply)});
            if (queue_.size() == 1) wanted_.notify_one();
            return;
        }
        ++counts_.failed;
        ++counts_.turned_away;
    }
    reply(failed(otherwise));
}

void user_lookups::watch_removals(std::function<void(const std::string&, const std::string&)> removed) {
    const std::lock_guard lock(mutex_);
    removed_ = std::move(removed);
}

void user_lookups::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        wanted_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
    std::vector<question> left;
    {
        const std::lock_guard lock(mutex_);
        left.swap(queue_);
        counts_.failed += left.size();
    }
    for (const question& q : left) q.reply(failed(q.otherwise));
}

std::optional<database_error> user_lookups::fault() const {
    const std::lock_guard lock(mutex_);
    return fault_;
}

user_lookups::counts user_lookups::so_far() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

void user_lookups::run() {
    const mapping_guard guard;
    std::vector<question> batch;
    std::unique_lock lock(mutex_);
    for (;;) {
        wanted_.wait_until(lock, removals_at_, [&] { return stopping_ || !queue_.empty(); });
        if (stopping_) break;
        batch.swap(queue_);
        lock.unlock();
        for (const question& q : batch) answer(q);
        batch.clear();
        if (clock::now() >= removals_at_) look_for_removals();
        lock.lock();
    }
    lock.unlock();
    database_.reset(); // guarded still
}

void user_lookups::answer(const question& q) noexcept try {
    turn::credential_answer found = answer_of(q);
    const bool did_fail = !found.found && found.why == turn::reason::credential_source_failed;
    {
        const std::lock_guard lock(mutex_);
        ++(did_fail ? counts_.failed : counts_.answered);
    }
    q.reply(std::move(found));
} catch (...) {
    // No memory even for an answer: the request times out.
}

turn::credential_answer user_lookups::answer_of(const question& q) {
    if (!q.userhash && !turn::stun::opaque_string(q.username)) return q.otherwise; // nobody can be called that
    user_database* const database = usable();
    auto user = database == nullptr ? database_result<std::optional<known_user>>(std::optional<known_user>{})
                                    : find(*database, q);
    if (mapping_guard::struck()) user = cut_off();
    if (!user) note_fault(user.error());
    if (database == nullptr || !user) {
        ++failed_in_a_row_;
        return failed(q.otherwise);
    }
    note_usable();
    if (!*user) return q.otherwise;
    turn::credential known;
    known.key = (*user)->keys.of(q.algorithm);
    known.username = (*user)->name;
    return known;
}

database_result<std::optional<known_user>> user_lookups::find(user_database& database, const question& q) {
    if (q.userhash) return database.find(q.realm, *q.userhash);
    std::string name = *turn::stun::opaque_string(q.username);
    auto keys = database.find(q.realm, name);
    if (!keys) return keys.error();
    if (!*keys) return std::optional<known_user>{};
    return std::optional(known_user{std::move(name), **keys});
}

user_database* user_lookups::usable() {
    if (clock::now() < retry_at_) return nullptr;
    if (database_ && database_->outdated()) database_.reset();
    if (database_) return &*database_;
    generation_.reset();
    (void)mapping_guard::struck(); // by closing: that was the old one
    auto opened = user_database::open(options_.path, user_database::access::look_up,
                                      {.patience = options_.patience, .by_userhash = options_.by_userhash});
    if (!opened) {
        note_fault(opened.error());
        return nullptr;
    }
    database_ = *std::move(opened);
    return &*database_;
}

void user_lookups::note_fault(const database_error& error) {
    if (error.why != database_fault::locked) database_.reset(); // what is locked will be the same file afterwards
    retry_at_ = clock::now() + options_.retry;
    known_good_ = false;
    bool news = false;
    {
        const std::lock_guard lock(mutex_);
        news = !fault_ || fault_->why != error.why;
        fault_ = error;
    }
    if (news && events_.faulted) events_.faulted(error);
}

void user_lookups::note_usable() {
    if (std::exchange(known_good_, true)) return;
    {
        const std::lock_guard lock(mutex_);
        fault_.reset();
    }
    if (events_.usable) events_.usable(std::exchange(failed_in_a_row_, 0));
}

/// Also what finds out at the start, and while nobody asks, how the database is.
void user_lookups::look_for_removals() {
    removals_at_ = clock::now() + options_.removals;
    user_database* const database = usable();
    if (database == nullptr) return;
    auto error = tell_removals(*database);
    if (mapping_guard::struck()) error = cut_off();
    if (error) {
        generation_.reset();
        note_fault(*error);
        return;
    }
    note_usable();
}

std::optional<database_error> user_lookups::tell_removals(user_database& database) {
    const auto generation = database.generation();
    if (!generation) return generation.error();
    if (generation_ == *generation) return {};
    const auto latest = database.last_removal();
    if (!latest) return latest.error();
    // At the first look all removals are of old, and a backup put in the place of the file has fewer.
    if (!last_removal_ || *latest < *last_removal_) last_removal_ = *latest;

    const auto removals = database.removals_after(*last_removal_);
    if (!removals) return removals.error();
    std::function<void(const std::string&, const std::string&)> removed;
    {
        const std::lock_guard lock(mutex_);
        removed = removed_;
    }
    std::vector<const user_database::removal*> gone;
    for (const user_database::removal& r : *removals) {
        const auto back_again = database.find(r.realm, r.name);
        if (!back_again) return back_again.error();
        if (!*back_again) gone.push_back(&r);
    }
    if (mapping_guard::struck()) return cut_off(); // before anybody's relays are ended for it
    if (removed)
        for (const user_database::removal* r : gone) removed(r->realm, r->name);
    if (!removals->empty()) last_removal_ = removals->back().id;
    generation_ = *generation;
    return {};
}

} // namespace turnd
