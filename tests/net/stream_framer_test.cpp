#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "net/stream_framer.hpp"

using namespace turn;
using net::frame;
using net::frame_rules;
using net::next_frame;
using namespace std::string_view_literals;

namespace {

bytes view(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

constexpr auto binding = "\x00\x01\x00\x00\x21\x12\xa4\x42"
                         "abcdefghijkl"sv;

std::string channel_data(std::string_view payload) {
    std::string message{'\x40', '\x00', static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size())};
    message += payload;
    message.resize((message.size() + 3) / 4 * 4);
    return message;
}

} // namespace

TEST_CASE("RFC 8656 12.5: on a stream ChannelData is padded to four bytes, and the padding is not data") {
    for (const std::size_t length : {0U, 1U, 2U, 3U, 4U, 5U, 1200U, 65535U}) {
        CAPTURE(length);
        const std::string one = channel_data(std::string(length, 'x'));
        const auto f = next_frame(view(one + "next"), {});
        REQUIRE(f.what == frame::state::whole);
        CHECK(f.message.size() == 4 + length);
        CHECK(f.size == one.size());
    }
}

TEST_CASE("RFC 8489 6.2.2: a message is whole with its last byte and not before") {
    for (const std::string& one : {std::string(binding), channel_data("hello")}) {
        for (std::size_t n = 0; n < one.size(); ++n) {
            CAPTURE(n);
            CHECK(next_frame(view(one).first(n), {}).what == frame::state::incomplete);
        }
        CHECK(next_frame(view(one), {}).what == frame::state::whole);
    }
}

TEST_CASE("RFC 8489 5: what is no STUN is known by its first wrong byte") {
    std::string wrong_cookie(binding);
    wrong_cookie[6] = '\x00';
    CHECK(next_frame(view(wrong_cookie).first(6), {}).what == frame::state::incomplete);
    CHECK(next_frame(view(wrong_cookie).first(7), {}).what == frame::state::garbage);
    std::string odd_length(binding);
    odd_length[3] = '\x02';
    CHECK(next_frame(view(odd_length), {}).what == frame::state::garbage);
    for (const auto first : {"\x80"sv, "\xc0"sv, "\xff"sv})
        CHECK(next_frame(view(first), {}).what == frame::state::garbage);
}

TEST_CASE("turn: who has no channels sends no ChannelData, and nobody sends more than is allowed") {
    const frame_rules stranger{.channel_data = false, .largest = 100};
    CHECK(next_frame(view("GET / HTTP/1.1\r\n"), stranger).what == frame::state::garbage);
    CHECK(next_frame(view(binding), stranger).what == frame::state::whole);
    std::string large(binding);
    large[3] = '\x54'; // 20 + 84 = 104
    CHECK(next_frame(view(large), stranger).what == frame::state::garbage);
    large[3] = '\x50';
    CHECK(next_frame(view(large), stranger).what == frame::state::incomplete);
}
