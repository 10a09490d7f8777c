/// A relay's whole life: the bytes choose the steps of tests/support/relay_script.hpp, and the world's invariants are
/// checked after each. What is broken is said before the process ends.

#include <cstdio>
#include <cstdlib>

#include "fuzz.hpp"
#include "support/relay_script.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    turn::test::byte_choices choices(turn::fuzz::as_bytes(data, size));
    try {
        turn::test::relay_script script(choices, 1);
        while (!choices.ended()) script.step();
        script.finish();
    } catch (const turn::test::invariant_violation& broken) {
        std::fprintf(stderr, "%s\n", broken.what());
        std::abort();
    }
    return 0;
}
