#include "server/mailbox.hpp"

#include <doctest/doctest.h>

using turn::mailbox;
using turn::ticket_id;

namespace {

struct box {
    int wakes = 0;
    mailbox mail{3, [this] { ++wakes; }};
    std::vector<mailbox::letter> read{};

    void put(std::uint64_t ticket) { mail.put({ticket_id{ticket}, turn::reason::unknown_user}); }
};

} // namespace

TEST_CASE("mailbox: the reader is woken once for any number of letters") {
    box b;
    b.put(1);
    b.put(2);
    CHECK(b.wakes == 1);
    CHECK(b.mail.take(b.read));
    REQUIRE(b.read.size() == 2);
    CHECK(b.read[0].ticket == ticket_id{1});
    CHECK(b.read[1].ticket == ticket_id{2});
}

TEST_CASE("mailbox: a reader that has found it empty is woken again") {
    box b;
    b.put(1);
    CHECK(b.mail.take(b.read));
    b.put(2); // he will look again anyway
    CHECK(b.wakes == 1);
    CHECK(b.mail.take(b.read));
    CHECK_FALSE(b.mail.take(b.read));
    b.put(3);
    CHECK(b.wakes == 2);
}

TEST_CASE("mailbox: a reader who will look anyway is not woken") {
    box b;
    b.mail.will_look();
    b.put(1);
    CHECK(b.wakes == 0);
    CHECK(b.mail.take(b.read));
    CHECK(b.read.size() == 1);
}

TEST_CASE("mailbox: it is bounded") {
    box b;
    for (std::uint64_t i = 0; i < 5; ++i) b.put(i);
    CHECK(b.mail.take(b.read));
    CHECK(b.read.size() == 3);
}

TEST_CASE("mailbox: nothing comes in and nobody is woken after it is closed") {
    box b;
    b.put(1);
    b.mail.close();
    b.put(2);
    CHECK(b.wakes == 1);
    CHECK_FALSE(b.mail.take(b.read));
}
