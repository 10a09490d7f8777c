/// The layer of the environment.

#include <algorithm>

#include <fmt/format.h>

#include "file_text.hpp"
#include "layers.hpp"
#include "printable.hpp"
#include "suggest.hpp"

namespace turnd {
namespace {

constexpr std::string_view prefix = "TURND_";

origin variable(std::string name) {
    return {origin::layer::environment, "environment", 0, std::move(name)};
}

std::vector<std::string> split_at_commas(std::string_view text) {
    std::vector<std::string> items;
    for (;;) {
        const std::size_t comma = text.find(',');
        std::string_view item = text.substr(0, comma);
        while (item.starts_with(' ')) item.remove_prefix(1);
        while (item.ends_with(' ')) item.remove_suffix(1);
        if (!item.empty()) items.emplace_back(item);
        if (comma == std::string_view::npos) return items;
        text.remove_prefix(comma + 1);
    }
}

class reader {
public:
    reader(const environment& variables, problem_list& problems) : variables_(variables), problems_(problems) {}

    std::vector<raw_value> values_of(const key& k) {
        if (!k.secret.empty()) return secret_values_of(k);
        const std::string name = k.environment();
        const std::string* text = find(name);
        if (text == nullptr) return {};
        std::vector<raw_value> values;
        if (!k.repeatable()) return {{*text, variable(name)}};
        for (std::string& item : split_at_commas(*text)) values.push_back({std::move(item), variable(name)});
        return values;
    }

    /// Every variable that may name this key.
    static std::vector<std::string> names_of(const key& k) {
        if (k.secret.empty()) return {k.environment()};
        const std::string secret = environment_name(k.secret);
        return {secret, secret + "_FILE"};
    }

private:
    const std::string* find(const std::string& name) const {
        const auto at = variables_.find(name);
        return at == variables_.end() || at->second.empty() ? nullptr : &at->second;
    }

    /// A key whose values are the secrets themselves, one a line ("user"), or one whose values are the paths of files
    /// that hold them ("rest-secret-file").
    std::vector<raw_value> secret_values_of(const key& k) {
        const bool is_path = k.name != k.secret;
        const std::string in_variable = environment_name(k.secret);
        const std::string in_file = in_variable + "_FILE";
        const std::string* text = find(in_variable);
        const std::string* paths = find(in_file);
        if (text != nullptr && paths != nullptr) {
            problems_.push_back(
                {variable(in_file), *paths, {in_variable + " is set as well", "leave one of the two unset"}});
            return {};
        }
        if (text != nullptr) return contents(*text, variable(in_variable), is_path);
        std::vector<raw_value> values;
        if (paths != nullptr) {
            for (const std::string& path : split_at_commas(*paths))
                append_file(path, variable(in_file), is_path, values);
            return values;
        }
        if (const std::string* folder = find("CREDENTIALS_DIRECTORY")) {
            const std::string path = fmt::format("{}/{}", *folder, k.secret);
            if (exists(path)) append_file(path, variable("CREDENTIALS_DIRECTORY"), is_path, values);
        }
        return values;
    }

    static bool exists(const std::string& path) {
        // A credential that systemd was not asked to load is no problem; one that cannot be read is.
        const auto text = read_file(path);
        return text || text.error().what.find("No such file") == std::string::npos;
    }

    void append_file(const std::string& path, const origin& where, bool is_path, std::vector<raw_value>& values) {
        if (is_path) {
            values.push_back({path, where});
            return;
        }
        auto text = read_file(path);
        if (!text) {
            problems_.push_back({where, path, text.error()});
            return;
        }
        origin in_file = where;
        in_file.place = path;
        for (raw_value& value : contents(*text, in_file, false)) values.push_back(std::move(value));
        wipe(*text);
    }

    /// Secrets as given, one a line; kept together when they stand for a file's content.
    static std::vector<raw_value> contents(std::string_view text, const origin& where, bool stands_for_file) {
        if (stands_for_file) return {{std::string(text), where, true}};
        std::vector<raw_value> values;
        for (auto& [number, line] : lines_of(text)) {
            values.push_back({std::move(line), where, true});
            if (where.place != "environment") values.back().where.line = number;
        }
        return values;
    }

    const environment& variables_;
    problem_list& problems_;
};

void warn_about_slips(const environment& variables, std::vector<std::string>& warnings) {
    std::vector<std::string> names;
    for (const key& k : all_keys())
        for (std::string& name : reader::names_of(k)) names.push_back(std::move(name));
    // Behind the prefix, which says nothing about how much two names differ.
    std::vector<std::string_view> known(names.size());
    std::transform(names.begin(), names.end(), known.begin(),
                   [](const std::string& name) { return std::string_view(name).substr(prefix.size()); });
    for (const auto& [name, value] : variables) {
        if (!name.starts_with(prefix) || std::find(names.begin(), names.end(), name) != names.end()) continue;
        const std::string_view given = std::string_view(name).substr(prefix.size());
        const std::string_view meant = nearest(given, known);
        if (!meant.empty() && edit_distance(given, meant) <= 2)
            warnings.push_back(
                fmt::format("environment: {} is not a key; did you mean {}{}?", printable(name, 120), prefix, meant));
    }
}

} // namespace

layer read_environment(const environment& variables, problem_list& problems, std::vector<std::string>& warnings) {
    layer found;
    reader from(variables, problems);
    for (const key& k : all_keys())
        if (auto values = from.values_of(k); !values.empty()) found[k.name] = std::move(values);
    warn_about_slips(variables, warnings);
    return found;
}

} // namespace turnd
