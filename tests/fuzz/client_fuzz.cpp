/// A client among liars: the bytes choose what the application asks for, how time passes, and what the network says:
/// what an honest server answers, the same with something changed on the way, answers that somebody made up, noise.
/// judged_client says what must hold whatever comes.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "judged_client.hpp"
#include "scripted_server.hpp"
#include "support/wire.hpp"

namespace {

using namespace std::chrono_literals;
using namespace turn;
using fuzz::judged_client;
using test::blob;
using test::message;

/// What is left of the input; zeros when it is used up.
class reader {
public:
    explicit reader(bytes data) : data_(data) {}
    [[nodiscard]] bool ended() const { return data_.empty(); }
    unsigned byte() {
        if (data_.empty()) return 0;
        const auto first = std::to_integer<unsigned>(data_.front());
        data_ = data_.subspan(1);
        return first;
    }
    unsigned below(unsigned bound) { return byte() % bound; }
    bytes some() {
        const std::size_t wanted = byte();
        const auto size = std::min(wanted, data_.size());
        const auto taken = data_.first(size);
        data_ = data_.subspan(size);
        return taken;
    }

private:
    bytes data_;
};

transport_address address_of(unsigned n) {
    return *transport_address::parse(n % 4 == 3 ? "[2001:db8::" + std::to_string(n % 8 + 1) + "]:700"
                                                : "203.0.113." + std::to_string(n % 8 + 1) + ":700");
}

socket_id connection(unsigned options, unsigned index) {
    switch (options & 24) {
    case 8:
        return stream_id(index);
    case 16:
        return dtls_id(index);
    default:
        return socket_id{};
    }
}

class story {
public:
    explicit story(reader& in) : in_(in), kind_(in.byte()), ann_(options(), (kind_ & 64) != 0 ? 2 : 64) {
        const auto manners = in_.byte();
        server_.offers_algorithms = (manners & 1) != 0;
        server_.hides_users = (manners & 2) != 0;
        if ((manners & 4) != 0) server_.lifetime = 90s;
    }

    void step() {
        switch (in_.below(32)) {
        case 0:
            return asks({stun::method::binding}, [&](client& it, outbox& out) { return it.bind(now_, out); });
        case 1: {
            const auto w = wishes();
            return asks({stun::method::allocate}, [&](client& it, outbox& out) { return it.allocate(w, now_, out); });
        }
        case 2: {
            const std::chrono::seconds lifetime(in_.below(3) * 300);
            const auto of = family();
            return asks({stun::method::refresh},
                        [&](client& it, outbox& out) { return it.refresh(lifetime, of, now_, out); });
        }
        case 3:
            return permit(in_.below(4));
        case 4: {
            const auto number = static_cast<std::uint16_t>(0x4000 + in_.below(4));
            const auto peer = any_peer();
            return asks({stun::method::channel_bind, peer, number},
                        [&](client& it, outbox& out) { return it.bind_channel(number, peer, now_, out); });
        }
        case 5: {
            const auto text = in_.some();
            const auto to = address_of(in_.byte());
            return ann_.says(to, text, in_.below(2) != 0);
        }
        case 6:
            return pass(std::chrono::milliseconds(in_.byte() * 4));
        case 7:
            return pass(std::chrono::seconds(in_.byte() * 4));
        case 8:
            return hears(ann_, in_.some());
        case 9:
            return hears(ann_, peer_data());
        case 10:
            return hears(ann_, made_up(ann_));
        case 11: {
            const auto peer = any_peer();
            return asks({stun::method::connect, peer},
                        [&](client& it, outbox& out) { return it.connect(peer, now_, out); });
        }
        case 12:
            return bind_connection();
        case 13:
            return hears(ann_, server_.attempt(address_of(in_.byte())).view());
        case 14:
            return ann_.reconnected(connection(kind_, 1 + in_.below(4)), now_);
        case 15:
            return change_mind();
        case 16:
            if (data_) hears(*data_, in_.below(2) == 0 ? answer(*data_) : blob(to_blob(made_up(*data_))));
            return;
        case 17:
            return permit(in_.below(64));
        case 18:
            return hears(ann_, spoilt(answer(ann_)));
        default:
            return hears(ann_, answer(ann_));
        }
    }

    void finish() {
        ann_.finish(now_);
        if (data_) data_->finish(now_);
    }

private:
    static blob to_blob(const message& m) { return test::to_blob(m.view()); }

    [[nodiscard]] client_options options() const {
        client_options o{.server = fuzz::scripted_server::address(0),
                         .via = connection(kind_, 0),
                         .username = std::string(fuzz::user),
                         .password = std::string(fuzz::password)};
        if ((kind_ & 1) != 0) o.username.clear();
        o.keep_alive = (kind_ & 2) == 0;
        o.fingerprint = (kind_ & 4) != 0;
        if ((kind_ & 32) != 0) o.lifetime = 100s;
        if ((kind_ & 128) != 0) o.software = "a client";
        return o;
    }
    allocate_wishes wishes() {
        const auto kind = in_.byte();
        allocate_wishes w;
        if ((kind & 1) != 0) w.family = address_family::ipv6;
        if ((kind & 2) != 0) w.additional_ipv6 = true;
        if ((kind & 4) != 0) w.even_port = (kind & 8) != 0;
        if ((kind & 16) != 0) w.token.emplace();
        w.dont_fragment = (kind & 32) != 0;
        w.tcp = (kind & 64) != 0;
        return w;
    }
    std::optional<address_family> family() {
        const auto which = in_.below(3);
        if (which == 0) return std::nullopt;
        return which == 1 ? address_family::ipv4 : address_family::ipv6;
    }
    transport_address any_peer() {
        const auto peer = address_of(in_.byte());
        ann_.may_hear(peer);
        return peer;
    }

    // --- the application

    template <class Begin>
    void asks(const judged_client::wish& what, Begin begin) {
        ann_.asks(what, begin);
    }
    void permit(unsigned count) {
        std::vector<transport_address> peers(count);
        if (count < 4) {
            for (auto& p : peers) p = any_peer();
        } else {
            const auto block = in_.byte();
            for (unsigned i = 0; i < count; ++i) {
                peers[i] =
                    *transport_address::parse("198.18." + std::to_string(block) + "." + std::to_string(i) + ":1");
                ann_.may_hear(peers[i]);
            }
        }
        asks({stun::method::create_permission}, [&](client& it, outbox& out) {
            const auto id = it.permit(peers, now_, out);
            fuzz::require(count <= client::max_peers_per_request || id == stun::transaction_id{});
            return id;
        });
    }
    /// A connection more, for one that the server has named or for another.
    void bind_connection() {
        const auto which = in_.below(4);
        const auto last = static_cast<std::uint32_t>(server_.last_connection());
        data_.emplace(ann_.for_data_connection(stream_id(100 + which)));
        const stun::method bind = stun::method::connection_bind;
        data_->asks({bind}, [&](client& it, outbox& out) {
            return it.bind_connection(turn::connection_id{last + which}, now_, out);
        });
    }
    void pass(std::chrono::milliseconds time) {
        now_ += time;
        ann_.ticks(now_);
        if (data_) data_->ticks(now_);
    }

    // --- the network

    void hears(judged_client& who, bytes datagram) { who.hears(datagram, now_); }
    void hears(judged_client& who, const message& m) { who.hears(m.view(), now_); }

    /// An honest one, to one of the last requests; 0: the very last.
    blob answer(const judged_client& who) {
        const auto which = in_.byte();
        const auto& requests = who.requests();
        if (requests.empty()) return {};
        const auto& to = requests[requests.size() - 1 - which % requests.size()];
        return to_blob(server_.answer(to.raw, to.to, now_));
    }
    void change_mind() {
        static constexpr std::array<std::uint16_t, 6> refusals{400, 403, 437, 446, 447, 508};
        const auto to = in_.byte();
        switch (to % 8) {
        case 0:
            return server_.forget_nonces();
        case 1:
            server_.sends_on = to / 8 % 16;
            return;
        case 2:
            return server_.sends_on.reset();
        case 3:
            server_.refuses = refusals[to / 8 % refusals.size()];
            return;
        case 4:
            return server_.refuses.reset();
        case 5:
            server_.offers_algorithms = !server_.offers_algorithms;
            return;
        case 6:
            server_.hides_users = !server_.hides_users;
            return;
        default:
            server_.lifetime = std::chrono::seconds(to * 4);
        }
    }
    /// Somebody on the way knows no key, but may change, cut and take away.
    blob spoilt(blob whole) {
        const auto kind = in_.byte();
        const std::size_t where = in_.byte();
        if (whole.size() <= stun::header_size) return whole;
        if (const auto m = stun::message_view::parse(whole); m->has_fingerprint()) cut(whole, whole.size() - 8, 8);
        if (kind % 4 == 0) {
            whole[where % whole.size()] ^= std::byte{1} << static_cast<int>(kind / 4 % 8);
            return whole;
        }
        std::vector<std::size_t> attributes; // where each begins, and the end
        for (std::size_t at = stun::header_size; at <= whole.size();) {
            attributes.push_back(at);
            if (at == whole.size()) break;
            at += 4 + (std::to_integer<std::size_t>(whole[at + 2]) << 8 | std::to_integer<std::size_t>(whole[at + 3]));
            at += (4 - at % 4) % 4;
        }
        if (attributes.size() < 2) return whole;
        const std::size_t first = where % (attributes.size() - 1);
        if (kind % 4 == 1) cut(whole, attributes[first], attributes[first + 1] - attributes[first]);
        if (kind % 4 == 2) cut(whole, attributes[first], whole.size() - attributes[first]);
        if (kind % 4 == 3) { // once more
            const blob twice(whole.begin() + static_cast<std::ptrdiff_t>(attributes[first]),
                             whole.begin() + static_cast<std::ptrdiff_t>(attributes[first + 1]));
            whole.insert(whole.end(), twice.begin(), twice.end());
            write_length(whole);
        }
        return whole;
    }
    static void cut(blob& whole, std::size_t at, std::size_t size) {
        const auto from = whole.begin() + static_cast<std::ptrdiff_t>(at);
        whole.erase(from, from + static_cast<std::ptrdiff_t>(size));
        write_length(whole);
    }
    static void write_length(blob& whole) {
        const std::size_t length = whole.size() - stun::header_size;
        whole[2] = static_cast<std::byte>(length >> 8);
        whole[3] = static_cast<std::byte>(length & 0xff);
    }

    /// Of one of the last requests, more or less as a server would answer; signed by one who may even know the key.
    message made_up(const judged_client& who) {
        const auto which = in_.byte();
        stun::transaction_id id{};
        auto method = stun::method::binding;
        std::optional<stun::credential_key> key;
        if (const auto& requests = who.requests(); !requests.empty()) {
            const auto& r = requests[requests.size() - 1 - which % requests.size()];
            id = r.id;
            method = stun::message_view::parse(r.raw)->method();
            key = r.key;
        }
        const auto kind = in_.byte();
        const bool success = (kind & 1) != 0;
        message m(success ? stun::message_class::success_response : stun::message_class::error_response, method, id);
        if (!success) {
            static constexpr std::array<std::uint16_t, 12> codes{300, 400, 401, 403, 420, 431,
                                                                 437, 438, 441, 486, 500, 508};
            if ((kind & 2) != 0) m.with<stun::error_code>({codes[in_.byte() % codes.size()], "so it is"});
            if ((kind & 4) != 0) m.with<stun::realm>((kind & 64) != 0 ? "example.org" : "elsewhere");
            if ((kind & 8) != 0) m.with<stun::nonce>(nonce());
        } else {
            if ((kind & 2) != 0) m.with<stun::lifetime>(std::chrono::seconds(in_.byte() * 10));
            if ((kind & 4) != 0) m.with<stun::xor_mapped_address>(address_of(in_.byte()));
            if ((kind & 8) != 0) m.with<stun::xor_relayed_address>(address_of(in_.byte()));
            if ((kind & 64) != 0) m.with<stun::xor_relayed_address>(address_of(3));
        }
        if ((kind & 16) != 0) {
            const auto high = in_.byte(), low = in_.byte();
            m.attribute(static_cast<std::uint16_t>(high << 8 | low), in_.some());
        }
        if ((kind & 32) != 0) {
            const bool sha256 = in_.below(2) != 0;
            if (!key) key = fuzz::key_of("example.org", stun::password_algorithm_number::md5);
            sha256 ? m.integrity_sha256(*key) : m.integrity(*key);
        }
        if ((kind & 128) != 0) m.fingerprint(in_.below(8) == 7 ? 1 : 0);
        return m;
    }
    /// With any features announced, or none.
    std::string nonce() {
        static constexpr std::array<const char*, 6> begins{
            "", "obMatJos2AAAA", "obMatJos2AAAB", "obMatJos2AAAC", "obMatJos2gAAA", "obMatJos2"};
        const auto which = in_.byte();
        return begins[which % begins.size()] + std::string(1 + which / begins.size() % 8, 'n');
    }
    blob peer_data() {
        const auto kind = in_.byte();
        const auto from = address_of(in_.byte());
        const auto text = in_.some();
        if ((kind & 1) != 0) return test::channel_data_message(static_cast<std::uint16_t>(0x4000 + kind / 2 % 5), text);
        message m(stun::message_class::indication, stun::method::data, {});
        m.with<stun::xor_peer_address>(from);
        if ((kind & 2) != 0)
            m.with<stun::icmp>({.type = 3, .code = static_cast<std::uint8_t>(kind / 4), .error_data = 1280});
        else
            m.with<stun::data>(text);
        return to_blob(m);
    }

    reader& in_;
    unsigned kind_;
    time_point now_{1h};
    fuzz::scripted_server server_{};
    judged_client ann_;
    std::optional<judged_client> data_{};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    reader in(turn::fuzz::as_bytes(data, size));
    story s(in);
    while (!in.ended()) s.step();
    s.finish();
    return 0;
}
