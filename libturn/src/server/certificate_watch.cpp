#include "server/certificate_watch.hpp"

#include "server/signals_blocked.hpp"

namespace turn {

certificate_watch::certificate_watch(std::vector<watched> all, std::chrono::seconds every, observer* events)
    : events_(events) {
    for (auto& w : all) places_.push_back({std::move(w), {}});
    if (places_.empty() || every <= std::chrono::seconds::zero()) return;
    const signals_blocked while_starting;
    thread_ = std::thread([this, every] {
        std::unique_lock lock(mutex_);
        while (!wake_.wait_for(lock, every, [this] { return ending_; })) {
            lock.unlock();
            look();
            lock.lock();
        }
    });
}

certificate_watch::~certificate_watch() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

std::vector<std::pair<transport_address, std::int64_t>> certificate_watch::expiries() const {
    std::vector<std::pair<transport_address, std::int64_t>> all; // `what` never changes, and a context locks itself
    for (const place& p : places_) all.emplace_back(p.what.listener, p.what.context->expires());
    return all;
}

std::vector<std::string> certificate_watch::look() {
    const std::lock_guard lock(looking_);
    std::vector<std::string> errors;
    for (place& p : places_) {
        const auto changed = p.what.context->reload();
        const std::string error = changed ? std::string() : changed.error();
        if (!error.empty()) errors.push_back("listener " + p.what.listener.to_string() + ": " + error);
        const bool news = changed ? *changed : error != p.last_error;
        p.last_error = error;
        if (news && events_ != nullptr) events_->certificates_changed(p.what.listener, error);
    }
    return errors;
}

} // namespace turn
