#include "admin_target.hpp"

#include <algorithm>
#include <utility>

#include "printable.hpp"

namespace turnd {
namespace {

int hexadecimal(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/// Nothing when a "%" is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            decoded += ' ';
        } else if (text[i] == '%') {
            const int high = i + 1 < text.size() ? hexadecimal(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hexadecimal(text[i + 2]) : -1;
            if (high < 0 || low < 0) return {};
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            decoded += text[i];
        }
    }
    return decoded;
}

complaint not_encoded() {
    return {"a % stands for nothing", "write bytes as % and two hexadecimal digits, and % itself as %25"};
}

/// Adds "NAME=VALUE" to the parameters, or says what is wrong with it.
std::optional<complaint> add_parameter(std::string_view text, admin_target& to) {
    const std::size_t equals = text.find('=');
    auto name = percent_decode(text.substr(0, equals), true);
    auto value = percent_decode(equals == std::string_view::npos ? "" : text.substr(equals + 1), true);
    if (!name || !value) return not_encoded();
    if (name->empty()) return complaint{"a parameter has no name", "write NAME=VALUE, with & between them"};
    if (to.find(*name) != nullptr)
        return complaint{"the parameter \"" + printable(*name) + "\" is given twice", "give it once"};
    to.parameters.push_back({std::move(*name), std::move(*value)});
    return {};
}

} // namespace

const std::string* admin_target::find(std::string_view name) const noexcept {
    const auto at = std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) { return p.name == name; });
    return at == parameters.end() ? nullptr : &at->value;
}

parsed<admin_target> parse_target(std::string_view text) {
    admin_target target;
    text = text.substr(0, text.find('#'));
    const std::size_t question = text.find('?');
    auto path = percent_decode(text.substr(0, question), false);
    if (!path) return not_encoded();
    if (!path->starts_with('/')) return complaint{"the path does not begin with /", "ask for /, for example"};
    target.path = std::move(*path);
    std::string_view query = question == std::string_view::npos ? "" : text.substr(question + 1);
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view one = query.substr(0, end);
        query = end == std::string_view::npos ? "" : query.substr(end + 1);
        if (one.empty()) continue;
        if (auto why = add_parameter(one, target)) return *std::move(why);
    }
    return target;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '.' || c == '_' || c == '~';
        if (plain) {
            encoded += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            encoded += {'%', digits[byte / 16], digits[byte % 16]};
        }
    }
    return encoded;
}

} // namespace turnd
