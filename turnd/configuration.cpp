#include "configuration.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <set>

#include <unistd.h>

#include <fmt/format.h>

#include "file_text.hpp"
#include "printable.hpp"

namespace turnd {
namespace {

constexpr std::size_t longest_value = 4096; ///< bytes: longer than any path, address or password that is meant

/// What no value of any key may hold.
std::optional<complaint> check_text(std::string_view text, bool may_have_lines) {
    if (text.size() > longest_value)
        return complaint{fmt::format("the value is longer than {} bytes", longest_value), "shorten it"};
    if (!is_utf8(text)) return complaint{"the value is not UTF-8", "save or type it as UTF-8"};
    std::string without_line_ends(text);
    if (may_have_lines) std::erase_if(without_line_ends, [](char c) { return c == '\n' || c == '\r'; });
    if (has_control_characters(without_line_ends)) return complaint{"the value holds a control character", "remove it"};
    return {};
}

/// Reports values that no parser should see. Returns false when there is one.
bool acceptable(const key& k, const std::vector<raw_value>& values, problem_list& problems) {
    bool good = true;
    const auto check = [&](const origin& where, const std::string& text, bool may_have_lines) {
        if (auto why = check_text(text, may_have_lines)) {
            problems.push_back({where, k.secret.empty() ? text : std::string(hidden), *std::move(why)});
            good = false;
        }
    };
    for (const raw_value& value : values) {
        check(value.where, value.text, value.is_content);
        for (const raw_value::part& part : value.parts) check(part.where, part.text, false);
    }
    return good;
}

/// The names of keys that something is wrong with: what follows from that is not reported as well.
using bad_keys = std::set<std::string_view>;

void apply_layer(const layer& values, settings& into, problem_list& problems, bad_keys& bad) {
    for (const key& k : all_keys()) {
        const auto at = values.find(k.name);
        if (at == values.end()) continue;
        const std::size_t before = problems.size();
        if (acceptable(k, at->second, problems)) k.apply(k, at->second, into, problems);
        const bool reported =
            std::any_of(at->second.begin(), at->second.end(), [](const raw_value& v) { return v.reported; });
        if (reported || problems.size() != before) bad.insert(k.name);
        if (!at->second.empty()) into.origins[k.name] = at->second.front().where;
    }
}

void wipe_secrets(layer& values) {
    for (const key& k : all_keys()) {
        if (k.secret.empty()) continue;
        if (const auto at = values.find(k.name); at != values.end())
            for (raw_value& value : at->second) wipe(value.text);
    }
}

/// The file to read: named by flag or environment, or the default when it exists.
std::optional<raw_value> file_to_read(const layer& flags, const layer& from_environment,
                                      const std::string& default_file) {
    if (const auto at = flags.find("config"); at != flags.end()) return at->second.front();
    if (const auto at = from_environment.find("config"); at != from_environment.end()) return at->second.front();
    if (::access(default_file.c_str(), F_OK) == 0) return raw_value{default_file, {origin::layer::built_in, "default"}};
    return {};
}

bool has_credentials(const settings& s) {
    return !s.users.empty() || !s.rest_secrets.empty() || !s.user_database.empty();
}

/// Where a problem of keys that are missing belongs: the file, when there is one.
origin missing(std::string_view name, const std::string& file) {
    if (file.empty()) return {origin::layer::built_in, "configuration", 0, std::string(name)};
    return {origin::layer::file, file, 0, std::string(find_key(name)->path)};
}

origin origin_of(std::string_view name, const settings& s, const std::string& file) {
    const auto at = s.origins.find(name);
    return at == s.origins.end() ? missing(name, file) : at->second;
}

void check_authentication(const settings& s, const std::string& file, problem_list& problems) {
    const bool credentials = has_credentials(s);
    if (s.auth == auth_mode::none && credentials)
        problems.push_back({origin_of("auth", s, file),
                            "none",
                            {"there are users or shared secrets all the same",
                             "remove them, or leave auth out so that they are used"}});
    if (s.allow_anonymous_relay && credentials)
        problems.push_back({origin_of("allow-anonymous-relay", s, file),
                            "true",
                            {"there are users or shared secrets all the same",
                             "leave allow-anonymous-relay out, or remove the credentials"}});
    if (s.username_anonymity && !s.rest_secrets.empty())
        problems.push_back({origin_of("username-anonymity", s, file),
                            "true",
                            {"the names of time-limited credentials cannot be told from their hashes",
                             "leave username-anonymity out, or remove the shared secrets"}});
    if (s.auth == auth_mode::credentials && !credentials && !s.listeners.empty() && !only_on_loopback(s))
        problems.push_back(
            {missing("auth", file),
             "",
             {"clients have no way to authenticate: there is no user, no user database and no shared secret",
              "give rest-secret-file, user-database or user, or listen on loopback only, or set auth = \"none\" to "
              "serve STUN alone"}});
}

void check_realms(const settings& s, const std::string& file, problem_list& problems) {
    if (service_of(s) != service::relay_with_credentials) return;
    const bool unnamed = std::any_of(s.listeners.begin(), s.listeners.end(),
                                     [&](const listener_setting& l) { return realm_of(l, s).empty(); });
    if (unnamed)
        problems.push_back({missing("realm", file),
                            "",
                            {"credentials belong to a realm, and there is none", "set realm, e.g. to your domain"}});
}

void check_certificates(const settings& s, const std::string& file, problem_list& problems) {
    const std::size_t certificates = s.certificate_files.size();
    const std::size_t keys = s.key_files.size();
    if (certificates != keys) {
        const bool no_key = keys == 0;
        const bool no_certificate = certificates == 0;
        const std::string_view at = no_certificate ? "key" : "cert";
        problems.push_back(
            {origin_of(at, s, file),
             no_certificate ? s.key_files.front() : s.certificate_files.front(),
             {no_key           ? "the certificate has no key"
              : no_certificate ? "the key has no certificate"
                               : fmt::format("there are {} certificates and {} keys", certificates, keys),
              fmt::format("give --{} FILE for each --{}, in the same order", no_certificate ? "cert" : "key", at)}});
        return;
    }
    const auto tls = [](const listener_setting& l) { return is_secure(l.protocol); };
    if (certificates != 0 && std::none_of(s.listeners.begin(), s.listeners.end(), tls))
        problems.push_back({origin_of("cert", s, file),
                            s.certificate_files.front(),
                            {"there is no TLS listener that would use the certificate",
                             "give --tls-listen ADDR:PORT, or leave certificate and key out"}});
    for (const listener_setting& l : s.listeners) {
        if (!tls(l) || !certificates_of(l, s).empty()) continue;
        const bool said = std::any_of(s.listeners.data(), &l, [&](const listener_setting& before) {
            return tls(before) && before.address == l.address; // TLS and DTLS of one table or flag
        });
        if (said) continue;
        const bool table = l.where.from == origin::layer::file;
        problems.push_back({l.where,
                            l.address.to_string(),
                            {"TLS needs a certificate and its key",
                             table ? "write certificate = \"FILE\" and key = \"FILE\" in this [[listener]]"
                                   : "give --cert FILE and --key FILE"}});
    }
}

/// What concerns more than one key, as far as each of them is good.
void check_together(const settings& s, const bad_keys& bad, configuration& result) {
    const auto good = [&](std::initializer_list<std::string_view> names) {
        return std::none_of(names.begin(), names.end(), [&](std::string_view name) { return bad.contains(name); });
    };
    if (!good({"listen", "tls-listen"})) return;
    if (s.listeners.empty())
        result.problems.push_back({origin_of("listen", s, result.file),
                                   "",
                                   {"there is no listener", "give one, or leave the key out for the default"}});
    if (good({"auth", "allow-anonymous-relay", "user", "user-database", "rest-secret-file", "username-anonymity"}))
        check_authentication(s, result.file, result.problems);
    if (good({"realm"})) check_realms(s, result.file, result.problems);
    if (good({"cert", "key"})) check_certificates(s, result.file, result.problems);
    if (!s.public_peers && s.allow_peers.empty())
        result.warnings.emplace_back(
            "peers.policy is allow-list and peers.allow is empty: no peer can be reached by anybody");
}

} // namespace

layer built_in_layer() {
    layer defaults;
    for (const key& k : all_keys()) {
        std::string_view text = k.built_in;
        while (!text.empty()) {
            const std::size_t space = text.find(' ');
            defaults[k.name].push_back(
                {std::string(text.substr(0, space)), {origin::layer::built_in, "default", 0, std::string(k.name)}});
            text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
        }
    }
    return defaults;
}

configuration load_configuration(layer flags, const environment& variables, const std::string& default_file) {
    configuration result;
    layer from_environment = read_environment(variables, result.problems, result.warnings);
    layer from_file;
    bool readable = true;
    if (const auto file = file_to_read(flags, from_environment, default_file)) {
        result.file = file->text;
        auto text = read_file(file->text);
        if (text) {
            readable = read_toml(*text, file->text, from_file, result.problems);
            wipe(*text);
        } else {
            result.problems.push_back({file->where, file->text, text.error()});
            readable = false;
        }
    }
    bad_keys bad;
    apply_layer(built_in_layer(), result.settings, result.problems, bad);
    for (layer* values : {&from_file, &from_environment, &flags}) {
        apply_layer(*values, result.settings, result.problems, bad);
        wipe_secrets(*values);
    }
    if (readable) check_together(result.settings, bad, result);
    return result;
}

configuration load_configuration(const configuration_sources& from) {
    return load_configuration(from.flags, from.variables, from.default_file);
}

service service_of(const settings& s) {
    if (s.auth == auth_mode::credentials && has_credentials(s)) return service::relay_with_credentials;
    return s.allow_anonymous_relay ? service::relay_anonymously : service::stun_only;
}

bool only_on_loopback(const settings& s) {
    return std::all_of(s.listeners.begin(), s.listeners.end(),
                       [](const listener_setting& l) { return l.address.is_loopback(); });
}

std::vector<turn::certificate_files> certificates_of(const listener_setting& listener, const settings& s) {
    if (s.certificate_files.empty()) return listener.certificates;
    std::vector<turn::certificate_files> pairs;
    for (std::size_t i = 0; i < std::min(s.certificate_files.size(), s.key_files.size()); ++i)
        pairs.push_back({s.certificate_files[i], s.key_files[i]});
    return pairs;
}

const std::string& realm_of(const listener_setting& listener, const settings& s) {
    return listener.realm.empty() ? s.realm : listener.realm;
}

} // namespace turnd
