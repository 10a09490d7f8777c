#pragma once
/// A map of bounded size: when it is full, what was not used for longest leaves.

#include <cstddef>
#include <functional>
#include <iterator>
#include <list>
#include <unordered_map>
#include <utility>

namespace turnd {

/// Not thread-safe. A full table allocates nothing but copies of keys: its nodes are used again.
template <class Key, class Value, class Hash = std::hash<Key>>
class recent_table {
public:
    struct entry {
        Key key{};
        Value value{};
    };

    /// `most` ≥ 1.
    explicit recent_table(std::size_t most) : most_(most) { places_.reserve(most); }

    /// nullptr: not there. Does not count as use.
    Value* find(const Key& key) noexcept {
        const auto found = places_.find(key);
        return found == places_.end() ? nullptr : &found->second->value;
    }
    const Value* find(const Key& key) const noexcept {
        const auto found = places_.find(key);
        return found == places_.end() ? nullptr : &found->second->value;
    }

    /// What belongs to `key`, empty when it is new, and the most recently used from now on. In a full table a new key
    /// takes the place of the oldest, which is handed to `leaves` first. May throw std::bad_alloc, then nothing
    /// changed.
    template <class Leaves>
    Value& use(const Key& key, Leaves leaves) {
        if (const auto found = places_.find(key); found != places_.end()) {
            entries_.splice(entries_.begin(), entries_, found->second);
        } else if (entries_.size() < most_) {
            add(key);
        } else {
            Key for_entry = key, for_place = key;
            const auto oldest = std::prev(entries_.end());
            leaves(std::as_const(*oldest));
            auto node = places_.extract(oldest->key);
            node.key() = std::move(for_place);
            places_.insert(std::move(node));
            *oldest = entry{std::move(for_entry), Value{}};
            entries_.splice(entries_.begin(), entries_, oldest);
        }
        return entries_.front().value;
    }
    Value& use(const Key& key) {
        return use(key, [](const entry&) {});
    }

    /// Takes it out; an empty one when it is not there.
    Value take(const Key& key) {
        const auto found = places_.find(key);
        if (found == places_.end()) return {};
        Value value = std::move(found->second->value);
        entries_.erase(found->second);
        places_.erase(found);
        return value;
    }

    /// Calls `gone` with every entry and removes those for which it returns true.
    template <class Gone>
    void remove_if(Gone gone) {
        for (auto at = entries_.begin(); at != entries_.end();) {
            if (gone(*at)) {
                places_.erase(at->key);
                at = entries_.erase(at);
            } else {
                ++at;
            }
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
    void add(const Key& key) {
        entries_.push_front({key, Value{}});
        try {
            places_.emplace(key, entries_.begin());
        } catch (...) {
            entries_.pop_front();
            throw;
        }
    }

    std::size_t most_;
    std::list<entry> entries_{}; ///< most recently used first
    std::unordered_map<Key, typename std::list<entry>::iterator, Hash> places_{};
};

} // namespace turnd
