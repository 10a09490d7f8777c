/// Certificate files that are renewed while the server runs.

#include <array>
#include <chrono>
#include <filesystem>
#include <thread>

#include "tls_connection.hpp"

using namespace turn;
using namespace turn::net_test;
using namespace std::chrono_literals;
using test::certificate_authority;
using test::certificate_folder;

TEST_CASE("a renewed certificate is for new connections and an open one goes on with the old") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto context = load({folder.files(authority.issue({.subject = "old"}))});
    CHECK(!*context->reload()); // nothing has changed

    tls_connection open(*context), halfway(*context);
    open.settle();
    halfway.to_server(halfway.client.to_send());
    folder.files(authority.issue({.subject = "new"}));
    CHECK(shown(*context) == "old"); // until it is looked at
    const auto reloaded = context->reload();
    REQUIRE(reloaded);
    CHECK(*reloaded);
    CHECK(!*context->reload());
    CHECK(shown(*context) == "new");

    open.client.send(random_bytes(10));
    open.settle();
    CHECK(open.heard == random_bytes(10));
    open.say(random_bytes(20));
    CHECK(open.client.received() == random_bytes(20));
    halfway.settle();
    CHECK(halfway.open());
    CHECK(halfway.client.certificate() == "old");
}

TEST_CASE("a connection accepted before a reload picks among the certificates of that time") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto first = folder.files(authority.issue({.subject = "first"}), "a");
    const auto context =
        load({first, folder.files(authority.issue({.subject = "old", .names = {"b.example.org"}}), "b")});
    tls_connection early(*context, {.server_name = "b.example.org"});
    folder.files(authority.issue({.subject = "new", .names = {"b.example.org"}}), "b");
    REQUIRE(*context->reload());
    early.settle();
    CHECK(early.client.certificate() == "old");
    CHECK(shown(*context, "b.example.org") == "new");
}

TEST_CASE("a file is looked at again when only its time has changed, by a nanosecond") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto files = folder.files(authority.issue());
    const auto context = load({files});
    for (const std::string& file : {files.chain, files.key}) {
        const auto written = std::filesystem::last_write_time(file);
        std::filesystem::last_write_time(file, written + 1ns);
        CHECK(*context->reload());
        CHECK(!*context->reload());
    }
}

TEST_CASE("a file replaced by another of the same size and time is seen") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto files = folder.files(authority.issue());
    const auto context = load({files});
    const auto written = std::filesystem::last_write_time(files.key);
    std::filesystem::copy_file(files.key, folder.path("copy"));
    std::filesystem::last_write_time(folder.path("copy"), written);
    std::filesystem::rename(folder.path("copy"), files.key);
    CHECK(*context->reload());
}

TEST_CASE("a certificate renewed before its key is an error, until the key has come, too") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto files = folder.files(authority.issue({.subject = "old"}));
    const auto context = load({files});
    const auto renewed = authority.issue({.subject = "new"});
    folder.file("server.pem", renewed.chain);
    for (int look = 0; look < 2; ++look) { // each look finds the same
        const auto half = context->reload();
        REQUIRE(!half);
        CHECK(half.error() == files.key + ": is not the key of the certificate in " + files.chain);
        CHECK(shown(*context) == "old");
    }
    folder.file("server.key", renewed.key);
    REQUIRE(*context->reload());
    CHECK(shown(*context) == "new");
}

TEST_CASE("one broken pair leaves all as they were, and is looked at again") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto a = folder.files(authority.issue({.subject = "a", .names = {"a.example.org"}}), "a");
    const auto b = folder.files(authority.issue({.subject = "b", .names = {"b.example.org"}}), "b");
    const auto context = load({a, b});
    const auto expires = context->expires();

    folder.files(authority.issue({.subject = "new a", .names = {"a.example.org"}, .ends = 1h}), "a");
    std::filesystem::remove(b.chain);
    const auto broken = context->reload();
    REQUIRE(!broken);
    CHECK(broken.error().starts_with(b.chain + ": "));
    CHECK(shown(*context, "a.example.org") == "a");
    CHECK(shown(*context, "b.example.org") == "b");
    CHECK(context->expires() == expires);

    folder.files(authority.issue({.subject = "new b", .names = {"b.example.org"}}), "b");
    REQUIRE(*context->reload());
    CHECK(shown(*context, "a.example.org") == "new a");
    CHECK(shown(*context, "b.example.org") == "new b");
    CHECK(context->expires() < expires);
}

TEST_CASE("expires() is the first end of a server's certificate and what is over or not yet valid is no error") {
    using std::chrono::system_clock;
    const certificate_authority authority;
    const certificate_folder folder;
    const auto in = [](std::chrono::seconds s) {
        return std::chrono::duration_cast<std::chrono::seconds>(system_clock::now().time_since_epoch() + s).count();
    };
    const auto near = [](std::int64_t a, std::int64_t b) { return a - b > -60 && a - b < 60; };
    const auto month = folder.files(authority.issue({.ends = 30 * 24h}), "month");
    const auto week = folder.files(authority.issue({.ends = 7 * 24h}), "week");
    const auto over = folder.files(authority.issue({.subject = "over", .begins = -48h, .ends = -24h}), "over");
    const auto later = folder.files(authority.issue({.subject = "later", .begins = 24h, .ends = 48h}), "later");
    CHECK(near(load({month})->expires(), in(30 * 24h)));
    CHECK(near(load({month, week, month})->expires(), in(7 * 24h)));
    CHECK(near(load({month, over})->expires(), in(-24h)));
    CHECK(near(load({later})->expires(), in(48h)));
    CHECK(shown(*load({over})) == "over");
    CHECK(shown(*load({later})) == "later");
}

TEST_CASE("shards accept while the files are reloaded") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto context = load({folder.files(authority.issue())});
    std::vector<std::thread> shards;
    std::array<int, 3> opened{};
    for (int& count : opened)
        shards.emplace_back([&context, &count] {
            for (int i = 0; i < 10; ++i) {
                tls_connection c(*context, {.server_name = "turn.example.org"});
                c.settle();
                count += c.open() ? 1 : 0;
            }
        });
    int reloads = 0;
    for (int i = 0; i < 20; ++i) {
        folder.files(authority.issue());
        reloads += context->reload().value_or(false) ? 1 : 0;
    }
    for (std::thread& shard : shards) shard.join();
    CHECK(opened == std::array{10, 10, 10});
    CHECK(reloads == 20);
}
