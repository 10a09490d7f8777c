#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mapping_guard.hpp"
#include "turnd_room.hpp"

using turnd::mapping_guard;

namespace {

/// Two pages of a file, which is then cut off within them.
class mapped_file {
public:
    mapped_file() {
        const int file = ::open(place_.file("mapped", std::string(2 * page, 'x')).c_str(), O_RDWR | O_CLOEXEC);
        void* const mapped = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ::close(file);
        REQUIRE(mapped != MAP_FAILED);
        bytes = static_cast<volatile char*>(mapped);
    }
    ~mapped_file() { ::munmap(const_cast<char*>(bytes), 2 * page); }
    mapped_file(const mapped_file&) = delete;
    mapped_file& operator=(const mapped_file&) = delete;

    void cut_off(std::size_t at) const { std::filesystem::resize_file(place_.path("mapped"), at); }

    const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    volatile char* bytes = nullptr;

private:
    turnd::test::room place_{};
};

/// The signal that ends a child which does this; 0: it ended well.
template <class Deed>
int death_of(Deed deed) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        deed();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

} // namespace

TEST_CASE("mapping guard: what has been cut off reads as zeroes, and what has not as it was") {
    const mapped_file file;
    const mapping_guard guard;
    file.cut_off(file.page);
    CHECK(file.bytes[0] == 'x');
    CHECK(!mapping_guard::struck());
    CHECK(file.bytes[file.page + 7] == 0);
    CHECK(mapping_guard::struck());
    CHECK(!mapping_guard::struck()); // said once
    file.bytes[file.page + 7] = 'y';
    CHECK(file.bytes[file.page + 7] == 'y');
    CHECK(!mapping_guard::struck());
    CHECK(file.bytes[0] == 'x');
}

TEST_CASE("mapping guard: elsewhere SIGBUS is the end of the process, as ever") {
    const mapped_file file;
    file.cut_off(0);
    const auto touch = [&] { file.bytes[0] = file.bytes[1]; };
    CHECK(death_of([&] {
              const mapping_guard guard;
              touch();
          }) == 0);
    CHECK(death_of([&] {
              { const mapping_guard guard; }
              touch();
          }) == SIGBUS);
    CHECK(death_of([] {
              const mapping_guard guard;
              ::raise(SIGBUS);
          }) == SIGBUS);
}
