#include <atomic>
#include <thread>

#include <doctest/doctest.h>

#include "support/certificates.hpp"
#include "support/real_server.hpp"
#include "support/real_stream.hpp"
#include "support/tls_client.hpp"
#include "turn/stun/message.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

std::vector<std::byte> binding_request() {
    std::vector<std::byte> buffer(64);
    stun::message_builder b(buffer, stun::message_class::request, stun::method::binding, {});
    const auto message = b.finish();
    return {message->begin(), message->end()};
}

/// The smallest messages there are, of a channel that does not exist.
std::vector<std::byte> empty_channel_data(std::size_t count) {
    std::vector<std::byte> all(4 * count);
    for (std::size_t i = 0; i < count; ++i) all[4 * i] = std::byte{0x40};
    return all;
}

} // namespace

TEST_CASE("turn: connections that send small messages as fast as they can do not keep others from their answers") {
    auto o = on_loopback();
    o.listeners.push_back({.protocol = transport::tcp, .local = loopback()});
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto& listeners = s->description().listeners;
    real_client ann(listeners.front().local); // over UDP

    std::atomic<bool> enough = false;
    std::vector<std::thread> flood;
    for (int i = 0; i < 3; ++i)
        flood.emplace_back([&] {
            real_stream mallory(listeners.back().local);
            mallory.send_bytes(binding_request());
            for (const auto many = empty_channel_data(16'384); !enough;) mallory.send_bytes(many);
        });
    const auto frames = [&] { return s->totals().streams.received_frames; };
    while (frames() < 100'000) std::this_thread::yield();
    for (int i = 0; i < 10; ++i) {
        const auto before = frames();
        CHECK(ann.bind());
        while (frames() == before) std::this_thread::yield(); // it goes on all the time
    }
    enough = true;
    for (auto& f : flood) f.join();
}

TEST_CASE(
    "turn: a TLS client that asks for answers of TLS itself and does not read them is closed before they pile up") {
    const certificate_authority authority;
    const certificate_folder folder;
    auto o = on_loopback();
    o.listeners = {
        {.protocol = transport::tls, .local = loopback(), .certificates = {folder.files(authority.issue())}}};
    auto s = server::start(std::move(o));
    REQUIRE(s);

    real_stream wire(s->description().listeners.front().local, {.receive_buffer = 4096});
    tls_client mallory({.version = tls_version::v1_3});
    wire.send_bytes(mallory.to_send());
    while (!mallory.open()) {
        const auto came = wire.receive_bytes(65536, std::chrono::steady_clock::now() + patience);
        REQUIRE(!came.empty());
        mallory.receive(came);
        wire.send_bytes(mallory.to_send());
    }
    const auto given_up = [&] {
        return s->totals().streams.closed[static_cast<std::size_t>(reason::slow_reader)] != 0;
    };
    // Each asks for a KeyUpdate in return, of 27 bytes. What the kernel and the server may hold is half of this.
    for (int i = 0; i < 40'000 && !given_up(); ++i) {
        mallory.update_key();
        wire.send_bytes(mallory.to_send());
    }
    for (const auto until = std::chrono::steady_clock::now() + patience; !given_up();) {
        REQUIRE(std::chrono::steady_clock::now() < until);
        std::this_thread::sleep_for(1ms);
    }
    CHECK(s->totals().streams.without_allocation == 0);
}
