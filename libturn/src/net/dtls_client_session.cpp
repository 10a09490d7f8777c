#include "net/dtls_client_session.hpp"

#include <sys/time.h>

#include <algorithm>
#include <new>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace turn::net {
namespace {

/// Handshake messages are cut so that a datagram crosses any link of IPv6: 1280 bytes without its headers.
constexpr long handshake_datagram = 1280 - 48;

} // namespace

/// A BIO over the datagram of the call that runs. What OpenSSL writes in one piece is one datagram.
struct dtls_client_session::ends {
    static int read(BIO* bio, char* to, std::size_t room, std::size_t* taken) {
        bytes& unread = static_cast<dtls_client_session*>(BIO_get_data(bio))->unread_;
        BIO_clear_retry_flags(bio);
        *taken = std::min(room, unread.size());
        if (*taken == 0) {
            BIO_set_retry_read(bio); // more may come
            return 0;
        }
        std::copy_n(unread.data(), *taken, reinterpret_cast<std::byte*>(to));
        unread = {}; // as of a socket: what does not fit is lost
        return 1;
    }

    static int write(BIO* bio, const char* from, std::size_t size, std::size_t* written) {
        written_later* const out = static_cast<dtls_client_session*>(BIO_get_data(bio))->out_;
        BIO_clear_retry_flags(bio);
        *written = 0;
        if (!out) return 0;
        try {
            out->put_datagram({reinterpret_cast<const std::byte*>(from), size});
        } catch (const std::bad_alloc&) { // must not pass through C
            return 0;
        }
        *written = size;
        return 1;
    }

    static long control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

    static BIO_METHOD* new_method() {
        BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "dtls_client_session");
        if (!m) return nullptr;
        BIO_meth_set_read_ex(m, read);
        BIO_meth_set_write_ex(m, write);
        BIO_meth_set_ctrl(m, control);
        return m;
    }

    static BIO* over(dtls_client_session& session) {
        // Never freed: sessions of any thread may need it until the process ends.
        static const BIO_METHOD* const method = new_method();
        BIO* const bio = method ? BIO_new(method) : nullptr;
        if (!bio) return nullptr;
        BIO_set_data(bio, &session);
        BIO_set_init(bio, 1);
        return bio;
    }
};

dtls_client_session::dtls_client_session(session_ptr session) : ssl_(std::move(session)) {
    BIO* const bio = ssl_ ? ends::over(*this) : nullptr;
    if (bio) {
        SSL_set_bio(ssl_.get(), bio, bio);
        SSL_set_options(ssl_.get(), SSL_OP_NO_QUERY_MTU);
        SSL_set_mtu(ssl_.get(), handshake_datagram);
    } else {
        failure_ = "out of memory";
        state_ = state::failed;
    }
}

dtls_client_session::~dtls_client_session() = default;

void dtls_client_session::receive(bytes datagram, written_later& out) {
    messages_.clear();
    if (state_ == state::failed) return;
    ERR_clear_error();
    unread_ = datagram;
    out_ = &out;
    if (state_ == state::handshaking) {
        const int outcome = SSL_do_handshake(ssl_.get());
        if (outcome == 1)
            state_ = state::open;
        else
            stopped(outcome);
    }
    if (state_ == state::open) take();
    unread_ = {};
    out_ = nullptr;
}

/// The records of one datagram. Those that are not genuine OpenSSL drops without a word: RFC 6347, 4.1.2.7.
void dtls_client_session::take() {
    // Records only shrink; one that came before its time may be among them.
    if (const auto needed = unread_.size() + largest_message; plaintext_.size() < needed) plaintext_.resize(needed);
    std::size_t came = 0;
    while (came < plaintext_.size()) {
        std::size_t n = 0;
        const auto rest = std::span(plaintext_).subspan(came);
        const int outcome = SSL_read_ex(ssl_.get(), rest.data(), rest.size(), &n);
        if (outcome != 1) return stopped(outcome);
        messages_.emplace_back(rest.first(n));
        came += n;
    }
}

std::optional<bytes> dtls_client_session::next_message() noexcept {
    if (messages_.empty()) return std::nullopt;
    const bytes first = messages_.front();
    messages_.pop_front();
    return first;
}

void dtls_client_session::stopped(int outcome) {
    const int error = SSL_get_error(ssl_.get(), outcome);
    if (error == SSL_ERROR_ZERO_RETURN) state_ = state::closed;
    if (error != SSL_ERROR_ZERO_RETURN && error != SSL_ERROR_WANT_READ) fail();
}

void dtls_client_session::fail() {
    state_ = state::failed;
    const char* const words = ERR_reason_error_string(ERR_peek_last_error());
    failure_ = words ? words : "no reason given";
    ERR_clear_error();
}

bool dtls_client_session::send(const datagram& message, written_later& out) {
    if (state_ != state::open || message.size() > largest_message) return false;
    bytes whole = message.body;
    if (!message.head.empty() || message.pad != 0) {
        thread_local std::vector<std::byte> gathered; // a record is made of one contiguous buffer
        gathered.assign(message.head.begin(), message.head.end());
        gathered.insert(gathered.end(), message.body.begin(), message.body.end());
        gathered.resize(message.size());
        whole = gathered;
    }
    if (whole.empty()) return true;
    ERR_clear_error();
    out_ = &out;
    std::size_t taken = 0;
    const bool sent = SSL_write_ex(ssl_.get(), whole.data(), whole.size(), &taken) == 1;
    out_ = nullptr;
    if (!sent) fail();
    return sent;
}

void dtls_client_session::close(written_later& out) {
    if (state_ != state::open && state_ != state::closed) return;
    if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
    ERR_clear_error();
    out_ = &out;
    SSL_shutdown(ssl_.get());
    out_ = nullptr;
    ERR_clear_error();
}

void dtls_client_session::tick(written_later& out) {
    if (state_ == state::failed || state_ == state::closed) return;
    ERR_clear_error();
    out_ = &out;
    if (DTLSv1_handle_timeout(ssl_.get()) < 0) fail();
    out_ = nullptr;
}

std::optional<std::chrono::microseconds> dtls_client_session::retransmits_in() const noexcept {
    timeval left{};
    if (state_ == state::failed || state_ == state::closed || DTLSv1_get_timeout(ssl_.get(), &left) != 1)
        return std::nullopt;
    return std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
}

tls_distrust dtls_client_session::distrust() const noexcept {
    return ssl_ ? distrust_of(*ssl_) : tls_distrust::none;
}

} // namespace turn::net
