#include "net/tls_session.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/tls_bio.hpp"
#include "net/tls_certificate.hpp"

namespace turn::net {

/// Of the call that runs: no buffers of its own, and no copies but OpenSSL's.
struct tls_session::ends {
    static std::size_t read(tls_session& s, std::span<std::byte> to) noexcept {
        const auto taken = std::min(to.size(), s.unread_.size());
        std::copy_n(s.unread_.begin(), taken, to.begin());
        s.unread_ = s.unread_.subspan(taken);
        return taken;
    }
    static bool write(tls_session& s, bytes from) {
        if (s.out_) s.out_->insert(s.out_->end(), from.begin(), from.end());
        return s.out_ != nullptr;
    }
    static long control(tls_session&, int, long) noexcept { return 0; }
};

tls_session::tls_session(session_ptr session) : ssl_(std::move(session)) {
    BIO* const bio = ssl_ ? tls_bio<tls_session, ends>::over(*this) : nullptr;
    if (bio) {
        SSL_set_bio(ssl_.get(), bio, bio);
    } else {
        failure_ = "out of memory";
        state_ = state::failed;
    }
}

tls_session::~tls_session() = default;

std::size_t tls_session::receive(bytes ciphertext, std::span<std::byte> plaintext, std::vector<std::byte>& answer) {
    assert(plaintext.size() >= ciphertext.size() + largest_record);
    if (state_ == state::handshaking && SSL_is_server(ssl_.get()) == 1 &&
        !guard_.admits(ciphertext, SSL_version(ssl_.get()) == TLS1_2_VERSION)) {
        failure_ = "ClientHello too large";
        state_ = state::failed;
        return 0;
    }
    ERR_clear_error();
    unread_ = ciphertext;
    out_ = &answer;
    if (state_ == state::handshaking) {
        const int outcome = SSL_do_handshake(ssl_.get());
        established_ = outcome == 1;
        if (established_)
            state_ = state::open;
        else
            stopped(outcome);
    }
    const std::size_t came = state_ == state::open ? take(plaintext) : 0;
    unread_ = {}; // what follows close_notify or a failure
    out_ = nullptr;
    return came;
}

/// Reads until the input is used up.
std::size_t tls_session::take(std::span<std::byte> plaintext) {
    std::size_t came = 0;
    while (came < plaintext.size()) {
        std::size_t n = 0;
        const auto rest = plaintext.subspan(came);
        const int outcome = SSL_read_ex(ssl_.get(), rest.data(), rest.size(), &n);
        if (outcome != 1) {
            stopped(outcome);
            return came;
        }
        came += n;
    }
    fail(); // the caller's buffer is smaller than agreed, so something is lost
    return came;
}

/// A call did not succeed: for want of input, which is no matter, or because the session is closed or has failed.
void tls_session::stopped(int outcome) {
    const int error = SSL_get_error(ssl_.get(), outcome);
    if (error == SSL_ERROR_ZERO_RETURN) state_ = state::closed;
    if (error != SSL_ERROR_ZERO_RETURN && error != SSL_ERROR_WANT_READ) fail();
}

void tls_session::fail() {
    state_ = state::failed;
    // The last is what TLS made of it; those before are from below.
    const char* const words = ERR_reason_error_string(ERR_peek_last_error());
    failure_ = words ? words : "no reason given";
    ERR_clear_error();
}

tls_distrust tls_session::distrust() const noexcept {
    return ssl_ ? distrust_of(*ssl_) : tls_distrust::none;
}

std::int64_t tls_session::certificate_ends() const noexcept {
    const X509* const shown = ssl_ ? SSL_get0_peer_certificate(ssl_.get()) : nullptr;
    return shown ? end_of(*shown) : 0;
}

bool tls_session::send(const datagram& message, std::vector<std::byte>& ciphertext) {
    assert(state_ == state::open || state_ == state::closed);
    if (state_ != state::open && state_ != state::closed) return false;
    // OpenSSL makes one record of one contiguous buffer. The body goes as it is where it is alone; otherwise through
    // memory that the thread's sessions share, as large as the largest message so far.
    bytes whole = message.body;
    if (!message.head.empty() || message.pad != 0) {
        thread_local std::vector<std::byte> gathered;
        gathered.assign(message.head.begin(), message.head.end());
        gathered.insert(gathered.end(), message.body.begin(), message.body.end());
        gathered.resize(message.size());
        whole = gathered;
    }
    if (whole.empty()) return true;

    ERR_clear_error();
    const std::size_t before = ciphertext.size();
    out_ = &ciphertext;
    std::size_t taken = 0;
    const bool sent = SSL_write_ex(ssl_.get(), whole.data(), whole.size(), &taken) == 1;
    out_ = nullptr;
    if (sent) return true;
    ciphertext.resize(before);
    fail();
    return false;
}

void tls_session::close(std::vector<std::byte>& ciphertext) {
    if (state_ != state::open && state_ != state::closed) return;
    if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
    ERR_clear_error();
    out_ = &ciphertext;
    SSL_shutdown(ssl_.get());
    out_ = nullptr;
    ERR_clear_error();
}

} // namespace turn::net
