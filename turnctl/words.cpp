#include "turnctl/words.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "printable.hpp"

namespace turnctl {

std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i)
            text += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
        text.erase(text.find_last_not_of(' ') + 1);
        text += '\n';
    }
    return text;
}

std::string bytes_in_words(std::uint64_t bytes) {
    if (bytes < 1000) return fmt::format("{} B", bytes);
    constexpr std::array units{"kB", "MB", "GB", "TB", "PB", "EB"};
    auto amount = static_cast<double>(bytes) / 1000;
    std::size_t unit = 0;
    for (; amount >= 999.95 && unit + 1 < units.size(); ++unit) amount /= 1000;
    return fmt::format("{:.1f} {}", amount, units[unit]);
}

std::string seconds_in_words(std::int64_t seconds) {
    const auto minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (days > 0) return fmt::format("{} d {} h", days, hours % 24);
    if (hours > 0) return fmt::format("{} h {} min", hours, minutes % 60);
    if (minutes > 0) return fmt::format("{} min {} s", minutes, seconds % 60);
    return fmt::format("{} s", seconds);
}

std::string shown(const nlohmann::ordered_json& text) {
    return turnd::printable(text.get_ref<const std::string&>());
}

std::string counts(const nlohmann::ordered_json& object, const std::string& nothing) {
    std::string text;
    for (const auto& [name, number] : object.items())
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", turnd::printable(name), number.get<std::uint64_t>());
    return text.empty() ? nothing : text;
}

} // namespace turnctl
