#include "end.hpp"

#include <fmt/format.h>

#include "lesson.hpp"
#include "turn/channel_data.hpp"
#include "turn/client.hpp"

namespace turn::bench {
namespace {

constexpr std::uint16_t channel_number = 0x4000;

/// An allocation with a channel, or for indications with a permission.
class turn_end final : public end {
public:
    turn_end(const load_options& o, socket_id via, const transport_address& peer)
        : client_(
              {.server = o.server, .via = via, .username = o.username, .password = o.password, .keep_alive = false}),
          peer_(peer), indications_(o.work == workload::indications) {}

    void join(time_point now, outbox& out) override {
        state_ = state::joining;
        client_.allocate({}, now, out);
    }
    void leave(time_point now, outbox& out) override {
        state_ = state::leaving;
        client_.refresh(std::chrono::seconds(0), {}, now, out);
    }
    void tick(time_point now, outbox& out) override {
        if (const auto event = client_.tick(now, out)) react(*event, now, out);
    }
    std::optional<bytes> handle(bytes datagram, time_point now, outbox& out) override {
        const auto event = client_.handle(datagram, now, out);
        if (!event) return std::nullopt;
        if (const auto* data = std::get_if<client::peer_data>(&*event); data != nullptr)
            return data->from == peer_ ? std::optional(data->data) : std::nullopt;
        react(*event, now, out);
        return std::nullopt;
    }
    void send(bytes payload, outbox& out) override {
        // What can fail here was ruled out when the end became ready.
        static_cast<void>(indications_ ? client_.send_indication(peer_, payload, false, out)
                                       : client_.send(peer_, payload, out));
    }

private:
    void react(const client::event& event, time_point now, outbox& out) {
        if (const auto* made = std::get_if<client::allocated>(&event)) {
            relayed_ = made->relayed;
            if (indications_)
                client_.permit({&peer_, 1}, now, out);
            else
                client_.bind_channel(channel_number, peer_, now, out);
        } else if (std::holds_alternative<client::permitted>(event) ||
                   std::holds_alternative<client::channel_bound>(event)) {
            state_ = state::ready;
        } else if (const auto* left = std::get_if<client::refreshed>(&event)) {
            if (left->lifetime == std::chrono::seconds(0)) state_ = state::gone;
        } else if (const auto* failed = std::get_if<client::failed>(&event)) {
            fail(failed->code == 0 ? "a request was not answered" : fmt::format("{} {}", failed->code, failed->phrase));
        }
    }

    client client_;
    transport_address peer_;
    bool indications_;
};

/// Tells turn-floor where to forward to, and then sends bare payloads; turn-stream-floor, in ChannelData.
class floor_end final : public end {
public:
    floor_end(const load_options& o, socket_id via, const transport_address& peer)
        : server_(o.server), via_(via), lesson_head_(head_of(sizeof lesson_)), payload_head_(head_of(o.size)) {
        lesson_.where = peer;
    }

    void join(time_point now, outbox& out) override {
        state_ = state::joining;
        teach(now, out);
    }
    void leave(time_point, outbox&) override { state_ = state::gone; } // the floor forgets when it ends
    void tick(time_point now, outbox& out) override {
        if (state_ != state::joining || now < again_) return;
        if (++attempts_ == 10) return fail("the floor does not answer");
        teach(now, out);
    }
    std::optional<bytes> handle(bytes datagram, time_point, outbox&) override {
        if (is_stream(via_)) {
            const auto framed = channel_data::parse(datagram);
            if (!framed) return std::nullopt;
            datagram = framed->payload;
        }
        if (const auto answer = lesson::read(datagram)) {
            relayed_ = answer->where;
            state_ = state::ready;
            return std::nullopt;
        }
        return datagram;
    }
    void send(bytes payload, outbox& out) override { say(payload_head_, payload, out); }

private:
    using head = std::array<std::byte, channel_data_header_size>;
    static head head_of(std::size_t length) noexcept {
        return channel_data_header(channel_number, static_cast<std::uint16_t>(length));
    }
    void teach(time_point now, outbox& out) {
        again_ = now + std::chrono::milliseconds(500);
        say(lesson_head_, std::as_bytes(std::span(&lesson_, 1)), out);
    }
    void say(const head& h, bytes body, outbox& out) const {
        const bool framed = is_stream(via_);
        out.send({.via = via_,
                  .to = server_,
                  .head = framed ? bytes(h) : bytes(),
                  .body = body,
                  .pad = static_cast<std::uint8_t>(framed ? padding_of(body.size()) : 0),
                  .way = direction::up});
    }

    lesson lesson_;
    transport_address server_;
    socket_id via_;
    head lesson_head_, payload_head_; ///< of streams
    time_point again_{};
    int attempts_ = 0;
};

} // namespace

std::unique_ptr<end> make_end(const load_options& o, socket_id via, const transport_address& peer) {
    if (o.at == target::floor) return std::make_unique<floor_end>(o, via, peer);
    return std::make_unique<turn_end>(o, via, peer);
}

} // namespace turn::bench
