/// What a server does with datagrams that may be DTLS: whatever strangers send, each datagram has its place in the
/// books, nobody gets state without a cookie of ours, answers to strangers are shorter than what they sent, and what
/// is allocated for sessions stays within the budget. RFC 6347, 4.2.1; RFC 7983, 7.
///
/// An input is a list of steps: what, a length (2 bytes), that many bytes.

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "fuzz.hpp"
#include "net/dtls_sessions.hpp"
#include "support/certificates.hpp"
#include "support/fake_packet_io.hpp"

using namespace std::chrono_literals;
using namespace turn;
using fuzz::require;

namespace {

using blob = std::vector<std::byte>;

/// Made once: keys take long.
struct identity {
    test::certificate_authority authority{};
    test::certificate_folder folder{};
    std::shared_ptr<net::tls_context> server = *net::tls_context::load({folder.files(authority.issue())});
    std::shared_ptr<net::tls_client_context> client = *net::tls_client_context::load(
        folder.file("root.pem", authority.root()), net::tls_client_context::proof::wanted,
        net::tls_client_context::layer::datagrams);
};

constexpr std::size_t most_sessions = 2;                                       ///< fewer than there are addresses
constexpr std::size_t cookie_at = net::dtls_record::header_size + 12 + 2 + 32; ///< where a session id's length stands

class story {
public:
    explicit story(const identity& who, bool plain) : who_(who), it_({}, budget_, io_) {
        it_.listen(listener_, who.server, plain);
    }

    void step(std::uint8_t what, bytes data) {
        const std::size_t from = what >> 4 & 3U;
        switch (what & 7U) {
        case 0: // as it is
            return arrives(from, data, 0);
        case 1: // as a train
            return arrives(from, data, static_cast<std::uint16_t>(1 + data.size() / 3));
        case 2: // a ClientHello with the cookie that it is given, or that twice
            return with_cookie(from, blob(data.begin(), data.end()), (what & 8U) != 0);
        case 3: // an honest client
            return shake_hands(from);
        case 4: // which says something
            return say(data);
        case 5:
            now_ += std::chrono::milliseconds(data.size() * 500);
            it_.tick(now_);
            return receive({});
        case 6:
            if (!known_.empty()) it_.claim(known_.begin()->first, (what & 8U) != 0, now_);
            return;
        default:
            if (!known_.empty()) it_.close(known_.begin()->first, reason::none);
            return receive({});
        }
    }

    void check() const {
        const dtls_counters& b = it_.datagram_counters();
        std::uint64_t placed = b.for_sessions.value() + b.challenged.value();
        for (const auto& n : b.dropped) placed += n.value();
        require(b.received.value() == placed);
        const auto sessions = it_.counters().connections[static_cast<std::size_t>(transport::dtls)].value();
        require(it_.counters().without_allocation.value() == budget_.in_use());
        require(known_.size() <= sessions);
        require(budget_.in_use() <= sessions);
        require((sessions == budget_.in_use()) || it_.counters().accepted[3].value() != 0);
        if (!cookie_shown_) require(sessions == 0);
        require(sessions != 0 || it_.next_deadline() == time_point::max());
    }

private:
    static transport_address address(std::size_t from) {
        return *transport_address::parse("198.51.100." + std::to_string(from + 1) + ":40000");
    }

    void arrives(std::size_t from, bytes data, std::uint16_t stride) {
        const packet p{listener_, address(from), data, stride};
        challenges_ = 0;
        answers_.clear();
        if (!it_.concerns({&p, 1})) return;
        receive({&p, 1});
    }

    void receive(std::span<const packet> batch) {
        const std::uint64_t challenged = it_.datagram_counters().challenged.value();
        do {
            const auto part = it_.receive(batch, now_);
            require(batch.empty() || part.taken != 0);
            for (const auto& c : part.come) require(known_.emplace(c.id, c.client).second);
            for (const packet& p : part.packets) {
                require(p.stride == 0 || p.via == listener_);
                require(p.via == listener_ || (known_.contains(p.via) && !p.data.empty()));
            }
            for (const auto& c : part.gone) require(known_.erase(c.id) == 1);
            batch = batch.subspan(part.taken);
        } while (!batch.empty());
        challenges_ = it_.datagram_counters().challenged.value() - challenged;
        answers_.clear();
        for (auto came = world_.receive(); !came.empty(); came = world_.receive())
            for (const packet& p : came)
                for (std::size_t i = 0; i < p.segments(); ++i)
                    answers_.emplace_back(p.segment(i).begin(), p.segment(i).end());
        for (const blob& a : answers_) require(net::first_record(a).has_value() && a.size() <= 16'384 + 100);
    }

    void with_cookie(std::size_t from, blob hello, bool twice) {
        arrives(from, hello, 0);
        if (challenges_ == 0 || answers_.empty()) return;
        const blob challenge = answers_.back();
        require(challenge.size() < hello.size());
        if (hello.size() <= cookie_at) return;
        const std::size_t at = cookie_at + 1 + std::to_integer<std::size_t>(hello[cookie_at]);
        if (at >= hello.size()) return;
        const std::size_t old = std::to_integer<std::size_t>(hello[at]);
        if (at + 1 + old > hello.size()) return;
        const auto place = hello.begin() + static_cast<std::ptrdiff_t>(at);
        hello.erase(place, place + 1 + static_cast<std::ptrdiff_t>(old));
        constexpr std::size_t size = net::dtls_cookies::cookie{}.size() + 1;
        hello.insert(hello.begin() + static_cast<std::ptrdiff_t>(at), challenge.end() - size, challenge.end());
        hello[net::dtls_record::header_size + 5] = std::byte{1}; // the second message
        grow(hello, 11, 2, size - 1 - old);
        grow(hello, net::dtls_record::header_size + 1, 3, size - 1 - old);
        grow(hello, net::dtls_record::header_size + 9, 3, size - 1 - old);
        cookie_shown_ = true;
        arrives(from, hello, 0);
        if (twice) arrives(from, hello, 0);
    }
    static void grow(blob& b, std::size_t at, std::size_t size, std::size_t by) {
        std::size_t n = 0;
        for (std::size_t i = 0; i < size; ++i) n = n << 8 | std::to_integer<std::size_t>(b[at + i]);
        n += by;
        for (std::size_t i = size; i-- > 0; n >>= 8) b[at + i] = static_cast<std::byte>(n & 0xff);
    }

    void shake_hands(std::size_t from) {
        if (++handshakes_ > 2) return; // they take long
        cookie_shown_ = true;
        honest_from_ = from;
        honest_.emplace(who_.client->new_session("turn.example.org"));
        listen_to({});
        for (int flights = 0; flights < 8 && row_.size() != 0; ++flights) deliver();
    }
    void deliver() {
        net::datagram_row sent;
        std::swap(sent, row_);
        for (std::size_t i = 0; i < sent.size(); ++i) {
            arrives(honest_from_, sent[i], 0);
            for (const blob& answer : std::vector<blob>(answers_)) listen_to(answer);
        }
    }
    void listen_to(bytes datagram) {
        blob room(net::dtls_session::largest_record);
        do {
            const bytes record = net::take_record(datagram);
            honest_->receive(record, room, row_);
            if (record.empty()) break;
        } while (!datagram.empty());
    }
    void say(bytes data) {
        if (!honest_ || honest_->now() != net::dtls_session::state::open) return;
        if (!honest_->send({.body = data}, row_)) return;
        deliver();
        if (known_.empty()) return;
        const datagram answer{.via = known_.begin()->first, .body = data, .way = direction::down};
        it_.send({&answer, 1});
        receive({});
    }

    const identity& who_;
    test::fake_ports ports_{};
    test::fake_packet_io io_{ports_}, world_{ports_};
    socket_id listener_ = *io_.open(*transport_address::parse("192.0.2.1:5349"), {.role = net::socket_role::listener});
    std::array<socket_id, 4> clients_{*world_.open(address(0), {}), *world_.open(address(1), {}),
                                      *world_.open(address(2), {}), *world_.open(address(3), {})};
    net::connection_budget budget_{most_sessions, most_sessions};
    net::dtls_sessions it_;
    time_point now_ = time_point() + 1h;
    std::map<socket_id, transport_address> known_{};
    std::vector<blob> answers_{}; ///< to the last batch
    std::uint64_t challenges_ = 0;
    bool cookie_shown_ = false;
    int handshakes_ = 0;
    std::size_t honest_from_ = 0;
    std::optional<net::dtls_session> honest_{};
    net::datagram_row row_{};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const identity who;
    if (size == 0) return 0;
    story s(who, (data[0] & 1U) != 0);
    bytes rest = fuzz::as_bytes(data + 1, size - 1);
    for (int steps = 0; steps < 64 && rest.size() >= 3; ++steps) {
        const auto octet = [&](std::size_t i) { return std::to_integer<std::size_t>(rest[i]); };
        const auto what = static_cast<std::uint8_t>(octet(0));
        const std::size_t length = std::min(octet(1) << 8 | octet(2), rest.size() - 3);
        s.step(what, rest.subspan(3, length));
        s.check();
        rest = rest.subspan(3 + length);
    }
    return 0;
}
