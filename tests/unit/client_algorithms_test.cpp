/// A client that is offered password algorithms, or asked to hide its user's name: RFC 8489, 9.2.5.

#include <doctest/doctest.h>

#include "support/lonely_client.hpp"

namespace turn::test {

using namespace std::chrono_literals;

namespace {

using enum stun::password_algorithm_number;
constexpr stun::password_algorithm_number unknown_one{0x7777};
constexpr std::string_view nonce_with_algorithms = "obMatJos2AAABnonce-1";

stun::password_algorithms::value_type list_of(std::initializer_list<stun::password_algorithm_number> numbers) {
    stun::password_algorithms::value_type list;
    for (const auto n : numbers) list.list[list.count++].number = n;
    return list;
}

message offering(bytes request, const stun::password_algorithms::value_type& list, std::uint16_t code = 401,
                 std::string_view nonce = nonce_with_algorithms) {
    return lonely_client::challenge(request, code, nonce).with<stun::password_algorithms>(list);
}

stun::credential_key sha256_key(std::string_view password = "secret") {
    return *stun::long_term_key_sha256("ann", "example.org", password);
}

/// The raw value of an attribute.
blob value_of(bytes datagram, std::uint16_t type) {
    const auto word = [&](std::size_t at) {
        return std::to_integer<std::size_t>(datagram[at]) << 8 | std::to_integer<std::size_t>(datagram[at + 1]);
    };
    for (std::size_t at = stun::header_size; at < datagram.size(); at += 4 + (word(at + 2) + 3) / 4 * 4)
        if (word(at) == type) return to_blob(datagram.subspan(at + 4, word(at + 2)));
    return {};
}

} // namespace

TEST_CASE("RFC 8489 9.2.5: of the algorithms that are offered the first that we have is taken") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    const message challenge = offering(ann.request(), list_of({sha256, md5}));
    CHECK_FALSE(ann.hears(challenge));
    const blob retry = ann.request();
    const auto m = parsed(retry);
    CHECK(m.get<stun::password_algorithm>()->number == sha256);
    CHECK(value_of(retry, stun::password_algorithms::type) ==
          value_of(challenge.view(), stun::password_algorithms::type));
    CHECK(m.get<stun::username>().value_or("") == "ann");
    CHECK(m.get<stun::nonce>().value_or("") == nonce_with_algorithms);
    CHECK_FALSE(m.has<stun::message_integrity>());
    CHECK(m.get<stun::message_integrity_sha256>()->size() == 32);
    CHECK(m.check_integrity(sha256_key()).has_value());
    CHECK(as<client::allocated>(ann.hears(ann.allocate_success(retry).integrity_sha256(sha256_key()))));
}

TEST_CASE("RFC 8489 9.2.5: a server that would rather have MD5 gets its key under MESSAGE-INTEGRITY-SHA256") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    ann.hears(offering(ann.request(), list_of({unknown_one, md5, sha256})));
    const blob retry = ann.request();
    CHECK(parsed(retry).get<stun::password_algorithm>()->number == md5);
    CHECK(parsed(retry).has<stun::message_integrity_sha256>());
    CHECK_FALSE(parsed(retry).has<stun::message_integrity>());
    CHECK(parsed(retry).check_integrity(ann.key()).has_value());
}

TEST_CASE("RFC 8489 9.2.5: the list goes back with parameters that we do not understand") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    const blob parameters{std::byte{1}, std::byte{2}, std::byte{3}};
    auto list = list_of({unknown_one, sha256});
    list.list[0].parameters = parameters;
    const message challenge = offering(ann.request(), list);
    ann.hears(challenge);
    const blob retry = ann.request();
    CHECK(parsed(retry).get<stun::password_algorithm>()->number == sha256);
    CHECK(value_of(retry, stun::password_algorithms::type) ==
          value_of(challenge.view(), stun::password_algorithms::type));
}

TEST_CASE("RFC 8489 9.2.5: without an algorithm that we have there is no retry and the application hears why") {
    for (const auto& list : {list_of({}), list_of({unknown_one})}) {
        lonely_client ann;
        ann.it.allocate({}, ann.now, ann.out);
        const auto failed = as<client::failed>(ann.hears(offering(ann.request(), list)));
        REQUIRE(failed);
        CHECK(failed->code == 0);
        CHECK(ann.pass(60s).empty());
        CHECK(ann.sent().empty());
    }
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    CHECK(as<client::failed>(
        ann.hears(lonely_client::challenge(ann.request(), 401).attribute(stun::password_algorithms::type, "odd"))));
    CHECK(ann.sent().empty());
}

TEST_CASE("RFC 8489 9.2.1: a challenge whose nonce speaks of algorithms that are not there is not followed") {
    for (const std::uint16_t code : {std::uint16_t{401}, std::uint16_t{438}}) {
        CAPTURE(code);
        lonely_client ann;
        ann.it.allocate({}, ann.now, ann.out);
        if (code == 438) ann.hears(offering(ann.request(), list_of({sha256, md5})));
        const auto failed =
            as<client::failed>(ann.hears(lonely_client::challenge(ann.request(), code, "obMatJos2AAABnonce-2")));
        REQUIRE(failed);
        CHECK(failed->phrase.find("PASSWORD-ALGORITHMS") != std::string_view::npos);
        CHECK(ann.pass(60s).empty());
        CHECK(ann.sent().empty());
    }
}

TEST_CASE("RFC 8489 9.2.5: any other answer whose nonce speaks of algorithms that are not there is ignored") {
    lonely_client ann;
    ann.allocate();
    ann.it.refresh(600s, {}, ann.now, ann.out);
    const blob request = ann.request();
    const auto success = [&] { return ann.success(request).with<stun::lifetime>(600s); };
    CHECK_FALSE(ann.hears(success().with<stun::nonce>(nonce_with_algorithms).integrity(ann.key())));
    CHECK(as<client::refreshed>(ann.hears(success()
                                              .with<stun::nonce>(nonce_with_algorithms)
                                              .with<stun::password_algorithms>(list_of({md5}))
                                              .integrity(ann.key()))));
}

TEST_CASE("RFC 8489 9.2.5: a list is followed whether the nonce speaks of it or not") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    ann.hears(offering(ann.request(), list_of({sha256}), 401, "a plain nonce"));
    const blob retry = ann.request();
    CHECK(parsed(retry).check_integrity(sha256_key()).has_value());
    CHECK(parsed(retry).has<stun::password_algorithms>());
}

TEST_CASE("RFC 8489 9.2.3.2: later requests keep the algorithm and a 438 may bring another list") {
    lonely_client ann;
    ann.it.allocate({}, ann.now, ann.out);
    ann.hears(offering(ann.request(), list_of({sha256, md5})));
    ann.hears(ann.allocate_success(ann.request()).integrity_sha256(sha256_key()));
    REQUIRE(ann.it.has_allocation());

    ann.it.refresh(600s, {}, ann.now, ann.out);
    const blob refresh = ann.request();
    CHECK(parsed(refresh).get<stun::password_algorithm>()->number == sha256);
    CHECK(parsed(refresh).check_integrity(sha256_key()).has_value());

    CHECK_FALSE(ann.hears(offering(refresh, list_of({md5}), 438, "obMatJos2AAABnonce-2")));
    const blob again = ann.request();
    CHECK(parsed(again).get<stun::nonce>().value_or("") == "obMatJos2AAABnonce-2");
    CHECK(parsed(again).get<stun::password_algorithm>()->number == md5);
    CHECK(parsed(again).get<stun::password_algorithms>()->count == 1);
    CHECK(parsed(again).check_integrity(ann.key()).has_value());
}

TEST_CASE("RFC 8489 9.2.5: where the nonce asks for it the user's name is hidden") {
    for (const std::string_view nonce : {"obMatJos2AAACnonce-1", "obMatJos2QAAAnonce-1"}) { // either end counted from
        lonely_client ann;
        ann.it.allocate({}, ann.now, ann.out);
        ann.hears(lonely_client::challenge(ann.request(), 401, nonce));
        const blob retry = ann.request();
        CHECK_FALSE(parsed(retry).has<stun::username>());
        CHECK(*parsed(retry).get<stun::userhash>() == *stun::hash_username("ann", "example.org"));
        CHECK(parsed(retry).check_integrity(ann.key()).has_value());
    }
}

TEST_CASE("RFC 8489 9.2.5: over a stream an answer that is not signed as it must be ends the transaction at once") {
    lonely_client ann({.via = stream_id(7)});
    ann.it.allocate({}, ann.now, ann.out);
    ann.hears(lonely_client::challenge(ann.request(), 401));
    const auto failed = as<client::failed>(ann.hears(ann.allocate_success(ann.request())));
    REQUIRE(failed);
    CHECK(failed->code == 0);
    CHECK(failed->phrase != "no answer");
    CHECK(ann.pass(60s).empty());
}

} // namespace turn::test
