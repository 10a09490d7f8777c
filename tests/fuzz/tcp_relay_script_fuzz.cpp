/// TCP relays (RFC 6062): the bytes choose the steps of tests/support/tcp_script.hpp, which knows what each
/// CONNECTION-ID is good for. What is broken is said before the process ends.

#include <cstdio>
#include <cstdlib>

#include "fuzz.hpp"
#include "support/tcp_script.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    turn::test::byte_choices choices(turn::fuzz::as_bytes(data, size));
    try {
        turn::test::tcp_script script(choices);
        while (!choices.ended()) script.step();
        script.finish();
    } catch (const turn::test::invariant_violation& broken) {
        std::fprintf(stderr, "%s\n", broken.what());
        std::abort();
    }
    return 0;
}
