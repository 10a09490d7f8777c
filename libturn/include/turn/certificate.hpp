#pragma once
/// Where a server finds its TLS certificates.

#include <string>

namespace turn {

/// PEM files: the chain from the server's certificate towards its root, and the private key.
struct certificate_files {
    std::string chain{};
    std::string key{};
};

} // namespace turn
