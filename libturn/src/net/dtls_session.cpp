#include "net/dtls_session.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/time.h>

#include "net/dtls_hello.hpp"
#include "net/tls_bio.hpp"
#include "net/tls_certificate.hpp"

namespace turn::net {

namespace {

/// Encrypted records that OpenSSL may keep while a handshake goes on, 17 KB each; it would take 100.
constexpr std::uint8_t most_early_records = 8;
/// What a client says before it is encrypted is short; OpenSSL would keep ten messages of 100 KB.
constexpr std::size_t largest_message_in_clear = 4096;

} // namespace

/// Of the call that runs. One read is one record, one write one datagram.
struct dtls_session::ends {
    using bio = tls_bio<dtls_session, ends>;

    static std::size_t read(dtls_session& s, std::span<std::byte> to) noexcept {
        const auto taken = std::min(to.size(), s.unread_.size());
        std::copy_n(s.unread_.begin(), taken, to.begin());
        if (!s.peeking_) s.unread_ = {}; // what did not fit is lost, as with datagrams
        return taken;
    }
    static bool write(dtls_session& s, bytes from) {
        if (s.out_) s.out_->append(from);
        return s.out_ != nullptr;
    }
    static long control(dtls_session& s, int what, long number) noexcept {
        if (what != BIO_CTRL_DGRAM_SET_PEEK_MODE) return 0;
        s.peeking_ = number != 0;
        return 1;
    }

    /// RFC 6347, 4.2.4.1: in microseconds, doubled each time.
    static unsigned next_timeout(SSL* ssl, unsigned last) {
        constexpr unsigned most = 60'000'000;
        if (last != 0) return std::min(last * 2, most);
        return static_cast<unsigned>(std::chrono::microseconds(bio::session_of(SSL_get_rbio(ssl)).patience_).count());
    }
};

bytes take_record(bytes& datagram) noexcept {
    const auto record = first_record(datagram);
    if (!record) return {};
    datagram = datagram.subspan(record->whole.size());
    return record->whole;
}

dtls_session::dtls_session(session_ptr session, std::chrono::milliseconds patience)
    : ssl_(std::move(session)), patience_(patience) {
    BIO* const bio = ssl_ ? ends::bio::over(*this) : nullptr;
    if (bio) {
        SSL_set_bio(ssl_.get(), bio, bio);
        SSL_set_options(ssl_.get(), SSL_OP_NO_QUERY_MTU);
        SSL_set_mtu(ssl_.get(), handshake_mtu);
        DTLS_set_timer_cb(ssl_.get(), ends::next_timeout);
    } else {
        failure_ = "out of memory";
        state_ = state::failed;
    }
}

dtls_session::~dtls_session() = default;

std::size_t dtls_session::receive(bytes record, std::span<std::byte> plaintext, datagram_row& answer) {
    assert(plaintext.size() >= largest_record);
    if (state_ == state::closed || state_ == state::failed || !admits(record)) return 0;
    ERR_clear_error();
    unread_ = record;
    out_ = &answer;
    std::size_t came = 0;
    if (state_ == state::open) {
        const int outcome = SSL_read_ex(ssl_.get(), plaintext.data(), plaintext.size(), &came);
        if (outcome != 1) stopped(outcome);
    } else if (begin()) {
        const int outcome = SSL_do_handshake(ssl_.get());
        established_ = outcome == 1;
        if (established_)
            state_ = state::open;
        else
            stopped(outcome);
    }
    unread_ = {};
    out_ = nullptr;
    rest();
    return came;
}

/// What OpenSSL would keep for strangers is bounded here.
bool dtls_session::admits(bytes record) noexcept {
    if (state_ != state::handshaking || record.empty()) return true;
    const auto r = first_record(record);
    if (!r) return false;
    if (r->epoch != 0) {
        if (r->type == dtls_record::application_data || early_ == most_early_records) return false;
        ++early_;
        return true;
    }
    return r->type != dtls_record::handshake || SSL_is_server(ssl_.get()) != 1 ||
           messages_within(r->fragment, largest_message_in_clear);
}

/// A server's handshake has begun elsewhere, with a HelloVerifyRequest that nobody remembers: OpenSSL has to be told,
/// since messages are numbered.
bool dtls_session::begin() {
    if (begun_ || SSL_is_server(ssl_.get()) != 1) return true;
    begun_ = true;
    const std::unique_ptr<BIO_ADDR, void (*)(BIO_ADDR*)> nobody(BIO_ADDR_new(), BIO_ADDR_free);
    if (!nobody || DTLSv1_listen(ssl_.get(), nobody.get()) != 1) {
        fail();
        return false;
    }
    SSL_set_mtu(ssl_.get(), handshake_mtu);
    DTLS_set_timer_cb(ssl_.get(), ends::next_timeout);
    return true;
}

/// A call did not succeed: for want of input, which is no matter, or because the session is closed or has failed.
void dtls_session::stopped(int outcome) {
    const int error = SSL_get_error(ssl_.get(), outcome);
    if (error == SSL_ERROR_ZERO_RETURN) state_ = state::closed;
    if (error != SSL_ERROR_ZERO_RETURN && error != SSL_ERROR_WANT_READ) fail();
}

void dtls_session::fail() {
    state_ = state::failed;
    const char* const words = ERR_reason_error_string(ERR_peek_last_error());
    failure_ = words ? words : "no reason given";
    ERR_clear_error();
}

/// Between records an open session keeps no buffers, which would be 34 KB.
void dtls_session::rest() noexcept {
    if (state_ == state::open) SSL_free_buffers(ssl_.get());
}

bool dtls_session::send(const datagram& message, datagram_row& out) {
    assert(state_ == state::open);
    if (state_ != state::open || message.size() > largest_record) return false;
    if (message.size() == 0) return true;
    // One record of one contiguous buffer: see tls_session::send().
    bytes whole = message.body;
    if (!message.head.empty() || message.pad != 0) {
        thread_local std::vector<std::byte> gathered;
        gathered.assign(message.head.begin(), message.head.end());
        gathered.insert(gathered.end(), message.body.begin(), message.body.end());
        gathered.resize(message.size());
        whole = gathered;
    }
    ERR_clear_error();
    out_ = &out;
    std::size_t taken = 0;
    const bool sent = SSL_alloc_buffers(ssl_.get()) == 1 && // rest() gave them back; OpenSSL takes them for granted
                      SSL_write_ex(ssl_.get(), whole.data(), whole.size(), &taken) == 1;
    out_ = nullptr;
    if (!sent) ERR_clear_error();
    rest();
    return sent;
}

void dtls_session::close(datagram_row& out) {
    if (state_ != state::open && state_ != state::closed) return;
    if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
    ERR_clear_error();
    out_ = &out;
    if (SSL_alloc_buffers(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
    out_ = nullptr;
    ERR_clear_error();
}

std::optional<std::chrono::milliseconds> dtls_session::time_left() const noexcept {
    timeval left{};
    if (state_ != state::handshaking || DTLSv1_get_timeout(ssl_.get(), &left) != 1) return std::nullopt;
    return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::seconds(left.tv_sec) +
                                                        std::chrono::microseconds(left.tv_usec));
}

void dtls_session::retransmit(datagram_row& answer) {
    if (state_ != state::handshaking) return;
    ERR_clear_error();
    out_ = &answer;
    if (DTLSv1_handle_timeout(ssl_.get()) < 0) fail();
    out_ = nullptr;
    ERR_clear_error();
}

tls_distrust dtls_session::distrust() const noexcept {
    return ssl_ ? distrust_of(*ssl_) : tls_distrust::none;
}

std::int64_t dtls_session::certificate_ends() const noexcept {
    const X509* const shown = ssl_ ? SSL_get0_peer_certificate(ssl_.get()) : nullptr;
    return shown ? end_of(*shown) : 0;
}

} // namespace turn::net
