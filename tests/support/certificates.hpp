#pragma once
/// Certificates made for a test: an authority of its own, what it signs, and the files servers read.

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "turn/certificate.hpp"

struct evp_pkey_st;
struct x509_st;

namespace turn::test {

struct new_certificate {
    std::string subject = "server";                       ///< common name: which one it is, for a test to recognise
    std::vector<std::string> names{"turn.example.org"};   ///< DNS subjectAltNames
    std::vector<std::string> addresses{};                 ///< IP subjectAltNames
    std::chrono::seconds begins{-3600}, ends{30 * 86400}; ///< from now
    int rsa_bits = 0;                                     ///< 0: an EC key on P-256
};

/// As PEM. The chain is the server's certificate and that of the intermediate authority that signed it.
struct issued_certificate {
    std::string chain{}, key{};
};

/// A root, and an intermediate authority that signs. Clients that trust the root need the whole chain.
class certificate_authority {
public:
    certificate_authority();
    [[nodiscard]] issued_certificate issue(const new_certificate& = {}) const;
    [[nodiscard]] std::string root() const; ///< PEM

private:
    std::shared_ptr<evp_pkey_st> root_key_, key_; ///< shared only because its deleter needs no type here
    std::shared_ptr<x509_st> root_, intermediate_;
};

/// The PEM key behind a passphrase, as PKCS #8 or as OpenSSL used to write it.
std::string encrypted(const std::string& key, bool pkcs8 = true);
/// The first certificate of a PEM chain as DER.
std::string to_der(const std::string& chain);

/// A temporary folder that goes with it.
class certificate_folder {
public:
    certificate_folder();
    ~certificate_folder();
    certificate_folder(const certificate_folder&) = delete;
    certificate_folder& operator=(const certificate_folder&) = delete;

    [[nodiscard]] std::string path(std::string_view name) const { return (path_ / name).string(); }
    /// Replaces the file as a whole, as renewing programs do, and returns its path.
    std::string file(std::string_view name, std::string_view text) const;
    /// NAME.pem and NAME.key.
    certificate_files files(const issued_certificate&, std::string_view name = "server") const;

private:
    std::filesystem::path path_{};
};

} // namespace turn::test
