#pragma once
/// A run: loads warm up, are measured over one window, and end.

#include <span>
#include <vector>

#include <poll.h>

#include "options.hpp"

namespace turn::bench {

/// One kind of load, in steps that take turns with those of others. None of them waits but those of prepare().
class load {
public:
    virtual ~load() = default;

    /// Whatever comes before the first packet. Throws trouble.
    virtual void prepare() = 0;
    virtual void begin(time_point now) = 0;
    /// Sends what is due and takes what has arrived. Returns whether there was anything.
    virtual bool step(time_point now) = 0;
    virtual void open_window() = 0;
    virtual void close_window() = 0;
    /// Takes what has arrived since the window was closed. Returns whether nothing is missing any more.
    virtual bool rest(time_point now) = 0;
    /// Adds what becomes readable when something arrives.
    virtual void watch(std::vector<pollfd>&) const = 0;
};

/// Everything but what each load does to end. Throws trouble.
void run_window(const load_options&, std::span<load* const>);

} // namespace turn::bench
