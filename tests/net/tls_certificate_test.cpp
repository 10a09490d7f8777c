/// What is said about certificate files that cannot be used: an operator reads it and knows what to do.

#include <filesystem>
#include <thread>

#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls_connection.hpp"

using namespace turn;
using namespace turn::net_test;
using test::certificate_authority;
using test::certificate_folder;

namespace {

std::string error(const certificate_files& files) {
    const auto context = net::tls_context::load({files});
    return context ? "no error" : context.error();
}

/// Files to spoil: a good pair and its texts.
struct pair_of_files {
    certificate_authority authority{};
    certificate_folder folder{};
    test::issued_certificate issued = authority.issue();
    certificate_files files = folder.files(issued);

    std::string error_of_chain(std::string_view text) { return error({folder.file("spoilt.pem", text), files.key}); }
    std::string error_of_key(std::string_view text) { return error({files.chain, folder.file("spoilt.key", text)}); }
    [[nodiscard]] std::string chain() const { return folder.path("spoilt.pem"); }
    [[nodiscard]] std::string key() const { return folder.path("spoilt.key"); }
};

} // namespace

TEST_CASE("a TLS listener without a certificate is an error") {
    const auto none = net::tls_context::load({});
    REQUIRE(!none);
    CHECK(none.error() == "a TLS listener needs a certificate and its key");
}

TEST_CASE("a certificate or key file that is not there is named") {
    const pair_of_files p;
    const std::string absent = p.folder.path("absent.pem");
    CHECK(error({absent, p.files.key}) == absent + ": cannot be read: No such file or directory");
    CHECK(error({p.files.chain, absent}) == absent + ": cannot be read: No such file or directory");
}

TEST_CASE("of several pairs the broken one is named") {
    const pair_of_files p;
    const std::string absent = p.folder.path("absent.pem");
    const auto context = net::tls_context::load({p.files, {absent, p.files.key}});
    REQUIRE(!context);
    CHECK(context.error() == absent + ": cannot be read: No such file or directory");
}

TEST_CASE("a file this process may not read is named, and who it runs as") {
    const pair_of_files p;
    std::filesystem::permissions(p.folder.path(""), std::filesystem::perms{0755});
    std::string said;
    for (const std::string& file : {p.files.chain, p.files.key}) {
        REQUIRE(::chmod(file.c_str(), 0) == 0);
        // Root may read everything, so a thread of its own is somebody else as far as files are concerned.
        std::thread([&] {
            if (::geteuid() == 0) ::setfsuid(65534);
            said = error(p.files);
        }).join();
        CHECK(said == file + ": cannot be read: Permission denied for user id " + std::to_string(::geteuid()));
        REQUIRE(::chmod(file.c_str(), 0644) == 0);
    }
}

TEST_CASE("what is no file, or none that could be a certificate, is named") {
    pair_of_files p;
    const std::string folder = p.folder.path("");
    CHECK(error({folder, p.files.key}) == folder + ": is not a regular file");
    const std::string pipe = p.folder.path("pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(error({p.files.chain, pipe}) == pipe + ": is not a regular file"); // and nobody waits for a writer
    CHECK(p.error_of_chain("") == p.chain() + ": is empty");
    CHECK(p.error_of_key("") == p.key() + ": is empty");
    CHECK(p.error_of_chain(std::string(2'000'000, 'x')) ==
          p.chain() + ": is larger than any certificate or key (1 MiB)");
}

TEST_CASE("what is not PEM is said to be none") {
    pair_of_files p;
    CHECK(p.error_of_chain("certificate = yes\n") == p.chain() + ": holds no certificate; it is not PEM");
    CHECK(p.error_of_key("key = yes\n") == p.key() + ": holds no private key; it is not PEM");
    CHECK(p.error_of_chain(test::to_der(p.issued.chain)) ==
          p.chain() + ": holds no certificate; it is not PEM (perhaps DER, which openssl x509 and openssl pkey can "
                      "convert)");
}

TEST_CASE("a file that holds something else says what") {
    pair_of_files p;
    CHECK(p.error_of_chain(p.issued.key) == p.chain() + ": holds no certificate but PRIVATE KEY");
    CHECK(p.error_of_key(p.issued.chain) == p.key() + ": holds no private key but CERTIFICATE, CERTIFICATE");
}

TEST_CASE("a damaged or half-written certificate is told by its place") {
    pair_of_files p;
    const std::string& chain = p.issued.chain;
    const std::size_t second = chain.find("-----BEGIN", 10);
    CHECK(p.error_of_chain(chain.substr(0, second / 2))
              .starts_with(p.chain() + ": its certificate 1 of 1 is damaged or incomplete: "));
    CHECK(p.error_of_chain(chain.substr(0, second + 100))
              .starts_with(p.chain() + ": its certificate 2 of 2 is damaged or incomplete: "));
    std::string changed = chain;
    changed.replace(100, 4, "!!!!");
    CHECK(p.error_of_chain(changed).starts_with(p.chain() + ": its certificate 1 of 2 is damaged or incomplete: "));
}

TEST_CASE("a damaged or half-written key is told") {
    pair_of_files p;
    const std::string damaged = p.key() + ": its private key is damaged, incomplete or of an unknown kind: ";
    CHECK(p.error_of_key(p.issued.key.substr(0, 100)).starts_with(damaged));
    std::string changed = p.issued.key;
    changed.replace(40, 8, "AAAAAAAA");
    CHECK(p.error_of_key(changed).starts_with(damaged));
}

TEST_CASE("an encrypted key is refused, never asked about at a terminal") {
    pair_of_files p;
    for (const bool pkcs8 : {true, false})
        CHECK(p.error_of_key(test::encrypted(p.issued.key, pkcs8)) ==
              p.key() + ": is encrypted, and there is nobody to ask for its passphrase; decrypt it with openssl pkey");
}

TEST_CASE("a key that does not belong to the certificate: both files are named") {
    pair_of_files p;
    const std::string no_pair = p.key() + ": is not the key of the certificate in " + p.files.chain;
    CHECK(p.error_of_key(p.authority.issue().key) == no_pair);
    CHECK(p.error_of_key(p.authority.issue({.rsa_bits = 2048}).key) == no_pair);
}

TEST_CASE("a chain in the wrong order is recognised by the key") {
    pair_of_files p;
    const std::size_t second = p.issued.chain.find("-----BEGIN", 10);
    const std::string turned = p.issued.chain.substr(second) + p.issued.chain.substr(0, second);
    CHECK(p.error_of_chain(turned) == p.files.key + ": is not the key of the certificate in " + p.chain() +
                                          "; it belongs to number 2 there, which must come first");
}

TEST_CASE("a key that TLS does not accept is refused at load, not in each handshake") {
    const pair_of_files p;
    const auto small = p.folder.files(p.authority.issue({.rsa_bits = 1024}), "small");
    CHECK(error(small) == small.chain + ": cannot be used: ee key too small");
    const auto second = net::tls_context::load({p.files, small});
    REQUIRE(!second);
    CHECK(second.error() == small.chain + ": cannot be used: ee key too small");
}

TEST_CASE("certificate and key may be in one file, in any order, with words between") {
    pair_of_files p;
    for (const std::string& text :
         {p.issued.key + "\nissued for tests\n" + p.issued.chain, p.issued.chain + p.issued.key}) {
        const std::string file = p.folder.file("all.pem", text);
        CHECK(error({file, file}) == "no error");
    }
}
