#pragma once
/// A folder of its own for a test of turnd, and configurations loaded as turnd would.

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <stdlib.h>

#include "configuration.hpp"
#include "flags.hpp"

namespace turnd::test {

class room {
public:
    room() {
        std::string pattern = (std::filesystem::temp_directory_path() / "turnd-test.XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~room() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    room(const room&) = delete;
    room& operator=(const room&) = delete;

    [[nodiscard]] std::string path(std::string_view name) const { return (path_ / name).string(); }
    /// Makes a file and returns its path.
    std::string file(std::string_view name, std::string_view text) const {
        std::ofstream(path_ / name, std::ios::binary) << text;
        return path(name);
    }

private:
    std::filesystem::path path_{};
};

struct sources {
    std::vector<std::string> flags{};
    environment variables{};
    std::string toml{}; ///< empty: no file
};

/// As turnd does at its start; `toml` is the default file.
inline configuration load(const sources& from) {
    const room place;
    command_line line = parse_command_line(from.flags);
    const std::string file = from.toml.empty() ? place.path("absent.toml") : place.file("turnd.toml", from.toml);
    configuration c = load_configuration(std::move(line.flags), from.variables, file);
    c.problems.insert(c.problems.begin(), line.problems.begin(), line.problems.end());
    return c;
}

/// The only problem, as it is printed, from the name of the file on; or all of them.
inline std::string said(const configuration& c) {
    std::string text;
    for (const problem& p : c.problems) {
        problem shown = p;
        shown.where.place = std::filesystem::path(p.where.place).filename().string();
        text += (text.empty() ? "" : "\n") + shown.to_string();
    }
    return text;
}

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// Enough for a server that listens on the default addresses.
inline const std::string realm_and_user = "realm = \"example.org\"\n[auth]\nusers = [\"ann:secret\"]\n";

} // namespace turnd::test
