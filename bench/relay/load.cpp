/// turn-load: traffic through a TURN server, or the floor; what it cost the server, as JSON.

#include <cstdio>

#include "memory.hpp"
#include "mix.hpp"
#include "relaying.hpp"
#include "requests.hpp"
#include "tcp_relay.hpp"

namespace {

using namespace turn::bench;

template <class Load>
outcome run_alone(const load_options& o) {
    Load only(o);
    load* const loads[] = {&only};
    run_window(o, loads);
    return only.end();
}

outcomes run(const load_options& o) {
    if (o.work == workload::mix) return run_mix(o);
    if (o.relays()) return {run_alone<relaying>(o)};
    if (o.work == workload::memory) return {measure_memory(o)};
    if (o.work == workload::tcp_relay) return {measure_tcp_relay(o)};
    if (o.work == workload::churn) return {requests(o).churn()};
    return {run_alone<requests>(o)};
}

} // namespace

int main(int argc, char** argv) {
    const auto parsed = parse_options(argc, argv);
    if (parsed.done) return parsed.status;
    const load_options& options = parsed.options;
    try {
        const outcomes measured = run(options);
        if (options.pid > 0 && !measured.all.clocks.server_cpu()) throw trouble{"there is no such server process"};
        std::puts(to_json(options, measured).c_str());
        return measured.all.valid() ? 0 : 1;
    } catch (const trouble& t) {
        std::fprintf(stderr, "turn-load: %s\n", t.what.c_str());
        return 1;
    }
}
