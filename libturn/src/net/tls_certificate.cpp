#include "net/tls_certificate.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/file_descriptor.hpp"

namespace turn::net {

namespace {

struct file {
    std::string path{}, text{};
    file_identity identity{};
};

constexpr std::size_t largest_file = 1 << 20;

file_identity identity_of(const struct stat& s) noexcept {
    return {.device = s.st_dev,
            .inode = s.st_ino,
            .size = s.st_size,
            .written = std::int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec};
}

std::string cannot_be_read(const std::string& path, int cause) {
    std::string text = path + ": cannot be read: " + std::generic_category().message(cause);
    // The usual one: a key that only root may read, and a server that is not root any more.
    if (cause == EACCES) text += " for user id " + std::to_string(::geteuid());
    return text;
}

result<file, std::string> read_file(const std::string& path) {
    // Not blocking: opening a pipe by mistake must not wait for somebody who writes.
    const file_descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!opened || ::fstat(opened.number(), &status) != 0) return cannot_be_read(path, errno);
    if (!S_ISREG(status.st_mode)) return path + ": is not a regular file";

    // Identified before it is read: what is written meanwhile will be seen as a change.
    file f{.path = path, .identity = identity_of(status)};
    std::array<char, 4096> part{};
    for (;;) {
        const auto n = ::read(opened.number(), part.data(), part.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return cannot_be_read(path, errno);
        if (n == 0) break;
        f.text.append(part.data(), static_cast<std::size_t>(n));
        if (f.text.size() > largest_file) return path + ": is larger than any certificate or key (1 MiB)";
    }
    if (f.text.empty()) return path + ": is empty";
    return f;
}

/// What stands behind BEGIN in each PEM block, e.g. "CERTIFICATE".
std::vector<std::string_view> labels_in(std::string_view text) {
    constexpr std::string_view begin = "-----BEGIN ", end = "-----";
    std::vector<std::string_view> labels;
    for (std::size_t at = text.find(begin); at != text.npos; at = text.find(begin, at)) {
        at += begin.size();
        const std::size_t length = text.substr(at).find(end);
        if (length != text.npos) labels.push_back(text.substr(at, length));
    }
    return labels;
}

/// "FILE: holds no certificate", and what it is instead.
std::string holds_no(std::string_view what, const file& f) {
    const auto labels = labels_in(f.text);
    std::string text = f.path + ": holds no " + std::string(what);
    if (labels.empty()) {
        text += "; it is not PEM";
        constexpr char sequence = 0x30; // DER begins so
        if (f.text.front() == sequence) text += " (perhaps DER, which openssl x509 and openssl pkey can convert)";
        return text;
    }
    for (std::size_t i = 0; i < labels.size(); ++i) text += (i == 0 ? " but " : ", ") + std::string(labels[i]);
    return text;
}

/// Notes that it was asked for. Without it OpenSSL would ask at the terminal.
int refuse_passphrase(char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

openssl_ptr<BIO> reading(const file& f) {
    return openssl_ptr<BIO>(BIO_new_mem_buf(f.text.data(), static_cast<int>(f.text.size())));
}

/// All certificates of the file, in its order.
result<openssl_ptr<STACK_OF(X509)>, std::string> certificates_in(const file& f) {
    const auto labels = labels_in(f.text);
    const auto wanted = std::ranges::count_if(labels, [](std::string_view l) { return l.ends_with("CERTIFICATE"); });
    if (wanted == 0) return holds_no("certificate", f);

    const auto source = reading(f);
    openssl_ptr<STACK_OF(X509)> all(sk_X509_new_null());
    for (int i = 0; source && all && i < wanted; ++i) {
        bool asked = false;
        X509* const one = PEM_read_bio_X509(source.get(), nullptr, refuse_passphrase, &asked);
        if (!one)
            return f.path + ": its certificate " + std::to_string(i + 1) + " of " + std::to_string(wanted) +
                   " is damaged or incomplete: " + openssl_reason();
        if (sk_X509_push(all.get(), one) == 0) {
            X509_free(one);
            all.reset();
        }
    }
    if (!source || !all) return f.path + ": out of memory";
    return all;
}

result<openssl_ptr<EVP_PKEY>, std::string> key_in(const file& f) {
    const auto labels = labels_in(f.text);
    if (std::ranges::none_of(labels, [](std::string_view l) { return l.ends_with("PRIVATE KEY"); }))
        return holds_no("private key", f);

    const auto source = reading(f);
    bool asked = false;
    openssl_ptr<EVP_PKEY> key(source ? PEM_read_bio_PrivateKey(source.get(), nullptr, refuse_passphrase, &asked)
                                     : nullptr);
    const std::string reason = openssl_reason();
    if (key) return key;
    if (asked)
        return f.path + ": is encrypted, and there is nobody to ask for its passphrase; decrypt it with openssl pkey";
    return f.path + ": its private key is damaged, incomplete or of an unknown kind: " + reason;
}

/// Why certificate and key are no pair.
std::string no_pair(const certificate_files& files, STACK_OF(X509) * chain, EVP_PKEY* key) {
    std::string text = files.key + ": is not the key of the certificate in " + files.chain;
    for (int i = 0; i < sk_X509_num(chain); ++i)
        if (X509_check_private_key(sk_X509_value(chain, i), key) == 1)
            text += "; it belongs to number " + std::to_string(i + 2) + " there, which must come first";
    ERR_clear_error();
    return text;
}

} // namespace

file_identity identity_of(const std::string& path) noexcept {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? identity_of(status) : file_identity{};
}

result<certificate, std::string> read_certificate(const certificate_files& files) {
    ERR_clear_error();
    auto chain_file = read_file(files.chain);
    if (!chain_file) return chain_file.error();
    auto chain = certificates_in(*chain_file);
    if (!chain) return chain.error();
    auto key_file = read_file(files.key);
    if (!key_file) return key_file.error();
    auto key = key_in(*key_file);
    if (!key) return key.error();

    openssl_ptr<X509> server(sk_X509_shift(chain->get()));
    if (X509_check_private_key(server.get(), key->get()) != 1) return no_pair(files, chain->get(), key->get());
    ERR_clear_error();
    return certificate{.server = std::move(server),
                       .chain = std::move(*chain),
                       .key = std::move(*key),
                       .chain_file = chain_file->identity,
                       .key_file = key_file->identity};
}

std::int64_t end_of(const X509& x) noexcept {
    std::tm parts{};
    return ASN1_TIME_to_tm(X509_get0_notAfter(&x), &parts) == 1 ? std::int64_t{::timegm(&parts)} : 0;
}

std::string openssl_reason() {
    const char* const words = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return words ? words : "no reason given";
}

} // namespace turn::net
