/// The layer of the configuration file. The only file that knows toml++.

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "layers.hpp"
#include "printable.hpp"
#include "suggest.hpp"

namespace turnd {
namespace {

std::string_view kind(const toml::node& node) {
    switch (node.type()) {
    case toml::node_type::table:
        return "a table";
    case toml::node_type::array:
        return "a list";
    case toml::node_type::string:
        return "text";
    case toml::node_type::integer:
        return "a whole number";
    case toml::node_type::floating_point:
        return "a number with a fraction";
    case toml::node_type::boolean:
        return "true or false";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
        return "a date or time";
    case toml::node_type::none:
        break;
    }
    return "nothing";
}

std::string_view wanted(toml_form form) {
    switch (form) {
    case toml_form::text:
        return "text in quotes";
    case toml_form::integer:
        return "a whole number";
    case toml_form::boolean:
        return "true or false";
    case toml_form::text_list:
        return "a list of texts";
    case toml_form::relay_list:
        return "a list of tables or texts";
    case toml_form::listener_tables:
        return "[[listener]] tables";
    case toml_form::listener_member:
        return "a place in [[listener]]";
    }
    return "";
}

std::string_view last_part(std::string_view path) {
    return path.substr(path.rfind('.') + 1);
}

/// A plain value as it would be written by hand, for problems; nothing for tables and lists.
std::string text_of(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return std::to_string(number->get());
    if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
    if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
    return {};
}

class reader {
public:
    reader(const std::string& file, layer& found, problem_list& problems)
        : file_(file), found_(found), problems_(problems) {}

    void section(const toml::table& table, const std::string& prefix) {
        for (const auto& [name, node] : table) {
            const std::string path = prefix.empty() ? std::string(name.str()) : prefix + "." + std::string(name.str());
            // A dot in a name, "relay.ports" = ..., makes no section.
            const key* k = name.str().find('.') == std::string_view::npos ? find_key_by_path(path) : nullptr;
            if (node.is_table() && is_section(path))
                section(*node.as_table(), path);
            else if (k != nullptr)
                value(*k, node);
            else if (is_section(path))
                complain(node, path,
                         {fmt::format("{} is {}, but a section is expected", path, kind(node)),
                          fmt::format("write [{}], once", path)});
            else
                unknown(path, name.source().begin.line, node);
        }
    }

    void unreadable(const toml::parse_error& error) {
        problems_.push_back({{origin::layer::file, file_, error.source().begin.line, ""},
                             "",
                             {fmt::format("this is not TOML: {} (column {})", printable(error.description()),
                                          error.source().begin.column),
                              "see turnd.toml.example"}});
    }

private:
    static bool is_section(std::string_view path) {
        return std::any_of(all_keys().begin(), all_keys().end(), [&](const key& k) {
            return k.form != toml_form::listener_member && k.path.size() > path.size() && k.path.starts_with(path) &&
                   k.path[path.size()] == '.';
        });
    }

    origin where(const toml::node& node, std::string_view path) const {
        return {origin::layer::file, file_, node.source().begin.line, std::string(path)};
    }
    void complain(const toml::node& node, std::string_view path, complaint why) {
        problems_.push_back({where(node, path), text_of(node), std::move(why)});
    }
    void complain(const key& k, const toml::node& node, complaint why) {
        const bool conceal = !k.secret.empty() && node.is_string();
        problems_.push_back({where(node, k.path), conceal ? std::string(hidden) : text_of(node), std::move(why)});
    }

    void unknown(const std::string& path, unsigned line, const toml::node& node) {
        std::vector<std::string_view> paths;
        for (const key& k : all_keys())
            if (!k.path.empty()) paths.push_back(k.path);
        std::string_view meant = nearest(path, paths);
        // The flag's name, or the right key in the wrong section.
        for (const key& k : all_keys())
            if (!k.path.empty() && (last_part(path) == k.name || last_part(path) == last_part(k.path))) meant = k.path;
        const bool secret = path.find("pass") != std::string::npos || path.find("secret") != std::string::npos ||
                            path.find("user") != std::string::npos;
        problems_.push_back(
            {{origin::layer::file, file_, line, path},
             secret && node.is_string() ? std::string(hidden) : text_of(node),
             {"there is no such key", meant.empty() ? "turnd.toml.example has all of them" : spelt_out(meant)}});
    }

    static std::string spelt_out(std::string_view path) {
        const key* k = find_key_by_path(path);
        if (k->form == toml_form::listener_tables) return "did you mean [[listener]]?";
        const std::size_t dot = path.find('.');
        if (k->form == toml_form::listener_member)
            return fmt::format("did you mean {} in [[listener]]?", path.substr(dot + 1));
        if (dot == std::string_view::npos) return fmt::format("did you mean {} (in no section)?", path);
        return fmt::format("did you mean {} in [{}]?", path.substr(dot + 1), path.substr(0, dot));
    }

    void wrong_form(const key& k, const toml::node& node) {
        const std::string example = k.form == toml_form::listener_tables
                                        ? std::string(k.example)
                                        : fmt::format("{} = {}", last_part(k.path), k.example);
        complain(
            k, node,
            {fmt::format("this is {}, but the key takes {}", kind(node), wanted(k.form)), "write e.g. " + example});
    }

    void value(const key& k, const toml::node& node) {
        switch (k.form) {
        case toml_form::text:
            if (!node.is_string()) return wrong_form(k, node);
            found_[k.name] = {{text_of(node), where(node, k.path)}};
            return;
        case toml_form::integer:
            if (!node.is_integer()) return wrong_form(k, node);
            found_[k.name] = {{text_of(node), where(node, k.path)}};
            return;
        case toml_form::boolean:
            if (!node.is_boolean()) return wrong_form(k, node);
            found_[k.name] = {{text_of(node), where(node, k.path)}};
            return;
        case toml_form::text_list:
        case toml_form::relay_list:
        case toml_form::listener_tables:
            return list(k, node);
        case toml_form::listener_member:
            return; // of a table that is read as a whole
        }
    }

    void list(const key& k, const toml::node& node) {
        const toml::array* items = node.as_array();
        if (items == nullptr) return wrong_form(k, node);
        std::vector<raw_value>& values = found_[k.name];
        for (const toml::node& item : *items) {
            if (item.is_string() && k.form != toml_form::listener_tables)
                values.push_back({text_of(item), where(item, k.path)});
            else if (item.is_table() && k.form == toml_form::relay_list)
                relay(*item.as_table(), values);
            else if (item.is_table() && k.form == toml_form::listener_tables)
                listener(*item.as_table(), values);
            else {
                wrong_form(k, item);
                if (k.form == toml_form::listener_tables)
                    values.push_back({.where = where(item, k.path), .reported = true});
            }
        }
    }

    /// { bind = "10.0.0.5", advertised = "192.0.2.1" }
    void relay(const toml::table& table, std::vector<raw_value>& values) {
        const toml::node* bind = text_member(table, "bind", "relay.addresses");
        const toml::node* advertised = text_member(table, "advertised", "relay.addresses");
        only(table, {"bind", "advertised"}, "relay.addresses");
        if (bind == nullptr) {
            if (!table.contains("bind"))
                complain(table, "relay.addresses", {"bind is missing", "write { bind = \"192.0.2.1\" }"});
            return;
        }
        values.push_back({text_of(*bind) + (advertised == nullptr ? "" : "=" + text_of(*advertised)),
                          where(*bind, "relay.addresses")});
    }

    void listener(const toml::table& table, std::vector<raw_value>& values) {
        only(table, {"address", "transports", "certificate", "key", "realm"}, "listener");
        const toml::node* address = text_member(table, "address", "listener");
        if (address == nullptr && !table.contains("address"))
            complain(table, "listener", {"address is missing", "write address = \"0.0.0.0:3478\""});
        raw_value value;
        if (address != nullptr) value = {text_of(*address), where(*address, "listener.address")};
        if (const toml::node* realm = text_member(table, "realm", "listener"))
            value.parts.push_back({"realm", text_of(*realm), where(*realm, "listener.realm")});
        // Without an address there is no listener, but its other members are still checked.
        value.reported = address == nullptr;
        listener_texts(table, "transports", value);
        listener_texts(table, "certificate", value);
        listener_texts(table, "key", value);
        values.push_back(std::move(value));
    }

    /// A member that is a list of texts, or one text where `transports` is not meant.
    void listener_texts(const toml::table& table, std::string_view name, raw_value& value) {
        const toml::node* node = table.get(name);
        if (node == nullptr) return;
        const std::string path = fmt::format("listener.{}", name);
        const auto add = [&](const toml::node& item) {
            value.parts.push_back({std::string(name), text_of(item), where(item, path)});
        };
        const toml::array* items = node->as_array();
        const auto wrong = [&](const toml::node& item) {
            complain(
                item, path,
                {name == "transports" ? "this is not a list of texts" : "this is neither a text nor a list of texts",
                 fmt::format("write {} = {}", name, find_key_by_path(path)->example)});
            value.reported = true;
        };
        if (node->is_string() && name != "transports") return add(*node);
        if (items == nullptr || items->empty()) return wrong(*node);
        for (const toml::node& item : *items) item.is_string() ? add(item) : wrong(item);
    }

    /// The member when it is text; complains when it is something else.
    const toml::node* text_member(const toml::table& table, std::string_view name, std::string_view path) {
        const toml::node* node = table.get(name);
        if (node == nullptr || node->is_string()) return node;
        complain(*node, fmt::format("{}.{}", path, name),
                 {fmt::format("this is {}, but the key takes text in quotes", kind(*node)),
                  fmt::format("put quotes around it")});
        return nullptr;
    }

    void only(const toml::table& table, std::initializer_list<std::string_view> known, std::string_view path) {
        for (const auto& [name, node] : table) {
            if (std::find(known.begin(), known.end(), name.str()) != known.end()) continue;
            const std::string_view meant = nearest(name.str(), std::span(known.begin(), known.size()));
            problems_.push_back(
                {{origin::layer::file, file_, name.source().begin.line, fmt::format("{}.{}", path, name.str())},
                 text_of(node),
                 {"there is no such key", meant.empty() ? fmt::format("the keys here are: {}", fmt::join(known, ", "))
                                                        : fmt::format("did you mean {}?", meant)}});
        }
    }

    const std::string& file_;
    layer& found_;
    problem_list& problems_;
};

} // namespace

bool read_toml(std::string_view text, const std::string& path, layer& found, problem_list& problems) {
    reader from(path, found, problems);
    try {
        from.section(toml::parse(text, path), "");
    } catch (const toml::parse_error& error) {
        from.unreadable(error);
        return false;
    }
    return true;
}

} // namespace turnd
