#include "stun/codec.hpp"

namespace turn::stun {

using namespace codec;

namespace {

/// Takes one algorithm off the front of `rest`; the padding of the last one may be counted in the attribute or not.
result<password_algorithm::value_type> take_algorithm(bytes& rest) noexcept {
    if (rest.size() < 4) return errc::bad_attribute;
    const auto number = static_cast<password_algorithm_number>(load_u16(rest, 0));
    const std::size_t size = load_u16(rest, 2);
    rest = rest.subspan(4);
    if (size > rest.size()) return errc::bad_attribute;
    // RFC 8489, 18.5.1: neither of the two has parameters. Numbers registered later may.
    const bool ours = number == password_algorithm_number::md5 || number == password_algorithm_number::sha256;
    if (ours && size != 0) return errc::bad_attribute;

    const bytes parameters = rest.first(size);
    rest = rest.subspan(std::min(rest.size(), (size + 3) & ~std::size_t{3}));
    return password_algorithm::value_type{number, parameters};
}

result<std::size_t> put_algorithm(const password_algorithm::value_type& v, std::span<std::byte> out) noexcept {
    const bool ours = v.number == password_algorithm_number::md5 || v.number == password_algorithm_number::sha256;
    if (v.parameters.size() > 0xffff || (ours && !v.parameters.empty())) return errc::bad_attribute;
    const std::size_t size = 4 + ((v.parameters.size() + 3) & ~std::size_t{3});
    if (out.size() < size) return errc::no_capacity;
    store_u16(out, 0, static_cast<std::uint16_t>(v.number));
    store_u16(out, 2, static_cast<std::uint16_t>(v.parameters.size()));
    const auto padding = std::copy(v.parameters.begin(), v.parameters.end(), out.begin() + 4);
    std::fill(padding, out.begin() + static_cast<std::ptrdiff_t>(size), std::byte{0});
    return size;
}

} // namespace

result<password_algorithm::value_type> password_algorithm::decode(bytes value, const transaction_id&) noexcept {
    auto v = take_algorithm(value);
    if (v && !value.empty()) return errc::bad_attribute;
    return v;
}

result<std::size_t> password_algorithm::encode(const value_type& v, const transaction_id&,
                                               std::span<std::byte> out) noexcept {
    return put_algorithm(v, out);
}

result<password_algorithms::value_type> password_algorithms::decode(bytes value, const transaction_id&) noexcept {
    value_type v;
    while (!value.empty()) {
        const auto algorithm = take_algorithm(value);
        if (!algorithm || v.count == v.list.size()) return errc::bad_attribute;
        v.list[v.count++] = *algorithm;
    }
    return v;
}

result<std::size_t> password_algorithms::encode(const value_type& v, const transaction_id&,
                                                std::span<std::byte> out) noexcept {
    if (v.count > v.list.size()) return errc::bad_attribute;
    std::size_t size = 0;
    for (std::size_t i = 0; i < v.count; ++i) {
        const auto one = put_algorithm(v.list[i], out.subspan(size));
        if (!one) return one.error();
        size += *one;
    }
    return size;
}

} // namespace turn::stun
