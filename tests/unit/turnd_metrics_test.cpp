#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "admin_metrics.hpp"
#include "turnd_admin_room.hpp"

using namespace turnd;
using namespace turnd::test;

namespace {

/// Prometheus' text format, read back: samples by "name{labels}" as they are written.
struct scraped {
    std::map<std::string, double> samples{};
    std::map<std::string, std::string> types{};
    std::string wrong{}; ///< the first line that is not of the format
};

bool is_name(std::string_view text) {
    if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
    return text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == text.npos;
}

/// The end of `name="value",...}`, or nothing.
std::optional<std::size_t> labels_end(std::string_view text, std::size_t at) {
    for (;;) {
        const std::size_t equals = text.find("=\"", at);
        if (equals == text.npos || !is_name(text.substr(at, equals - at))) return {};
        at = equals + 2;
        while (at < text.size() && text[at] != '"') {
            if (text[at] == '\\' &&
                (at + 1 == text.size() || std::string_view("\\\"n").find(text[at + 1]) == text.npos))
                return {};
            at += text[at] == '\\' ? 2 : 1;
        }
        if (at + 1 >= text.size()) return {};
        if (text[at + 1] == '}') return at + 2;
        if (text[at + 1] != ',') return {};
        at += 2;
    }
}

/// Whether a sample of this name belongs to the family.
bool belongs(std::string_view name, const std::string& family, const std::string& type) {
    if (type != "histogram") return name == family;
    return name == family + "_bucket" || name == family + "_sum" || name == family + "_count";
}

scraped scrape(const std::string& text) {
    scraped found;
    std::istringstream lines(text);
    std::string family, type;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string hash, kind, name;
        if (line.starts_with('#')) {
            words >> hash >> kind >> name;
            if (kind == "HELP") {
                family = name; // a family begins, and has not been there before
                type.clear();
                if (found.types.contains(name) || !is_name(name)) found.wrong = line;
            } else {
                words >> type;
                if (kind != "TYPE" || name != family || !found.types.emplace(name, type).second) found.wrong = line;
            }
        } else {
            const std::size_t brace = line.find('{'), space = line.find(' ');
            const bool labelled = brace < space;
            const auto end = labelled ? labels_end(line, brace + 1) : std::optional(space);
            if (!end || *end >= line.size() || line[*end] != ' ' ||
                !belongs(line.substr(0, std::min(brace, space)), family, type)) {
                found.wrong = line;
                return found;
            }
            char* rest = nullptr;
            const double value = std::strtod(line.c_str() + *end + 1, &rest);
            if (*rest != '\0' || !found.samples.emplace(line.substr(0, *end), value).second) found.wrong = line;
        }
        if (!found.wrong.empty()) return found;
    }
    return found;
}

} // namespace

TEST_CASE("turnd: every line of the metrics is of Prometheus' format and no sample is there twice") {
    const std::string text = metrics_text(some_numbers());
    CHECK(text.ends_with("\n"));
    const scraped found = scrape(text);
    CHECK(found.wrong == "");
    for (const auto& family : found.types) {
        const std::string& name = family.first;
        const std::string& type = family.second;
        CAPTURE(name);
        CHECK((name.starts_with("turnd_") || name.starts_with("process_")));
        CHECK((type == "counter") == name.ends_with("_total"));
    }
}

TEST_CASE("turnd: the metrics have the names and labels of the contract, with the server's numbers") {
    auto found = scrape(metrics_text(some_numbers()));
    const auto value = [&](const std::string& sample) {
        CAPTURE(sample);
        REQUIRE(found.samples.contains(sample));
        return found.samples[sample];
    };
    CHECK(value("turnd_allocations{transport=\"udp\",family=\"ipv4\"}") == 3);
    CHECK(value("turnd_allocations{transport=\"udp\",family=\"ipv6\"}") == 1);
    CHECK(value("turnd_allocations{transport=\"tls\",family=\"ipv4\"}") == 1);
    CHECK(value("turnd_allocations_total{transport=\"udp\",result=\"success\"}") == 7);
    CHECK(value("turnd_allocations_total{transport=\"udp\",result=\"refused\"}") == 9);
    CHECK(value("turnd_relay_bytes_total{direction=\"up\"}") == 9000);
    CHECK(value("turnd_relay_packets_total{direction=\"down\"}") == 180);
    CHECK(value("turnd_dropped_packets_total{direction=\"up\",reason=\"no-permission\"}") == 4);
    CHECK(value("turnd_dropped_packets_total{direction=\"up\",reason=\"send-refused\"}") == 2);
    CHECK(value("turnd_dropped_packets_total{direction=\"down\",reason=\"slow-reader\"}") == 6);
    CHECK(value("turnd_dropped_packets_total{direction=\"control\",reason=\"socket-buffer-full\"}") == 1);
    CHECK(value("turnd_icmp_errors_total{result=\"relayed\"}") == 21);
    CHECK(value("turnd_icmp_errors_total{result=\"no-permission\"}") == 22);
    CHECK(value("turnd_icmp_errors_total{result=\"icmp-type\"}") == 0);
    CHECK(value("turnd_requests_total{method=\"allocate\",result=\"challenged\"}") == 8);
    CHECK(value("turnd_refused_total{reason=\"bad-password\"}") == 17);
    CHECK(value("turnd_refused_total{reason=\"expired\"}") == 0); // there from the start: a rate needs two points
    CHECK(value("turnd_ports{state=\"used\"}") == 6);
    CHECK(value("turnd_ports{state=\"free\"}") == 5994);
    CHECK(value("turnd_ports{state=\"peak\"}") == 50);
    CHECK(value("turnd_connections{transport=\"tcp\"}") == 13);
    CHECK(value("turnd_tls_handshakes_total{result=\"success\"}") == 15);
    CHECK(value("turnd_tls_handshakes_total{result=\"failed\"}") == 16);
    CHECK(value("turnd_dtls_datagrams_total{result=\"session\"}") == 8);
    CHECK(value("turnd_dtls_datagrams_total{result=\"challenged\"}") == 7);
    CHECK(value("turnd_connections{transport=\"dtls\"}") == 2);
    CHECK(value("turnd_kernel_drops_total{socket=\"listener\"}") == 10);
    CHECK(value("turnd_kernel_drops_total{socket=\"relay\"}") == 8);
    CHECK(value("turnd_clients") == 3);
    CHECK(value("turnd_draining") == 0);
    CHECK(value("process_cpu_seconds_total") == 1.5);
    CHECK(value("process_open_fds") == 21);
    CHECK(value("process_start_time_seconds") == 1'795'224'874);
    CHECK(value("turnd_build_info{version=\"1.2.3\"}") == 1);
}

TEST_CASE("turnd: histograms are cumulative, in seconds and in packets, and a certificate's end is a time") {
    admin_numbers n = some_numbers();
    n.totals.shards.batches.counts = {5, 3, 0, 0, 0, 0, 0, 0, 0, 1, 2};
    n.totals.shards.batches.sum = 2000;
    n.totals.shards.latencies.counts = {0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1};
    n.totals.shards.latencies.sum = 160'000'000;
    n.certificates = {{*turn::transport_address::parse("[2001:db8::1]:5349"),
                       std::chrono::system_clock::time_point(std::chrono::seconds(1'800'000'000))}};
    auto found = scrape(metrics_text(n));
    CHECK(found.wrong == "");
    CHECK(found.types["turnd_batch_size"] == "histogram");
    CHECK(found.samples["turnd_batch_size_bucket{le=\"1\"}"] == 5);
    CHECK(found.samples["turnd_batch_size_bucket{le=\"256\"}"] == 8);
    CHECK(found.samples["turnd_batch_size_bucket{le=\"512\"}"] == 9);
    CHECK(found.samples["turnd_batch_size_bucket{le=\"+Inf\"}"] == 11);
    CHECK(found.samples["turnd_batch_size_count"] == 11);
    CHECK(found.samples["turnd_batch_size_sum"] == 2000);
    CHECK(found.samples["turnd_relay_latency_seconds_bucket{le=\"2.5e-05\"}"] == 0);
    CHECK(found.samples["turnd_relay_latency_seconds_bucket{le=\"5e-05\"}"] == 4);
    CHECK(found.samples["turnd_relay_latency_seconds_bucket{le=\"0.05\"}"] == 5);
    CHECK(found.samples["turnd_relay_latency_seconds_sum"] == doctest::Approx(0.16));
    CHECK(found.samples["turnd_certificate_expiry_timestamp_seconds{listener=\"[2001:db8::1]:5349\"}"] ==
          1'800'000'000);
}

TEST_CASE("turnd: the number of samples does not depend on who uses the server") {
    const auto before = scrape(metrics_text({})).samples.size();
    CHECK(scrape(metrics_text(some_numbers())).samples.size() == before);
}

TEST_CASE("turnd: values of labels may hold anything") {
    metrics_writer w;
    w.family("turnd_test", "gauge", "two\nlines, a \\ and a \"");
    w.sample({{"text", "a \"quote\", a \\, a line\nand }"}, {"other", ""}}, std::uint64_t{1});
    const std::string text = std::move(w).take();
    CHECK(text == "# HELP turnd_test two\\nlines, a \\\\ and a \"\n"
                  "# TYPE turnd_test gauge\n"
                  "turnd_test{text=\"a \\\"quote\\\", a \\\\, a line\\nand }\",other=\"\"} 1\n");
    CHECK(scrape(text).wrong == "");
    CHECK(scrape("turnd_test 1\n").wrong != ""); // and the reader above does find what is wrong
    CHECK(scrape("# HELP a b\n# TYPE a gauge\na{b=\"\\x\"} 1\n").wrong != "");
    CHECK(scrape("# HELP a b\n# TYPE a gauge\na 1\na 1\n").wrong != "");
}

TEST_CASE("turnd: what the kernel says of this process is believable") {
    const process_numbers numbers = read_process_numbers();
    CHECK(numbers.cpu_seconds > 0);
    CHECK(numbers.resident_bytes > 100'000);
    CHECK(numbers.virtual_bytes >= numbers.resident_bytes);
    CHECK(numbers.open_descriptors >= 3);
    CHECK(numbers.descriptor_limit >= numbers.open_descriptors);
}
