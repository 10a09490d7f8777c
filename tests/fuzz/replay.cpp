/// Runs a fuzz target without a fuzzer: every seed, every prefix of it, every byte of it changed in a few ways, and a
/// fixed number of random mutations. The same inputs on every machine, so that a failure is found again.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "fuzz.hpp"

namespace {

using input = std::vector<std::uint8_t>;

constexpr int random_mutations_per_seed = 1000;

input running;

/// Prints what ended the process, ready for `xxd -r -p`.
extern "C" void print_running(int) {
    std::fputs("with this input:\n", stderr);
    for (const auto b : running) std::fprintf(stderr, "%02x", static_cast<unsigned>(b));
    std::fputc('\n', stderr);
}

std::size_t inputs = 0;

void run(const input& in) {
    running = in;
    // Exactly as large as the input, so that the sanitizers see one byte too far.
    const auto copy = std::make_unique<std::uint8_t[]>(in.size());
    std::ranges::copy(in, copy.get());
    LLVMFuzzerTestOneInput(copy.get(), in.size());
    ++inputs;
}

void mutate(input& in, std::mt19937& random, const std::vector<input>& seeds) {
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
    const auto byte = [&] { return static_cast<std::uint8_t>(random() & 0xff); };
    const auto position = [&] { return in.begin() + static_cast<std::ptrdiff_t>(below(in.size() + 1)); };
    switch (below(6)) {
    case 0: // flip a bit
        if (!in.empty()) in[below(in.size())] ^= static_cast<std::uint8_t>(1U << below(8));
        break;
    case 1: // another byte
        if (!in.empty()) in[below(in.size())] = byte();
        break;
    case 2: // a word more
        in.insert(position(), 4, byte());
        break;
    case 3: // a word less
        if (in.size() >= 4) {
            const auto at = in.begin() + static_cast<std::ptrdiff_t>(below(in.size() - 3));
            in.erase(at, at + 4);
        }
        break;
    case 4: // cut
        in.resize(below(in.size() + 1));
        break;
    default: { // the end of another seed
        const input& other = seeds[below(seeds.size())];
        const auto from = static_cast<std::ptrdiff_t>(below(other.size() + 1));
        in.insert(position(), other.begin() + from, other.end());
    }
    }
}

void run_with_mutations(const input& seed, const std::vector<input>& seeds, std::mt19937& random) {
    run(seed);
    for (std::size_t size = 0; size < seed.size(); ++size)
        run({seed.begin(), seed.begin() + static_cast<std::ptrdiff_t>(size)});
    for (std::size_t i = 0; i < seed.size(); ++i) {
        for (const int change : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
            input changed = seed;
            changed[i] = static_cast<std::uint8_t>(seed[i] + change);
            run(changed);
        }
    }
    for (int round = 0; round < random_mutations_per_seed; ++round) {
        input changed = seed;
        for (std::size_t n = 1 + random() % 4; n > 0; --n) mutate(changed, random, seeds);
        run(changed);
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    std::signal(SIGABRT, print_running);

    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry.path());
    std::ranges::sort(files);
    std::vector<input> seeds;
    for (const auto& file : files) {
        std::ifstream in(file, std::ios::binary);
        seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    if (seeds.empty()) {
        std::fprintf(stderr, "%s holds no seed\n", argv[1]);
        return 1;
    }

    std::mt19937 random(5389);
    for (std::size_t i = 0; i < seeds.size(); ++i) {
        run_with_mutations(seeds[i], seeds, random);
        std::printf("%s: fine\n", files[i].filename().c_str());
    }
    std::printf("%zu inputs from %zu seeds\n", inputs, seeds.size());
    return 0;
}
