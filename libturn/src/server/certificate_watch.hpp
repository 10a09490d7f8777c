#pragma once
/// Looks at certificate files from time to time, so that a renewed certificate is used without anybody's signal.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/tls_context.hpp"
#include "turn/observer.hpp"

namespace turn {

/// Owns a thread while it lives, if there is anything to watch: files may be slow, and shards must not be.
class certificate_watch {
public:
    struct watched {
        transport_address listener{};
        std::shared_ptr<net::tls_context> context{};
    };

    /// `every` 0: only when look() is called. Throws std::system_error when there is no thread to be had.
    certificate_watch(std::vector<watched>, std::chrono::seconds every, observer*);
    ~certificate_watch();
    certificate_watch(const certificate_watch&) = delete;
    certificate_watch& operator=(const certificate_watch&) = delete;

    /// Looks now; any thread. Returns what cannot be used, a line for each listener.
    std::vector<std::string> look();

    /// When the first certificate of each listener ends, in seconds since 1970. Any thread.
    [[nodiscard]] std::vector<std::pair<transport_address, std::int64_t>> expiries() const;

private:
    struct place {
        watched what{};
        std::string last_error{};
    };
    std::vector<place> places_;
    observer* events_;
    std::mutex looking_{};
    std::mutex mutex_{};
    std::condition_variable wake_{};
    bool ending_ = false;
    std::thread thread_{};
};

} // namespace turn
