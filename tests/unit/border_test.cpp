/// The small values at the border of the core: results, reasons, packets, the outbox, ChannelData.

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include "support/hex.hpp"
#include "turn/channel_data.hpp"
#include "turn/packet.hpp"
#include "turn/reason.hpp"
#include "turn/result.hpp"

using namespace turn;
using turn::test::from_hex;
using turn::test::to_hex;

TEST_CASE("a result holds a value or the reason there is none") {
    result<std::unique_ptr<int>> good(std::make_unique<int>(7));
    REQUIRE(good);
    CHECK(**good == 7);
    CHECK(*std::move(*good) == 7);

    const result<std::string> bad(errc::not_found);
    CHECK_FALSE(bad);
    CHECK(bad.error() == errc::not_found);
    CHECK(bad.value_or("other") == "other");

    CHECK(result<void>().has_value());
    CHECK(result<void>(errc::io).error() == errc::io);
}

TEST_CASE("every error has a text of its own") {
    std::set<std::string> texts;
    for (int e = static_cast<int>(errc::truncated); e <= static_cast<int>(errc::io); ++e)
        texts.insert(message(static_cast<errc>(e)));
    CHECK(texts.size() == 9);
    CHECK(texts.count(message(static_cast<errc>(0))) == 0);
}

TEST_CASE("every reason has a stable kebab-case name of its own") {
    std::set<std::string_view> names;
    for (std::size_t r = 0; r < reason_count; ++r) {
        const auto text = name(static_cast<reason>(r));
        CAPTURE(text);
        CHECK(names.insert(text).second);
        CHECK(text != name(reason::count_));
        CHECK_FALSE(text.empty());
        CHECK(std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; }));
        CHECK(text.front() != '-');
        CHECK(text.back() != '-');
    }
    // A few by name: operators' dashboards and scripts know them.
    CHECK(name(reason::first_challenge) == "first-challenge");
    CHECK(name(reason::unknown_user) == "unknown-user");
    CHECK(name(reason::bad_password) == "bad-password");
    CHECK(name(reason::peer_denied) == "peer-denied");
    CHECK(name(reason::socket_buffer_full) == "socket-buffer-full");
}

TEST_CASE("a GRO train is cut into its segments and the last may be shorter") {
    const auto data = from_hex("01 02 03 04 05 06 07");
    packet p{.via = {}, .from = {}, .data = data, .stride = 3};
    REQUIRE(p.segments() == 3);
    CHECK(to_hex(p.segment(0)) == "01 02 03");
    CHECK(to_hex(p.segment(1)) == "04 05 06");
    CHECK(to_hex(p.segment(2)) == "07");

    p.stride = 0;
    CHECK(p.segments() == 1);
    CHECK(p.segment(0).size() == 7);
    for (const std::uint16_t stride : {std::uint16_t{7}, std::uint16_t{8}}) {
        p.stride = stride;
        CHECK(p.segments() == 1);
        CHECK(p.segment(0).size() == 7);
    }
    p = {.via = {}, .from = {}, .data = {}, .stride = 3};
    CHECK(p.segments() == 1);
    CHECK(p.segment(0).empty());
}

TEST_CASE("an outbox holds as many datagrams as it was made for and never moves its memory") {
    for (const std::size_t size : {std::size_t{1}, std::size_t{3}, std::size_t{256}}) {
        outbox out(size);
        const auto* first = out.datagrams().data();
        std::size_t sent = 0;
        while (out.has_room()) {
            // What relaying a packet to a client without a channel takes.
            auto head = out.scratch(64);
            out.send({.via = {}, .to = {}, .head = head});
            ++sent;
        }
        CHECK(sent == size);
        CHECK(out.datagrams().data() == first);
        out.clear();
        CHECK(out.empty());
        CHECK(out.has_room());
    }
}

TEST_CASE("an outbox without room for one more answer has no room") {
    outbox out(256);
    std::size_t answers = 0;
    while (out.has_room()) {
        const auto room = out.scratch(outbox::largest_answer);
        std::ranges::fill(room, static_cast<std::byte>(answers));
        out.send({.via = {}, .to = {}, .head = room});
        ++answers;
    }
    CHECK(answers >= 8);
    for (std::size_t i = 0; i < answers; ++i) {
        const auto head = out.datagrams()[i].head;
        CHECK(std::ranges::all_of(head, [&](std::byte b) { return b == static_cast<std::byte>(i); }));
    }
    out.return_scratch(outbox::largest_answer);
    CHECK(out.has_room());
}

TEST_CASE("an outbox without room for the orders of one more step has no room") {
    outbox out(1000);
    std::size_t orders = 0;
    while (out.has_room()) {
        out.ask(close_socket{socket_id{static_cast<std::uint32_t>(orders)}});
        ++orders;
    }
    CHECK(orders > 0);
    CHECK(out.orders().size() == orders);
    CHECK(std::get<close_socket>(out.orders()[orders - 1]).id == socket_id{static_cast<std::uint32_t>(orders - 1)});
}

TEST_CASE("RFC 8656 12.4: ChannelData is read with and without padding") {
    const auto padded = from_hex("40 01 00 05 01 02 03 04 05 00 00 00");
    for (std::size_t size = 9; size <= padded.size(); ++size) {
        const auto m = channel_data::parse(bytes(padded).first(size));
        REQUIRE(m);
        CHECK(m->number == 0x4001);
        CHECK(to_hex(m->payload) == "01 02 03 04 05");
    }
    for (std::size_t size = 0; size < 9; ++size)
        CHECK(channel_data::parse(bytes(padded).first(size)).error() == errc::truncated);
    CHECK(channel_data::parse(from_hex("40 01 00 00"))->payload.empty());
}

TEST_CASE("RFC 8656 12: channel numbers") {
    for (unsigned number = 0; number < 0x10000; ++number) {
        const auto header = channel_data_header(static_cast<std::uint16_t>(number), 0);
        const auto m = channel_data::parse(header);
        const bool is_channel = number >= 0x4000 && number <= 0x7fff;
        REQUIRE(m.has_value() == is_channel);
        if (is_channel)
            REQUIRE(m->number == number);
        else
            REQUIRE(m.error() == errc::not_stun);
    }
    CHECK(to_hex(channel_data_header(0x4abc, 0x1234)) == "4a bc 12 34");
}
