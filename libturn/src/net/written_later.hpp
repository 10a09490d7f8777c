#pragma once
/// Bytes on their way to a socket that may not take them at once: a stretch of a stream, or datagrams one by one.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "turn/packet.hpp"

namespace turn::net {

/// Bounded by whoever puts something in.
class written_later {
public:
    /// The end of `stream()` is where the next bytes of a stream go.
    [[nodiscard]] std::vector<std::byte>& stream() noexcept { return data_; }
    void put_datagram(bytes whole) {
        data_.insert(data_.end(), whole.begin(), whole.end());
        sizes_.push_back(whole.size());
    }

    /// What one write takes: the first datagram, or all there is of a stream. Valid until something is put in.
    [[nodiscard]] bytes front() const noexcept {
        const bytes all = bytes(data_).subspan(begin_);
        return sizes_.empty() ? all : all.first(sizes_.front());
    }
    /// So many bytes are written (or, of a datagram, will never be).
    void written(std::size_t count) {
        begin_ += count;
        flushed_ += count;
        if (!sizes_.empty()) sizes_.pop_front();
        if (begin_ == data_.size()) {
            data_.clear();
            begin_ = 0;
        }
    }
    /// Bytes that ever went in, and out: whatever was put in is written when flushed() has reached what queued() was.
    [[nodiscard]] std::uint64_t queued() const noexcept { return flushed_ + (data_.size() - begin_); }
    [[nodiscard]] std::uint64_t flushed() const noexcept { return flushed_; }

private:
    std::vector<std::byte> data_{};
    std::size_t begin_ = 0;           ///< of data_, what is written already
    std::deque<std::size_t> sizes_{}; ///< of datagrams
    std::uint64_t flushed_ = 0;
};

} // namespace turn::net
