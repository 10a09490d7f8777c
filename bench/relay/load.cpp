/// turn-load: traffic through a TURN server, or the floor; what it cost the server, as JSON.

#include <cstdio>

#include "memory.hpp"
#include "relaying.hpp"
#include "requests.hpp"

namespace {

using namespace turn::bench;

outcome run(const load_options& o) {
    if (o.relays()) return relaying(o).run();
    if (o.work == workload::memory) return measure_memory(o);
    if (o.work == workload::churn) return requests(o).churn();
    return requests(o).run();
}

} // namespace

int main(int argc, char** argv) {
    const auto parsed = parse_options(argc, argv);
    if (parsed.done) return parsed.status;
    const load_options& options = parsed.options;
    try {
        const outcome measured = run(options);
        if (options.pid > 0 && !measured.clocks.server_cpu()) throw trouble{"there is no such server process"};
        std::puts(to_json(options, measured).c_str());
        return measured.valid() ? 0 : 1;
    } catch (const trouble& t) {
        std::fprintf(stderr, "turn-load: %s\n", t.what.c_str());
        return 1;
    }
}
