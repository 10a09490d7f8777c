#include <doctest/doctest.h>

#include <array>
#include <string>

#include "file_text.hpp"
#include "printable.hpp"
#include "suggest.hpp"
#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;

TEST_CASE("turnd: text from outside stays on its line and tells the truth") {
    CHECK(printable("ann@example.org") == "ann@example.org");
    CHECK(printable("André π 名") == "André π 名");
    CHECK(printable("%s%n{}") == "%s%n{}");
    CHECK(printable("a\nb\r\tc") == "a\\x0ab\\x0d\\x09c");
    CHECK(printable(std::string_view("user\0junk", 9)) == "user\\x00junk");
    CHECK(printable("\x1b[31mred\x7f") == "\\x1b[31mred\\x7f");
    CHECK(printable("\u0085") == "\\xc2\\x85");                    // C1: next line
    CHECK(printable("\u202egnp.exe") == "\\xe2\\x80\\xaegnp.exe"); // right-to-left override
    CHECK(printable("\u2028") == "\\xe2\\x80\\xa8");
    CHECK(printable("\xff\xc3") == "\\xff\\xc3");
    CHECK(printable("\\x00") == "\\\\x00"); // not to be taken for a NUL
    CHECK(printable(std::string(700, 'n')) == std::string(600, 'n') + "...");
    CHECK(printable("éé", 3) == "é..."); // never half a character
}

TEST_CASE("RFC 3629: only well-formed UTF-8 is UTF-8") {
    CHECK(is_utf8(""));
    CHECK(is_utf8("a\u0080\u07ff\u0800\uffff\U00010000\U0010ffff"));
    for (const char* text : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                             "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xc3("}) {
        CAPTURE(printable(text));
        CHECK(!is_utf8(text));
    }
    CHECK(has_control_characters("a\x01"));
    CHECK(has_control_characters("\u0080"));
    CHECK(has_control_characters("\xff\n"));
    CHECK(!has_control_characters("André"));
}

TEST_CASE("turnd: the nearest word is the one with the fewest slips") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("realm", "realm") == 0);
    CHECK(edit_distance("relam", "realm") == 1); // a swap is one slip
    CHECK(edit_distance("reallm", "realm") == 1);
    CHECK(edit_distance("rea", "realm") == 2);
    CHECK(edit_distance("xealm", "realm") == 1);
    CHECK(edit_distance("", "realm") == 5);
    CHECK(edit_distance(std::string(1000, 'a'), std::string(1000, 'b')) == 64);

    constexpr std::array<std::string_view, 3> known{"realm", "relay.ports", "threads"};
    CHECK(nearest("relam", known) == "realm");
    CHECK(nearest("relay.port", known) == "relay.ports");
    CHECK(nearest("thread", known) == "threads");
    CHECK(nearest("colour", known).empty());
    CHECK(nearest("", known).empty());
}

TEST_CASE("turnd: lines of a file keep their numbers") {
    const auto lines = lines_of("one\r\n\ntwo");
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].text == "one");
    CHECK(lines[0].number == 1);
    CHECK(lines[1].text == "two");
    CHECK(lines[1].number == 3);
    CHECK(lines_of("").empty());
    CHECK(lines_of("\n\r\n").empty());
}

TEST_CASE("turnd: a file that cannot be read says why") {
    const room files;
    CHECK(*read_file(files.file("good", "text")) == "text");
    CHECK(*read_file(files.file("big", std::string(100'000, 'x'))) == std::string(100'000, 'x'));
    CHECK(contains(read_file(files.path("absent")).error().what, "No such file"));
    CHECK(read_file(files.path("")).error().what == "this is a directory");
    CHECK(contains(read_file(files.file("large", "12345"), 4).error().what, "larger than 4 bytes"));
}

TEST_CASE("turnd: a wiped secret is gone from its memory") {
    std::string secret = "a secret that is too long for the small string";
    const char* memory = secret.data();
    const std::size_t size = secret.size();
    wipe(secret);
    CHECK(secret.empty());
    CHECK(secret.capacity() >= size); // the memory is still ours to look at
    CHECK(memory[5] == '\0');
}
