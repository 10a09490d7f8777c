#pragma once
/// From texts to settings: what the table of keys refers to. The templates cover plain keys; lists of listeners, relay
/// addresses, users and secrets check more than one value at a time.

#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "file_text.hpp"
#include "keys.hpp"
#include "parse_value.hpp"
#include "suggest.hpp"

namespace turnd {

inline void complain(const key& k, const raw_value& value, complaint why, problem_list& problems) {
    problems.push_back(
        {value.where, k.secret.empty() || value.text.empty() ? value.text : std::string(hidden), std::move(why)});
}

/// A key with one value: `Parse(text)` makes a parsed<...> of it, stored in settings::*Member.
template <auto Member, auto Parse>
void apply_one(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    for (const raw_value& value : values) {
        if (auto read = Parse(std::string_view(value.text)))
            into.*Member = *std::move(read);
        else
            complain(k, value, read.error(), problems);
    }
}

template <auto Member, std::uint64_t Min, std::uint64_t Max>
void apply_number(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    for (const raw_value& value : values) {
        if (const auto n = parse_number(value.text, Min, Max)) {
            if constexpr (requires { (into.*Member).has_value(); })
                into.*Member = static_cast<std::size_t>(*n);
            else
                into.*Member = static_cast<std::remove_reference_t<decltype(into.*Member)>>(*n);
        } else {
            complain(k, value, n.error(), problems);
        }
    }
}

/// One of a few words. `Choices` is an array of pairs of a word and what it means.
template <auto Member, const auto& Choices>
void apply_choice(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    for (const raw_value& value : values) {
        bool found = false;
        std::string words;
        for (const auto& [word, meaning] : Choices) {
            if (word == value.text) {
                into.*Member = meaning;
                found = true;
            }
            words += (words.empty() ? "" : ", ") + std::string(word);
        }
        if (!found) complain(k, value, {"this is none of the choices", "write one of " + words}, problems);
    }
}

template <auto Member, std::int64_t MinSeconds, std::int64_t MaxSeconds>
void apply_duration(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    for (const raw_value& value : values) {
        const auto time =
            parse_duration(value.text, std::chrono::seconds(MinSeconds), std::chrono::seconds(MaxSeconds));
        if (time)
            into.*Member = *time;
        else
            complain(k, value, time.error(), problems);
    }
}

template <auto Member, std::int64_t MinMilliseconds, std::int64_t MaxMilliseconds>
void apply_short_duration(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    for (const raw_value& value : values) {
        const auto time = parse_short_duration(value.text, std::chrono::milliseconds(MinMilliseconds),
                                               std::chrono::milliseconds(MaxMilliseconds));
        if (time)
            into.*Member = *time;
        else
            complain(k, value, time.error(), problems);
    }
}

/// Paths of files that must be readable now.
template <auto Member>
void apply_files(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    (into.*Member).clear();
    for (const raw_value& value : values) {
        if (auto why = check_file(value.text))
            complain(k, value, *std::move(why), problems);
        else
            (into.*Member).push_back(value.text);
    }
}

/// What is wrong with the path of a file that may be made later; nothing when its directory is there.
std::optional<complaint> check_place(const std::string& path);

/// The path of such a file.
template <auto Member>
void apply_place(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    for (const raw_value& value : values) {
        if (auto why = check_place(value.text))
            complain(k, value, *std::move(why), problems);
        else
            into.*Member = value.text;
    }
}

template <auto Member>
void apply_prefixes(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    (into.*Member).clear();
    for (const raw_value& value : values) {
        if (const auto prefix = parse_prefix(value.text))
            (into.*Member).push_back(*prefix);
        else
            complain(k, value, prefix.error(), problems);
    }
}

void apply_listeners(const key&, std::span<const raw_value>, settings&, problem_list&);
void apply_tls_listeners(const key&, std::span<const raw_value>, settings&, problem_list&);
void apply_relay_addresses(const key&, std::span<const raw_value>, settings&, problem_list&);
void apply_relay_ports(const key&, std::span<const raw_value>, settings&, problem_list&);
void apply_users(const key&, std::span<const raw_value>, settings&, problem_list&);
void apply_rest_secrets(const key&, std::span<const raw_value>, settings&, problem_list&);

} // namespace turnd
