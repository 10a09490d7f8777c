#include "flags.hpp"

#include <algorithm>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "suggest.hpp"

namespace turnd {
namespace {

constexpr std::string_view epilogue =
    R"(Every flag has an environment variable TURND_<FLAG> (upper case, _ for -, lists separated by commas) and a
key in the TOML file. A flag beats the environment, which beats the file, which beats the default; lists are replaced
whole. Secrets: TURND_USER (one NAME:PASSWORD a line) or TURND_USER_FILE; TURND_REST_SECRET or TURND_REST_SECRET_FILE;
user and rest-secret in $CREDENTIALS_DIRECTORY.

Exit status: 0 after a proper end, 1 when the server could not start, 2 for a wrong flag or configuration.
Signals: SIGTERM and SIGINT drain (a second one ends at once), SIGUSR1 writes the counters file, SIGHUP reloads: flags
and environment stay, the file and the files it names are read again.)";

std::string description(const key& k) {
    std::string text(k.help);
    if (k.built_in.empty() || k.argument.empty()) return text;
    std::string value(k.built_in);
    for (std::size_t at = value.find(' '); at != std::string::npos; at = value.find(' ', at + 5))
        value.replace(at, 1, " and ");
    return text + fmt::format(" [{}]", value);
}

origin command_line_origin(std::string name) {
    return {origin::layer::flag, "command line", 0, std::move(name)};
}

std::string_view without_dashes(std::string_view flag) {
    flag.remove_prefix(std::min(flag.find_first_not_of('-'), flag.size()));
    return flag;
}

/// What CLI11 did not take: unknown flags with a suggestion, and stray words.
void report_leftovers(const std::vector<std::string>& leftovers, problem_list& problems) {
    std::vector<std::string_view> known{"help", "version"};
    for (const key& k : all_keys()) known.push_back(k.name);
    bool value_of_unknown_flag = false;
    for (const std::string& word : leftovers) {
        if (word.starts_with('-')) {
            const std::string flag = word.substr(0, word.find('='));
            const std::string_view meant = nearest(without_dashes(flag), known);
            problems.push_back({command_line_origin(flag),
                                "",
                                {"there is no such flag", meant.empty() ? "turnd --help has all of them"
                                                                        : fmt::format("did you mean --{}?", meant)}});
            value_of_unknown_flag = word.find('=') == std::string::npos;
        } else {
            if (!value_of_unknown_flag)
                problems.push_back(
                    {command_line_origin(""),
                     word,
                     {"this word was not expected", "the only command is check-config; flags begin with --"}});
            value_of_unknown_flag = false;
        }
    }
}

} // namespace

command_line parse_command_line(std::vector<std::string> arguments) {
    command_line line;
    CLI::App app("turnd relays for clients behind NAT: a STUN and TURN server (RFC 8489, RFC 8656).", "turnd");
    app.footer(std::string(epilogue));
    app.get_formatter()->column_width(46);
    app.allow_extras();
    bool version = false;
    app.add_flag("--version", version, "Print the version and exit");
    CLI::App* check = app.add_subcommand(
        "check-config",
        "Check the configuration, certificates and addresses: exit status 0, or 2 with every problem; with --name "
        "NAME also whether the certificates are for that name");
    check->fallthrough();
    check->allow_extras();
    check->add_option("--name", line.name, "What clients call this server");

    std::map<std::string_view, std::vector<std::string>> values;
    std::map<std::string_view, bool> switches;
    for (const key& k : all_keys()) {
        CLI::Option* option = nullptr;
        if (k.argument.empty()) {
            option = app.add_flag(k.flag(), switches[k.name], description(k));
        } else {
            option = app.add_option(k.flag(), values[k.name], description(k));
            // One value after the flag, taken as it is: CLI11 would otherwise open brackets and swallow words.
            option->allow_extra_args(false)->expected(1)->type_name(std::string(k.argument) +
                                                                    (k.repeatable() ? "..." : ""));
            option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        }
        option->group(std::string(k.group));
    }

    line.help = app.help();
    try {
        std::reverse(arguments.begin(), arguments.end()); // CLI11 takes them from the back
        app.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        line.what = command_line::verb::help;
        return line;
    } catch (const CLI::ParseError& error) {
        line.problems.push_back({command_line_origin(""), "", {error.what(), "turnd --help has all flags"}});
        line.understood = false;
        return line;
    }

    if (version) line.what = command_line::verb::version;
    if (check->parsed()) line.what = command_line::verb::check_config;
    report_leftovers(app.remaining(true), line.problems);
    for (const key& k : all_keys()) {
        const auto where = command_line_origin(k.flag());
        if (k.argument.empty()) {
            if (app.count(k.flag()) != 0) line.flags[k.name] = {{switches[k.name] ? "true" : "false", where}};
            continue;
        }
        std::vector<std::string>& given = values[k.name];
        if (given.empty()) continue;
        if (given.size() > 1 && !k.repeatable()) {
            line.problems.push_back({where, given.back(), {"the flag is given more than once", "give it once"}});
            continue;
        }
        for (std::string& text : given) line.flags[k.name].push_back({std::move(text), where});
    }
    return line;
}

} // namespace turnd
