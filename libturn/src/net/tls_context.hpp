#pragma once
/// The certificates of a TLS or DTLS listener and the rules of its handshakes: RFC 8489, 6.2.3, RFC 7350 and RFC 7443.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "turn/certificate.hpp"
#include "turn/result.hpp"

struct ssl_st;

namespace turn::net {

/// Ends an SSL, then lets go of the certificates its handshake looked at: shared, because a reload drops them while
/// connections that began with them go on.
struct free_session {
    std::shared_ptr<const void> certificates{};
    void operator()(ssl_st*) const noexcept;
};
using session_ptr = std::unique_ptr<ssl_st, free_session>;

/// What a TLS context is made of; one per listener, shared by all shards. Any thread.
class tls_context {
public:
    /// Reads the certificates; the first serves clients that name no server, or an unknown one. Of several for a name
    /// the first is taken.
    /// Errors: words that name the file and what is wrong with it. Dates are no error, see expires().
    static result<std::shared_ptr<tls_context>, std::string> load(std::vector<certificate_files> certificates);
    ~tls_context();
    tls_context(const tls_context&) = delete;
    tls_context& operator=(const tls_context&) = delete;

    /// Re-reads the files when one of them has changed since. Connections keep what they began with; session tickets
    /// stay valid. Returns whether anything was taken over; after an error everything stays as it was, and the next
    /// call looks again. Does not keep new_session() waiting.
    result<bool, std::string> reload();

    /// When the first of the certificates in use ends, in seconds since 1970. Only the servers' own count, since
    /// clients do without an old root in a chain.
    [[nodiscard]] std::int64_t expires() const;

    /// An SSL in accept state with the certificates of now, for tls_session; null without memory. It may outlive the
    /// context.
    [[nodiscard]] session_ptr new_session() const noexcept;
    /// Likewise for dtls_session: DTLS 1.2.
    [[nodiscard]] session_ptr new_datagram_session() const noexcept;

private:
    struct loaded;
    tls_context(std::vector<certificate_files> files, std::shared_ptr<const loaded> now);
    static result<std::shared_ptr<const loaded>, std::string> load_all(const std::vector<certificate_files>&,
                                                                       const loaded* before);
    [[nodiscard]] std::shared_ptr<const loaded> now() const noexcept;

    const std::vector<certificate_files> files_;
    std::mutex reloading_{}; ///< one reload() at a time
    mutable std::mutex mutex_{};
    std::shared_ptr<const loaded> now_; ///< replaced as a whole
};

} // namespace turn::net
