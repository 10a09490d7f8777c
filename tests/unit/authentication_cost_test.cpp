/// What a refusal costs must not tell why it was one: HMAC computations counted, RFC 8489, 9.2.4.

#include <algorithm>
#include <optional>
#include <vector>

#include <doctest/doctest.h>

#include "base/crypto.hpp"
#include "support/fake_addresses.hpp"
#include "support/wire.hpp"
#include "turn/relay.hpp"

namespace turn::test {

namespace {

using namespace std::chrono_literals;

const stun::credential_key right = *stun::long_term_key("ann", "example.org", "right");
const stun::credential_key wrong = *stun::long_term_key("ann", "example.org", "wrong");

/// One relay with one listener, handled call by call.
class bench {
public:
    bench() { relay_.add_listener(listener_, {*transport_address::parse("198.51.100.1:3478"), "example.org"}); }

    /// The answer to one request that needs `how` the directory answers; nothing: it is not asked.
    answer ask(const message& request, const std::optional<credential_answer>& how) {
        const packet p{listener_, client_, request.view(), 0};
        batch_cursor at;
        relay_.handle({&p, 1}, at, now_, out_);
        std::optional<ticket_id> ticket;
        for (const order& o : out_.orders())
            if (const auto* wanted = std::get_if<credential_wanted>(&o)) ticket = wanted->ticket;
        if (ticket) {
            REQUIRE(how);
            out_.clear();
            relay_.credential_found(*ticket, *how, now_, out_);
        }
        asked_ = ticket.has_value();
        REQUIRE(out_.datagrams().size() == 1);
        const answer a(out_.datagrams()[0].body, {});
        out_.clear();
        return a;
    }
    [[nodiscard]] bool asked_directory() const { return asked_; }

    std::string challenge() {
        return std::string(
            *ask(message(stun::message_class::request, stun::method::allocate, id()), {}).get<stun::nonce>());
    }
    message allocate(const std::string& nonce, const stun::credential_key& key) {
        message m(stun::message_class::request, stun::method::allocate, id());
        m.with<stun::requested_transport>(17).credentials("ann", "example.org", nonce, key).integrity();
        return m;
    }
    message refresh(const std::string& nonce, const stun::credential_key& key) {
        message m(stun::message_class::request, stun::method::refresh, id());
        m.credentials("ann", "example.org", nonce, key).integrity();
        return m;
    }
    void pass(std::chrono::seconds time) { now_ += time; }

private:
    stun::transaction_id id() {
        stun::transaction_id fresh{};
        fresh[0] = std::byte(++ids_);
        return fresh;
    }

    socket_id listener_{0};
    transport_address client_ = *transport_address::parse("25.0.0.1:4000");
    time_point now_{1000h};
    unsigned ids_ = 0;
    bool asked_ = false;
    fake_addresses addresses_{};
    allocation_quota quota_{{}};
    relay relay_{relay_options{}, relay_services{addresses_, quota_}, stun::make_nonce_secret()};
    outbox out_{};
};

/// HMACs computed while `step` runs.
template <class Step>
std::uint64_t cost_of(Step step) {
    const std::uint64_t before = crypto::hmac_count();
    step();
    return crypto::hmac_count() - before;
}

credential one_key() {
    return {.key = right};
}
credential three_keys() {
    return {.key = right, .alternatives = {right, right}};
}

} // namespace

TEST_CASE("RFC 8489 9.2.4: refusing an unknown user costs as many HMACs as refusing a wrong password") {
    const auto cost = [](const credential_answer& how) {
        bench b;
        const message request = b.allocate(b.challenge(), wrong);
        std::uint16_t code = 0;
        const std::uint64_t hmacs = cost_of([&] { code = static_cast<std::uint16_t>(b.ask(request, how).code()); });
        CHECK(code == 401);
        return hmacs;
    };
    CHECK(cost(reason::unknown_user) == cost(one_key()));
    CHECK(cost(credential_answer(reason::expired, 10s)) == cost(one_key()));
    CHECK(cost(credential_answer(reason::unknown_user, {}, 3)) == cost(three_keys()));
    CHECK(cost(three_keys()) > cost(one_key()));
}

TEST_CASE("RFC 8489 9.2.4: a USERHASH that nobody has costs as many HMACs as a known one with a wrong password") {
    const auto cost = [](const credential_answer& how) {
        bench b;
        message request(stun::message_class::request, stun::method::allocate, {});
        request.with<stun::requested_transport>(17).credentials("", "example.org", b.challenge(), wrong);
        request.with<stun::userhash>(*stun::hash_username("ann", "example.org")).integrity_sha256();
        int code = 0;
        const std::uint64_t hmacs = cost_of([&] { code = b.ask(request, how).code(); });
        CHECK(code == 401);
        return hmacs;
    };
    CHECK(cost(reason::unknown_user) == cost(credential{.key = right, .username = "ann"}));
}

TEST_CASE("RFC 8489 9.2.4: a directory that finds a USERHASH and does not say whose it is has failed") {
    bench b;
    message request(stun::message_class::request, stun::method::allocate, {});
    request.with<stun::requested_transport>(17).credentials("", "example.org", b.challenge(), right);
    request.with<stun::userhash>(*stun::hash_username("ann", "example.org")).integrity();
    CHECK(b.ask(request, one_key()).code() == 500);
}

TEST_CASE("RFC 8489 9.2.4: a spoofed source buys one HMAC and no look-up") {
    bench b;
    const message unsigned_request(stun::message_class::request, stun::method::allocate, {});
    CHECK(cost_of([&] { b.ask(unsigned_request, {}); }) == 1); // the NONCE of the challenge
    const message foreign_nonce = b.allocate(std::string(32, 'A'), right);
    CHECK(cost_of([&] { CHECK(b.ask(foreign_nonce, {}).code() == 438); }) <= 2); // to check one NONCE and make one
    CHECK_FALSE(b.asked_directory());
}

TEST_CASE("RFC 8489 9.2.4: a request with the right password costs three HMACs") {
    bench b;
    const std::string nonce = b.challenge();
    // The NONCE, the request, its answer: whether somebody had to be asked in between or not.
    CHECK(cost_of([&] { CHECK(b.ask(b.allocate(nonce, right), one_key()).code() == 0); }) == 3 + 1);
    CHECK(cost_of([&] { CHECK(b.ask(b.refresh(nonce, right), {}).code() == 0); }) == 3 + 1); // 1: we sign it here
}

TEST_CASE("RFC 8489 9.2.4: any of a user's keys opens and the allocation remembers which") {
    bench b;
    const std::string nonce = b.challenge();
    const stun::credential_key old = wrong;
    const credential rolled_over{.key = right, .alternatives = {old}};
    const answer allocated = b.ask(b.allocate(nonce, old), rolled_over);
    REQUIRE(allocated.code() == 0);
    CHECK(allocated.signed_with(old));

    const answer refreshed = b.ask(b.refresh(nonce, old), {});
    CHECK(refreshed.code() == 0);
    CHECK_FALSE(b.asked_directory());
    CHECK(refreshed.signed_with(old));
    CHECK(b.ask(b.refresh(nonce, right), {}).code() == 401); // the other key is not this allocation's
}

TEST_CASE("RFC 8489 9.2.4: an answer of the directory that nobody waits for any more does nothing") {
    fake_addresses addresses;
    allocation_quota quota({});
    relay r(relay_options{}, {addresses, quota}, stun::make_nonce_secret());
    outbox out;
    r.credential_found(ticket_id{0}, one_key(), time_point(1000h), out);
    r.credential_found(ticket_id{0xffffffffffffffffU}, one_key(), time_point(1000h), out);
    CHECK(out.empty());
}

} // namespace turn::test
