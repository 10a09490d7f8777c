#include "turn/client_error.hpp"

#include <string>
#include <string_view>

#include "stun/reason_phrase.hpp"

namespace turn {
namespace {

std::string_view words_of(client_error e) noexcept {
    switch (e) {
    case client_error::no_answer:
        return "no answer came that could be used";
    case client_error::not_connected:
        return "not connected to a server";
    case client_error::closed:
        return "the server ended the connection";
    case client_error::garbage:
        return "the server sent what is no message";
    case client_error::no_allocation:
        return "there is no allocation";
    case client_error::too_large:
        return "too large for one message";
    case client_error::busy:
        return "as much is under way as a client can keep";
    case client_error::unsupported_uri:
        return "the URI asks for a transport that is not known";
    case client_error::tls_failed:
        return "the TLS handshake or a record was wrong";
    case client_error::untrusted_certificate:
        return "the server's certificate is not trusted";
    case client_error::wrong_name:
        return "the certificate is for another server";
    }
    return "unknown error";
}

class client_errors final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "turn.client"; }
    [[nodiscard]] std::string message(int value) const override {
        return std::string(words_of(static_cast<client_error>(value)));
    }
};

class error_codes final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "stun"; }
    [[nodiscard]] std::string message(int value) const override {
        std::string text = std::to_string(value);
        if (const auto phrase = stun::reason_phrase(value); !phrase.empty()) text.append(" ").append(phrase);
        return text;
    }
};

} // namespace

const std::error_category& client_category() noexcept {
    static const client_errors category;
    return category;
}

const std::error_category& stun_category() noexcept {
    static const error_codes category;
    return category;
}

} // namespace turn
