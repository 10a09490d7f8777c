#pragma once
/// Which servers to check and as whom: URIs from the command line and from a list.

#include <string>
#include <string_view>
#include <vector>

#include "turn/result.hpp"
#include "turnctl/check/check.hpp"

namespace turnctl::check {

inline constexpr std::size_t most_targets = 1000;

/// Errors are words for the operator that name what is wrong, and never quote a password.
template <class T>
using or_words = turn::result<T, std::string>;

/// A user name as it may be sent, and the password on the first line of a file.
or_words<who> read_user(const std::string& username, const std::string& password_file);

/// A URI that can be checked. `user` is sent to servers of turn: and turns: only.
or_words<target> parse_target(std::string_view uri, const who& user);

/// A target a line: URI, and user and password file where they differ from `user`; empty lines and those that begin
/// with # are left out. Paths are relative to where turnctl runs.
or_words<std::vector<target>> read_list(const std::string& path, const who& user);

} // namespace turnctl::check
