/// Every attribute: its bytes both ways, and the lengths and contents its section refuses.

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/hex.hpp"
#include "turn/stun/attributes.hpp"

using namespace turn;
using namespace turn::stun;
using turn::test::from_hex;
using turn::test::to_hex;

namespace {

const transaction_id id = [] {
    transaction_id t;
    std::ranges::copy(from_hex("b7 e7 a7 01 bc 34 d6 86 fa 87 df ae"), t.begin()); // the one of RFC 5769
    return t;
}();

std::string filler(std::size_t size) {
    return std::string(size, 'x');
}

std::string hex_of_filler(std::size_t size) {
    return to_hex(std::vector<std::byte>(size, std::byte{0x78}));
}

/// One row: the attribute, a value, its bytes, and bytes that are refused. The value is described, so that types
/// without comparison need no other test.
struct row {
    std::string name;
    std::uint16_t type;
    std::string wire;                                          ///< the bytes of the value
    std::vector<std::string> also;                             ///< other bytes that mean the same: reserved bits set
    std::vector<std::string> refused;                          ///< bad_attribute
    std::string want;                                          ///< the value, described
    std::string (*described)(bytes);                           ///< decodes and describes
    result<std::size_t> (*again)(bytes, std::span<std::byte>); ///< decodes and encodes what came out
};

std::string describe(const transport_address& a) {
    return a.to_string();
}
std::string describe(std::string_view text) {
    return std::string(text);
}
std::string describe(bytes data) {
    return to_hex(data);
}
template <std::size_t N>
std::string describe(const std::array<std::byte, N>& data) {
    return to_hex(data);
}
std::string describe(address_family family) {
    if (family == address_family::ipv4) return "IPv4";
    if (family == address_family::ipv6) return "IPv6";
    return "family " + std::to_string(static_cast<int>(family));
}
std::string describe(std::uint32_t v) {
    return std::to_string(v);
}
std::string describe(std::chrono::seconds v) {
    return std::to_string(v.count()) + " s";
}
std::string describe(const error_code::value_type& v) {
    return std::to_string(v.code) + " " + std::string(v.phrase);
}
std::string describe(const address_error_code::value_type& v) {
    return describe(v.family) + " " + std::to_string(v.code) + " " + std::string(v.phrase);
}
std::string describe(const unknown_attributes::value_type& v) {
    std::string text;
    for (std::size_t i = 0; i < v.count; ++i) text += std::to_string(v.types[i]) + " ";
    return text;
}
std::string describe(const password_algorithm::value_type& v) {
    return std::to_string(static_cast<int>(v.number)) + " (" + to_hex(v.parameters) + ")";
}
std::string describe(const password_algorithms::value_type& v) {
    std::string text;
    for (std::size_t i = 0; i < v.count; ++i) text += describe(v.list[i]) + " ";
    return text;
}
std::string describe(const even_port::value_type& v) {
    return v.reserve_next ? "reserve" : "even";
}
std::string describe(std::monostate) {
    return "present";
}
std::string describe(const icmp::value_type& v) {
    return std::to_string(v.type) + " " + std::to_string(v.code) + " " + std::to_string(v.error_data);
}

template <attribute A>
row make(std::string name, std::uint16_t type, std::string wire, std::string want, std::vector<std::string> refused,
         std::vector<std::string> also = {}) {
    CHECK(A::type == type);
    return {std::move(name),
            type,
            std::move(wire),
            std::move(also),
            std::move(refused),
            std::move(want),
            [](bytes value) {
                const auto v = A::decode(value, id);
                return v ? describe(*v) : std::string(message(v.error()));
            },
            [](bytes value, std::span<std::byte> out) -> result<std::size_t> {
                const auto v = A::decode(value, id);
                if (!v) return v.error();
                return A::encode(*v, id, out);
            }};
}

const std::string hash =
    "4a 3c f3 8f ef 69 92 bd a9 52 c6 78 04 17 da 0f 24 81 94 15 56 9e 60 b2 05 c4 6e 41 40 7f 17 04";
const std::string mac = hash.substr(0, 20 * 3 - 1);
const std::vector<std::string> wrong_address_lengths = {"",
                                                        "00 01 0d 96 c0 00 02",
                                                        "00 01 0d 96 c0 00 02 01 00",
                                                        "00 02 0d 96 c0 00 02 01",
                                                        "00 01 0d 96 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01",
                                                        "00 00 0d 96 c0 00 02 01",
                                                        "00 03 0d 96 c0 00 02 01"};
const std::vector<std::string> not_four_bytes = {"", "01", "01 00", "01 00 00", "01 00 00 00 00"};

std::vector<row> rows() {
    const std::string too_long = hex_of_filler(764);
    const std::vector<std::string> bad_phrases = {"",
                                                  "00",
                                                  "01 00 04",
                                                  "01 00 02 63",
                                                  "01 00 07 00",
                                                  "01 00 00 01",
                                                  "01 00 04 64",
                                                  "01 00 04 ff",
                                                  "01 00 04 00 " + too_long};
    return {
        // RFC 8489, 14
        make<mapped_address>("MAPPED-ADDRESS", 0x0001, "00 01 0d 96 c0 00 02 01", "192.0.2.1:3478",
                             wrong_address_lengths, {"ff 01 0d 96 c0 00 02 01"}),
        make<mapped_address>("MAPPED-ADDRESS", 0x0001, "00 02 0d 96 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01",
                             "[2001:db8::1]:3478", {}),
        make<turn::stun::alternate_server>("ALTERNATE-SERVER", 0x8023, "00 01 0d 96 c0 00 02 01", "192.0.2.1:3478",
                                           wrong_address_lengths),
        make<xor_mapped_address>("XOR-MAPPED-ADDRESS", 0x0020, "00 01 a1 47 e1 12 a6 43", "192.0.2.1:32853",
                                 wrong_address_lengths, {"7f 01 a1 47 e1 12 a6 43"}),
        make<xor_mapped_address>("XOR-MAPPED-ADDRESS", 0x0020,
                                 "00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9",
                                 "[2001:db8:1234:5678:11:2233:4455:6677]:32853", {}),
        make<username>("USERNAME", 0x0006, "61 6e 6e", "ann", {too_long}),
        make<username>("USERNAME", 0x0006, "61 00 6e", std::string("a\0n", 3), {}), // not cut at the NUL
        make<username>("USERNAME", 0x0006, hex_of_filler(763), filler(763), {}),
        make<userhash>("USERHASH", 0x001e, hash, hash, {"", hash.substr(3), hash + " 00"}),
        make<message_integrity>("MESSAGE-INTEGRITY", 0x0008, mac, mac, {"", mac.substr(3), mac + " 00", hash}),
        make<message_integrity_sha256>("MESSAGE-INTEGRITY-SHA256", 0x001c, hash, hash,
                                       {"", hash.substr(0, 12 * 3 - 1), hash.substr(0, 15 * 3 - 1),
                                        hash.substr(0, 17 * 3 - 1), hash.substr(3), hash + " 00",
                                        hash + " 00 00 00 00"}),
        make<message_integrity_sha256>("MESSAGE-INTEGRITY-SHA256", 0x001c, hash.substr(0, 16 * 3 - 1),
                                       hash.substr(0, 16 * 3 - 1), {}),
        make<fingerprint>("FINGERPRINT", 0x8028, "01 02 03 04", "16909060", not_four_bytes),
        make<error_code>("ERROR-CODE", 0x0009, "00 00 04 01 4e 6f", "401 No", bad_phrases,
                         {"ff ff 04 01 4e 6f", "00 00 fc 01 4e 6f"}),
        make<error_code>("ERROR-CODE", 0x0009, "00 00 03 00", "300 ", {}),
        make<error_code>("ERROR-CODE", 0x0009, "00 00 06 63", "699 ", {}),
        make<error_code>("ERROR-CODE", 0x0009, "00 00 04 00 " + hex_of_filler(763), "400 " + filler(763), {}),
        make<realm>("REALM", 0x0014, "65 78", "ex", {too_long}),
        make<nonce>("NONCE", 0x0015, "65 78", "ex", {too_long}),
        make<software>("SOFTWARE", 0x8022, "65 78", "ex", {too_long}),
        make<alternate_domain>("ALTERNATE-DOMAIN", 0x8003, hex_of_filler(255), filler(255), {hex_of_filler(256)}),
        make<unknown_attributes>("UNKNOWN-ATTRIBUTES", 0x000a, "00 24 7f ff 00 02", "36 32767 2 ", {"00", "00 24 00"}),
        make<unknown_attributes>("UNKNOWN-ATTRIBUTES", 0x000a, "", "", {}),
        make<password_algorithm>("PASSWORD-ALGORITHM", 0x001d, "00 02 00 00", "2 ()",
                                 {"", "00 02 00", "00 02 00 01", "00 02 00 04 00 00 00 00", "00 01 00 04 01 02 03 04",
                                  "00 02 00 00 00", "00 02 00 00 00 02 00 00", "00 09 00 04 01 02 03"}),
        make<password_algorithm>("PASSWORD-ALGORITHM", 0x001d, "00 09 00 03 01 02 03 00", "9 (01 02 03)", {},
                                 {"00 09 00 03 01 02 03", "00 09 00 03 01 02 03 ff"}),
        make<password_algorithms>("PASSWORD-ALGORITHMS", 0x8002, "00 09 00 01 07 00 00 00 00 02 00 00 00 01 00 00",
                                  "9 (07) 2 () 1 () ",
                                  {"00", "00 01 00", "00 09 00 08 00 00 00 00",
                                   "00 01 00 00 00 01 00 00 00 01 00 00 00 01 00 00 00 01 00 00"}),
        make<password_algorithms>("PASSWORD-ALGORITHMS", 0x8002, "", "", {}),

        // RFC 8656, 18
        make<channel_number>("CHANNEL-NUMBER", 0x000c, "40 01 00 00", "16385", not_four_bytes, {"40 01 ff ff"}),
        make<lifetime>("LIFETIME", 0x000d, "00 00 02 58", "600 s", not_four_bytes),
        make<lifetime>("LIFETIME", 0x000d, "ff ff ff ff", "4294967295 s", {}),
        make<xor_peer_address>("XOR-PEER-ADDRESS", 0x0012, "00 01 a1 47 e1 12 a6 43", "192.0.2.1:32853",
                               wrong_address_lengths),
        make<data>("DATA", 0x0013, "01 02 03 04 05", "01 02 03 04 05", {}),
        make<data>("DATA", 0x0013, "", "", {}),
        make<xor_relayed_address>("XOR-RELAYED-ADDRESS", 0x0016, "00 01 a1 47 e1 12 a6 43", "192.0.2.1:32853",
                                  wrong_address_lengths),
        make<requested_address_family>("REQUESTED-ADDRESS-FAMILY", 0x0017, "01 00 00 00", "IPv4", not_four_bytes,
                                       {"01 ff ff ff"}),
        make<requested_address_family>("REQUESTED-ADDRESS-FAMILY", 0x0017, "02 00 00 00", "IPv6", {}),
        // Not refused here: RFC 8656, 7.2 answers it 440 and not 400.
        make<requested_address_family>("REQUESTED-ADDRESS-FAMILY", 0x0017, "03 00 00 00", "family 3", {}),
        make<additional_address_family>("ADDITIONAL-ADDRESS-FAMILY", 0x8000, "02 00 00 00", "IPv6", not_four_bytes,
                                        {"02 01 02 03"}),
        make<even_port>("EVEN-PORT", 0x0018, "80", "reserve", {"", "80 00", "80 00 00 00"}, {"ff"}),
        make<even_port>("EVEN-PORT", 0x0018, "00", "even", {}, {"7f"}),
        make<requested_transport>("REQUESTED-TRANSPORT", 0x0019, "11 00 00 00", "17", not_four_bytes, {"11 ff ff ff"}),
        make<dont_fragment>("DONT-FRAGMENT", 0x001a, "", "present", {"00", "00 00 00 00"}),
        make<reservation_token>("RESERVATION-TOKEN", 0x0022, "01 02 03 04 05 06 07 08", "01 02 03 04 05 06 07 08",
                                {"", "01 02 03 04", "01 02 03 04 05 06 07", "01 02 03 04 05 06 07 08 09"}),
        make<address_error_code>("ADDRESS-ERROR-CODE", 0x8001, "02 00 04 28 4e 6f", "IPv6 440 No", bad_phrases,
                                 {"02 ff fc 28 4e 6f"}),
        make<address_error_code>("ADDRESS-ERROR-CODE", 0x8001, "01 00 05 08", "IPv4 508 ",
                                 {"00 00 05 08", "03 00 05 08"}),
        make<icmp>("ICMP", 0x8004, "00 00 06 04 00 00 05 dc", "3 4 1500",
                   {"", "00 00 06 04", "00 00 06 04 00 00 05", "00 00 06 04 00 00 05 dc 00", "00 00 07 04 00 00 05 dc"},
                   {"ff ff 06 04 00 00 05 dc"}),
    };
}

} // namespace

TEST_CASE("RFC 8489 14 and RFC 8656 18: every attribute reads and writes its bytes") {
    for (const row& r : rows()) {
        CAPTURE(r.name);
        CAPTURE(r.wire);
        const auto wire = from_hex(r.wire);
        CHECK(r.described(wire) == r.want);

        std::array<std::byte, 1024> out;
        out.fill(std::byte{0xee});
        const auto size = r.again(wire, out);
        REQUIRE(size);
        CHECK(to_hex(std::span(out).first(*size)) == r.wire);
        CHECK(out[*size] == std::byte{0xee});
    }
}

TEST_CASE("RFC 8489 14 and RFC 8656 18: reserved bits are ignored on reception and zero on transmission") {
    for (const row& r : rows()) {
        for (const std::string& other : r.also) {
            CAPTURE(r.name);
            CAPTURE(other);
            const auto wire = from_hex(other);
            CHECK(r.described(wire) == r.want);
            std::array<std::byte, 1024> out;
            const auto size = r.again(wire, out);
            REQUIRE(size);
            CHECK(to_hex(std::span(out).first(*size)) == r.wire);
        }
    }
}

TEST_CASE("RFC 8489 14 and RFC 8656 18: lengths and contents an attribute does not allow are refused") {
    for (const row& r : rows()) {
        for (const std::string& wrong : r.refused) {
            CAPTURE(r.name);
            CAPTURE(wrong);
            CHECK(r.described(from_hex(wrong)) == message(errc::bad_attribute));
        }
    }
}

TEST_CASE("RFC 8489 14 and RFC 8656 18: a value that does not fit writes nothing behind its room") {
    for (const row& r : rows()) {
        CAPTURE(r.name);
        const auto wire = from_hex(r.wire);
        for (std::size_t room = 0; room < wire.size(); ++room) {
            std::array<std::byte, 1024> out;
            out.fill(std::byte{0xee});
            const auto size = r.again(wire, std::span(out).first(room));
            REQUIRE_FALSE(size);
            CHECK(size.error() == errc::no_capacity);
            CHECK(out[room] == std::byte{0xee});
        }
    }
}

TEST_CASE("RFC 8489 14: values an attribute cannot hold are not written") {
    std::array<std::byte, 1024> out;
    const auto bad = [&](const result<std::size_t>& r) { return !r && r.error() == errc::bad_attribute; };
    using namespace std::chrono_literals;

    CHECK(bad(username::encode(filler(764), id, out)));
    CHECK(bad(realm::encode(filler(764), id, out)));
    CHECK(bad(alternate_domain::encode(filler(256), id, out)));
    CHECK(bad(error_code::encode({299, ""}, id, out)));
    CHECK(bad(error_code::encode({700, ""}, id, out)));
    CHECK(bad(error_code::encode({400, std::string_view(hex_of_filler(764)).substr(0, 764)}, id, out)));
    CHECK(bad(address_error_code::encode({address_family::ipv6, 0, ""}, id, out)));
    CHECK(bad(address_error_code::encode({static_cast<address_family>(3), 440, ""}, id, out)));
    CHECK(bad(lifetime::encode(-1s, id, out)));
    CHECK(bad(lifetime::encode(4294967296s, id, out)));
    transport_address nowhere;
    nowhere.family = static_cast<address_family>(3);
    CHECK(bad(mapped_address::encode(nowhere, id, out)));
    CHECK(bad(xor_peer_address::encode(nowhere, id, out)));
    CHECK(bad(message_integrity_sha256::encode(bytes(out).first(12), id, out)));
    CHECK(bad(message_integrity_sha256::encode(bytes(out).first(36), id, out)));
    CHECK(bad(icmp::encode({128, 0, 0}, id, out)));
    CHECK(bad(password_algorithm::encode({password_algorithm_number::md5, bytes(out).first(1)}, id, out)));
    unknown_attributes::value_type unknown;
    unknown.count = 17;
    CHECK(bad(unknown_attributes::encode(unknown, id, out)));
    password_algorithms::value_type algorithms;
    algorithms.count = 5;
    CHECK(bad(password_algorithms::encode(algorithms, id, out)));
}

TEST_CASE("RFC 8489 14.13: of a long UNKNOWN-ATTRIBUTES list the first sixteen are kept") {
    std::string wire;
    for (int i = 0; i < 20; ++i) wire += "00 " + to_hex(std::array{static_cast<std::byte>(i)}) + " ";
    const auto v = unknown_attributes::decode(from_hex(wire), id);
    REQUIRE(v);
    CHECK(v->count == 16);
    CHECK(v->types[15] == 15);
}
