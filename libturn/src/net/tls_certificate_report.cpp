#include <array>
#include <cstddef>
#include <ctime>
#include <memory>
#include <utility>

#include <arpa/inet.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "net/tls_certificate.hpp"
#include "turn/certificate.hpp"

namespace turn {

namespace {

struct free_verification {
    void operator()(X509_STORE* s) const noexcept { X509_STORE_free(s); }
    void operator()(X509_STORE_CTX* c) const noexcept { X509_STORE_CTX_free(c); }
    void operator()(GENERAL_NAMES* n) const noexcept { GENERAL_NAMES_free(n); }
};
template <class T>
using verification_ptr = std::unique_ptr<T, free_verification>;

std::chrono::sys_seconds time_of(const ASN1_TIME* when) {
    std::tm parts{};
    return std::chrono::sys_seconds(
        std::chrono::seconds(ASN1_TIME_to_tm(when, &parts) == 1 ? std::int64_t{::timegm(&parts)} : 0));
}

std::string text_of(const X509_NAME* name) {
    std::array<char, 256> text{};
    return X509_NAME_oneline(name, text.data(), static_cast<int>(text.size())) == nullptr ? "" : text.data();
}

std::string text_of(const ASN1_OCTET_STRING* address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
    const char* const written =
        ::inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), static_cast<socklen_t>(text.size()));
    return written == nullptr ? "" : written;
}

std::vector<std::string> names_of(const X509& x) {
    const verification_ptr<GENERAL_NAMES> all(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&x, NID_subject_alt_name, nullptr, nullptr)));
    std::vector<std::string> names;
    for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
        const GENERAL_NAME* const one = sk_GENERAL_NAME_value(all.get(), i);
        if (one->type == GEN_DNS)
            names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(one->d.dNSName)),
                               static_cast<std::size_t>(ASN1_STRING_length(one->d.dNSName)));
        else if (one->type == GEN_IPADD)
            names.push_back(text_of(one->d.iPAddress));
    }
    return names;
}

bool is_for(const X509& x, const std::string& name) {
    auto* const certificate = const_cast<X509*>(&x); // OpenSSL caches what it finds
    return X509_check_host(certificate, name.data(), name.size(), 0, nullptr) == 1 ||
           X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
}

std::string fault_of(const net::certificate& c) {
    const verification_ptr<X509_STORE> trusted(X509_STORE_new());
    const verification_ptr<X509_STORE_CTX> check(X509_STORE_CTX_new());
    if (!trusted || !check || X509_STORE_set_default_paths(trusted.get()) != 1 ||
        X509_STORE_CTX_init(check.get(), trusted.get(), c.server.get(), c.chain.get()) != 1)
        return "out of memory";
    X509_STORE_CTX_set_flags(check.get(), X509_V_FLAG_NO_CHECK_TIME);
    X509_STORE_CTX_set_default(check.get(), "ssl_server");
    if (X509_verify_cert(check.get()) == 1) return "";
    const int error = X509_STORE_CTX_get_error(check.get());
    const X509* const last = X509_STORE_CTX_get_current_cert(check.get());
    switch (error) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "it is self-signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "its root " + (last == nullptr ? "" : text_of(X509_get_subject_name(last))) + " is not trusted here";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "the certificate of its issuer " + (last == nullptr ? "" : text_of(X509_get_issuer_name(last))) +
               " is neither in the file nor trusted here";
    default:
        return X509_verify_cert_error_string(error);
    }
}

} // namespace

result<certificate_report, std::string> inspect_certificate(const certificate_files& files, std::string_view name) {
    const auto read = net::read_certificate(files);
    if (!read) return read.error();
    const X509& own = *read->server;
    certificate_report report{names_of(own), time_of(X509_get0_notBefore(&own)), time_of(X509_get0_notAfter(&own)),
                              !name.empty() && is_for(own, std::string(name)), fault_of(*read)};
    net::openssl_reason(); // leaves nothing in the thread's queue of errors
    return report;
}

} // namespace turn
