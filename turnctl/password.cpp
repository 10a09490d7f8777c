#include "turnctl/password.hpp"

#include <cerrno>
#include <csignal>
#include <istream>
#include <optional>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "file_text.hpp"
#include "parse_value.hpp"

namespace turnctl {
namespace {

using turnd::complaint;
using turnd::parsed;

constexpr std::size_t longest_password = 4096; ///< bytes

volatile std::sig_atomic_t signal_that_came = 0;

void note_signal(int number) {
    signal_that_came = number;
}

/// While it lives, Ctrl-C and its like are noted and end a read(), so that the terminal gets its echo back first.
class signals_noted {
public:
    signals_noted() {
        signal_that_came = 0;
        struct sigaction note {};
        note.sa_handler = note_signal;
        for (std::size_t i = 0; i < 3; ++i) ::sigaction(numbers[i], &note, &before_[i]);
    }
    signals_noted(const signals_noted&) = delete;
    signals_noted& operator=(const signals_noted&) = delete;
    ~signals_noted() {
        for (std::size_t i = 0; i < 3; ++i) ::sigaction(numbers[i], &before_[i], nullptr);
        if (signal_that_came != 0) ::raise(signal_that_came);
    }

private:
    static constexpr int numbers[3] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction before_[3]{};
};

class terminal {
public:
    explicit terminal(const std::string& path) : file_(::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        silent_ = file_ >= 0 && ::tcgetattr(file_, &before_) == 0;
        if (!silent_) return;
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        quiet.c_lflag |= ECHONL;
        silent_ = ::tcsetattr(file_, TCSAFLUSH, &quiet) == 0;
    }
    terminal(const terminal&) = delete;
    terminal& operator=(const terminal&) = delete;
    ~terminal() {
        if (silent_) ::tcsetattr(file_, TCSAFLUSH, &before_);
        if (file_ >= 0) ::close(file_);
    }

    [[nodiscard]] bool silent() const noexcept { return silent_; }

    /// A line without its end; nothing: interrupted, or the terminal is gone.
    [[nodiscard]] std::optional<std::string> ask(std::string_view question) const {
        if (::write(file_, question.data(), question.size()) < 0) return {};
        std::string line;
        char c = 0;
        for (;;) {
            const ssize_t n = ::read(file_, &c, 1);
            if (n == 1 && c == '\n') return line;
            if (n != 1 || line.size() > longest_password) break;
            line.push_back(c);
        }
        turnd::wipe(line);
        return {};
    }

private:
    int file_;
    bool silent_ = false;
    termios before_{};
};

parsed<std::string> ask_twice(const std::string& path) {
    const signals_noted signals;
    const terminal asked(path);
    if (!asked.silent())
        return complaint{"there is no terminal to ask for the password",
                         "give it by --password-stdin or --password-file"};
    auto first = asked.ask("password: ");
    auto second = first ? asked.ask("once more: ") : std::nullopt;
    const bool same = first && second && *first == *second;
    if (second) turnd::wipe(*second);
    if (same) return *std::move(first);
    if (first) turnd::wipe(*first);
    if (!second) return complaint{"no password was entered", "try again"};
    return complaint{"the two are not the same", "try again"};
}

/// Text that is one line, its end left out.
parsed<std::string> only_line(std::string text) {
    auto lines = turnd::lines_of(text);
    turnd::wipe(text);
    if (lines.size() == 1) return std::move(lines.front().text);
    const bool none = lines.empty();
    for (turnd::numbered_line& line : lines) turnd::wipe(line.text);
    if (none) return complaint{"the password is empty", "choose one that is hard to guess"};
    return complaint{"there is more than one line", "write the password on one line, alone"};
}

parsed<std::string> from_stream(std::istream& in) {
    std::string text(longest_password + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > longest_password) {
        turnd::wipe(text);
        return complaint{"the password is longer than 4096 bytes", "shorten it"};
    }
    return only_line(std::move(text));
}

parsed<std::string> from_file(const std::string& path) {
    auto text = turnd::read_file(path, longest_password);
    if (!text) return text.error();
    return only_line(*std::move(text));
}

} // namespace

parsed<std::string> read_password(const password_source& from, console& to) {
    auto password = from.standard_input ? from_stream(to.in)
                    : from.file.empty() ? ask_twice(from.terminal)
                                        : from_file(from.file);
    if (!password) return password.error();
    if (auto why = turnd::check_password(*password)) {
        turnd::wipe(*password);
        return *std::move(why);
    }
    return *std::move(password);
}

} // namespace turnctl
