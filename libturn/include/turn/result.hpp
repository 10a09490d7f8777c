#pragma once
/// A value or the reason there is none. A small subset of std::expected (C++23), so that the
/// day every supported compiler has it this file becomes `using`.

#include <cassert>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

namespace turn {

/// Why bytes were not understood or an operation was not done. Never an exception.
enum class errc : std::uint8_t {
    truncated = 1,      ///< the buffer ends inside a header, attribute or payload
    not_stun,           ///< first two bits, magic cookie or length field say it is something else
    bad_attribute,      ///< an attribute's length or content is not what its type allows
    missing_attribute,  ///< an attribute that this message needs is absent
    integrity_mismatch, ///< MESSAGE-INTEGRITY or FINGERPRINT does not match the bytes
    no_capacity,        ///< a table, the port pool or an output buffer is full
    invalid_text,       ///< text that is no address, prefix, URI, UTF-8 or OpaqueString
    not_found,          ///< no such token, socket or entry
    io,                 ///< the operating system refused; errno has the reason where the call says so
};

/// RFC-worded text for logs, e.g. "MESSAGE-INTEGRITY does not match".
const char* message(errc) noexcept;

/// Either a T or an E. Reading the wrong one is a programming mistake and asserted.
template <class T, class E = errc>
class [[nodiscard]] result {
public:
    result(T value) noexcept : state_(std::in_place_index<0>, std::move(value)) {}
    result(E error) noexcept : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const noexcept { return state_.index() == 0; }
    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    /// Precondition: *this holds a value. Asserted, never thrown.
    T& operator*() & noexcept {
        assert(has_value());
        return *std::get_if<0>(&state_);
    }
    const T& operator*() const& noexcept {
        assert(has_value());
        return *std::get_if<0>(&state_);
    }
    T&& operator*() && noexcept {
        assert(has_value());
        return std::move(*std::get_if<0>(&state_));
    }
    T* operator->() noexcept { return &**this; }
    const T* operator->() const noexcept { return &**this; }
    const E& error() const noexcept {
        assert(!has_value());
        return *std::get_if<1>(&state_);
    }
    T value_or(T other) const { return has_value() ? **this : std::move(other); }

private:
    std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] result<void, E> {
public:
    result() noexcept = default;
    result(E error) noexcept : error_(std::move(error)) {}
    explicit operator bool() const noexcept { return !error_; }
    [[nodiscard]] bool has_value() const noexcept { return !error_; }
    const E& error() const noexcept {
        assert(error_);
        return *error_;
    }

private:
    std::optional<E> error_;
};

} // namespace turn
