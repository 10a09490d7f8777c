#include <cstdlib>

#include <doctest/doctest.h>

#include "support/relay_script.hpp"

using turn::test::relay_script;
using turn::test::seeded_choices;

namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

} // namespace

TEST_CASE("a million random steps keep every invariant and most of them succeed") {
    const std::uint64_t seed = number_from_environment("TURN_SCRIPT_SEED", 20260117);
    const std::uint64_t steps = number_from_environment("TURN_SCRIPT_STEPS", 1'000'000);
    CAPTURE(seed);
    seeded_choices choices(seed);
    relay_script script(choices, 16);
    while (script.steps() < steps) {
        CAPTURE(script.steps());
        script.step();
    }
    script.finish();
    MESSAGE("seed ", seed, ": ", script.report());
    CHECK(script.successful() * 2 >= script.steps());
}
