#include <doctest/doctest.h>

#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;

namespace {

/// Files for certificates and keys; what is in them is the library's business.
struct pem_files : room {
    std::string cert = file("cert.pem", "a certificate");
    std::string cert2 = file("cert2.pem", "another");
    std::string key = file("key.pem", "a key");
    std::string key2 = file("key2.pem", "another");
};

/// "udp 192.0.2.1:3478, tls 192.0.2.1:5349 (cert.pem+key.pem)"
std::string listeners(const configuration& c) {
    const auto name = [](const std::string& path) { return std::filesystem::path(path).filename().string(); };
    std::string text;
    for (const auto& l : c.settings.listeners) {
        text += (text.empty() ? "" : ", ") + std::string(turn::name(l.protocol)) + " " + l.address.to_string();
        if (!is_secure(l.protocol)) continue;
        std::string pairs;
        for (const auto& pair : certificates_of(l, c.settings))
            pairs += (pairs.empty() ? "" : " ") + name(pair.chain) + "+" + name(pair.key);
        text += " (" + pairs + ")";
    }
    return text;
}

configuration with(std::vector<std::string> flags, environment variables = {}, const std::string& toml = "") {
    flags.insert(flags.end(), {"--realm", "r", "--user", "ann:x"});
    return load({.flags = std::move(flags), .variables = std::move(variables), .toml = toml});
}

configuration with_file(const std::string& toml) {
    return with({}, {}, toml);
}

/// A [[listener]] table at 192.0.2.1:5349 with more lines, the first of which is the third of the file.
std::string table(const std::string& lines) {
    return "[[listener]]\naddress = \"192.0.2.1:5349\"\n" + lines + "\n";
}

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

} // namespace

TEST_CASE("turnd: listen is UDP and TCP and tls-listen is TLS and DTLS beside it") {
    const pem_files pem;
    CHECK(listeners(with({})) == "udp 0.0.0.0:3478, tcp 0.0.0.0:3478, udp [::]:3478, tcp [::]:3478");
    CHECK(listeners(with({"--listen", "192.0.2.1:1"})) == "udp 192.0.2.1:1, tcp 192.0.2.1:1");

    const configuration flags = with({"--listen", "192.0.2.1:443", "--tls-listen", "192.0.2.1:443", "--tls-listen",
                                      "[2001:db8::1]:5349", "--cert", pem.cert, "--key", pem.key});
    CHECK(said(flags) == "");
    CHECK(listeners(flags) == "udp 192.0.2.1:443, tcp 192.0.2.1:443, tls 192.0.2.1:443 (cert.pem+key.pem), "
                              "dtls 192.0.2.1:443 (cert.pem+key.pem), tls [2001:db8::1]:5349 (cert.pem+key.pem), "
                              "dtls [2001:db8::1]:5349 (cert.pem+key.pem)");

    // Alone it leaves the default for the others.
    const configuration variables =
        with({}, {{"TURND_TLS_LISTEN", "192.0.2.1:5349"}, {"TURND_CERT", pem.cert}, {"TURND_KEY", pem.key}});
    CHECK(said(variables) == "");
    CHECK(listeners(variables) == "udp 0.0.0.0:3478, tcp 0.0.0.0:3478, udp [::]:3478, tcp [::]:3478, "
                                  "tls 192.0.2.1:5349 (cert.pem+key.pem), dtls 192.0.2.1:5349 (cert.pem+key.pem)");
}

TEST_CASE("turnd: several certificates are paired with their keys in the order given") {
    const pem_files pem;
    const std::string pairs = "tls 192.0.2.1:5349 (cert.pem+key.pem cert2.pem+key2.pem)";
    CHECK(contains(listeners(with({"--tls-listen", "192.0.2.1:5349", "--cert", pem.cert, "--key", pem.key, "--cert",
                                   pem.cert2, "--key", pem.key2})),
                   pairs));
    CHECK(contains(listeners(with({}, {{"TURND_TLS_LISTEN", "192.0.2.1:5349"},
                                       {"TURND_CERT", pem.cert + ", " + pem.cert2},
                                       {"TURND_KEY", pem.key + "," + pem.key2}})),
                   pairs));
    CHECK(listeners(
              with_file(table("transports = [\"tls\"]\ncertificate = [" + quoted(pem.cert) + "," + quoted(pem.cert2) +
                              "]\nkey = [" + quoted(pem.key) + "," + quoted(pem.key2) + "]"))) == pairs);
}

TEST_CASE("turnd: a table of the file names its transports and is udp and tcp when it names none") {
    const pem_files pem;
    const std::string pair = "certificate = " + quoted(pem.cert) + "\nkey = " + quoted(pem.key) + "\n";
    CHECK(listeners(with_file(table(""))) == "udp 192.0.2.1:5349, tcp 192.0.2.1:5349");
    CHECK(listeners(with_file(table("transports = [\"tcp\"]"))) == "tcp 192.0.2.1:5349");
    const configuration both = with_file(table("transports = [\"tcp\", \"tls\"]\n" + pair));
    CHECK(said(both) == "");
    CHECK(listeners(both) == "tcp 192.0.2.1:5349, tls 192.0.2.1:5349 (cert.pem+key.pem)");
    CHECK(listeners(with_file(table("transports = [\"udp\", \"dtls\"]\n" + pair))) ==
          "udp 192.0.2.1:5349, dtls 192.0.2.1:5349 (cert.pem+key.pem)");
    // The same address in another table, over another transport.
    CHECK(listeners(with_file(table("transports = [\"udp\"]") + table("transports = [\"tls\"]\n" + pair))) ==
          "udp 192.0.2.1:5349, tls 192.0.2.1:5349 (cert.pem+key.pem)");
}

TEST_CASE("turnd: flags and variables replace the listeners of their own kind") {
    const pem_files pem;
    const std::string file =
        "[[listener]]\naddress = \"127.0.0.1:1\"\n" +
        table("transports = [\"tls\"]\ncertificate = " + quoted(pem.cert) + "\nkey = " + quoted(pem.key));
    const std::string tls = "tls 192.0.2.1:5349 (cert.pem+key.pem)";
    CHECK(listeners(with({}, {}, file)) == "udp 127.0.0.1:1, tcp 127.0.0.1:1, " + tls);
    CHECK(listeners(with({"--listen", "127.0.0.2:2"}, {}, file)) == tls + ", udp 127.0.0.2:2, tcp 127.0.0.2:2");
    CHECK(listeners(with({"--listen", "127.0.0.2:2"}, {{"TURND_LISTEN", "127.0.0.3:3"}}, file)) ==
          tls + ", udp 127.0.0.2:2, tcp 127.0.0.2:2");

    const std::vector<std::string> other{"--tls-listen", "127.0.0.4:4", "--cert", pem.cert2, "--key", pem.key2};
    CHECK(listeners(with(other, {}, file)) == "udp 127.0.0.1:1, tcp 127.0.0.1:1, tls 127.0.0.4:4 (cert2.pem+key2.pem), "
                                              "dtls 127.0.0.4:4 (cert2.pem+key2.pem)");
    CHECK(listeners(with(other, {{"TURND_TLS_LISTEN", "127.0.0.5:5"}}, file)) ==
          "udp 127.0.0.1:1, tcp 127.0.0.1:1, tls 127.0.0.4:4 (cert2.pem+key2.pem), dtls 127.0.0.4:4 "
          "(cert2.pem+key2.pem)");

    // Certificates of a flag beat those of variables, which beat those of the file.
    const environment variables{{"TURND_CERT", pem.cert2}, {"TURND_KEY", pem.key2}};
    CHECK(contains(listeners(with({}, variables, file)), "tls 192.0.2.1:5349 (cert2.pem+key2.pem)"));
    CHECK(contains(listeners(with({"--cert", pem.cert, "--key", pem.key}, variables, file)), tls));
    // A list of tables is all there is, so none of the default is left.
    CHECK(contains(said(with({}, {}, "listener = []\n")), "there is no listener"));
}

TEST_CASE("turnd: TLS without a certificate is a problem of who asked for it") {
    CHECK(said(with_file(table("transports = [\"udp\", \"tls\"]"))) ==
          "turnd.toml:2: listener.address = \"192.0.2.1:5349\": TLS needs a certificate and its key; write certificate "
          "= \"FILE\" and key = \"FILE\" in this [[listener]]");
    CHECK(said(with({"--tls-listen", "192.0.2.1:5349"})) ==
          "command line: --tls-listen = \"192.0.2.1:5349\": TLS needs a certificate and its key; give --cert FILE and "
          "--key FILE");
    CHECK(contains(said(with_file(table("transports = [\"dtls\"]"))), "TLS needs a certificate and its key"));
    CHECK(contains(said(with({}, {{"TURND_TLS_LISTEN", "192.0.2.1:5349"}})),
                   "environment: TURND_TLS_LISTEN = \"192.0.2.1:5349\": TLS needs a certificate"));
}

TEST_CASE("turnd: certificates and keys that are no pairs are problems") {
    const pem_files pem;
    const std::string cert = quoted(pem.cert);
    const std::string key = quoted(pem.key);
    const auto of = [](const std::string& lines) { return said(with_file(table("transports = [\"tls\"]\n" + lines))); };
    CHECK(of("certificate = " + cert) == "turnd.toml:4: listener.certificate = " + cert +
                                             ": the certificate has no key; write key = \"FILE\" beside it");
    CHECK(of("key = " + key) == "turnd.toml:4: listener.key = " + key +
                                    ": the key has no certificate; write certificate = \"FILE\" beside it");
    CHECK(of("certificate = [" + cert + ", " + cert + "]\nkey = " + key) ==
          "turnd.toml:4: listener.certificate = " + cert +
              ": 2 certificates and 1 key are no pairs; list a key for each certificate, in the same order");

    CHECK(said(with({"--tls-listen", "192.0.2.1:1", "--cert", pem.cert})) ==
          "command line: --cert = " + cert +
              ": the certificate has no key; give --key FILE for each --cert, in the same order");
    CHECK(said(with({"--tls-listen", "192.0.2.1:1"}, {{"TURND_KEY", pem.key}})) ==
          "environment: TURND_KEY = " + key +
              ": the key has no certificate; give --cert FILE for each --key, in the same order");
    CHECK(contains(said(with({"--tls-listen", "192.0.2.1:1", "--cert", pem.cert, "--key", pem.key, "--key", pem.key2})),
                   "there are 1 certificates and 2 keys"));
}

TEST_CASE("turnd: a certificate that nothing uses is an error since TLS was meant") {
    const pem_files pem;
    const std::string pair = "certificate = " + quoted(pem.cert) + "\nkey = " + quoted(pem.key) + "\n";
    CHECK(said(with_file(table(pair))) ==
          "turnd.toml:3: listener.certificate = " + quoted(pem.cert) +
              ": this listener has no TLS that would use the certificate; add \"tls\" to its transports, or leave "
              "certificate and key out");
    CHECK(said(with({"--cert", pem.cert, "--key", pem.key})) ==
          "command line: --cert = " + quoted(pem.cert) +
              ": there is no TLS listener that would use the certificate; give --tls-listen ADDR:PORT, or leave "
              "certificate and key out");
}

TEST_CASE("turnd: files of certificates and keys must be readable") {
    const pem_files pem;
    CHECK(
        said(with_file(table("transports = [\"tls\"]\ncertificate = \"/nonexistent/a\"\nkey = \"/\""))) ==
        "turnd.toml:4: listener.certificate = \"/nonexistent/a\": the file cannot be read: No such file or directory; "
        "create it or correct the path\n"
        "turnd.toml:5: listener.key = \"/\": this is a directory; name a file");
    CHECK(said(with({"--tls-listen", "192.0.2.1:1", "--cert", pem.file("empty", ""), "--key", ""})) ==
          "command line: --cert = " + quoted(pem.path("empty")) +
              ": the file is empty; name another one\n"
              "command line: --key: the path is empty; name a file");
}

TEST_CASE("turnd: transports that there are not are told from those that are misspelt") {
    const auto of = [](const std::string& transports) {
        return said(with_file(table("transports = [" + transports + "]")));
    };
    CHECK(of("\"tpc\"") ==
          "turnd.toml:3: listener.transports = \"tpc\": there is no such transport; did you mean \"tcp\"?");
    CHECK(contains(of("\"TCP\""), "did you mean \"tcp\"?"));
    CHECK(contains(of("\"quic\""), "the transports are \"udp\", \"tcp\", \"tls\" and \"dtls\""));
    CHECK(contains(of("\"tcp\", \"tcp\""), "listener.transports = \"tcp\": this transport is given twice"));
    // Every problem of a table at once, and none that follows from another.
    const std::string all = said(with_file("[[listener]]\naddress = \"nowhere\"\ntransports = [\"tpc\", \"dtsl\"]\n"
                                           "certificate = \"/nonexistent\"\nkey = \"/nonexistent\"\nrealm = \"\"\n"));
    CHECK(contains(all, "turnd.toml:2: listener.address = \"nowhere\""));
    CHECK(contains(all, "turnd.toml:3: listener.transports = \"tpc\""));
    CHECK(contains(all, "turnd.toml:3: listener.transports = \"dtsl\""));
    CHECK(contains(all, "turnd.toml:4: listener.certificate = \"/nonexistent\""));
    CHECK(contains(all, "turnd.toml:5: listener.key = \"/nonexistent\""));
    CHECK(contains(all, "turnd.toml:6: listener.realm"));
    CHECK(std::count(all.begin(), all.end(), '\n') == 5);
}

TEST_CASE("turnd: members of a listener of the wrong kind say what is wanted") {
    const auto of = [](const std::string& line) { return said(with_file(table(line))); };
    CHECK(of("transports = []") == "turnd.toml:3: listener.transports: this is not a list of texts; write transports = "
                                   "[\"udp\", \"tcp\"]");
    CHECK(contains(of("transports = \"udp\""), "listener.transports = \"udp\": this is not a list of texts"));
    CHECK(contains(of("transports = [1]"), "listener.transports = \"1\": this is not a list of texts"));
    CHECK(of("certificate = 5") == "turnd.toml:3: listener.certificate = \"5\": this is neither a text nor a list of "
                                   "texts; write certificate = \"/etc/turnd/fullchain.pem\"");
    CHECK(contains(of("key = [5]"), "listener.key = \"5\": this is neither a text nor a list of texts; write key = "));
    CHECK(contains(of("certificates = \"x\""), "did you mean certificate?"));
}

TEST_CASE("turnd: keys of TLS outside a listener are sent into one") {
    const auto of = [](const std::string& line) { return said(with_file(line + "\n")); };
    CHECK(of("certificate = \"x\"") ==
          "turnd.toml:1: certificate = \"x\": there is no such key; did you mean certificate in [[listener]]?");
    CHECK(contains(of("cert = \"x\""), "did you mean certificate in [[listener]]?"));
    CHECK(contains(of("key = \"x\""), "did you mean key in [[listener]]?"));
    CHECK(contains(of("tls-listen = \"0.0.0.0:5349\""), "did you mean transports in [[listener]]?"));
    CHECK(contains(of("\"listener.key\" = \"x\""), "turnd.toml:1: listener.key = \"x\": there is no such key"));
}

TEST_CASE("turnd: a listener is given twice when address and transport are the same") {
    CHECK(said(with_file(table("") + table("transports = [\"tcp\"]"))) ==
          "turnd.toml:5: listener.address = \"192.0.2.1:5349\": this listener is given twice; leave one of them out");
    CHECK(contains(said(with({"--listen", "192.0.2.1:1", "--listen", "192.0.2.1:1"})),
                   "command line: --listen = \"192.0.2.1:1\": this listener is given twice"));
    const pem_files pem;
    CHECK(said(with({"--tls-listen", "192.0.2.1:1", "--tls-listen", "192.0.2.1:1", "--cert", pem.cert, "--key",
                     pem.key})) == "command line: --tls-listen = \"192.0.2.1:1\": this listener is given twice; leave "
                                   "one of them out");
}

TEST_CASE("turnd: limits of connections have sensible ranges") {
    const auto of = [](const std::string& flag, const std::string& value) { return said(with({flag, value})); };
    struct range {
        std::string flag, least, most;
    };
    for (const range& r : std::vector<range>{
             {"--connections-without-allocation", "1", "100000000"},
             {"--connections-per-source", "1", "100000000"},
             {"--connection-idle-timeout", "1s", "1d"},
             {"--tls-handshake-timeout", "1s", "1h"},
             {"--client-queue-bytes", "65536", "1073741824"}, // the longest message fits
             {"--client-queue-age", "10ms", "1m"},
         }) {
        CAPTURE(r.flag);
        CHECK(of(r.flag, r.least) == "");
        CHECK(of(r.flag, r.most) == "");
        CHECK(contains(of(r.flag, r.most.back() >= 'a' ? "0s" : "0"), "write one from " + r.least + " to " + r.most));
    }
}
