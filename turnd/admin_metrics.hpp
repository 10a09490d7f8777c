#pragma once
/// GET /metrics: Prometheus' text format. Names and labels are a contract with dashboards and alerts; no label's values
/// come from clients, so their number is bounded.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "admin_numbers.hpp"

namespace turnd {

std::string metrics_text(const admin_numbers&);

/// Writes families of samples. Prometheus wants all samples of one family together, below its TYPE.
class metrics_writer {
public:
    using labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    /// `type`: "counter", "gauge" or "histogram".
    void family(std::string_view name, std::string_view type, std::string_view help);
    /// Of the family begun last, with `suffix` ("_bucket") behind its name.
    void sample(labels, double value, std::string_view suffix = {});
    void sample(labels, std::uint64_t value, std::string_view suffix = {});

    [[nodiscard]] std::string take() && { return std::move(text_); }

private:
    void begin_sample(labels, std::string_view suffix);

    std::string name_;
    std::string text_;
};

} // namespace turnd
