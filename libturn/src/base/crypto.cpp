#include "base/crypto.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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

/// HMAC with one digest. Contexts are made once: setting the digest costs as much as a short message. So does setting
/// the key, and most messages are signed with one of a few: contexts of the latest keys stay as they are.
template <std::size_t Size>
class mac {
public:
    explicit mac(const char* digest_name) noexcept
        : mac_(EVP_MAC_fetch(nullptr, "HMAC", nullptr)), name_(digest_name), any_key_(make_context()),
          kept_(most_keys) {
        require(any_key_ != nullptr);
    }

    std::array<std::byte, Size> of(bytes key, std::span<const bytes> parts) noexcept {
        ++hmacs;
        EVP_MAC_CTX* const context = begin(key);
        for (const bytes part : parts) require(EVP_MAC_update(context, as_octets(part.data()), part.size()) == 1);
        std::array<std::byte, Size> out;
        std::size_t written = 0;
        require(EVP_MAC_final(context, reinterpret_cast<unsigned char*>(out.data()), &written, Size) == 1);
        return out;
    }

private:
    using mac_context = std::unique_ptr<EVP_MAC_CTX, free_mac>;
    static constexpr std::size_t most_keys = 256; // some 0.8 kB each
    static constexpr std::size_t longest_key = 32;

    /// A key and a context that has begun with it.
    struct keyed {
        std::array<std::byte, longest_key> key{};
        std::size_t size = 0; ///< 0: none
        mac_context state{};

        keyed() = default;
        keyed(const keyed&) = delete;
        keyed& operator=(const keyed&) = delete;
        ~keyed() { OPENSSL_cleanse(key.data(), key.size()); }

        [[nodiscard]] bool holds(bytes wanted) const noexcept {
            return size == wanted.size() && std::equal(wanted.begin(), wanted.end(), key.begin());
        }
    };

    mac_context make_context() noexcept {
        mac_context made(mac_ ? EVP_MAC_CTX_new(mac_.get()) : nullptr);
        // OSSL_PARAM wants it writable
        const std::array parameters{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name_.data(), 0),
                                    OSSL_PARAM_construct_end()};
        if (made && EVP_MAC_CTX_set_params(made.get(), parameters.data()) != 1) made.reset();
        return made;
    }

    /// A context that has begun with `key`.
    EVP_MAC_CTX* begin(bytes key) noexcept {
        if (key.empty() || key.size() > longest_key) return begin_with_any(key);
        // Keys are digests or random, so their first byte spreads them well enough.
        keyed& place = kept_[std::to_integer<std::size_t>(key.front()) % most_keys];
        if (place.holds(key)) {
            // Without a key: the one it has, from the state that was computed for it.
            require(EVP_MAC_init(place.state.get(), nullptr, 0, nullptr) == 1);
            return place.state.get();
        }
        place.size = 0;
        if (!place.state) place.state = make_context();
        if (!place.state || EVP_MAC_init(place.state.get(), as_octets(key.data()), key.size(), nullptr) != 1) {
            place.state.reset(); // no memory for one more
            return begin_with_any(key);
        }
        std::copy(key.begin(), key.end(), place.key.begin());
        place.size = key.size();
        return place.state.get();
    }
    EVP_MAC_CTX* begin_with_any(bytes key) noexcept {
        // An empty key would mean "the last one".
        static constexpr std::byte nothing{};
        const std::byte* const material = key.empty() ? &nothing : key.data();
        require(EVP_MAC_init(any_key_.get(), as_octets(material), key.size(), nullptr) == 1);
        return any_key_.get();
    }

    static const unsigned char* as_octets(const std::byte* p) noexcept {
        return reinterpret_cast<const unsigned char*>(p);
    }
    std::unique_ptr<EVP_MAC, free_mac> mac_;
    std::string name_;
    mac_context any_key_;
    std::vector<keyed> kept_; ///< direct-mapped: a key takes the place of another
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
