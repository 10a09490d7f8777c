#pragma once
/// A turn::client whose server is the test itself: it reads what was sent and writes the answers.

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/wire.hpp"
#include "turn/client.hpp"

namespace turn::test {

class lonely_client {
public:
    explicit lonely_client(client_options o = {}, std::size_t outbox_datagrams = 8)
        : options(with_defaults(std::move(o))), it(options), out(outbox_datagrams) {}

    /// What the client has sent since the last call, in order.
    std::vector<blob> sent() {
        collect();
        return std::exchange(sent_, {});
    }
    /// The one request it has sent since. Anything else is a failure: throws.
    blob request() {
        auto all = sent();
        if (all.size() != 1) throw std::logic_error(std::to_string(all.size()) + " datagrams instead of one request");
        return std::move(all.front());
    }
    /// Hands bytes to the client.
    std::optional<client::event> hears(bytes datagram) {
        heard_ = to_blob(datagram); // events borrow it
        auto event = it.handle(heard_, now, out);
        collect();
        return event;
    }
    std::optional<client::event> hears(const message& m) { return hears(m.view()); }

    /// Lets time pass, ticking whenever the client wants it; the events on the way.
    std::vector<client::event> pass(std::chrono::milliseconds duration) {
        std::vector<client::event> events;
        const time_point until = now + duration;
        for (time_point next = it.next_deadline();; next = it.next_deadline()) {
            now = std::max(now, std::min(next, until));
            if (next > until) break;
            while (auto e = it.tick(now, out)) events.push_back(*e);
            collect();
        }
        return events;
    }

    /// An answer to `request`, to be continued.
    static message answer(bytes request, stun::message_class cls) {
        const auto r = stun::message_view::parse(request);
        if (!r) throw std::logic_error("the request is not well-formed");
        return {cls, r->method(), r->id()};
    }
    static message success(bytes request) { return answer(request, stun::message_class::success_response); }
    static message error(bytes request, std::uint16_t code) {
        return answer(request, stun::message_class::error_response).with<stun::error_code>({code, "so it is"});
    }
    /// An error with REALM and NONCE.
    static message challenge(bytes request, std::uint16_t code, std::string_view nonce = "nonce-1",
                             std::string_view realm = "example.org") {
        return error(request, code).with<stun::realm>(realm).with<stun::nonce>(nonce);
    }
    [[nodiscard]] stun::credential_key key(std::string_view realm = "example.org") const {
        return *stun::long_term_key(options.username, realm, options.password);
    }
    /// A signed Allocate success: 203.0.113.5:50000, and more when `continue_with` adds it.
    message allocate_success(bytes request, std::chrono::seconds lifetime = std::chrono::seconds(600)) const {
        return success(request)
            .with<stun::xor_relayed_address>(*transport_address::parse("203.0.113.5:50000"))
            .with<stun::xor_mapped_address>(*transport_address::parse("192.0.2.1:40000"))
            .with<stun::lifetime>(lifetime);
    }
    /// Goes through challenge and success: afterwards there is an allocation.
    void allocate(std::chrono::seconds lifetime = std::chrono::seconds(600)) {
        it.allocate({}, now, out);
        hears(challenge(request(), 401));
        hears(allocate_success(request(), lifetime).integrity(key()));
        if (!it.has_allocation()) throw std::logic_error("no allocation was made");
    }

    const client_options options;
    client it;
    outbox out;
    time_point now{std::chrono::hours(5)};

private:
    static client_options with_defaults(client_options o) {
        if (o.server.port == 0) o.server = *transport_address::parse("198.51.100.1:3478");
        if (o.username.empty()) o.username = "ann";
        if (o.password.empty()) o.password = "secret";
        return o;
    }
    void collect() {
        for (const auto list : {out.datagrams(), out.frames()})
            for (const datagram& d : list) {
                blob whole = to_blob(d.head);
                whole.insert(whole.end(), d.body.begin(), d.body.end());
                whole.resize(whole.size() + d.pad);
                sent_.push_back(std::move(whole));
            }
        out.clear();
    }

    std::vector<blob> sent_{};
    blob heard_{};
};

/// The event as T, or nothing.
template <class T>
std::optional<T> as(const std::optional<client::event>& event) {
    if (!event || !std::holds_alternative<T>(*event)) return std::nullopt;
    return std::get<T>(*event);
}

inline stun::message_view parsed(bytes raw) {
    const auto m = stun::message_view::parse(raw);
    if (!m) throw std::logic_error("not a well-formed STUN message");
    return *m;
}

} // namespace turn::test
