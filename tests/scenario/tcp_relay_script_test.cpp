/// Random life at TCP relays, by seed.

#include <doctest/doctest.h>

#include "support/tcp_script.hpp"

namespace turn::test {

TEST_CASE("random life at TCP relays: every id is good for one ConnectionBind of its user and nothing else") {
    std::size_t bound = 0, refused = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        seeded_choices choices(seed);
        tcp_script script(choices);
        for (int i = 0; i < 500; ++i) script.step();
        script.finish();
        bound += script.bound();
        refused += script.refused();
    }
    CHECK(bound > 20); // or it was not about anything
    CHECK(refused > 50);
}

} // namespace turn::test
