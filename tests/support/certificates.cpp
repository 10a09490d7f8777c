#include "support/certificates.hpp"

#include <atomic>
#include <fstream>
#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

namespace turn::test {

namespace {

using key_ptr = std::shared_ptr<EVP_PKEY>;
using certificate_ptr = std::shared_ptr<X509>;

void require(bool ok) {
    if (!ok) throw std::runtime_error("OpenSSL made no certificate");
}

key_ptr new_key(int rsa_bits = 0) {
    EVP_PKEY* const key = rsa_bits == 0 ? EVP_EC_gen("P-256") : EVP_RSA_gen(static_cast<unsigned>(rsa_bits));
    require(key != nullptr);
    return {key, EVP_PKEY_free};
}

void extend(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* const e = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    require(e != nullptr);
    const bool added = X509_add_ext(certificate, e, -1) == 1;
    X509_EXTENSION_free(e);
    require(added);
}

/// Not signed yet.
certificate_ptr prepare(const std::string& subject, EVP_PKEY* key, std::chrono::seconds begins,
                        std::chrono::seconds ends) {
    certificate_ptr made(X509_new(), X509_free);
    require(made != nullptr);
    X509* const c = made.get();
    std::uint64_t serial = 0;
    require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
    X509_set_version(c, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(c), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(c), begins.count());
    X509_gmtime_adj(X509_getm_notAfter(c), ends.count());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
    require(X509_set_pubkey(c, key) == 1);
    return made;
}

void sign(X509* certificate, const X509* issuer, EVP_PKEY* issuer_key) {
    require(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
    require(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
}

certificate_ptr new_authority(const std::string& subject, EVP_PKEY* key, const X509* issuer, EVP_PKEY* issuer_key) {
    auto made = prepare(subject, key, std::chrono::hours(-2), std::chrono::hours(24 * 365));
    extend(made.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(made.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    sign(made.get(), issuer ? issuer : made.get(), issuer_key);
    return made;
}

class memory {
public:
    explicit memory(std::string_view text = {}) : bio_(BIO_new(BIO_s_mem()), BIO_free) {
        require(bio_ != nullptr);
        if (!text.empty()) BIO_write(bio_.get(), text.data(), static_cast<int>(text.size()));
    }
    operator BIO*() const { return bio_.get(); }
    [[nodiscard]] std::string text() const {
        char* data = nullptr;
        const long size = BIO_get_mem_data(bio_.get(), &data);
        return {data, static_cast<std::size_t>(size)};
    }

private:
    std::shared_ptr<BIO> bio_;
};

std::string to_pem(X509* certificate) {
    const memory out;
    require(PEM_write_bio_X509(out, certificate) == 1);
    return out.text();
}

} // namespace

certificate_authority::certificate_authority() : root_key_(new_key()), key_(new_key()) {
    // Each of another name, so that a client that knows another one does not know this one.
    static std::atomic<unsigned> count = 0;
    const std::string name = "test root " + std::to_string(++count);
    root_ = new_authority(name, root_key_.get(), nullptr, root_key_.get());
    intermediate_ = new_authority("test authority", key_.get(), root_.get(), root_key_.get());
}

issued_certificate certificate_authority::issue(const new_certificate& wanted) const {
    const key_ptr key = new_key(wanted.rsa_bits);
    const certificate_ptr made = prepare(wanted.subject, key.get(), wanted.begins, wanted.ends);
    std::string names;
    for (const std::string& name : wanted.names) names += (names.empty() ? "DNS:" : ",DNS:") + name;
    for (const std::string& address : wanted.addresses) names += (names.empty() ? "IP:" : ",IP:") + address;
    if (!names.empty()) extend(made.get(), NID_subject_alt_name, names);
    extend(made.get(), NID_basic_constraints, "critical,CA:FALSE");
    sign(made.get(), intermediate_.get(), key_.get());

    const memory out;
    require(PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return {.chain = to_pem(made.get()) + to_pem(intermediate_.get()), .key = out.text()};
}

std::string certificate_authority::root() const {
    return to_pem(root_.get());
}

std::string encrypted(const std::string& key, bool pkcs8) {
    const key_ptr plain(PEM_read_bio_PrivateKey(memory(key), nullptr, nullptr, nullptr), EVP_PKEY_free);
    require(plain != nullptr);
    const memory out;
    std::string passphrase = "secret";
    const int size = static_cast<int>(passphrase.size());
    const auto* const octets = reinterpret_cast<const unsigned char*>(passphrase.data());
    require((pkcs8 ? PEM_write_bio_PKCS8PrivateKey(out, plain.get(), EVP_aes_256_cbc(), passphrase.data(), size,
                                                   nullptr, nullptr)
                   : PEM_write_bio_PrivateKey_traditional(out, plain.get(), EVP_aes_256_cbc(), octets, size, nullptr,
                                                          nullptr)) == 1);
    return out.text();
}

std::string to_der(const std::string& chain) {
    const certificate_ptr first(PEM_read_bio_X509(memory(chain), nullptr, nullptr, nullptr), X509_free);
    const memory out;
    require(first && i2d_X509_bio(out, first.get()) == 1);
    return out.text();
}

certificate_folder::certificate_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "turn-certificates.XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
    path_ = pattern;
}

certificate_folder::~certificate_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string certificate_folder::file(std::string_view name, std::string_view text) const {
    const std::string unfinished = path(std::string(name) + ".new");
    std::ofstream out(unfinished, std::ios::binary);
    out << text;
    out.close();
    if (!out) throw std::runtime_error("cannot write " + unfinished);
    std::filesystem::rename(unfinished, path(name));
    return path(name);
}

certificate_files certificate_folder::files(const issued_certificate& c, std::string_view name) const {
    return {.chain = file(std::string(name) + ".pem", c.chain), .key = file(std::string(name) + ".key", c.key)};
}

} // namespace turn::test
