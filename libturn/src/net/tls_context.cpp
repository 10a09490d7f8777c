#include "net/tls_context.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <span>
#include <string_view>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/tls_certificate.hpp"
#include "net/tls_tickets.hpp"

namespace turn::net {

namespace {

struct free_context {
    void operator()(SSL_CTX* c) const noexcept { SSL_CTX_free(c); }
};

/// RFC 7443, 4. As on the wire: each behind its length, the one we prefer first.
constexpr std::string_view protocols = "\x09stun.turn\x12stun.nat-discovery";

const unsigned char* octets(const void* p) noexcept {
    return static_cast<const unsigned char*>(p);
}

/// RFC 7301, 3.2: a protocol both know, or the end of the handshake. Not called for clients without ALPN.
int select_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
    unsigned char* found = nullptr;
    const int outcome = SSL_select_next_proto(&found, size, octets(protocols.data()),
                                              static_cast<unsigned>(protocols.size()), offered, offered_size);
    *chosen = found;
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// RFC 6066, 3: the name is acknowledged, also when it is unknown; which certificate it gets is decided later.
int take_server_name(SSL*, int*, void*) {
    return SSL_TLSEXT_ERR_OK;
}

bool use(SSL* session, const certificate& c) noexcept {
    // Cleared, since a certificate of another kind of key would stay beside this one.
    SSL_certs_clear(session);
    return SSL_use_cert_and_key(session, c.server.get(), c.key.get(), c.chain.get(), 1) == 1;
}

bool is_for(const certificate& c, const char* name) noexcept {
    constexpr unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    return X509_check_host(c.server.get(), name, 0, flags, nullptr) == 1;
}

/// Makes the ticket's cipher and MAC ready. RFC 5077, 4.
bool prepare(const ticket_key& key, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, bool seal) {
    std::array authentication = key.authentication;
    std::string digest = "SHA256"; // OSSL_PARAM wants both writable
    const std::array parameters{
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, authentication.data(), authentication.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0), OSSL_PARAM_construct_end()};
    return EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), octets(key.cipher.data()), iv, seal ? 1 : 0, nullptr) == 1 &&
           EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

int ticket_key_for(SSL* session, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                   int seal) {
    auto& keys = *static_cast<ticket_keys*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(session)));
    const auto now = std::chrono::steady_clock::now();
    const std::span shown(reinterpret_cast<std::byte*>(name), sizeof ticket_key{}.name);
    constexpr int failed = -1, unknown = 0, good = 1, good_but_send_another = 2;
    if (seal != 0) {
        const ticket_key key = keys.sealing(now);
        std::ranges::copy(key.name, shown.begin());
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return failed;
        return prepare(key, iv, cipher, mac, true) ? good : failed;
    }
    const auto found = keys.opening(shown, now);
    if (!found) return unknown;
    if (!prepare(found->key, iv, cipher, mac, false)) return failed;
    // RFC 8446, C.4: a ticket used twice shows that two connections have the same client.
    return found->replaced || SSL_version(session) >= TLS1_3_VERSION ? good_but_send_another : good;
}

using context_ptr = std::unique_ptr<SSL_CTX, free_context>;

/// A context with everything but certificates; null without memory. `oldest` and `newest` (0: whatever there is) are
/// versions of the method.
context_ptr new_context(const SSL_METHOD* method, int oldest, int newest) {
    context_ptr context(SSL_CTX_new(method));
    SSL_CTX* const c = context.get();
    if (!c) return nullptr;
    SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_clear_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    // Tickets keep sessions with the clients; a cache here would be a table that strangers fill.
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    // More are for clients that open several connections at a time.
    SSL_CTX_set_num_tickets(c, 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(c, ticket_key_for);
    SSL_CTX_set_alpn_select_cb(c, select_protocol, nullptr);
    SSL_CTX_set_tlsext_servername_callback(c, take_server_name);
    constexpr std::string_view application = "libturn";
    // RFC 9325, 4.2: only forward secrecy and AEAD. The groups are the quick ones: others are for wearing us down.
    const bool ok =
        SSL_CTX_set_min_proto_version(c, oldest) == 1 && SSL_CTX_set_max_proto_version(c, newest) == 1 &&
        SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
        SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") == 1 &&
        SSL_CTX_set_session_id_context(c, octets(application.data()), static_cast<unsigned>(application.size())) == 1;
    return ok ? std::move(context) : nullptr;
}

/// The cookie of a ClientHello was found good before there was a session: see dtls_cookies.
int believe_cookie(SSL*, const unsigned char*, unsigned int) {
    return 1;
}

context_ptr new_datagram_context() {
    context_ptr context = new_context(DTLS_server_method(), DTLS1_2_VERSION, DTLS1_2_VERSION);
    if (context) SSL_CTX_set_cookie_verify_cb(context.get(), believe_cookie);
    return context;
}

session_ptr accepting(SSL_CTX* context, std::shared_ptr<const void> certificates) noexcept {
    session_ptr session(SSL_new(context), free_session{std::move(certificates)});
    if (session) SSL_set_accept_state(session.get());
    ERR_clear_error();
    return session;
}

} // namespace

/// The files' content at one time. Callbacks of its SSL_CTXs look here.
struct tls_context::loaded {
    std::vector<certificate> certificates{};
    std::shared_ptr<ticket_keys> tickets{}; ///< shared with the loads before and after
    context_ptr context{};                  ///< TLS
    context_ptr datagram_context{};         ///< DTLS

    /// Puts the first certificate and the callbacks into one of the two; false: OpenSSL says why.
    [[nodiscard]] bool finish(SSL_CTX* one) {
        const certificate& first = certificates.front();
        if (SSL_CTX_use_cert_and_key(one, first.server.get(), first.key.get(), first.chain.get(), 1) != 1) return false;
        SSL_CTX_set_app_data(one, tickets.get());
        SSL_CTX_set_cert_cb(one, choose_certificate, this);
        return true;
    }

    static int choose_certificate(SSL* session, void* self) {
        const auto& all = static_cast<const loaded*>(self)->certificates;
        const char* const name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
        if (!name) return 1;
        const auto found = std::ranges::find_if(all, [&](const certificate& c) { return is_for(c, name); });
        return found == all.end() || found == all.begin() || use(session, *found) ? 1 : 0;
    }

    [[nodiscard]] bool is_of(const std::vector<certificate_files>& files) const {
        return std::ranges::equal(certificates, files, [](const certificate& c, const certificate_files& f) {
            return c.chain_file == identity_of(f.chain) && c.key_file == identity_of(f.key);
        });
    }
};

void free_session::operator()(ssl_st* session) const noexcept {
    SSL_free(session);
}

tls_context::tls_context(std::vector<certificate_files> files, std::shared_ptr<const loaded> now)
    : files_(std::move(files)), now_(std::move(now)) {}

tls_context::~tls_context() = default;

result<std::shared_ptr<tls_context>, std::string> tls_context::load(std::vector<certificate_files> certificates) {
    auto all = load_all(certificates, nullptr);
    if (!all) return all.error();
    return std::shared_ptr<tls_context>(new tls_context(std::move(certificates), std::move(*all)));
}

result<std::shared_ptr<const tls_context::loaded>, std::string>
tls_context::load_all(const std::vector<certificate_files>& files, const loaded* before) {
    if (files.empty()) return std::string("a TLS listener needs a certificate and its key");
    auto all = std::make_shared<loaded>();
    all->tickets = before ? before->tickets : std::make_shared<ticket_keys>(std::chrono::steady_clock::now());
    all->context = new_context(TLS_server_method(), TLS1_2_VERSION, 0);
    all->datagram_context = new_datagram_context();
    SSL_CTX* const context = all->context.get();
    const std::unique_ptr<SSL, free_session> trial(context ? SSL_new(context) : nullptr);
    if (!trial || !all->datagram_context) return "TLS cannot be set up: " + openssl_reason();

    for (const certificate_files& f : files) {
        auto one = read_certificate(f);
        if (!one) return one.error();
        // Now rather than in a handshake: OpenSSL does not use, for example, keys that are too short.
        if (!use(trial.get(), *one)) return f.chain + ": cannot be used: " + openssl_reason();
        all->certificates.push_back(std::move(*one));
    }
    if (!all->finish(context) || !all->finish(all->datagram_context.get()))
        return files.front().chain + ": cannot be used: " + openssl_reason();
    return std::shared_ptr<const loaded>(std::move(all));
}

result<bool, std::string> tls_context::reload() {
    const std::lock_guard one_at_a_time(reloading_);
    const auto before = now();
    if (before->is_of(files_)) return false;
    auto all = load_all(files_, before.get());
    if (!all) return all.error();
    const std::lock_guard lock(mutex_);
    now_ = std::move(*all);
    return true;
}

std::int64_t tls_context::expires() const {
    const auto in_use = now();
    std::int64_t first = end_of(*in_use->certificates.front().server);
    for (const certificate& c : in_use->certificates) first = std::min(first, end_of(*c.server));
    return first;
}

session_ptr tls_context::new_session() const noexcept {
    auto in_use = now();
    return accepting(in_use->context.get(), in_use);
}

session_ptr tls_context::new_datagram_session() const noexcept {
    auto in_use = now();
    return accepting(in_use->datagram_context.get(), in_use);
}

std::shared_ptr<const tls_context::loaded> tls_context::now() const noexcept {
    const std::lock_guard lock(mutex_);
    return now_;
}

} // namespace turn::net
