#include <doctest/doctest.h>

#include <stdexcept>
#include <thread>

#include "support/real_server.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

std::uint64_t refused(const server& s, reason why) {
    return s.totals().relay.refused[static_cast<std::size_t>(why)];
}

/// Questions a credential source was asked and did not answer yet.
class open_questions {
public:
    struct question {
        std::string username, realm;
        stun::password_algorithm_number algorithm;
        credential_reply reply;

        [[nodiscard]] credential_question who() const {
            return {.username = username, .realm = realm, .algorithm = algorithm};
        }
    };
    void add(const credential_question& who, credential_reply reply) {
        const std::lock_guard lock(mutex_);
        asked_.push_back({std::string(who.username), std::string(who.realm), who.algorithm, std::move(reply)});
        changed_.notify_all();
    }
    /// The oldest one; throws when none is asked in time.
    question next() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, patience, [&] { return !asked_.empty(); }))
            throw std::runtime_error("nobody was asked for");
        auto first = std::move(asked_.front());
        asked_.erase(asked_.begin());
        return first;
    }
    credential_source source() {
        return [this](const credential_question& who, credential_reply reply) { add(who, std::move(reply)); };
    }

private:
    std::mutex mutex_{};
    std::condition_variable changed_{};
    std::vector<question> asked_{};
};

} // namespace

TEST_CASE("RFC 8489 9.2.4: an unknown user and a wrong password are refused with 401") {
    auto s = server::start(on_loopback());
    REQUIRE(s);
    real_client mallory(listener_of(*s), "mallory", "guess");
    const auto unknown = mallory.allocate();
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error() == 401);
    real_client ann(listener_of(*s), "ann", "not hers");
    const auto wrong = ann.allocate();
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error() == 401);
}

TEST_CASE("server: without a credential source no user exists") {
    auto o = on_loopback();
    o.credentials = {};
    auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(listener_of(*s));
    const auto outcome = ann.allocate();
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error() == 401);
}

TEST_CASE("RFC 8489 9.2: a listener with a realm of its own asks for the users of that realm") {
    open_questions questions;
    auto o = on_loopback();
    o.listeners = {{.local = loopback(), .realm = "guests.example"}};
    o.credentials = questions.source();
    auto s = server::start(std::move(o));
    REQUIRE(s);
    std::thread database([&] {
        const auto q = questions.next();
        CHECK(q.username == "ann");
        CHECK(q.realm == "guests.example");
        q.reply(key_of(q.who()));
    });
    real_client ann(listener_of(*s));
    CHECK(ann.allocate());
    database.join();
}

TEST_CASE("server: credentials may be answered later and from another thread") {
    open_questions questions;
    auto o = on_loopback();
    o.threads = 2;
    o.credentials = questions.source();
    auto s = server::start(std::move(o));
    REQUIRE(s);
    std::thread database([&] {
        for (int i = 0; i < 30; ++i) {
            const auto q = questions.next();
            q.reply(key_of(q.who()));
        }
    });
    std::vector<std::unique_ptr<real_client>> clients;
    for (int i = 0; i < 30; ++i) {
        clients.push_back(std::make_unique<real_client>(listener_of(*s)));
        REQUIRE(clients.back()->allocate());
    }
    database.join();
    CHECK(s->allocation_count() == 30);
    CHECK(s->totals().relay.pending == 0);
}

TEST_CASE("server: other clients are served while a look-up waits") {
    open_questions questions;
    auto o = on_loopback();
    o.credentials = questions.source();
    auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(listener_of(*s));
    std::optional<std::uint16_t> code;
    std::thread waiting([&] {
        const auto made = ann.allocate();
        code = made ? std::uint16_t{0} : made.error();
    });
    const auto q = questions.next();
    real_client bob(listener_of(*s), "bob", "bob's password");
    CHECK(bob.bind());
    CHECK(s->totals().relay.pending == 1);
    q.reply(key_of(q.who()));
    waiting.join();
    CHECK(code == 0);
}

TEST_CASE("server: a look-up that nobody answers ends with 500") {
    open_questions questions;
    auto o = on_loopback();
    o.relay.credential_timeout = 1s;
    o.credentials = questions.source();
    auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(listener_of(*s));
    ann.start_allocate();
    // A client may not believe an unsigned 500 (RFC 8489, 9.2.5), and without a key it cannot be signed.
    const auto until = std::chrono::steady_clock::now() + patience;
    while (refused(*s, reason::credential_timeout) == 0 && std::chrono::steady_clock::now() < until)
        REQUIRE(ann.bind());
    CHECK(refused(*s, reason::credential_timeout) == 1);

    const auto q = questions.next();
    q.reply(key_of(q.who())); // too late: nothing happens
    REQUIRE(ann.bind());
    CHECK(s->allocation_count() == 0);
}

TEST_CASE("server: a credential source that throws costs its user a 500 and nobody else anything") {
    auto o = on_loopback();
    o.credentials = [](const credential_question& who, const credential_reply& reply) {
        if (who.username == "bob") throw std::runtime_error("database gone");
        reply(key_of(who));
    };
    auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client bob(listener_of(*s), "bob", "bob's password");
    bob.start_allocate();
    REQUIRE(bob.bind()); // the challenge comes before this, and the signed request leaves
    REQUIRE(bob.bind()); // may be answered in that request's batch
    REQUIRE(bob.bind()); // is not: the refusal came before
    CHECK(refused(*s, reason::credential_source_failed) == 1);
    real_client ann(listener_of(*s));
    CHECK(ann.allocate());
}

TEST_CASE("server: a second answer to the same question does nothing") {
    auto o = on_loopback();
    o.credentials = [](const credential_question& who, const credential_reply& reply) {
        reply(key_of(who));
        reply(reason::unknown_user);
        reply(key_of(who));
    };
    auto s = server::start(std::move(o));
    REQUIRE(s);
    real_client ann(listener_of(*s));
    CHECK(ann.allocate());
    REQUIRE(ann.bind());
    CHECK(s->allocation_count() == 1);
    CHECK(s->totals().relay.pending == 0);
}

TEST_CASE("server: an answer after the server's end does nothing") {
    open_questions questions;
    std::optional<open_questions::question> left;
    {
        auto o = on_loopback();
        o.credentials = questions.source();
        auto s = server::start(std::move(o));
        REQUIRE(s);
        real_client ann(listener_of(*s));
        std::thread asking([&] { left = questions.next(); });
        ann.start_allocate();
        REQUIRE(ann.bind()); // the challenge comes before this, and the signed request leaves
        asking.join();
    }
    REQUIRE(left);
    left->reply(key_of(left->who()));
    left->reply(reason::unknown_user);
}

TEST_CASE("server: answers racing with its end are either used or dropped") {
    for (int round = 0; round < 20; ++round) {
        open_questions questions;
        auto o = on_loopback();
        o.threads = 2;
        o.credentials = questions.source();
        auto s = server::start(std::move(o));
        REQUIRE(s);
        std::vector<std::unique_ptr<real_client>> clients;
        std::vector<open_questions::question> open;
        for (int i = 0; i < 4; ++i) {
            clients.push_back(std::make_unique<real_client>(listener_of(*s)));
            clients.back()->start_allocate();
            REQUIRE(clients.back()->bind());
            REQUIRE(clients.back()->bind());
            open.push_back(questions.next());
        }
        std::thread database([&] {
            for (const auto& q : open) q.reply(key_of(q.who()));
        });
        { const server ends = std::move(*s); }
        database.join();
    }
}
