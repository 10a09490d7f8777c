/// Listeners: [[listener]] tables of the file, which name any transports, and --listen and --tls-listen, which replace
/// the plain ones and those over TLS and DTLS among them.

#include <algorithm>
#include <array>

#include "apply_value.hpp"
#include "file_text.hpp"

namespace turnd {
namespace {

using turn::transport;

constexpr std::array<std::string_view, 4> known_transports{"udp", "tcp", "tls", "dtls"};

parsed<transport> parse_transport(std::string_view text) {
    for (const transport t : {transport::udp, transport::tcp, transport::tls, transport::dtls})
        if (text == turn::name(t)) return t;
    std::string lower_case(text);
    for (char& c : lower_case) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const std::string_view meant = nearest(lower_case, known_transports);
    return complaint{"there is no such transport", meant.empty()
                                                       ? "the transports are \"udp\", \"tcp\", \"tls\" and \"dtls\""
                                                       : fmt::format("did you mean \"{}\"?", meant)};
}

/// One [[listener]] table or one address of a flag, on its way to listeners.
class listener_reader {
public:
    listener_reader(const key& k, const raw_value& value, problem_list& problems)
        : key_(k), value_(value), problems_(problems), problems_before_(problems.size()) {}

    /// A listener for each transport: those of the table, or else `by_default`. None when something is wrong.
    std::vector<listener_setting> read(std::vector<transport> by_default) {
        for (const raw_value::part& part : value_.parts) read_part(part);
        if (transports_.empty()) transports_ = std::move(by_default);
        check_pairs();
        turn::transport_address address;
        if (!value_.text.empty() || !value_.reported) address = read_address();
        if (value_.reported || problems_.size() != problems_before_) return {};

        std::vector<listener_setting> listeners;
        for (const transport t : transports_) {
            listeners.push_back({address, t, realm_, {}, value_.where});
            if (!is_secure(t)) continue;
            for (std::size_t i = 0; i < certificates_.size(); ++i)
                listeners.back().certificates.push_back({certificates_[i]->text, keys_[i]->text});
        }
        return listeners;
    }

private:
    void complain_about(const raw_value::part& part, complaint why) {
        problems_.push_back({part.where, part.text, std::move(why)});
    }

    void read_part(const raw_value::part& part) {
        if (part.name == "transports") {
            read_transport(part);
        } else if (part.name == "certificate" || part.name == "key") {
            (part.name == "key" ? keys_ : certificates_).push_back(&part);
            if (auto why = check_file(part.text)) complain_about(part, *std::move(why));
        } else if (auto realm = parse_realm(part.text)) {
            realm_ = *std::move(realm);
        } else {
            complain_about(part, realm.error());
        }
    }

    void read_transport(const raw_value::part& part) {
        const auto t = parse_transport(part.text);
        transports_judged_ = transports_judged_ && t;
        if (!t)
            complain_about(part, t.error());
        else if (std::find(transports_.begin(), transports_.end(), *t) != transports_.end())
            complain_about(part, {"this transport is given twice", "leave one of them out"});
        else
            transports_.push_back(*t);
    }

    /// Certificates need keys, and a transport that uses them.
    void check_pairs() {
        if (value_.reported) return; // what is missing here may be what was reported
        const std::size_t c = certificates_.size();
        const std::size_t k = keys_.size();
        if (c != 0 && k == 0)
            complain_about(*certificates_.front(), {"the certificate has no key", "write key = \"FILE\" beside it"});
        else if (c == 0 && k != 0)
            complain_about(*keys_.front(), {"the key has no certificate", "write certificate = \"FILE\" beside it"});
        else if (c != k)
            complain_about(*certificates_.front(),
                           {fmt::format("{} and {} are no pairs", counted(c, "certificate"), counted(k, "key")),
                            "list a key for each certificate, in the same order"});
        const bool used = std::any_of(transports_.begin(), transports_.end(), turn::is_secure);
        if (c != 0 && !used && transports_judged_)
            complain_about(*certificates_.front(), {"this listener has no TLS that would use the certificate",
                                                    "add \"tls\" to its transports, or leave certificate and key out"});
    }

    static std::string counted(std::size_t n, std::string_view what) {
        return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
    }

    turn::transport_address read_address() {
        const auto address = parse_listen_address(value_.text);
        if (address) return *address;
        complain(key_, value_, address.error(), problems_);
        return {};
    }

    const key& key_;
    const raw_value& value_;
    problem_list& problems_;
    std::size_t problems_before_;
    std::vector<transport> transports_{};
    bool transports_judged_ = true; ///< all of them are known
    std::string realm_{};
    std::vector<const raw_value::part*> certificates_{};
    std::vector<const raw_value::part*> keys_{};
};

void add(const key& k, const raw_value& value, std::vector<transport> by_default, settings& into,
         problem_list& problems) {
    bool said = false; // once for all transports of a value
    for (listener_setting& listener : listener_reader(k, value, problems).read(std::move(by_default))) {
        const bool twice = listener.address.port != 0 &&
                           std::any_of(into.listeners.begin(), into.listeners.end(), [&](const listener_setting& l) {
                               return l.address == listener.address && l.protocol == listener.protocol;
                           });
        if (!twice) {
            into.listeners.push_back(std::move(listener));
            continue;
        }
        if (!said) complain(k, value, {"this listener is given twice", "leave one of them out"}, problems);
        said = true;
    }
}

} // namespace

void apply_listeners(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    // The file's tables are all listeners there are (none, if there is no table in the list); flags and environment
    // speak of UDP and TCP and leave those over TLS and DTLS alone.
    const bool tables = values.empty() || values.front().where.from == origin::layer::file;
    std::erase_if(into.listeners, [&](const listener_setting& l) { return tables || !is_secure(l.protocol); });
    for (const raw_value& value : values) add(k, value, {transport::udp, transport::tcp}, into, problems);
}

void apply_tls_listeners(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    std::erase_if(into.listeners, [](const listener_setting& l) { return is_secure(l.protocol); });
    for (const raw_value& value : values) add(k, value, {transport::tls, transport::dtls}, into, problems);
}

} // namespace turnd
