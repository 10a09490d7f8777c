#pragma once
/// Something that is to be done every few seconds, beside everything else.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace turnd {

/// Does it on a thread of its own; the end waits for one that has begun. `deed` must not throw.
class repeating {
public:
    repeating(std::chrono::milliseconds pause, std::function<void()> deed)
        : thread_([pause, deed = std::move(deed)](const std::stop_token& end) {
              std::mutex mutex;
              std::condition_variable_any ended;
              std::unique_lock lock(mutex);
              while (!ended.wait_for(lock, end, pause, [&] { return end.stop_requested(); })) deed();
          }) {}

private:
    std::jthread thread_;
};

} // namespace turnd
