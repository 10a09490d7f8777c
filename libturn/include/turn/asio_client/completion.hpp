#pragma once
/// Completion handlers of any type, kept until their result is known. Part of turn/asio_client.hpp.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

namespace turn::asio_detail {

using serial_number = std::uint64_t; ///< names one wait, to cancel it

/// Waits for an error, or none, and these results.
template <class... Results>
class completion {
public:
    virtual ~completion() = default;
    /// Posts the handler to its executor, so that it never runs inside a call of ours. Once.
    virtual void finish(std::error_code, Results...) = 0;
    void fail(std::error_code why) { finish(why, Results{}...); }
};
template <class... Results>
using completion_ptr = std::unique_ptr<completion<Results...>>;

template <class Handler, class... Results>
class completion_of final : public completion<Results...> {
public:
    completion_of(Handler&& handler, const asio::any_io_executor& otherwise)
        : handler_(std::move(handler)), executor_(asio::prefer(asio::get_associated_executor(handler_, otherwise),
                                                               asio::execution::outstanding_work.tracked)) {}

    void finish(std::error_code error, Results... results) override {
        asio::get_associated_cancellation_slot(handler_).clear();
        auto run = [handler = std::move(handler_), error, ... results = std::move(results)]() mutable {
            std::move(handler)(error, std::move(results)...);
        };
        asio::post(executor_, std::move(run));
    }
    /// `cancel` is called, on the handler's executor, when whoever gave us the handler has lost interest.
    template <class Cancel>
    void when_cancelled(Cancel cancel) {
        if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected())
            slot.assign([cancel = std::move(cancel)](asio::cancellation_type) { cancel(); });
    }

private:
    Handler handler_;
    /// Keeps the handler's io_context running until then.
    std::decay_t<decltype(asio::prefer(std::declval<asio::associated_executor_t<Handler, asio::any_io_executor>>(),
                                       asio::execution::outstanding_work.tracked))>
        executor_;
};

/// Whoever waits here under this number has lost interest.
template <class Waits>
void cut(Waits& waiting, serial_number serial, std::error_code why) {
    const auto found = std::ranges::find_if(waiting, [&](const auto& w) { return w.serial == serial; });
    if (found == waiting.end()) return;
    auto taken = std::move(*found);
    waiting.erase(found);
    taken.done->fail(why);
}

/// Hands a handler to `begin`, which keeps it in `owner` under a number, until there are results or whoever gave it
/// cancels it.
template <class... Results, class Owner, class Handler, class Begin>
void begin(const std::shared_ptr<Owner>& owner, Handler handler, Begin&& start) {
    auto done = std::make_unique<completion_of<Handler, Results...>>(std::move(handler), owner->executor());
    const auto serial = owner->next_serial();
    done->when_cancelled([interested = std::weak_ptr(owner), serial] {
        // Later, for the slot must outlive its call.
        if (const auto o = interested.lock()) asio::post(o->executor(), [o, serial] { o->cancel(serial); });
    });
    std::forward<Begin>(start)(*owner, serial, completion_ptr<Results...>(std::move(done)));
}

} // namespace turn::asio_detail
