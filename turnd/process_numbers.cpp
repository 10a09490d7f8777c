#include "process_numbers.hpp"

#include <cstdio>
#include <ctime>

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace turnd {
namespace {

double cpu_seconds() noexcept {
    timespec spent{};
    if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) != 0) return 0;
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
}

/// proc(5): the size and the resident set, in pages.
void read_memory(process_numbers& numbers) noexcept {
    std::FILE* file = std::fopen("/proc/self/statm", "re");
    if (file == nullptr) return;
    unsigned long long size = 0, resident = 0;
    if (std::fscanf(file, "%llu %llu", &size, &resident) == 2) { // NOLINT(cert-err34-c): the kernel writes numbers
        const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        numbers.virtual_bytes = size * page;
        numbers.resident_bytes = resident * page;
    }
    std::fclose(file);
}

/// Since Linux 6.2 the size of /proc/self/fd says it; before, its entries are counted.
std::uint64_t open_descriptors() noexcept {
    struct stat about {};
    if (::stat("/proc/self/fd", &about) == 0 && about.st_size > 0) return static_cast<std::uint64_t>(about.st_size);
    DIR* folder = ::opendir("/proc/self/fd");
    if (folder == nullptr) return 0;
    std::uint64_t entries = 0;
    while (::readdir(folder) != nullptr) ++entries;
    ::closedir(folder);
    return entries < 3 ? 0 : entries - 3; // ".", ".." and the folder itself
}

} // namespace

process_numbers read_process_numbers() {
    process_numbers numbers{.cpu_seconds = cpu_seconds(), .open_descriptors = open_descriptors()};
    read_memory(numbers);
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) numbers.descriptor_limit = limit.rlim_cur;
    return numbers;
}

} // namespace turnd
