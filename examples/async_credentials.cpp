// Credentials from a slow database: the server asks, another thread answers. Usage: async_credentials [LISTEN]
#include "turn/server.hpp"
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <thread>

struct question {
    std::string username, realm;
    turn::stun::password_algorithm_number algorithm;
    turn::credential_reply reply;
};

/// A thread that may take its time; the server's threads only leave a question here.
class database {
public:
    ~database() { post({}), thread_.join(); } // nobody's question: the end
    void post(question q) {
        const std::lock_guard lock(mutex_);
        questions_.push_back(std::move(q)); // bound this when answers may be late: the server waits 10 s for each
        asked_.notify_one();
    }

private:
    void answer_all() {
        for (;;) {
            std::unique_lock lock(mutex_);
            asked_.wait(lock, [this] { return !questions_.empty(); });
            const question q = std::move(questions_.front());
            questions_.pop_front();
            lock.unlock();
            if (!q.reply) return;
            const auto key = turn::stun::long_term_key(q.algorithm, q.username, q.realm, "secret");
            const bool known = q.username == "ann" && key; // here a real one would read its table
            std::printf("looked up %s\n", known ? "ann" : "a stranger");
            q.reply(known ? turn::credential_answer(turn::credential{*key}) : turn::reason::unknown_user);
        }
    }
    std::mutex mutex_;
    std::condition_variable asked_;
    std::deque<question> questions_;
    std::thread thread_{[this] { answer_all(); }}; // last: it uses what is above
};

int main(int argc, char** argv) {
    const auto listen = turn::transport_address::parse(argc > 1 ? argv[1] : "127.0.0.1:3478");
    database users; // before the server, which asks until its end; replies after that do nothing
    turn::server_options options;
    options.realm = "example.org";
    if (listen) options.listeners = {{.local = *listen}}, options.relay_addresses = {{.bind = *listen}};
    options.credentials = [&users](const turn::credential_question& who, turn::credential_reply reply) {
        users.post({std::string(who.username), std::string(who.realm), who.algorithm, std::move(reply)});
    };
    const auto server = turn::server::start(std::move(options));
    if (!server) return std::fprintf(stderr, "%s\n", server.error().what.c_str()), 1;
    std::printf("listening on %s\n", server->description().listeners.front().local.to_string().c_str());
    std::fflush(stdout);
    std::getchar(); // Enter or the end of the input stops it
}
