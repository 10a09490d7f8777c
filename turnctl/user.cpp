/// turnctl user: the users of the local authentication database. Works on the file; a turnd that uses it sees the
/// change with its next look-up.

#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "file_text.hpp"
#include "iso_time.hpp"
#include "json_text.hpp"
#include "parse_value.hpp"
#include "printable.hpp"
#include "turnctl/password.hpp"
#include "turnctl/verb.hpp"
#include "user_database.hpp"

namespace turnctl {
namespace {

using turnd::database_error;
using turnd::database_fault;
using turnd::user_database;

struct options {
    std::string file = turnd::default_user_database;
    std::string name{};
    std::optional<std::string> realm{};
    password_source password{};
    bool json = false;
};

int complain(console& to, std::string_view about, const turnd::complaint& why, int status) {
    to.err << fmt::format("turnctl: {}: {}; {}\n", turnd::printable(about), why.what, why.remedy);
    return status;
}

int complain(console& to, const options& o, const database_error& error, user_database::access how) {
    turnd::complaint why = turnd::explain(error);
    if (how == user_database::access::create && error.why == database_fault::missing)
        why = {"its directory does not exist", "create it, or name another file by --database"};
    return complain(to, o.file, why, exit_critical);
}

/// `realm` as it is kept: the one that was given, or else the only one that there is. A status: it was complained.
turn::result<std::string, int> realm_for(const options& o, user_database& users, console& to) {
    if (o.realm) return *o.realm;
    const auto realms = users.realms();
    if (!realms) return complain(to, o, realms.error(), user_database::access::change);
    if (realms->size() == 1) return realms->front();
    return complain(to, "--realm",
                    {realms->empty() ? "there is no user yet whose realm could be meant"
                                     : fmt::format("there are {} realms", realms->size()),
                     "name one"},
                    exit_usage);
}

/// False: it was complained.
bool normalize_realm(options& o, console& to) {
    if (!o.realm) return true;
    auto realm = turnd::parse_realm(*o.realm);
    if (!realm) {
        complain(to, *o.realm, realm.error(), exit_usage);
        return false;
    }
    o.realm = *std::move(realm);
    return true;
}

/// What a deed on one user comes to.
struct deed {
    std::string_view done;        ///< "added", in the answer
    turnd::complaint not_done;    ///< when there was such a user already, or none
    user_database::access access; ///< with which the database is opened
    bool needs_password = false;
    /// False: it was not done.
    turnd::database_result<bool> (*act)(user_database&, const std::string& realm, const std::string& name,
                                        const turnd::user_keys&);
};

int answer(const options& o, const std::string& realm, const deed& d, console& to) {
    if (o.json)
        to.out << turnd::json_text({{"database", o.file}, {"realm", realm}, {"name", o.name}, {"result", d.done}})
               << '\n';
    else
        to.out << fmt::format("{} {} of {} ({})\n", d.done, turnd::printable(o.name), turnd::printable(realm),
                              turnd::printable(o.file));
    return exit_good;
}

int act_on_user(options o, const deed& d, console& to) {
    auto name = turnd::parse_user_name(o.name);
    if (!name) return complain(to, o.name, name.error(), exit_usage);
    o.name = *std::move(name);
    if (!normalize_realm(o, to)) return exit_usage;
    auto users = user_database::open(o.file, d.access, {});
    if (!users) return complain(to, o, users.error(), d.access);
    const auto realm = realm_for(o, *users, to);
    if (!realm) return realm.error();

    turnd::user_keys keys;
    if (d.needs_password) {
        auto password = read_password(o.password, to);
        if (!password) return complain(to, "password", password.error(), exit_critical);
        const auto made = turnd::make_user_keys(o.name, *realm, *password);
        turnd::wipe(*password);
        if (!made) return complain(to, *realm, {"keys cannot be made for this realm", "name another"}, exit_critical);
        keys = *made;
    }
    const auto done = d.act(*users, *realm, o.name, keys);
    if (!done) return complain(to, o, done.error(), d.access);
    if (!*done) return complain(to, o.name + " of " + *realm, d.not_done, exit_critical);
    return answer(o, *realm, d, to);
}

int list_users(options o, console& to) {
    if (!normalize_realm(o, to)) return exit_usage;
    auto database = user_database::open(o.file, user_database::access::look_up, {});
    if (!database) return complain(to, o, database.error(), user_database::access::look_up);
    const auto users = database->users(o.realm);
    if (!users) return complain(to, o, users.error(), user_database::access::look_up);
    if (o.json) {
        auto list = nlohmann::ordered_json::array();
        for (const user_database::user& u : *users)
            list.push_back({{"realm", u.realm}, {"name", u.name}, {"changed", turnd::iso_time(u.changed)}});
        to.out << turnd::json_text({{"database", o.file}, {"users", std::move(list)}}) << '\n';
        return exit_good;
    }
    for (const user_database::user& u : *users)
        to.out << fmt::format("{}  {}  {}\n", turnd::iso_time(u.changed), turnd::printable(u.realm),
                              turnd::printable(u.name));
    if (users->empty()) to.out << "no users\n";
    return exit_good;
}

const deed adding{"added",
                  {"there is such a user already", "`turnctl user passwd` gives him another password"},
                  user_database::access::create,
                  true,
                  [](user_database& in, const std::string& realm, const std::string& name,
                     const turnd::user_keys& keys) { return in.add(realm, name, keys); }};
const deed changing{"changed",
                    {"there is no such user", "`turnctl user list` shows all of them"},
                    user_database::access::change,
                    true,
                    [](user_database& in, const std::string& realm, const std::string& name,
                       const turnd::user_keys& keys) { return in.change_keys(realm, name, keys); }};
const deed removing{"removed",
                    {"there is no such user", "`turnctl user list` shows all of them"},
                    user_database::access::change,
                    false,
                    [](user_database& in, const std::string& realm, const std::string& name, const turnd::user_keys&) {
                        return in.remove(realm, name);
                    }};

CLI::App* add_command(CLI::App& user, const char* name, const char* help, const std::shared_ptr<options>& o,
                      const deed* d) {
    CLI::App* command = user.add_subcommand(name, help);
    command->add_option("--database", o->file, "File of the database")->capture_default_str();
    command->add_option("--realm", o->realm,
                        d == nullptr ? "Only users of this realm" : "His realm; without it, the only one there is");
    command->add_flag("--json", o->json, "As JSON");
    if (d == nullptr) return command;
    command->add_option("name", o->name, "The user")->required();
    if (!d->needs_password) return command;
    auto* file = command->add_option("--password-file", o->password.file, "File that holds the password on one line");
    command->add_flag("--password-stdin", o->password.standard_input, "The password comes by standard input")
        ->excludes(file);
    return command;
}

} // namespace

verb add_user(CLI::App& app) {
    CLI::App* user = app.add_subcommand("user", "Users of turnd's local authentication database");
    user->require_subcommand(1);
    const auto o = std::make_shared<options>();
    const CLI::App* add = add_command(
        *user, "add", "Add a user; his password is asked for. Makes the database when there is none", o, &adding);
    const CLI::App* passwd = add_command(*user, "passwd", "Give a user another password", o, &changing);
    const CLI::App* remove =
        add_command(*user, "remove", "Remove a user; a running turnd ends his relays within a second", o, &removing);
    add_command(*user, "list", "List users", o, nullptr);
    return {user, [=](console& to) {
                if (add->parsed()) return act_on_user(*o, adding, to);
                if (passwd->parsed()) return act_on_user(*o, changing, to);
                if (remove->parsed()) return act_on_user(*o, removing, to);
                return list_users(*o, to);
            }};
}

} // namespace turnctl
