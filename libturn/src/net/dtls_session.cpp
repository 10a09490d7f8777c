#include "net/dtls_session.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <new>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/time.h>

#include "net/dtls_hello.hpp"
#include "net/tls_certificate.hpp"

namespace turn::net {

namespace {

/// Encrypted records that OpenSSL may keep while a handshake goes on, 17 KB each; it would take 100.
constexpr std::uint8_t most_early_records = 8;
/// What a client says before it is encrypted is short; OpenSSL would keep ten messages of 100 KB.
constexpr std::size_t largest_message_in_clear = 4096;

} // namespace

/// A BIO over the record and the row of the call that runs. One read is one record, one write one datagram.
struct dtls_session::ends {
    static int read(BIO* bio, char* to, std::size_t room, std::size_t* taken) {
        auto& self = *static_cast<dtls_session*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        *taken = std::min(room, self.unread_.size());
        if (*taken == 0) {
            BIO_set_retry_read(bio); // more may come
            return 0;
        }
        std::copy_n(self.unread_.data(), *taken, reinterpret_cast<std::byte*>(to));
        if (!self.peeking_) self.unread_ = {}; // what did not fit is lost, as with datagrams
        return 1;
    }

    static int write(BIO* bio, const char* from, std::size_t size, std::size_t* written) {
        datagram_row* const out = static_cast<dtls_session*>(BIO_get_data(bio))->out_;
        BIO_clear_retry_flags(bio);
        *written = 0;
        if (!out) return 0;
        const std::span data(reinterpret_cast<const std::byte*>(from), size);
        try {
            out->append(data);
        } catch (const std::bad_alloc&) { // must not pass through C
            return 0;
        }
        *written = size;
        return 1;
    }

    static long control(BIO* bio, int what, long number, void*) {
        switch (what) {
        case BIO_CTRL_FLUSH:
            return 1;
        case BIO_CTRL_DGRAM_SET_PEEK_MODE:
            static_cast<dtls_session*>(BIO_get_data(bio))->peeking_ = number != 0;
            return 1;
        default:
            return 0;
        }
    }

    static BIO_METHOD* new_method() {
        BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "dtls_session");
        if (!m) return nullptr;
        BIO_meth_set_read_ex(m, read);
        BIO_meth_set_write_ex(m, write);
        BIO_meth_set_ctrl(m, control);
        return m;
    }

    static BIO* over(dtls_session& session) {
        // Never freed: sessions of any thread may need it until the process ends.
        static const BIO_METHOD* const method = new_method();
        BIO* const bio = method ? BIO_new(method) : nullptr;
        if (!bio) return nullptr;
        BIO_set_data(bio, &session);
        BIO_set_init(bio, 1);
        return bio;
    }

    /// RFC 6347, 4.2.4.1: in microseconds, doubled each time.
    static unsigned next_timeout(SSL* ssl, unsigned last) {
        constexpr unsigned most = 60'000'000;
        const auto& self = *static_cast<const dtls_session*>(BIO_get_data(SSL_get_rbio(ssl)));
        if (last != 0) return std::min(last * 2, most);
        return static_cast<unsigned>(std::chrono::microseconds(self.patience_).count());
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
    BIO* const bio = ssl_ ? ends::over(*this) : nullptr;
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
