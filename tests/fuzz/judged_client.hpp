#pragma once
/// A turn::client whose every step is judged: an outcome is of a request that was made, and ends it; what arrives from
/// peers was asked for; whoever has shown credentials believes only who knows them, too; what leaves is well-formed and
/// signed as it must be; nothing is due that tick() has not done.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "fuzz.hpp"
#include "scripted_server.hpp"
#include "turn/channel_data.hpp"
#include "turn/client.hpp"

namespace turn::fuzz {

class judged_client {
public:
    /// What was asked for, as far as the outcome repeats it.
    struct wish {
        stun::method method{};
        transport_address peer{};
        std::uint16_t channel = 0;
    };
    struct request {
        test::blob raw{};
        stun::transaction_id id{};
        transport_address to{};
        std::optional<stun::credential_key> key{}; ///< that it was signed with
    };

    judged_client(client_options o, std::size_t outbox_datagrams)
        : options_(o), it_(std::move(o)), out_(outbox_datagrams),
          delayed_(outbox_datagrams < client::max_transactions) {}
    /// For another connection to the same server.
    [[nodiscard]] judged_client for_data_connection(socket_id via) const {
        judged_client made(options_, 64);
        made.it_ = it_.for_data_connection(via);
        made.options_.via = via;
        made.options_.server = it_.server();
        made.known_ = known_;
        return made;
    }

    /// `begin` is one of the client's calls that start a transaction: void(client&, outbox&) -> its id.
    template <class Begin>
    void asks(const wish& what, Begin begin) {
        const stun::transaction_id id = begin(it_, out_);
        require(id == stun::transaction_id{} || std::ranges::find(begun_, id, &begun::id) == begun_.end());
        if (id != stun::transaction_id{}) begun_.push_back({id, what, known_});
        settle();
    }
    /// Peers may be heard that were asked for at any time.
    void may_hear(const transport_address& peer) {
        if (!was_asked(peer)) peers_.push_back(peer.with_port(0));
    }
    void says(const transport_address& peer, bytes text, bool as_indication) {
        const bool had = it_.has_allocation();
        const auto sent = as_indication ? it_.send_indication(peer, text, true, out_) : it_.send(peer, text, out_);
        require(bool(sent) == had);
        settle();
    }
    /// Returns whether this was what has ended, or moved, a transaction.
    bool hears(bytes datagram, time_point now) {
        const test::blob heard = test::to_blob(datagram); // exactly as large, for the sanitizers
        if (const auto lifetime = lifetime_in(heard)) longest_ = std::max(longest_, *lifetime);
        const auto event = it_.handle(heard, now, out_);
        if (event) {
            happened(*event, heard, now);
            if (const auto* data = std::get_if<client::peer_data>(&*event))
                require(data->data.empty() || (data->data.data() >= heard.data() &&
                                               data->data.data() + data->data.size() <= heard.data() + heard.size()));
        }
        settle();
        return bool(event);
    }
    /// Until nothing more is due.
    void ticks(time_point now) {
        for (int rounds = 0; rounds == 0 || it_.next_deadline() <= now; ++rounds) {
            require(rounds < 64); // as many as an outbox of one datagram needs
            for (int events = 0;; ++events) {
                require(events < 2000);
                const bool had = it_.has_allocation();
                const auto event = it_.tick(now, out_);
                if (!event) break;
                if (const auto* gone = std::get_if<client::refreshed>(&*event))
                    require(had && !it_.has_allocation() && gone->id == stun::transaction_id{});
                happened(*event, {}, now);
            }
            settle();
        }
    }
    void reconnected(socket_id via, time_point now) {
        waits_ = false;
        options_.via = via;
        it_.reconnected(via, now, out_);
        const bool was_delayed = std::exchange(delayed_, true);
        settle();
        delayed_ = was_delayed;
    }
    /// Nobody speaks any more, and everything comes to an end. Returns when.
    time_point finish(time_point now) {
        if (waits_) reconnected(options_.via, now);
        for (int steps = 0; it_.next_deadline() != time_point::max(); ++steps) {
            if (steps == 10'000 && longest_ > std::chrono::hours(1)) return now; // somebody has promised too much
            require(steps < 10'000);
            now = std::max(now, it_.next_deadline());
            ticks(now);
        }
        require(begun_.empty());
        require(!it_.has_allocation());
        return now;
    }

    /// The last of them, oldest first.
    [[nodiscard]] const std::vector<request>& requests() const { return requests_; }
    [[nodiscard]] bool has_allocation() const { return it_.has_allocation(); }
    [[nodiscard]] socket_id via() const { return options_.via; }

private:
    struct begun {
        stun::transaction_id id;
        wish what;
        bool known; ///< realm and nonce were known then
    };
    static constexpr std::size_t requests_kept = 64;
    static constexpr auto five_minutes = std::chrono::minutes(5);

    static std::optional<std::chrono::seconds> lifetime_in(bytes datagram) {
        const auto m = stun::message_view::parse(datagram);
        const auto lifetime = m ? m->get<stun::lifetime>() : errc::missing_attribute;
        return lifetime ? std::optional(*lifetime) : std::nullopt;
    }
    [[nodiscard]] bool was_asked(const transport_address& peer) const {
        return std::ranges::any_of(peers_, [&](const transport_address& p) { return p.same_ip(peer); });
    }

    // --- what the application is told

    void happened(const client::event& event, bytes heard, time_point now) {
        believe(event, heard);
        std::visit([&](const auto& e) { judge(e, now); }, event);
    }
    /// What answers a signed request is signed with the same key, or can only make the client try again or give up.
    void believe(const client::event& event, bytes heard) const {
        const auto m = stun::message_view::parse(heard);
        if (!m || m->cls() == stun::message_class::indication) return;
        const auto of = std::ranges::find(requests_, m->id(), &request::id);
        if (of == requests_.end() || !of->key) return;
        if (const auto* f = std::get_if<client::failed>(&event))
            if (f->code == 0 || f->code == 401 || f->code == 431 || f->code == 438) return;
        require(bool(m->check_integrity(*of->key)));
    }

    void judge(const client::mapped& e, time_point) { ended(e.id, stun::method::binding); }
    void judge(const client::allocated& e, time_point) {
        ended(e.id, stun::method::allocate);
        require(it_.has_allocation() && e.relayed.port != 0);
        require(e.relayed_additional.port == 0 || e.relayed_additional.family != e.relayed.family);
    }
    void judge(const client::refreshed& e, time_point) {
        if (e.id != stun::transaction_id{}) ended(e.id, stun::method::refresh);
    }
    void judge(const client::permitted& e, time_point) { ended(e.id, stun::method::create_permission); }
    void judge(const client::channel_bound& e, time_point) {
        const wish w = ended(e.id, stun::method::channel_bind);
        require(e.number == w.channel && e.peer == w.peer);
    }
    void judge(const client::connected& e, time_point) { require(e.peer == ended(e.id, stun::method::connect).peer); }
    void judge(const client::connection_bound& e, time_point) { ended(e.id, stun::method::connection_bind); }
    void judge(const client::connection_attempted& e, time_point) {
        require(is_stream(options_.via) && it_.has_allocation() && was_asked(e.peer));
    }
    void judge(const client::peer_data& e, time_point) { require(it_.has_allocation() && was_asked(e.from)); }
    void judge(const client::peer_unreachable& e, time_point) { require(it_.has_allocation() && was_asked(e.peer)); }
    void judge(const client::failed& e, time_point) {
        const auto found = std::ranges::find(begun_, e.id, &begun::id);
        if (found != begun_.end()) return void(ended(e.id, e.method));
        // What it began by itself ends in failures alone.
        require(options_.keep_alive && e.id != stun::transaction_id{});
        require(e.method == stun::method::refresh || e.method == stun::method::create_permission ||
                e.method == stun::method::channel_bind);
    }
    void judge(const client::redirected& e, time_point now) {
        const auto found = std::ranges::find(begun_, e.id, &begun::id);
        require(found != begun_.end() && found->what.method == stun::method::allocate);
        require(!it_.has_allocation() && it_.server() == e.server);
        require(e.server.family == options_.server.family && e.server.port != 0);
        std::erase_if(visits_, [&](const auto& v) { return v.second + five_minutes <= now; });
        require(e.server != options_.server && std::ranges::find(visits_, e.server, &visit::first) == visits_.end());
        visits_.emplace_back(options_.server, now);
        require(visits_.size() <= 8);
        options_.server = e.server;
        waits_ = kind_of(options_.via) != socket_kind::udp;
        known_ = false;
        for (begun& b : begun_) b.known = false;
    }
    /// It was begun, is over now, and was this.
    wish ended(const stun::transaction_id& id, stun::method method) {
        const auto found = std::ranges::find(begun_, id, &begun::id);
        require(found != begun_.end() && found->what.method == method);
        const wish what = found->what;
        begun_.erase(found);
        return what;
    }

    // --- what leaves

    void settle() {
        require(out_.orders().empty());
        require((is_connection(options_.via) ? out_.datagrams() : out_.frames()).empty());
        for (const auto list : {out_.datagrams(), out_.frames()})
            for (const datagram& d : list) {
                test::blob whole = test::to_blob(d.head);
                whole.insert(whole.end(), d.body.begin(), d.body.end());
                whole.resize(whole.size() + d.pad);
                require(d.to == it_.server() && d.via == options_.via);
                left(std::move(whole));
            }
        out_.clear();
        require(begun_.size() <= client::max_transactions);
    }
    void left(test::blob whole) {
        require(!whole.empty());
        if (std::to_integer<unsigned>(whole[0]) >= 0x40) return require(bool(channel_data::parse(whole)));
        const auto m = stun::message_view::parse(whole);
        require(bool(m));
        if (m->cls() == stun::message_class::indication)
            return require(m->method() == stun::method::send && !m->has_integrity());
        require(m->cls() == stun::message_class::request && !waits_);
        if (std::ranges::find(requests_, m->id(), &request::id) != requests_.end()) return; // once more
        request r{.raw = {}, .id = m->id(), .to = it_.server()};
        if (m->has_integrity()) r.key = signed_with(*m);
        known_ = known_ || r.key;
        // Who asks is shown always once it was shown; but Binding needs no name.
        const auto by = std::ranges::find(begun_, r.id, &begun::id);
        const bool was_known = by == begun_.end() ? known_ && !delayed_ : by->known;
        require(r.key || !was_known || m->method() == stun::method::binding);
        r.raw = std::move(whole);
        requests_.push_back(std::move(r));
        if (requests_.size() > requests_kept) requests_.erase(requests_.begin());
    }
    /// RFC 8489, 9.2.5: as strong as the server can, and as it wants the user to be named.
    static stun::credential_key signed_with(const stun::message_view& m) {
        const auto key = key_of(m);
        require(key && m.check_integrity(*key));
        const auto nonce = m.get<stun::nonce>();
        require(bool(nonce));
        const bool names_algorithm = m.has<stun::password_algorithm>();
        require(names_algorithm == m.has<stun::password_algorithms>());
        require(names_algorithm == m.has_integrity_sha256());
        const auto features = stun::features_of(*nonce).value_or(stun::security_features{});
        require(names_algorithm || !features.password_algorithms);
        require(m.has<stun::userhash>() == features.username_anonymity);
        require(m.has<stun::username>() != features.username_anonymity);
        return *key;
    }

    using visit = std::pair<transport_address, time_point>;

    client_options options_; ///< the server and connection of now
    client it_;
    outbox out_;
    bool delayed_;       ///< requests may leave some time after they were written
    bool known_ = false; ///< what the server is asked from now on is signed
    bool waits_ = false; ///< for a connection to another server
    std::vector<begun> begun_{};
    std::vector<request> requests_{};
    std::vector<transport_address> peers_{};
    std::vector<visit> visits_{};
    std::chrono::seconds longest_{};
};

} // namespace turn::fuzz
