/// turnctl: the operator's tool.

#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>

#include "turnctl/run.hpp"

int main(int argc, char** argv) {
    try {
        std::signal(SIGPIPE, SIG_IGN);
        turnctl::console standard{std::cin, std::cout, std::cerr};
        return turnctl::run({argv + 1, argv + argc}, standard);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "turnctl: %s\n", e.what());
        return turnctl::exit_critical;
    }
}
