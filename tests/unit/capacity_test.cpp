#include "server/capacity.hpp"

#include <doctest/doctest.h>

using turn::capacity_inputs;
using turn::find_capacity;

namespace {

capacity_inputs ample() {
    return {.wanted = 0,
            .port_min = 49152,
            .port_max = 65535,
            .relay_addresses = 10,
            .descriptor_limit = 1'000'000,
            .descriptors_in_use = 100};
}

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("capacity: the default is 100000 when ports and descriptors suffice") {
    std::vector<std::string> warnings;
    const auto c = find_capacity(ample(), warnings);
    REQUIRE(c);
    CHECK(c->allocations == 100'000);
    CHECK(c->bound_by == "allocations-total");
    CHECK(warnings.empty());
}

TEST_CASE("capacity: a default is lowered to the relay ports with a warning") {
    auto in = ample();
    in.relay_addresses = 2;
    std::vector<std::string> warnings;
    const auto c = find_capacity(in, warnings);
    REQUIRE(c);
    CHECK(c->allocations == 2 * 16384);
    CHECK(c->bound_by == "relay ports");
    REQUIRE(warnings.size() == 1);
    CHECK(contains(warnings[0], "relay ports 49152-65535"));
}

TEST_CASE("capacity: a default is lowered to the descriptors with some left to the application") {
    auto in = ample();
    in.descriptor_limit = 1024;
    std::vector<std::string> warnings;
    const auto c = find_capacity(in, warnings);
    REQUIRE(c);
    CHECK(c->allocations < 1024 - 100);
    CHECK(c->allocations > 800);
    CHECK(c->bound_by == "file descriptors");
    REQUIRE(warnings.size() == 1);
    CHECK(contains(warnings[0], "1024 file descriptors"));
}

TEST_CASE("capacity: a limit set above what ports allow is an error that names the remedy") {
    auto in = ample();
    in.relay_addresses = 1;
    in.wanted = 16385;
    std::vector<std::string> warnings;
    const auto c = find_capacity(in, warnings);
    REQUIRE_FALSE(c);
    CHECK(contains(c.error().what, "allocations-total 16385"));
    CHECK(contains(c.error().what, "16384"));
    CHECK(contains(c.error().what, "widen the range or add a relay address"));

    in.wanted = 16384;
    CHECK(find_capacity(in, warnings));
}

TEST_CASE("capacity: a limit set above what descriptors allow is an error that names the remedy") {
    auto in = ample();
    in.descriptor_limit = 1024;
    in.wanted = 1000;
    std::vector<std::string> warnings;
    const auto c = find_capacity(in, warnings);
    REQUIRE_FALSE(c);
    CHECK(contains(c.error().what, "file descriptors"));
    CHECK(contains(c.error().what, "LimitNOFILE="));
}

TEST_CASE("capacity: no descriptors at all is an error whatever is wanted") {
    auto in = ample();
    in.descriptor_limit = 100;
    std::vector<std::string> warnings;
    CHECK_FALSE(find_capacity(in, warnings));
    in.wanted = 1;
    CHECK_FALSE(find_capacity(in, warnings));
}
