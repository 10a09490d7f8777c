#pragma once
/// What OpenSSL reads from and writes to when a session has no socket: the input and the output of the call that runs.

#include <cstddef>
#include <new>
#include <span>

#include <openssl/bio.h>

#include "turn/packet.hpp"

namespace turn::net {

/// Makes BIOs over a `Session` whose address stays. `Ends` says, of a session,
///  - `std::size_t read(Session&, std::span<std::byte>)`: how much was put there; 0: more may come later;
///  - `bool write(Session&, bytes)`: whether it was taken; may throw std::bad_alloc;
///  - `long control(Session&, int what, long number)`: see BIO_ctrl(3).
template <typename Session, typename Ends>
class tls_bio {
public:
    /// Null without memory.
    [[nodiscard]] static BIO* over(Session& session) noexcept {
        // Never freed: sessions of any thread may need it until the process ends.
        static const BIO_METHOD* const method = new_method();
        BIO* const bio = method ? BIO_new(method) : nullptr;
        if (!bio) return nullptr;
        BIO_set_data(bio, &session);
        BIO_set_init(bio, 1);
        return bio;
    }

    [[nodiscard]] static Session& session_of(BIO* bio) noexcept { return *static_cast<Session*>(BIO_get_data(bio)); }

private:
    static BIO_METHOD* new_method() noexcept {
        BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "session");
        if (!m) return nullptr;
        BIO_meth_set_read_ex(m, read);
        BIO_meth_set_write_ex(m, write);
        BIO_meth_set_ctrl(m, control);
        return m;
    }

    static int read(BIO* bio, char* to, std::size_t room, std::size_t* taken) {
        BIO_clear_retry_flags(bio);
        *taken = Ends::read(session_of(bio), {reinterpret_cast<std::byte*>(to), room});
        if (*taken == 0) BIO_set_retry_read(bio);
        return *taken == 0 ? 0 : 1;
    }

    static int write(BIO* bio, const char* from, std::size_t size, std::size_t* written) {
        BIO_clear_retry_flags(bio);
        *written = 0;
        try {
            if (!Ends::write(session_of(bio), {reinterpret_cast<const std::byte*>(from), size})) return 0;
        } catch (const std::bad_alloc&) { // must not pass through C
            return 0;
        }
        *written = size;
        return 1;
    }

    static long control(BIO* bio, int what, long number, void*) {
        return what == BIO_CTRL_FLUSH ? 1 : Ends::control(session_of(bio), what, number);
    }
};

} // namespace turn::net
