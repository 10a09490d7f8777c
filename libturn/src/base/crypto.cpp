#include "base/crypto.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace turn::crypto {

namespace {

struct free_mac {
    void operator()(EVP_MAC* m) const noexcept { EVP_MAC_free(m); }
    void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
};

struct free_digest {
    void operator()(EVP_MD* md) const noexcept { EVP_MD_free(md); }
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

void require(bool ok) noexcept {
    // Out of memory, or a libcrypto without this digest: no message could be verified from here on.
    if (!ok) std::abort();
}

/// A digest and its context. Looking a digest up costs more than computing one, so each thread does it once.
template <std::size_t Size>
class digest {
public:
    explicit digest(const char* name) noexcept : md_(EVP_MD_fetch(nullptr, name, nullptr)), context_(EVP_MD_CTX_new()) {
        require(md_ != nullptr && context_ != nullptr && EVP_MD_get_size(md_.get()) == static_cast<int>(Size));
        require(EVP_DigestInit_ex2(context_.get(), md_.get(), nullptr) == 1);
    }

    void start() noexcept { require(EVP_DigestInit_ex2(context_.get(), nullptr, nullptr) == 1); }
    void add(bytes input) noexcept { require(EVP_DigestUpdate(context_.get(), input.data(), input.size()) == 1); }
    std::array<std::byte, Size> finish() noexcept {
        std::array<std::byte, Size> out;
        require(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr) == 1);
        return out;
    }
    std::array<std::byte, Size> of(bytes input) noexcept {
        start();
        add(input);
        return finish();
    }

private:
    std::unique_ptr<EVP_MD, free_digest> md_;
    std::unique_ptr<EVP_MD_CTX, free_digest> context_;
};

thread_local std::uint64_t hmacs = 0;

/// HMAC with one digest. Its context is made once a thread: setting the digest costs as much as a short message.
template <std::size_t Size>
class mac {
public:
    explicit mac(const char* digest_name) noexcept
        : mac_(EVP_MAC_fetch(nullptr, "HMAC", nullptr)), context_(mac_ ? EVP_MAC_CTX_new(mac_.get()) : nullptr) {
        require(context_ != nullptr);
        std::string name = digest_name; // OSSL_PARAM wants it writable
        const std::array parameters{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
                                    OSSL_PARAM_construct_end()};
        require(EVP_MAC_CTX_set_params(context_.get(), parameters.data()) == 1);
    }

    std::array<std::byte, Size> of(bytes key, std::span<const bytes> parts) noexcept {
        ++hmacs;
        // An empty key would mean "the last one".
        static constexpr std::byte nothing{};
        const std::byte* const material = key.empty() ? &nothing : key.data();
        require(EVP_MAC_init(context_.get(), as_octets(material), key.size(), nullptr) == 1);
        for (const bytes part : parts)
            require(EVP_MAC_update(context_.get(), as_octets(part.data()), part.size()) == 1);
        std::array<std::byte, Size> out;
        std::size_t written = 0;
        require(EVP_MAC_final(context_.get(), reinterpret_cast<unsigned char*>(out.data()), &written, Size) == 1);
        return out;
    }

private:
    static const unsigned char* as_octets(const std::byte* p) noexcept {
        return reinterpret_cast<const unsigned char*>(p);
    }
    std::unique_ptr<EVP_MAC, free_mac> mac_;
    std::unique_ptr<EVP_MAC_CTX, free_mac> context_;
};

} // namespace

void random(std::span<std::byte> out) noexcept {
    constexpr std::size_t at_once = 1 << 20; // RAND_bytes counts in int
    while (!out.empty()) {
        const auto part = out.first(std::min(out.size(), at_once));
        require(RAND_bytes(reinterpret_cast<unsigned char*>(part.data()), static_cast<int>(part.size())) == 1);
        out = out.subspan(part.size());
    }
}

std::uint64_t random64() noexcept {
    thread_local std::array<std::uint64_t, 64> block{};
    thread_local std::size_t left = 0;
    if (left == 0) {
        random(std::as_writable_bytes(std::span(block)));
        left = block.size();
    }
    // What has been handed out does not stay readable in memory.
    return std::exchange(block[--left], 0);
}

std::array<std::byte, 16> md5(bytes input) noexcept {
    thread_local digest<16> d("MD5");
    return d.of(input);
}

std::array<std::byte, 32> sha256(bytes input) noexcept {
    thread_local digest<32> d("SHA256");
    return d.of(input);
}

std::array<std::byte, 20> hmac_sha1(bytes key, std::span<const bytes> parts) noexcept {
    thread_local mac<20> m("SHA1");
    return m.of(key, parts);
}

std::array<std::byte, 32> hmac_sha256(bytes key, std::span<const bytes> parts) noexcept {
    thread_local mac<32> m("SHA256");
    return m.of(key, parts);
}

std::uint64_t hmac_count() noexcept {
    return hmacs;
}

bool equal(bytes a, bytes b) noexcept {
    return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

} // namespace turn::crypto
