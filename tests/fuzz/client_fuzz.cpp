/// A client among liars: the bytes choose what the application asks for, how time passes, and what the network says,
/// from noise to answers that are signed as they must be. After each step the client's books are right: an outcome is
/// of a request that was made and ends it, what leaves is well-formed, nothing is due that tick() has not done, and
/// when everybody has fallen silent everything comes to an end.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "support/wire.hpp"
#include "turn/channel_data.hpp"
#include "turn/client.hpp"

namespace {

using namespace std::chrono_literals;
using namespace turn;
using fuzz::require;
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

class story {
public:
    explicit story(reader& in) : in_(in), options_(make_options(in)), ann_(options_) {}

    void step() {
        switch (in_.below(16)) {
        case 0:
            return began(ann_.bind(now_, out_));
        case 1:
            return began(ann_.allocate(wishes(), now_, out_));
        case 2:
            return refresh();
        case 3: {
            std::vector<transport_address> peers(in_.below(4));
            for (auto& p : peers) p = address_of(in_.byte());
            return began(ann_.permit(peers, now_, out_));
        }
        case 4: {
            const auto number = static_cast<std::uint16_t>(0x4000 + in_.below(4));
            return began(ann_.bind_channel(number, address_of(in_.byte()), now_, out_));
        }
        case 5:
            return say();
        case 6:
            return pass(std::chrono::milliseconds(in_.byte() * 4));
        case 7:
            return pass(std::chrono::seconds(in_.byte() * 4));
        case 8:
            return hears(in_.some());
        case 9:
            return hears(peer_data());
        default:
            return hears(answer());
        }
    }

    /// Nobody speaks any more.
    void finish() {
        for (int steps = 0; ann_.next_deadline() != time_point::max(); ++steps) {
            require(steps < 10'000);
            now_ = std::max(now_, ann_.next_deadline());
            tick();
        }
        require(begun_.empty());
        require(!ann_.has_allocation());
    }

private:
    static client_options make_options(reader& in) {
        const auto kind = in.byte();
        client_options o{
            .server = *transport_address::parse("192.0.2.1:3478"), .username = "ann", .password = "secret"};
        if ((kind & 1) != 0) o.via = stream_id(0);
        o.keep_alive = (kind & 2) == 0;
        o.fingerprint = (kind & 4) != 0;
        if ((kind & 8) != 0) o.username.clear();
        if ((kind & 16) != 0) o.software = "a client";
        if ((kind & 32) != 0) o.lifetime = 100s;
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
        return w;
    }
    std::optional<address_family> family() {
        const auto which = in_.below(3);
        if (which == 0) return std::nullopt;
        return which == 1 ? address_family::ipv4 : address_family::ipv6;
    }

    void refresh() {
        const std::chrono::seconds lifetime(in_.below(3) * 300);
        const auto of = family();
        began(ann_.refresh(lifetime, of, now_, out_));
    }
    void began(const stun::transaction_id& id) {
        require(std::ranges::find(begun_, id) == begun_.end());
        if (id != stun::transaction_id{}) begun_.push_back(id);
        settle();
    }
    void say() {
        const auto text = in_.some();
        const auto to = address_of(in_.byte());
        const bool had = ann_.has_allocation();
        const auto sent = in_.below(2) == 0 ? ann_.send(to, text, out_) : ann_.send_indication(to, text, true, out_);
        require(bool(sent) == had);
        settle();
    }
    void pass(std::chrono::milliseconds time) {
        now_ += time;
        tick();
    }
    void tick() {
        for (int events = 0;; ++events) {
            require(events < 2000);
            const auto event = ann_.tick(now_, out_);
            if (!event) break;
            happened(*event);
        }
        settle();
        require(ann_.next_deadline() > now_);
    }
    void hears(bytes datagram) {
        const blob heard(datagram.begin(), datagram.end());
        if (const auto event = ann_.handle(heard, now_, out_)) {
            happened(*event);
            if (const auto* data = std::get_if<client::peer_data>(&*event)) {
                require(ann_.has_allocation());
                require(data->data.empty() || (data->data.data() >= heard.data() &&
                                               data->data.data() + data->data.size() <= heard.data() + heard.size()));
            }
        }
        settle();
    }
    void hears(const message& m) { hears(m.view()); }

    void happened(const client::event& event) {
        const auto id = std::visit(
            [](const auto& e) {
                if constexpr (requires { e.id; }) return e.id;
                return stun::transaction_id{};
            },
            event);
        if (id == stun::transaction_id{}) return;
        const auto found = std::ranges::find(begun_, id);
        // What it began by itself ends in failures alone.
        if (found == begun_.end()) return require(std::holds_alternative<client::failed>(event) && options_.keep_alive);
        if (std::holds_alternative<client::allocated>(event)) require(ann_.has_allocation());
        begun_.erase(found);
    }

    /// Takes what was to be sent, and remembers the last request.
    void settle() {
        require(out_.orders().empty());
        require((is_stream(options_.via) ? out_.datagrams() : out_.frames()).empty());
        for (const auto list : {out_.datagrams(), out_.frames()})
            for (const datagram& d : list) {
                blob whole(d.head.begin(), d.head.end());
                whole.insert(whole.end(), d.body.begin(), d.body.end());
                whole.resize(whole.size() + d.pad);
                require(d.to == options_.server && d.via == options_.via);
                left(std::move(whole));
            }
        out_.clear();
        require(begun_.size() <= client::max_transactions);
    }
    void left(blob whole) {
        require(!whole.empty());
        if (std::to_integer<unsigned>(whole[0]) >= 0x40) return require(bool(channel_data::parse(whole)));
        const auto m = stun::message_view::parse(whole);
        require(bool(m));
        if (m->cls() == stun::message_class::request) requests_.push_back(std::move(whole));
        if (requests_.size() > 4) requests_.erase(requests_.begin());
    }

    /// Of one of the last requests, more or less as a server would answer.
    message answer() {
        const auto which = in_.byte();
        stun::transaction_id id{};
        auto method = stun::method::binding;
        if (!requests_.empty()) {
            const auto request = *stun::message_view::parse(requests_[which % requests_.size()]);
            id = request.id();
            method = request.method();
        }
        const auto kind = in_.byte();
        const bool success = (kind & 1) != 0;
        message m(success ? stun::message_class::success_response : stun::message_class::error_response, method, id);
        if (!success) {
            static constexpr std::array<std::uint16_t, 12> codes{300, 400, 401, 403, 420, 431,
                                                                 437, 438, 441, 486, 500, 508};
            if ((kind & 2) != 0) m.with<stun::error_code>({codes[in_.byte() % codes.size()], "so it is"});
            if ((kind & 4) != 0) m.with<stun::realm>((kind & 64) != 0 ? "example.org" : "elsewhere");
            if ((kind & 8) != 0) m.with<stun::nonce>(std::string(1 + in_.below(8), 'n'));
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
        if ((kind & 32) != 0) m.integrity(key_of((kind & 64) != 0 || success ? "example.org" : "elsewhere"));
        if ((kind & 128) != 0) m.fingerprint(in_.below(8) == 7 ? 1 : 0);
        return m;
    }
    static stun::credential_key key_of(std::string_view realm) {
        static const auto here = *stun::long_term_key("ann", "example.org", "secret");
        static const auto there = *stun::long_term_key("ann", "elsewhere", "secret");
        return realm == "elsewhere" ? there : here;
    }
    blob peer_data() {
        const auto kind = in_.byte();
        const auto from = address_of(in_.byte());
        const auto text = in_.some();
        if ((kind & 1) != 0) return test::channel_data_message(static_cast<std::uint16_t>(0x4000 + kind / 2 % 5), text);
        message m(stun::message_class::indication, stun::method::data, {});
        m.with<stun::xor_peer_address>(from).with<stun::data>(text);
        return test::to_blob(m.view());
    }

    reader& in_;
    client_options options_;
    client ann_;
    outbox out_{64};
    time_point now_{1h};
    std::vector<stun::transaction_id> begun_{};
    std::vector<blob> requests_{};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    reader in(turn::fuzz::as_bytes(data, size));
    story s(in);
    while (!in.ended()) s.step();
    s.finish();
    return 0;
}
