// Standard descriptors of this process that lead elsewhere for a while.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "common/posix/descriptor.h"

namespace holdfast::cli {

class Redirected {
 public:
  Redirected(std::FILE* stream, int to)
      : stream_(stream), number_(::fileno(stream)), before_(::dup(number_)) {
    std::fflush(stream_);
    EXPECT_EQ(::dup2(to, number_), number_);
  }
  // What could not be written is forgotten.
  ~Redirected() {
    if (stream_ != stdin) std::fflush(stream_);
    ::__fpurge(stream_);
    std::clearerr(stream_);
    ::dup2(before_.get(), number_);
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

 private:
  std::FILE* const stream_;
  const int number_;
  const Descriptor before_;
};

// A terminal whose other end is this test.
class Terminal {
 public:
  explicit Terminal(unsigned short columns = 80) : master_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    EXPECT_EQ(::grantpt(master_.get()), 0);
    EXPECT_EQ(::unlockpt(master_.get()), 0);
    slave_ = Descriptor(::open(::ptsname(master_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_TRUE(slave_);
    termios raw{};
    ::tcgetattr(slave_.get(), &raw);
    ::cfmakeraw(&raw);
    ::tcsetattr(slave_.get(), TCSANOW, &raw);
    const winsize size{24, columns, 0, 0};
    EXPECT_EQ(::ioctl(slave_.get(), TIOCSWINSZ, &size), 0);
    EXPECT_EQ(::fcntl(master_.get(), F_SETFL, O_NONBLOCK), 0);
  }
  int descriptor() const { return slave_.get(); }
  // What it was told since the last time.
  std::string shown() {
    std::string text;
    std::array<char, 4096> piece{};
    for (;;) {
      const ssize_t count = ::read(master_.get(), piece.data(), piece.size());
      if (count <= 0) return text;
      text.append(piece.data(), static_cast<std::size_t>(count));
    }
  }

 private:
  Descriptor master_, slave_;
};

}  // namespace holdfast::cli
