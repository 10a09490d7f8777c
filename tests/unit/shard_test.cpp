/// A shard's thread beside a socket that never runs dry.

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <memory>

#include "server/shard.hpp"
#include "support/fake_packet_io.hpp"

using namespace turn;
using namespace turn::test;

namespace {

/// A back end with packets at hand whenever it is asked, so it never looks at the descriptors that would wake it.
class flooded final : public net::packet_io {
public:
    explicit flooded(std::atomic<std::uint64_t>& received) : received_(received) {}

    result<socket_id> open(const transport_address& local, const net::socket_options& o) override {
        return io_.open(local, o);
    }
    result<socket_id> adopt(int number, const net::socket_options& o) override { return io_.adopt(number, o); }
    int release(socket_id id) override { return io_.release(id); }
    void close(socket_id id) override { io_.close(id); }
    [[nodiscard]] transport_address local_address(socket_id id) const override { return io_.local_address(id); }
    [[nodiscard]] int descriptor(socket_id id) const override { return io_.descriptor(id); }
    std::span<const packet> receive() override {
        ++received_;
        return {&junk_, 1};
    }
    awake wait(std::chrono::milliseconds) override { return {.packets = true}; }
    result<void> also_watch(int descriptor) override { return io_.also_watch(descriptor); }
    void send(std::span<const datagram> datagrams) override { io_.send(datagrams); }
    [[nodiscard]] int native_handle() const override { return io_.native_handle(); }
    [[nodiscard]] net::abilities what_works() const override { return io_.what_works(); }
    [[nodiscard]] const net_counters& counters() const override { return io_.counters(); }

private:
    fake_ports ports_;
    fake_packet_io io_{ports_};
    std::atomic<std::uint64_t>& received_;
    std::array<std::byte, 3> bytes_{};
    packet junk_{.from = *transport_address::parse("192.0.2.1:5000"), .data = bytes_};
};

} // namespace

TEST_CASE("shard: packets without end keep neither tasks nor the end of the server waiting") {
    std::atomic<std::uint64_t> received = 0;
    shared_state shared({}, 0);
    auto io = std::make_unique<flooded>(received);
    const auto local = *transport_address::parse("192.0.2.9:3478");
    const auto listener = io->open(local, {.role = net::socket_role::listener});
    REQUIRE(listener);
    shard one(0, 1, shared, {.datagrams = std::move(io)}, {});
    one.add_listener(*listener, {.local = local, .realm = "example.org"});
    one.start();
    while (received < 1000) {}
    one.stop_accepting();
    one.end_allocations_of("example.org", "ann");
    one.stop();
    one.join(); // it ends at all
    CHECK(received >= 1000);
}
