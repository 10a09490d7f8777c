#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin_http.hpp"
#include "admin_sockets.hpp"
#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;

namespace {

const turn::transport_address any_port = *turn::transport_address::parse("127.0.0.1:0");

/// Sends bytes and returns everything that comes back until the other side closes.
std::string exchange(owned_descriptor connection, std::string_view request) {
    while (!request.empty()) {
        const ssize_t n = ::send(connection.value(), request.data(), request.size(), MSG_NOSIGNAL);
        if (n <= 0) break; // closed early; its answer is there
        request.remove_prefix(static_cast<std::size_t>(n));
    }
    std::string answer;
    std::array<char, 4096> part{};
    for (ssize_t n; (n = ::recv(connection.value(), part.data(), part.size(), 0)) > 0;)
        answer.append(part.data(), static_cast<std::size_t>(n));
    return answer;
}

owned_descriptor connect_to(const std::string& path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), path.size());
    owned_descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(socket.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    return socket;
}

owned_descriptor connect_to(const http_service& service) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons(service.status_address()->port);
    owned_descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(socket.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    return socket;
}

std::string get(std::string_view target, std::string_view more = "Host: localhost\r\n",
                std::string_view method = "GET") {
    return std::string(method) + " " + std::string(target) + " HTTP/1.1\r\n" + std::string(more) + "\r\n";
}

/// Says what it was asked.
admin_answer echo(const admin_request& r) {
    return {.content_type = "text/plain",
            .body = r.method + "|" + r.target + "|" + (r.may_write ? "write" : "read") + (r.has_body ? "|body" : "")};
}

http_service started(const http_service::places& where, http_service::handler handler = echo) {
    auto service = http_service::start(where, std::move(handler));
    REQUIRE(service);
    return *std::move(service);
}

std::string why_not(const http_service::places& where) {
    const auto service = http_service::start(where, echo);
    REQUIRE_FALSE(service);
    return service.error().place + ": " + service.error().why;
}

} // namespace

TEST_CASE("turnd: the unix socket takes commands, the TCP listener only shows") {
    const room files;
    const auto service = started({files.path("turnd.sock"), any_port});
    const std::string by_socket = exchange(connect_to(files.path("turnd.sock")), get("/a?b=%20c", "", "POST"));
    CHECK(by_socket.starts_with("HTTP/1.1 200"));
    CHECK(by_socket.ends_with("\r\n\r\nPOST|/a?b=%20c|write"));
    const std::string by_tcp = exchange(connect_to(service), get("/a"));
    CHECK(by_tcp.ends_with("\r\n\r\nGET|/a|read"));
    for (const std::string& answer : {by_socket, by_tcp}) {
        CHECK(contains(answer, "X-Content-Type-Options: nosniff\r\n"));
        CHECK(contains(answer, "Content-Security-Policy: default-src 'none';"));
        CHECK(contains(answer, "Connection: close\r\n"));
        CHECK_FALSE(contains(answer, "Access-Control"));
    }
}

TEST_CASE("turnd: the TCP listener answers nobody who was led here by a foreign name") {
    const auto service = started({"", any_port});
    CHECK(exchange(connect_to(service), get("/", "Host: 127.0.0.1:1\r\n")).starts_with("HTTP/1.1 200"));
    for (const char* host : {"", "Host: evil.example\r\n", "Host: localhost\r\nHost: evil.example\r\n", "Host:\r\n"}) {
        CAPTURE(host);
        CHECK(exchange(connect_to(service), get("/", host)).starts_with("HTTP/1.1 403"));
    }
}

TEST_CASE("turnd: HEAD is answered without a body, and a body is noticed and not waited for") {
    const room files;
    const auto service = started({files.path("turnd.sock"), {}});
    const auto ask = [&](const std::string& text) { return exchange(connect_to(files.path("turnd.sock")), text); };
    const std::string head = ask(get("/", "", "HEAD"));
    CHECK(head.starts_with("HTTP/1.1 200"));
    CHECK(head.ends_with("\r\n\r\n"));
    CHECK(ask(get("/", "Content-Length: 5\r\n", "POST") + "hello").ends_with("POST|/|write|body"));
    CHECK(ask(get("/", "Content-Length: 999999999999999999999\r\n", "POST")).ends_with("|body"));
    CHECK(ask(get("/", "Transfer-Encoding: chunked\r\n", "POST") + "5\r\nhel").ends_with("|body"));
    // What comes behind a request is no second one.
    const std::string once = ask(get("/one", "") + get("/two", ""));
    CHECK(contains(once, "/one"));
    CHECK_FALSE(contains(once, "/two"));
}

TEST_CASE("turnd: an HTTP request that is too long, or none, is refused and costs nothing more") {
    const room files;
    const auto service = started({files.path("turnd.sock"), {}});
    const auto ask = [&](const std::string& text) { return exchange(connect_to(files.path("turnd.sock")), text); };
    const std::string long_text(2 * admin_request_bytes, 'a');
    std::string many_headers;
    while (many_headers.size() < 2 * admin_request_bytes) many_headers += "A: b\r\n";
    CHECK(ask(get("/" + long_text)).starts_with("HTTP/1.1 431"));
    CHECK(ask(get("/", "A: " + long_text + "\r\n")).starts_with("HTTP/1.1 4"));
    CHECK(ask(get("/", many_headers)).starts_with("HTTP/1.1 4"));
    CHECK(ask(long_text).starts_with("HTTP/1.1 431"));
    CHECK(ask("GARBAGE\r\n\r\n").starts_with("HTTP/1.1 400"));
    CHECK(ask(std::string("\0\xff\r\n\r\n", 6)).starts_with("HTTP/1.1 400"));
    CHECK(ask("GET / HTTP/1.1\r\nno colon\r\n\r\n").starts_with("HTTP/1.1 "));
    std::string ranges = "Range: bytes=0-0";
    while (ranges.size() < admin_request_bytes / 2) ranges += ",0-0";
    CHECK(ask(get("/", ranges + "\r\n")).ends_with("\r\n\r\nGET|/|write")); // whole, and once
    CHECK(ask(get("/")).starts_with("HTTP/1.1 200"));
}

TEST_CASE("turnd: connections that say nothing hold up neither the others nor the end") {
    const room files;
    std::optional<http_service> service = started({files.path("turnd.sock"), {}});
    std::vector<owned_descriptor> silent;
    for (unsigned i = 1; i < admin_threads; ++i) silent.push_back(connect_to(files.path("turnd.sock")));
    CHECK(exchange(connect_to(files.path("turnd.sock")), get("/")).starts_with("HTTP/1.1 200"));
    silent.push_back(connect_to(files.path("turnd.sock")));
    service.reset(); // does not wait for them
    CHECK(exchange(std::move(silent.back()), "").empty());
}

TEST_CASE("turnd: who asked for the end hears that it has begun") {
    const room files;
    std::optional<http_service> service;
    std::atomic<bool> asked{false};
    service = started({files.path("turnd.sock"), {}}, [&](const admin_request& r) {
        asked = true;
        asked.notify_all();
        std::this_thread::yield(); // the service is about to end
        return echo(r);
    });
    std::thread end([&] {
        asked.wait(false);
        service.reset();
    });
    const std::string answer = exchange(connect_to(files.path("turnd.sock")), get("/", "", "POST"));
    end.join();
    CHECK(answer.ends_with("POST|/|write"));
}

TEST_CASE("turnd: a failure in an answer is a 500 in JSON") {
    const room files;
    const auto service =
        started({files.path("turnd.sock"), {}}, [](const admin_request&) -> admin_answer { throw std::bad_alloc(); });
    const std::string answer = exchange(connect_to(files.path("turnd.sock")), get("/"));
    CHECK(answer.starts_with("HTTP/1.1 500"));
    CHECK(contains(answer, "\"error\":\"failed\""));
}

TEST_CASE("turnd: requests from many sides at once are all answered") {
    const room files;
    const auto service = started({files.path("turnd.sock"), any_port});
    std::atomic<int> good{0};
    std::vector<std::thread> askers;
    for (int i = 0; i < 8; ++i)
        askers.emplace_back([&, i] {
            for (int n = 0; n < 10; ++n) {
                owned_descriptor to = i % 2 == 0 ? connect_to(service) : connect_to(files.path("turnd.sock"));
                if (exchange(std::move(to), get("/")).starts_with("HTTP/1.1 200")) ++good;
            }
        });
    for (std::thread& t : askers) t.join();
    CHECK(good == 80);
}

TEST_CASE("turnd: the unix socket is for owner and group, takes a dead one's place, and leaves nothing behind") {
    const room files;
    const std::string path = files.path("turnd.sock");
    struct stat about {};
    {
        const auto service = started({path, {}});
        REQUIRE(::stat(path.c_str(), &about) == 0);
        CHECK((about.st_mode & 07777) == 0660);
        CHECK(contains(why_not({path, {}}), "running already"));
        CHECK(exchange(connect_to(path), get("/")).starts_with("HTTP/1.1 200")); // and did not harm it
    }
    CHECK(::lstat(path.c_str(), &about) != 0);

    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), path.size());
    {
        const owned_descriptor dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::bind(dead.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    }
    const auto service = started({path, {}});
    CHECK(exchange(connect_to(path), get("/")).starts_with("HTTP/1.1 200"));

    // A successor that has taken the place keeps it.
    std::optional<http_service> first = started({files.path("other.sock"), {}});
    std::filesystem::remove(files.path("other.sock"));
    const auto second = started({files.path("other.sock"), {}});
    first.reset();
    CHECK(exchange(connect_to(files.path("other.sock")), get("/")).starts_with("HTTP/1.1 200"));
}

TEST_CASE("turnd: a place for the HTTP service that is not free is named, and nothing is removed") {
    const room files;
    const std::string precious = files.file("precious", "data");
    CHECK(contains(why_not({precious, {}}), precious + ": a file that is no socket is in its place"));
    CHECK(std::filesystem::file_size(precious) == 4);
    CHECK(contains(why_not({files.path("absent/turnd.sock"), {}}), "No such file"));
    CHECK(contains(why_not({std::string(200, 'a'), {}}), "at most 107"));
    const auto service = started({"", any_port});
    CHECK(contains(why_not({"", service.status_address()}), "in use"));
}
