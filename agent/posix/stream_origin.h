// Where a stream comes from that is backed up as one file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/posix/child_process.h"
#include "common/posix/descriptor.h"

namespace holdfast::agent {

// Its descriptor is read by one thread at a time.
class StreamOrigin {
 public:
  virtual ~StreamOrigin() = default;
  // The descriptor to read, which stays the origin's. Called once.
  virtual Result<int> begin() = 0;
  // Behind the end of the stream: whether that was all of it. Blocks until that is known, or until
  // `stop` can be read; then kInterrupted.
  virtual Status finish(int stop) = 0;
};

// Of this process.
class StandardInput final : public StreamOrigin {
 public:
  Result<int> begin() override;
  Status finish(int) override { return {}; }
};

// The standard output of a command, which fails unless the command ends with exit code 0. Its
// standard error is ours; so is its standard input. It is started by begin() and ended, if need be
// by force, when this is destroyed.
class CommandOutput final : public StreamOrigin {
 public:
  // The command and its arguments, at least one.
  explicit CommandOutput(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}
  Result<int> begin() override;
  Status finish(int stop) override;

 private:
  const std::vector<std::string> arguments_;
  // The child goes first: with nobody left to read, it may wait for good.
  Descriptor reading_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace holdfast::agent
