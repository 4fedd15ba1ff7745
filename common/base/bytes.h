// Views of bytes and the two owning kinds: Bytes for what is small and edited, Buffer for what is
// large and must not be zeroed, copied or compared by accident.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/check.h"

namespace holdfast {

using Byte = std::uint8_t;
using ByteView = std::span<const Byte>;
using MutableByteView = std::span<Byte>;
using Bytes = std::vector<Byte>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const Byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(std::string_view text) { return Bytes(text.begin(), text.end()); }
inline std::string to_string(ByteView bytes) { return std::string(as_text(bytes)); }
inline void append(Bytes& to, ByteView more) { to.insert(to.end(), more.begin(), more.end()); }

// A heap block of uninitialised bytes with a size below its capacity. Move-only.
class Buffer {
 public:
  Buffer() = default;
  // `size` bytes, not initialised.
  explicit Buffer(std::size_t size) : Buffer(size, size) {}
  Buffer(std::size_t size, std::size_t capacity)
      : data_(capacity != 0 ? new Byte[capacity] : nullptr), size_(size), capacity_(capacity) {
    check(size <= capacity, "a Buffer larger than its capacity");
  }
  static Buffer copy_of(ByteView bytes) {
    Buffer buffer(bytes.size());
    if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
    return buffer;
  }
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  Byte* data() { return data_.get(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  // Shrinks or grows within the capacity; grown bytes are not initialised.
  void resize(std::size_t size) {
    check(size <= capacity_, "a Buffer resized beyond its capacity");
    size_ = size;
  }
  ByteView view() const { return {data_.get(), size_}; }
  MutableByteView mutable_view() { return {data_.get(), size_}; }
  operator ByteView() const { return view(); }  // NOLINT: a Buffer is a view that owns

 private:
  std::unique_ptr<Byte[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Immutable bytes that several sockets, queues and threads may hold at once. The owner is whatever
// keeps the memory alive (a Buffer, a received message), so that nothing is copied between layers.
class SharedBytes {
 public:
  SharedBytes() = default;
  SharedBytes(ByteView view, std::shared_ptr<const void> owner)
      : view_(view), owner_(std::move(owner)) {}
  explicit SharedBytes(Buffer buffer) {
    auto owner = std::make_shared<const Buffer>(std::move(buffer));
    view_ = owner->view();
    owner_ = std::move(owner);
  }

  ByteView view() const { return view_; }
  operator ByteView() const { return view_; }  // NOLINT: it is a view that owns
  const Byte* data() const { return view_.data(); }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  // A part of the same memory.
  SharedBytes slice(std::size_t offset, std::size_t length) const {
    check(offset <= size() && length <= size() - offset, "a slice outside its bytes");
    return {view_.subspan(offset, length), owner_};
  }

 private:
  ByteView view_;
  std::shared_ptr<const void> owner_;
};

}  // namespace holdfast
