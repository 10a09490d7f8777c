#pragma once
/// A server's certificate, its chain and its key, as read from PEM files.

#include <compare>
#include <cstdint>
#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "turn/certificate.hpp"
#include "turn/result.hpp"

namespace turn::net {

struct free_openssl {
    void operator()(X509* x) const noexcept { X509_free(x); }
    void operator()(EVP_PKEY* k) const noexcept { EVP_PKEY_free(k); }
    void operator()(STACK_OF(X509) * s) const noexcept { sk_X509_pop_free(s, X509_free); }
    void operator()(BIO* b) const noexcept { BIO_free(b); }
};
template <class T>
using openssl_ptr = std::unique_ptr<T, free_openssl>;

/// Tells a file that was written or replaced from the one that was read.
struct file_identity {
    std::uint64_t device = 0, inode = 0;
    std::int64_t size = 0;
    std::int64_t written = 0; ///< nanoseconds since 1970
    bool operator==(const file_identity&) const = default;
};
/// All zero when there is no such file, which is no file's identity.
file_identity identity_of(const std::string& path) noexcept;

struct certificate {
    openssl_ptr<X509> server{};
    openssl_ptr<STACK_OF(X509)> chain{}; ///< towards the root, without the server's own
    openssl_ptr<EVP_PKEY> key{};
    file_identity chain_file{}, key_file{}; ///< as they were when they were read
};

/// Errors: words that begin with the file's path and say what is wrong and, where it is known, what helps.
/// Dates are not looked at.
result<certificate, std::string> read_certificate(const certificate_files&);

/// The end of its validity, in seconds since 1970.
std::int64_t end_of(const X509&) noexcept;

/// What OpenSSL's error queue of this thread begins with, in its words; empties the queue.
std::string openssl_reason();

} // namespace turn::net
