#pragma once
/// Where a server finds its TLS certificates, and what can be said of them beforehand.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "turn/result.hpp"

namespace turn {

/// PEM files: the chain from the server's certificate towards its root, and the private key.
struct certificate_files {
    std::string chain{};
    std::string key{};
};

/// What clients will find in a certificate.
struct certificate_report {
    std::vector<std::string> names{};          ///< DNS names and IP addresses it is for: its subjectAltName
    std::chrono::sys_seconds begins{}, ends{}; ///< of the server's own certificate
    bool is_for_name = false;                  ///< for the name that was asked about, wildcards included
    std::string chain_fault{};                 ///< empty: the chain leads to a root that this machine trusts
};

/// Reads the files as a server would. `name`: a DNS name or an IP address to look for; empty: none. Dates are reported,
/// not judged. Errors: why they cannot be used, in words that begin with the file's path.
result<certificate_report, std::string> inspect_certificate(const certificate_files&, std::string_view name = {});

} // namespace turn
