#include "window.hpp"

#include <algorithm>

#include "pace.hpp"
#include "sockets.hpp"

namespace turn::bench {
namespace {

constexpr std::chrono::milliseconds longest_rest{3000};
constexpr std::chrono::milliseconds between_looks{10};

void wait_for_the_rest(std::span<load* const> loads, std::span<pollfd> ready) {
    const auto deadline = std::chrono::steady_clock::now() + longest_rest;
    for (auto now = std::chrono::steady_clock::now(); now < deadline; now = std::chrono::steady_clock::now()) {
        bool complete = true;
        for (load* const each : loads) complete = each->rest(now) && complete;
        if (complete) return;
        wait_until(ready, now + between_looks);
    }
}

} // namespace

void run_window(const load_options& o, std::span<load* const> loads) {
    std::vector<pollfd> ready;
    for (load* const each : loads) {
        each->prepare();
        each->watch(ready);
    }
    const auto begin = std::chrono::steady_clock::now();
    const auto window_begin = begin + o.warm_up;
    const auto window_end = window_begin + o.window;
    for (load* const each : loads) each->begin(begin);
    bool open = false;
    for (auto now = begin; now < window_end; now = std::chrono::steady_clock::now()) {
        if (now >= window_begin && !open) {
            for (load* const each : loads) each->open_window();
            open = true;
        }
        bool something = false;
        for (load* const each : loads) something = each->step(now) || something;
        if (!something) wait_until(ready, std::min(now + pace::round, window_end));
    }
    for (load* const each : loads) each->close_window();
    wait_for_the_rest(loads, ready);
}

} // namespace turn::bench
