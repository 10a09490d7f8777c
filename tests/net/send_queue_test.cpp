#include <doctest/doctest.h>

#include <string>

#include "net/connection_budget.hpp"
#include "net/send_queue.hpp"

using namespace std::chrono_literals;
using namespace turn;
using net::connection_budget;
using net::queue_limits;
using net::send_queue;

namespace {

struct queue_of_texts {
    send_queue queue{};
    stream_counters books{};
    queue_limits limits{.bytes = 100, .control_bytes = 40, .age = 2s};
    time_point now = time_point() + 1h;

    bool push(const std::string& text, direction way = direction::down) {
        return queue.push({.body = std::as_bytes(std::span(text)), .way = way}, now, limits, books);
    }
    bool answer(const std::string& text) { return push(text, direction::control); }
    std::string waiting() const {
        std::string all;
        for (std::size_t i = 0; i < queue.size(); ++i) {
            const bytes b = queue[i].body;
            all += std::string(reinterpret_cast<const char*>(b.data()), b.size()).substr(0, 1);
        }
        return all;
    }
    std::uint64_t dropped(reason why, direction way = direction::down) const {
        return books.dropped[static_cast<std::size_t>(way)][static_cast<std::size_t>(why)].value();
    }
};

std::string item(char name, std::size_t size) {
    return std::string(size, name);
}

} // namespace

TEST_CASE("turn: a full queue drops its oldest media, keeps its answers, and stays in order") {
    queue_of_texts q;
    CHECK(q.push(item('a', 40)));
    CHECK(q.answer(item('1', 10)));
    CHECK(q.push(item('b', 40)));
    CHECK(q.waiting() == "a1b");
    CHECK(q.push(item('c', 40))); // 130 bytes are too many
    CHECK(q.waiting() == "1bc");
    CHECK(q.answer(item('2', 20)));
    CHECK(q.waiting() == "1c2");
    CHECK(q.dropped(reason::slow_reader) == 2);
    CHECK(q.queue.bytes_waiting() == 70);
    CHECK(q.books.queued[static_cast<std::size_t>(direction::down)].value() == 1);
    CHECK(q.books.queued[static_cast<std::size_t>(direction::control)].value() == 2);
}

TEST_CASE("turn: media that has waited too long is dropped, answers wait on") {
    queue_of_texts q;
    q.push(item('a', 10));
    q.answer(item('1', 10));
    q.now += 1s;
    q.push(item('b', 10));
    q.now += 1500ms;
    q.queue.drop_old(q.now, q.limits, q.books);
    CHECK(q.waiting() == "1b");
    CHECK(q.dropped(reason::queued_too_long) == 1);
}

TEST_CASE("turn: a client that reads no answers at all is given up") {
    queue_of_texts q;
    CHECK(q.answer(item('1', 20)));
    CHECK(q.answer(item('2', 20)));
    CHECK_FALSE(q.answer(item('3', 1)));
    CHECK(q.waiting() == "12");
}

TEST_CASE("turn: a message larger than the queue is dropped and the rest stays") {
    queue_of_texts q;
    q.answer(item('1', 10));
    CHECK(q.push(item('a', 101)));
    CHECK(q.waiting() == "1");
    CHECK(q.dropped(reason::slow_reader) == 1);
}

TEST_CASE("turn: a queue that is popped from the front and filled behind keeps its books") {
    queue_of_texts q;
    for (int round = 0; round < 1000; ++round) {
        q.push(item('a', 30));
        q.push(item('b', 30));
        q.queue.pop(q.books);
        if (round % 10 == 9)
            while (!q.queue.empty()) q.queue.pop(q.books);
    }
    CHECK(q.queue.bytes_waiting() == 0);
    CHECK(q.books.queued[static_cast<std::size_t>(direction::down)].value() == 0);
    q.push(item('c', 10));
    q.queue.drop_all(reason::socket_closed, q.books);
    CHECK(q.queue.empty());
    CHECK(q.dropped(reason::socket_closed) == 1);
}

TEST_CASE("turn: a source is an IPv4 address or an IPv6 /64, and the end of its connections makes room again") {
    connection_budget budget(4, 2);
    const auto at = [](const char* text) { return *transport_address::parse(text); };
    CHECK_FALSE(budget.admit(at("192.0.2.1:1000")));
    CHECK_FALSE(budget.admit(at("192.0.2.1:1001")));
    CHECK(budget.admit(at("192.0.2.1:1002")) == reason::connections_per_source);
    CHECK_FALSE(budget.admit(at("[2001:db8:0:1::1]:1")));
    CHECK_FALSE(budget.admit(at("[2001:db8:0:1::2]:1")));
    CHECK(budget.admit(at("[2001:db8:0:2::1]:1")) == reason::connections_full);
    budget.leave(at("192.0.2.1:1000"));
    CHECK(budget.admit(at("[2001:db8:0:1::3]:1")) == reason::connections_per_source);
    CHECK_FALSE(budget.admit(at("[2001:db8:0:2::1]:1")));
    budget.readmit(at("192.0.2.1:1000")); // it lost its allocation: nobody asks whether there is room
    CHECK(budget.in_use() == 5);
}
