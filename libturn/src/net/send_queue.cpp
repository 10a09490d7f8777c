#include "net/send_queue.hpp"

#include <algorithm>
#include <new>

namespace turn::net {

namespace {

constexpr std::size_t index(direction way) noexcept {
    return static_cast<std::size_t>(way);
}

void book_drop(direction way, reason why, stream_counters& books) noexcept {
    ++books.dropped[index(way)][static_cast<std::size_t>(why)];
}

} // namespace

bool send_queue::push(const datagram& message, time_point now, const queue_limits& limits, stream_counters& books) try {
    const bool control = message.way == direction::control;
    drop_old(now, limits, books);
    while (bytes_ + message.size() > limits.bytes && drop_oldest_media(reason::slow_reader, books)) {}
    if (control ? control_bytes_ + message.size() > limits.control_bytes : bytes_ + message.size() > limits.bytes) {
        book_drop(message.way, reason::slow_reader, books);
        return !control;
    }
    std::vector<std::byte> copy;
    copy.reserve(message.size());
    copy.insert(copy.end(), message.head.begin(), message.head.end());
    copy.insert(copy.end(), message.body.begin(), message.body.end());
    copy.resize(message.size());
    entries_.push_back({std::move(copy), message.way, now});
    bytes_ += message.size();
    if (control) control_bytes_ += message.size();
    ++books.queued[index(message.way)];
    return true;
} catch (const std::bad_alloc&) {
    book_drop(message.way, reason::out_of_memory, books);
    return message.way != direction::control;
}

void send_queue::drop_old(time_point now, const queue_limits& limits, stream_counters& books) {
    for (;;) {
        const std::size_t oldest = oldest_media();
        if (oldest == entries_.size() || entries_[oldest].since + limits.age > now) return;
        drop_oldest_media(reason::queued_too_long, books);
    }
}

void send_queue::drop_all(reason why, stream_counters& books) {
    for (; !empty(); remove_front()) {
        forget(entries_[front_], books);
        book_drop(entries_[front_].way, why, books);
    }
}

datagram send_queue::operator[](std::size_t i) const noexcept {
    return {.body = entries_[front_ + i].message, .way = entries_[front_ + i].way};
}

void send_queue::pop(stream_counters& books) noexcept {
    forget(entries_[front_], books);
    remove_front();
}

std::size_t send_queue::oldest_media() const noexcept {
    std::size_t i = front_;
    while (i < entries_.size() && entries_[i].way == direction::control) ++i;
    return i;
}

bool send_queue::drop_oldest_media(reason why, stream_counters& books) noexcept {
    const std::size_t oldest = oldest_media();
    if (oldest == entries_.size()) return false;
    forget(entries_[oldest], books);
    book_drop(entries_[oldest].way, why, books);
    // The few answers in front of it move up, not the many behind it.
    const auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(front_);
    const auto gap = entries_.begin() + static_cast<std::ptrdiff_t>(oldest);
    std::move_backward(begin, gap, gap + 1);
    remove_front();
    return true;
}

/// Gives memory back when nothing waits any more, and closes the gap in front when it is the larger part.
void send_queue::remove_front() noexcept {
    entries_[front_++] = {};
    if (front_ == entries_.size()) {
        entries_ = {};
        front_ = 0;
    } else if (front_ * 2 > entries_.size()) {
        entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(front_));
        front_ = 0;
    }
}

void send_queue::forget(const entry& e, stream_counters& books) noexcept {
    bytes_ -= e.message.size();
    if (e.way == direction::control) control_bytes_ -= e.message.size();
    books.queued[index(e.way)].subtract(1);
}

} // namespace turn::net
