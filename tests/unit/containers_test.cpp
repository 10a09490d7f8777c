/// The tables of the core against the standard's, on random histories.

#include <doctest/doctest.h>

#include <malloc.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "base/few.hpp"
#include "base/index_table.hpp"
#include "base/slot_map.hpp"

using namespace turn;

namespace {

/// Counts how many of its kind are alive, and notices when it is moved or copied behind our back.
struct guest {
    explicit guest(int n, int& alive) : number(n), count(alive), self(this) { ++count; }
    guest(const guest&) = delete;
    guest& operator=(const guest&) = delete;
    ~guest() { --count; }

    int number;
    int& count;
    guest* self;
};

struct element {
    int key = 0;
    std::array<char, 20> text{};
    friend bool operator==(const element&, const element&) = default;
};

std::vector<element> listed(const few<element>& f) {
    return {f.begin(), f.end()};
}

} // namespace

TEST_CASE("slot map: an index names its object until it is erased, and the lowest free one is next") {
    int alive = 0;
    std::mt19937 random(1);
    {
        slot_map<guest> map;
        std::map<std::uint32_t, int> model;
        std::set<std::uint32_t> unused;
        for (std::uint32_t i = 0; i < 1000; ++i) unused.insert(i);
        for (int step = 0; step < 20'000; ++step) {
            const bool growing = step / 2000 % 2 == 0; // up to some hundreds and down again
            if (random() % 8 < (growing ? 5U : 2U) && model.size() < 900) {
                const auto i = map.emplace(step, alive);
                REQUIRE(i == *unused.begin());
                unused.erase(i);
                model[i] = step;
            } else if (!model.empty()) {
                const auto victim = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
                map.erase(victim->first);
                unused.insert(victim->first);
                model.erase(victim);
            }
            const auto i = static_cast<std::uint32_t>(random() % 1000);
            const guest* const found = map.find(i);
            const auto expected = model.find(i);
            REQUIRE((found != nullptr) == (expected != model.end()));
            if (found != nullptr) {
                REQUIRE(found->number == expected->second);
                REQUIRE(found->self == found);
                REQUIRE(&map[i] == found);
                REQUIRE(i < map.end());
            }
            REQUIRE(map.size() == model.size());
            REQUIRE(alive == static_cast<int>(model.size()));
        }
        CHECK(map.find(0xffffffffU) == nullptr);
    }
    CHECK(alive == 0);
}

TEST_CASE("slot map: memory comes back when the objects are gone") {
    struct large {
        std::array<char, 1000> room{};
    };
    slot_map<large> map;
    map.erase(map.emplace());
    const std::size_t before = ::mallinfo2().uordblks;
    for (int i = 0; i < 6400; ++i) map.emplace();
    for (std::uint32_t i = 0; i < 6400; ++i)
        if (i != 100) map.erase(i);
    CHECK(::mallinfo2().uordblks < before + 200'000); // one chunk for the last object, and at most one more
    CHECK(map.find(100) != nullptr);
}

TEST_CASE("slot map: when an object cannot be made nothing has changed") {
    struct reluctant {
        explicit reluctant(bool refuse) {
            if (refuse) throw std::bad_alloc();
        }
    };
    slot_map<reluctant> map;
    CHECK_THROWS_AS(map.emplace(true), std::bad_alloc);
    CHECK(map.size() == 0);
    CHECK(map.find(0) == nullptr);
    CHECK(map.emplace(false) == 0);
    CHECK_THROWS_AS(map.emplace(true), std::bad_alloc);
    CHECK(map.emplace(false) == 1);
}

TEST_CASE("index table: finds what was inserted and not what was erased") {
    // From hashes that never meet to hashes that always do.
    for (const std::uint32_t hashes : {0xffffffffU, 50U, 1U}) {
        std::mt19937 random(hashes);
        std::vector<int> keys; // by index
        index_table table;
        std::map<int, std::uint32_t> model;
        const auto hash_of = [&](int key) { return static_cast<std::uint32_t>(key) * 2654435761U % hashes; };
        const auto find = [&](int key) {
            return table.find(hash_of(key), [&](std::uint32_t i) { return keys[i] == key; });
        };
        for (int step = 0; step < 6000; ++step) {
            const int key = static_cast<int>(random() % 400);
            const auto known = model.find(key);
            const bool growing = step / 1000 % 2 == 0;
            if (known == model.end() && growing) {
                keys.push_back(key);
                model[key] = static_cast<std::uint32_t>(keys.size() - 1);
                table.insert(hash_of(key), model[key]);
            } else if (known != model.end() && !growing) {
                table.erase(hash_of(key), known->second);
                table.erase(hash_of(key), known->second); // is not there any more
                model.erase(known);
                table.shrink();
            }
            const int other = static_cast<int>(random() % 400);
            const auto expected = model.find(other);
            REQUIRE(find(other) == (expected == model.end() ? index_table::none : expected->second));
            REQUIRE(table.size() == model.size());
            if (expected != model.end()) REQUIRE(hash_of(keys[table.guess(hash_of(other))]) == hash_of(other));
        }
    }
}

TEST_CASE("few: behaves as a vector does") {
    std::mt19937 random(1);
    few<element> f;
    std::vector<element> model;
    for (int step = 0; step < 20'000; ++step) {
        const element e{step, {"an element"}};
        switch (random() % 8) {
        case 0: { // all but a few
            const int keep = static_cast<int>(random() % 3);
            const auto goes = [&](const element& x) { return x.key % 3 != keep; };
            REQUIRE(f.erase_if(goes) == std::erase_if(model, goes));
            break;
        }
        case 1:
            f.reserve(f.size() + random() % 5);
            break;
        case 2: { // there and back
            few<element> elsewhere = std::move(f);
            REQUIRE(listed(elsewhere) == model);
            f = std::move(elsewhere);
            break;
        }
        case 3:
            if (f.size() != 0) {
                f.push_back(*f.begin());
                model.push_back(element(model.front()));
            }
            break;
        default:
            if (model.size() > 40) break;
            f.push_back(e);
            model.push_back(e);
        }
        REQUIRE(listed(f) == model);
        REQUIRE(f.size() == model.size());
    }
}

TEST_CASE("few: one element needs no memory of its own, nor does the last of many") {
    few<element> f;
    const auto within = [&] {
        const auto* const at = reinterpret_cast<const std::byte*>(f.begin());
        const auto* const self = reinterpret_cast<const std::byte*>(&f);
        return at >= self && at < self + sizeof f;
    };
    f.push_back({.key = 1});
    CHECK(within());
    f.push_back({.key = 2});
    CHECK_FALSE(within());
    f.erase_if([](const element& e) { return e.key == 1; });
    CHECK(within());
    CHECK(listed(f) == std::vector<element>{{.key = 2}});
}
