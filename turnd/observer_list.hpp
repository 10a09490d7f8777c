#pragma once
/// Several observers of one server: the log, the memory of events, the count of clients.

#include <utility>
#include <vector>

#include "turn/observer.hpp"

namespace turnd {

/// Tells each of them everything, in their order. They outlive it.
class observer_list final : public turn::observer {
public:
    explicit observer_list(std::vector<turn::observer*> all) : all_(std::move(all)) {}

    void allocation_created(const turn::allocation_info& info) noexcept override {
        for (auto* one : all_) one->allocation_created(info);
    }
    void allocation_ended(const turn::allocation_info& info, const turn::usage& used,
                          turn::allocation_end why) noexcept override {
        for (auto* one : all_) one->allocation_ended(info, used, why);
    }
    void request_refused(const turn::refusal& no) noexcept override {
        for (auto* one : all_) one->request_refused(no);
    }
    void certificates_changed(const turn::transport_address& listener, std::string_view error) noexcept override {
        for (auto* one : all_) one->certificates_changed(listener, error);
    }
    bool may_reach(const turn::allocation_info& info, const turn::transport_address& peer) noexcept override {
        bool all_agree = true;
        for (auto* one : all_) all_agree = one->may_reach(info, peer) && all_agree;
        return all_agree;
    }

private:
    std::vector<turn::observer*> all_;
};

} // namespace turnd
