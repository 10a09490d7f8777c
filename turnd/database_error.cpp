#include "database_error.hpp"

namespace turnd {

std::string_view name_of(database_fault fault) noexcept {
    switch (fault) {
    case database_fault::missing:
        return "missing";
    case database_fault::locked:
        return "locked";
    case database_fault::damaged:
        return "damaged";
    case database_fault::foreign:
        return "foreign";
    case database_fault::outdated:
        return "outdated";
    case database_fault::full:
        return "full";
    case database_fault::not_permitted:
        return "not-permitted";
    case database_fault::out_of_memory:
        return "out-of-memory";
    case database_fault::broken_io:
        return "broken-io";
    }
    return "unknown";
}

complaint explain(const database_error& error) {
    const auto with_detail = [&](std::string_view what) { return std::string(what) + " (" + error.detail + ")"; };
    switch (error.why) {
    case database_fault::missing:
        return {"there is no such file", "`turnctl user add` makes it, or correct the path"};
    case database_fault::locked:
        return {with_detail("another program keeps the database locked"), "end that program, or wait for it"};
    case database_fault::damaged:
        return {with_detail("the database is damaged"),
                "put a backup in its place, without the files beside it that end in -wal and -shm, or delete all "
                "three and add the users again"};
    case database_fault::foreign:
        return {with_detail("this is no database of users that this version knows"),
                "name another file, or use the turnctl of the same version as turnd"};
    case database_fault::outdated:
        return {with_detail("the database was made by an earlier version"),
                "any change by `turnctl user` brings it up to date; or turn username-anonymity off"};
    case database_fault::full:
        return {with_detail("the file system of the database is full"), "make room"};
    case database_fault::not_permitted:
        return {with_detail("the database may not be used"),
                "let turnd's user read the file and write in its directory, where the database keeps -wal and -shm"};
    case database_fault::out_of_memory:
        return {"there was no memory for it", "add memory"};
    case database_fault::broken_io:
        return {with_detail("the file system failed"), "look at the kernel's log"};
    }
    return {};
}

} // namespace turnd
