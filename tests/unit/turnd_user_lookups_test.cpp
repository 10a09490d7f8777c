#include <condition_variable>
#include <future>
#include <mutex>

#include "credential_directory.hpp"
#include "support/real_server.hpp"
#include "turnd_user_room.hpp"
#include "user_lookups.hpp"

using namespace turnd;
using namespace turnd::test;
using namespace std::chrono_literals;
using turn::reason;
using turn::test::patience;

namespace {

/// Hears what look-ups tell, and waits for it.
class listener {
public:
    user_lookups_events events() {
        return {[this](const database_error& e) { note([&] { faults_.push_back(e.why); }); },
                [this](std::uint64_t failed) { note([&] { usable_.push_back(failed); }); }};
    }
    auto removals() {
        return [this](const std::string& realm, const std::string& name) {
            note([&] { removed_.push_back(realm + "/" + name); });
        };
    }
    /// The kind of the fault number `count`, which comes in time.
    database_fault fault(std::size_t count) { return wait_for(faults_, count); }
    /// How many look-ups had failed when the database was usable for the time number `count`.
    std::uint64_t usable(std::size_t count) { return wait_for(usable_, count); }
    std::string removed(std::size_t count) { return wait_for(removed_, count); }
    std::size_t faults() {
        const std::lock_guard lock(mutex_);
        return faults_.size();
    }

private:
    template <class Deed>
    void note(Deed deed) {
        const std::lock_guard lock(mutex_);
        deed();
        changed_.notify_all();
    }
    template <class Value>
    Value wait_for(const std::vector<Value>& in, std::size_t count) {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(lock, patience, [&] { return in.size() >= count; }));
        return in[count - 1];
    }

    std::mutex mutex_{};
    std::condition_variable changed_{};
    std::vector<database_fault> faults_{};
    std::vector<std::uint64_t> usable_{};
    std::vector<std::string> removed_{};
};

user_lookups::options at(const std::string& path) {
    return {.path = path, .patience = 1ms, .retry = 1ms, .removals = 1ms};
}

turn::credential_answer ask(user_lookups& database, std::string_view name,
                            turn::credential_answer otherwise = reason::unknown_user) {
    auto answer = std::make_shared<std::promise<turn::credential_answer>>();
    auto coming = answer->get_future();
    database.ask({.username = name, .realm = "example.org"}, std::move(otherwise),
                 [answer](turn::credential_answer a) { answer->set_value(std::move(a)); });
    REQUIRE(coming.wait_for(patience) == std::future_status::ready);
    return coming.get();
}

} // namespace

TEST_CASE("user look-ups: a key is of the algorithm that is asked for and a hash finds its user") {
    const room place;
    make_ann_and_bob(place.path("users.db"));
    listener hears;
    auto options = at(place.path("users.db"));
    options.by_userhash = true;
    user_lookups database(options, hears.events());
    const auto answer_to = [&](const turn::credential_question& who) {
        std::promise<turn::credential_answer> answer;
        auto coming = answer.get_future();
        database.ask(who, reason::unknown_user, [&](turn::credential_answer a) { answer.set_value(std::move(a)); });
        REQUIRE(coming.wait_for(patience) == std::future_status::ready);
        return coming.get();
    };
    const user_keys keys = keys_of("ann", "ann's password");
    using enum turn::stun::password_algorithm_number;
    const auto by_name = answer_to({.username = "ann", .realm = "example.org", .algorithm = sha256});
    REQUIRE(by_name.found);
    CHECK(by_name.found->key.size == 32);
    CHECK(by_name.found->key.value == keys.sha256.value);

    const auto hash = *turn::stun::hash_username("ann", "example.org");
    const auto by_hash = answer_to({.realm = "example.org", .userhash = hash, .algorithm = md5});
    REQUIRE(by_hash.found);
    CHECK(by_hash.found->username == "ann");
    CHECK(by_hash.found->key.size == 16);
    CHECK(by_hash.found->key.value == keys.md5.value);
    CHECK(answer_to({.realm = "b.example", .userhash = hash}).why == reason::unknown_user);
    CHECK(answer_to({.realm = "example.org", .userhash = std::array<std::byte, 32>{}}).why == reason::unknown_user);
}

TEST_CASE("user look-ups: a user's answer is his key, anybody else's what was known without the database") {
    const room place;
    make_ann_and_bob(place.path("users.db"));
    listener hears;
    user_lookups database(at(place.path("users.db")), hears.events());

    const auto ann = ask(database, "ann");
    REQUIRE(ann.found);
    CHECK(ann.found->key.value == keys_of("ann", "ann's password").md5.value);
    CHECK(ann.found->key.size == 16);

    const auto nobody = ask(database, "mallory", {reason::unknown_user, {}, 2});
    CHECK(!nobody.found);
    CHECK(nobody.why == reason::unknown_user);
    CHECK(nobody.keys_to_try == 2); // refused at the same price as a wrong password
    const auto late = ask(database, "1700000000:ann", {reason::expired, 12s, 1});
    CHECK(late.why == reason::expired);
    CHECK(late.expired_for == 12s);
    CHECK(ask(database, "bob", {reason::expired, 12s, 1}).found); // all digits, perhaps, and a user all the same
    CHECK(database.so_far().answered == 4);
    CHECK(database.so_far().failed == 0);
    CHECK(hears.faults() == 0);
}

TEST_CASE(
    "user look-ups: the answer for a user of the database stands for as many keys as everybody's, after a reload too") {
    const room place;
    make_ann_and_bob(place.path("users.db"));
    user_lookups database(at(place.path("users.db")), {});
    settings none;
    current_directory directory(none);
    const auto keys_of_ann = [&] {
        auto answer = std::make_shared<std::promise<turn::credential_answer>>();
        auto coming = answer->get_future();
        source_of(directory, database)({"ann", "example.org"},
                                       [answer](turn::credential_answer a) { answer->set_value(std::move(a)); });
        REQUIRE(coming.wait_for(patience) == std::future_status::ready);
        const auto found = coming.get().found;
        REQUIRE(found);
        return 1 + found->alternatives.size();
    };
    CHECK(keys_of_ann() == 1);
    settings two_secrets;
    two_secrets.rest_secrets = {"north star secret", "south star secret"};
    directory.replace(std::make_shared<const credential_directory>(two_secrets));
    CHECK(keys_of_ann() == 2);
}

TEST_CASE("RFC 8265 4.2: a user of the database is found however his name is composed") {
    const room place;
    REQUIRE(open_to_write(place.path("users.db")).add("example.org", "Andr\u00e9", keys_of("Andr\u00e9", "x")));
    user_lookups database(at(place.path("users.db")), {});
    CHECK(ask(database, "Andr\u00e9").found);
    CHECK(ask(database, "Andre\u0301").found);
}

TEST_CASE("user look-ups: names that nobody can have find nobody") {
    const room place;
    make_ann_and_bob(place.path("users.db"));
    user_lookups database(at(place.path("users.db")), {});
    for (const std::string& name :
         {std::string(""), std::string("ann\0", 4), std::string("ann\0junk", 8), std::string("\xff\xfe"),
          std::string("ann\n"), std::string("'; DROP TABLE users; --"), std::string("' OR '1'='1"), std::string("%s%n"),
          std::string("<script>"), std::string("a_n"), std::string("a%"), std::string("ANN"), std::string("ann "),
          std::string(508, 'x'), std::string(512, 'x'), std::string(513, 'x'), std::string(100'000, 'x')}) {
        CAPTURE(name);
        const auto answer = ask(database, name);
        CHECK(!answer.found);
        CHECK(answer.why == reason::unknown_user);
    }
    CHECK(ask(database, "ann").found);
}

TEST_CASE("user look-ups: changes by turnctl hold at once") {
    const room place;
    const std::string path = place.path("users.db");
    make_ann_and_bob(path);
    user_lookups database(at(path), {});
    CHECK(!ask(database, "cid").found);
    user_database writer = open_to_write(path);
    REQUIRE(writer.add("example.org", "cid", keys_of("cid", "x")).value_or(false));
    CHECK(ask(database, "cid").found);
    REQUIRE(writer.change_keys("example.org", "ann", keys_of("ann", "new")).value_or(false));
    CHECK(ask(database, "ann").found->key.value == keys_of("ann", "new").md5.value);
    REQUIRE(writer.remove("example.org", "cid").value_or(false));
    CHECK(!ask(database, "cid").found);
}

TEST_CASE("user look-ups: a database that is not there is a fault until it is") {
    const room place;
    const std::string path = place.path("users.db");
    listener hears;
    auto how = at(path);
    how.patience = patience; // whoever writes first is alone with the file for a moment
    user_lookups database(how, hears.events());
    CHECK(hears.fault(1) == database_fault::missing); // told before anybody asks
    CHECK(ask(database, "ann").why == reason::credential_source_failed);
    CHECK(ask(database, "1700000000:ann", {reason::expired, 12s, 1}).why == reason::expired); // known without it
    CHECK(database.so_far().failed == 1);
    CHECK(!std::filesystem::exists(path)); // an empty one would say that nobody exists

    make_ann_and_bob(path);
    hears.usable(1);
    CHECK(ask(database, "ann").found);
    CHECK(hears.faults() == 1); // however often it was tried
    CHECK(!database.fault());
}

TEST_CASE("user look-ups: what waits while too many wait already is turned away at once") {
    const room place;
    make_ann_and_bob(place.path("users.db"));
    auto how = at(place.path("users.db"));
    how.queue = 2;
    user_lookups database(how, {});
    std::promise<void> entered, go_on;
    database.ask({"ann", "example.org"}, reason::unknown_user, [&](const turn::credential_answer&) {
        entered.set_value();
        go_on.get_future().wait(); // the database takes its time
    });
    entered.get_future().wait();
    std::promise<bool> first, second;
    const auto keep = [](std::promise<bool>& in) {
        return [&in](const turn::credential_answer& a) { in.set_value(a.found.has_value()); };
    };
    database.ask({"ann", "example.org"}, reason::unknown_user, keep(first));
    database.ask({"bob", "example.org"}, reason::unknown_user, keep(second));
    CHECK(ask(database, "ann").why == reason::credential_source_failed);
    CHECK(database.so_far().turned_away == 1);
    go_on.set_value();
    CHECK(first.get_future().get());
    CHECK(second.get_future().get());
}

TEST_CASE("user look-ups: after the end everything fails, and at once") {
    const room place;
    make_ann_and_bob(place.path("users.db"));
    user_lookups database(at(place.path("users.db")), {});
    CHECK(ask(database, "ann").found);
    database.stop();
    CHECK(ask(database, "ann").why == reason::credential_source_failed);
    database.stop();
}

TEST_CASE("user look-ups: users that were removed are told, those that are back are not") {
    const room place;
    const std::string path = place.path("users.db");
    make_ann_and_bob(path);
    REQUIRE(open_to_write(path).remove("example.org", "bob").value_or(false)); // before anybody watched
    listener hears;
    user_lookups database(at(path), hears.events());
    hears.usable(1);
    database.watch_removals(hears.removals());
    raw_database(path).run("BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM users; DELETE FROM users;"
                           "INSERT INTO users SELECT * FROM kept; COMMIT"); // ann, by some tool
    REQUIRE(open_to_write(path).add("example.org", "cid", keys_of("cid", "x")).value_or(false));
    REQUIRE(open_to_write(path).remove("example.org", "cid").value_or(false));
    CHECK(hears.removed(1) == "example.org/cid");
    CHECK(ask(database, "ann").found);
}

TEST_CASE("user look-ups: of a database in the place of another, only removals that are newer are told") {
    const room place;
    const std::string path = place.path("users.db");
    make_ann_and_bob(path);
    std::filesystem::copy_file(path, place.path("backup.db"));
    REQUIRE(open_to_write(path).remove("example.org", "ann").value_or(false));
    listener hears;
    user_lookups database(at(path), hears.events());
    hears.usable(1);
    database.watch_removals(hears.removals());
    replace_database(path, place.path("backup.db")); // ann is back, and the removal of hers is no more
    while (!ask(database, "ann").found) {}
    REQUIRE(open_to_write(path).remove("example.org", "bob").value_or(false));
    CHECK(hears.removed(1) == "example.org/bob");
}

namespace {

/// turn::server with a user database, and ann relaying to a peer while the database breaks and heals.
class relaying_world {
public:
    relaying_world() {
        make_ann_and_bob(path);
        std::filesystem::copy_file(path, backup);
        database_ = std::make_unique<user_lookups>(at(path), hears.events());
        settings nobody;
        directory_ = std::make_unique<current_directory>(nobody);
        auto o = turn::test::on_loopback();
        o.credentials = source_of(*directory_, *database_);
        auto started = turn::server::start(std::move(o));
        REQUIRE(started);
        server_ = std::make_unique<turn::server>(*std::move(started));
        hears.usable(1);
        ann_ = std::make_unique<turn::test::real_client>(turn::test::listener_of(*server_));
        const auto made = ann_->allocate();
        REQUIRE(made);
        relayed_ = made->relayed;
        REQUIRE(ann_->permit(peer_.local()));
    }
    ~relaying_world() {
        database_->stop();
        server_->stop();
    }

    /// What the library must go on with, whatever becomes of the database.
    void ann_relays() {
        ann_->send(peer_.local(), "to the peer");
        const auto up = peer_.receive();
        REQUIRE(up);
        CHECK(up->text == "to the peer");
        peer_.send(relayed_, "to ann");
        const auto down = ann_->receive();
        REQUIRE(down);
        CHECK(down->text == "to ann");
        CHECK(ann_->refresh(600s));
        CHECK(ann_->bind_channel(0x4000, peer_.local()));
        CHECK(server_->allocation_count() >= 1);
    }
    void bob_is_refused() {
        const auto refusals = [&] {
            return server_->totals().relay.refused[static_cast<std::size_t>(reason::credential_source_failed)];
        };
        const auto before = refusals();
        turn::test::real_client bob(turn::test::listener_of(*server_), "bob", "bob's password");
        bob.start_allocate();
        const auto until = std::chrono::steady_clock::now() + patience;
        // A client may not believe an unsigned 500, so it says nothing of it.
        while (refusals() == before && std::chrono::steady_clock::now() < until) REQUIRE(bob.bind());
        CHECK(refusals() > before);
    }
    void bob_allocates() {
        turn::test::real_client bob(turn::test::listener_of(*server_), "bob", "bob's password");
        CHECK(bob.allocate());
    }

    const room place{};
    const std::string path = place.path("users.db");
    const std::string backup = place.path("backup.db");
    listener hears{};

private:
    std::unique_ptr<user_lookups> database_{};
    std::unique_ptr<current_directory> directory_{};
    std::unique_ptr<turn::server> server_{};
    turn::test::real_peer peer_{};
    std::unique_ptr<turn::test::real_client> ann_{};
    turn::transport_address relayed_{};
};

/// Breaks, relays, refuses, heals, and is as before.
template <class Break, class Heal>
void story(database_fault expected, Break spoil, Heal heal) {
    relaying_world w;
    w.bob_allocates();
    spoil(w);
    CHECK(w.hears.fault(1) == expected);
    w.bob_is_refused();
    w.ann_relays();
    heal(w);
    CHECK(w.hears.usable(2) >= 1);
    w.bob_allocates();
    w.ann_relays();
}

const auto put_back = [](relaying_world& w) { replace_database(w.path, w.backup); };

} // namespace

TEST_CASE("user database faults: deleted while relays are up") {
    story(
        database_fault::missing, [](relaying_world& w) { delete_database(w.path); }, put_back);
}

TEST_CASE("user database faults: overwritten with garbage while relays are up") {
    story(
        database_fault::damaged, [](relaying_world& w) { overwrite(w.path, 0, false); }, put_back);
}

TEST_CASE("user database faults: emptied while relays are up") {
    story(
        database_fault::damaged, [](relaying_world& w) { std::filesystem::resize_file(w.path, 0); }, put_back);
}

TEST_CASE("user database faults: the file that SQLite maps is cut off while relays are up") {
    relaying_world w;
    w.bob_allocates();
    std::filesystem::resize_file(w.path + "-shm", 0);
    CHECK(w.hears.fault(1) == database_fault::damaged); // and not a dead process
    w.ann_relays();
    w.hears.usable(2);
    w.bob_allocates();
}

TEST_CASE("user database faults: a folder in its place while relays are up") {
    story(
        database_fault::foreign,
        [](relaying_world& w) {
            delete_database(w.path);
            std::filesystem::create_directory(w.path);
        },
        [](relaying_world& w) {
            std::filesystem::remove(w.path);
            put_back(w);
        });
}

TEST_CASE("user database faults: another one, locked by its program, in its place while relays are up") {
    std::unique_ptr<raw_database> other;
    story(
        database_fault::locked,
        [&](relaying_world& w) {
            std::filesystem::copy_file(w.backup, w.place.path("next.db"));
            other = std::make_unique<raw_database>(w.place.path("next.db"));
            other->run("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
            std::filesystem::rename(w.place.path("next.db"), w.path);
        },
        [&](relaying_world& w) {
            other.reset();
            put_back(w);
        });
}

TEST_CASE("user database faults: locked for a while by a program that writes without WAL, while relays are up") {
    std::unique_ptr<raw_database> other;
    story(
        database_fault::locked,
        [&](relaying_world& w) {
            raw_database(w.backup).run("PRAGMA journal_mode = DELETE");
            put_back(w);
            w.bob_allocates(); // as good as before
            other = std::make_unique<raw_database>(w.path);
            other->run("BEGIN EXCLUSIVE");
        },
        [&](relaying_world&) { other->run("COMMIT"); });
}
