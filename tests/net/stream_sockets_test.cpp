#include <doctest/doctest.h>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <map>
#include <span>

#include "net/stream_sockets.hpp"
#include "support/model.hpp"
#include "support/real_stream.hpp"
#include "turn/stun/message.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

/// stream_sockets whose time passes as the test says, and a client on loopback.
struct story {
    net::connection_budget budget{40, 40};
    net::file_descriptor shared_set{}; ///< none: its own
    std::unique_ptr<net::stream_sockets> it = std::move(
        *net::stream_sockets::make({.idle = 30s, .handshake = 10s}, budget, shared_set ? shared_set.number() : -1));
    time_point now = time_point() + 1h;
    std::size_t messages = 0, come = 0, gone = 0;
    std::map<transport_address, std::size_t, address_order> heard{}; ///< messages by client

    story() : story(net::file_descriptor()) {}
    explicit story(net::file_descriptor set) : shared_set(std::move(set)) {
        REQUIRE(it->listen(loopback(), {.tcp = true, .tls = nullptr}, false));
    }
    transport_address address() const { return it->local_address(0); }
    void receive() {
        const auto batch = shared_set ? it->receive(now, ask_shared_set()) : it->receive(now);
        messages += batch.packets.size();
        for (const packet& p : batch.packets) ++heard[p.from];
        come += batch.come.size();
        gone += batch.gone.size();
    }
    /// As packet_io does.
    std::vector<net::readiness> ask_shared_set() const {
        std::array<epoll_event, 8> events{};
        std::vector<net::readiness> ready;
        const int n = ::epoll_wait(shared_set.number(), events.data(), static_cast<int>(events.size()), 0);
        for (const epoll_event& e : std::span(events).first(static_cast<std::size_t>(n))) {
            CHECK((e.data.u32 >= net::packet_io::first_shared_token && e.data.u32 != 0xffffffffU));
            ready.push_back({e.data.u32, e.events});
        }
        return ready;
    }
    /// Receives until `done`, for as long as anything on loopback may take.
    template <class Condition>
    bool until(Condition&& done) {
        for (const auto end = std::chrono::steady_clock::now() + patience; !done();) {
            if (std::chrono::steady_clock::now() > end) return false;
            pollfd readable{it->native_handle(), POLLIN, 0};
            if (!it->more()) ::poll(&readable, 1, 100);
            receive();
        }
        return true;
    }
    void pass(time_point::duration d) {
        now += d;
        it->tick(now);
        receive();
    }
    std::uint64_t open() const { return it->counters().without_allocation.value(); }
};

void ask(real_stream& client) {
    std::array<std::byte, 20> buffer{};
    stun::message_builder b(buffer, stun::message_class::request, stun::method::binding, {});
    client.send_bytes(*b.finish());
}

/// The smallest messages there are, as many as the connection takes.
class flood {
public:
    explicit flood(const transport_address& server) : stream_(server) { ask(stream_); }
    void go_on() {
        for (ssize_t n = 1; n > 0;) {
            n = ::send(stream_.descriptor(), empty_channel_data_.data() + sent_ % 4, size, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n > 0) sent_ += static_cast<std::size_t>(n);
        }
    }
    [[nodiscard]] transport_address local() const { return stream_.local(); }

private:
    static constexpr std::size_t size = 65'536;
    static std::vector<std::byte> many() {
        std::vector<std::byte> all(size + 4);
        for (std::size_t i = 0; i < all.size(); i += 4) all[i] = std::byte{0x40};
        return all;
    }
    real_stream stream_;
    std::vector<std::byte> empty_channel_data_ = many();
    std::size_t sent_ = 0;
};

} // namespace

TEST_CASE("turn: connections that always have more messages than a round takes do not silence the others") {
    net::file_descriptor set;
    SUBCASE("with a set of their own") {}
    SUBCASE("in a set with others") {
        set = net::file_descriptor(::epoll_create1(EPOLL_CLOEXEC));
        REQUIRE(set);
    }
    story s(std::move(set));
    std::size_t floods = 0;
    SUBCASE("one") {
        floods = 1;
    }
    SUBCASE("three") {
        floods = 3;
    }
    SUBCASE("more than have a turn in one round") {
        floods = 30;
    }
    std::vector<std::unique_ptr<flood>> loud;
    std::vector<std::unique_ptr<real_stream>> quiet;
    for (std::size_t i = 0; i < floods; ++i) loud.push_back(std::make_unique<flood>(s.address()));
    REQUIRE(s.until([&] { return s.messages == floods; }));
    for (auto& l : loud) l->go_on(); // they are the first in every row
    for (int i = 0; i < 5; ++i) quiet.push_back(std::make_unique<real_stream>(s.address()));
    REQUIRE(s.until([&] { return s.open() == floods + 5; }));

    constexpr std::size_t questions = 20;
    for (std::size_t i = 0; i < questions; ++i) {
        for (auto& q : quiet) ask(*q);
        for (int rounds = 0; rounds < 20; ++rounds) {
            for (auto& l : loud) l->go_on();
            s.receive();
        }
    }
    double sum = 0, squares = 0;
    for (const auto& q : quiet) {
        const auto n = static_cast<double>(s.heard[q->local()]);
        CHECK(n >= questions / 2);
        sum += n;
        squares += n * n;
    }
    CHECK(sum * sum / (5 * squares) > 0.95); // Jain's index
    for (const auto& l : loud) CHECK(s.heard[l->local()] > 1000);
}

TEST_CASE("turn: a round is shared by the connections that have something to say") {
    story s;
    std::vector<std::unique_ptr<flood>> loud;
    for (int i = 0; i < 3; ++i) loud.push_back(std::make_unique<flood>(s.address()));
    real_stream quiet(s.address());
    ask(quiet);
    REQUIRE(s.until([&] { return s.messages == 4; }));
    for (auto& l : loud) l->go_on();
    std::size_t soon = 0;
    for (int i = 0; i < 20; ++i) {
        ask(quiet);
        const std::size_t before = s.heard[quiet.local()];
        for (int rounds = 0; rounds < 2; ++rounds) {
            for (auto& l : loud) l->go_on();
            s.receive();
        }
        soon += s.heard[quiet.local()] > before ? 1 : 0;
    }
    CHECK(soon > 15); // every time, unless the kernel took its time
}

TEST_CASE("RFC 8489 6.2.2: a connection stays as long as its client says something, and ends when it has timed out") {
    story s;
    real_stream ann(s.address());
    for (std::size_t i = 1; i <= 4; ++i) {
        ask(ann);
        REQUIRE(s.until([&] { return s.messages == i; }));
        s.pass(29s);
        CHECK(s.open() == 1);
    }
    s.pass(1s);
    CHECK(s.open() == 0);
    CHECK(s.gone == 1);
    CHECK(ann.closed_by(std::chrono::steady_clock::now() + patience));
}

TEST_CASE("turn: bytes that become no message do not prolong a connection") {
    story s;
    real_stream slow(s.address());
    REQUIRE(s.until([&] { return s.open() == 1; }));
    CHECK(s.it->next_deadline() == s.now + 10s);
    std::array<std::byte, 20> buffer{};
    stun::message_builder b(buffer, stun::message_class::request, stun::method::binding, {});
    const bytes whole = *b.finish();
    const auto calls = [&] { return s.it->counters().receive_calls.value(); };
    for (std::size_t i = 0; i < 9; ++i) {
        slow.send_bytes(whole.subspan(i, 1));
        REQUIRE(s.until([&] { return calls() == i + 1; }));
        s.pass(1s);
    }
    CHECK(s.open() == 1);
    s.pass(1s);
    CHECK(s.open() == 0);
    CHECK(s.come == 0); // nobody heard of it, so nobody hears of its end
    CHECK(s.gone == 0);
}

TEST_CASE("turn: a connection with an allocation has no time-out until the allocation ends") {
    story s;
    real_stream ann(s.address());
    ask(ann);
    REQUIRE(s.until([&] { return s.messages == 1; }));
    s.it->claim(stream_id(0), true, s.now);
    CHECK(s.it->next_deadline() == time_point::max());
    CHECK(s.budget.in_use() == 0);
    s.pass(1h);
    s.it->claim(stream_id(0), false, s.now);
    CHECK(s.budget.in_use() == 1);
    s.pass(29s);
    CHECK(s.gone == 0);
    s.pass(1s);
    CHECK(s.gone == 1);
    CHECK(s.budget.in_use() == 0);
}
