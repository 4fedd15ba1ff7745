#include "agent/posix/stream_source.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "agent/posix/source_paths.h"
#include "common/base/text.h"
#include "common/posix/system_call.h"

namespace holdfast::agent {
namespace {

constexpr std::uint32_t kFileMode = S_IFREG | 0600;  // nobody said who else may read it
constexpr std::uint32_t kFolderMode = S_IFDIR | 0755;

Error stopped() { return Error(Code::kInterrupted, "the stream was stopped"); }

}  // namespace

// Waits for bytes or for cancel(), so that a stream that stalls holds nobody up.
class StreamSource::Reader final : public ContentReader {
 public:
  Reader(StreamSource& source, int fd) : source_(source), fd_(fd) {}

  Result<std::size_t> read(MutableByteView out) override {
    std::size_t filled = 0;
    while (filled < out.size()) {
      auto more = read_some(out.subspan(filled));
      if (!more) {
        source_.become(State::kFailed, more.error());
        return more;
      }
      if (*more == 0) {
        source_.become(State::kAtEnd);
        break;
      }
      filled += *more;
    }
    return filled;
  }
  Result<std::optional<Entry>> changed_since(const Entry&) override {
    return std::optional<Entry>();
  }

 private:
  Result<std::size_t> read_some(MutableByteView out) const {
    ssize_t length = -1;
    do {
      std::array<pollfd, 2> watched{{{fd_, POLLIN, 0}, {source_.cancelled_.get(), POLLIN, 0}}};
      if (retry_interrupted([&] { return ::poll(watched.data(), watched.size(), -1); }) < 0)
        return error_from_errno(errno, "poll");
      if (watched[1].revents != 0) return stopped();
      length = retry_interrupted([&] { return ::read(fd_, out.data(), out.size()); });
      // Another process may have set the descriptor to fail rather than wait: poll() waits for it.
    } while (length < 0 && errno == EAGAIN);
    if (length < 0) return error_from_errno(errno, "reading the stream");
    return static_cast<std::size_t>(length);
  }

  StreamSource& source_;
  const int fd_;
};

Result<std::unique_ptr<StreamSource>> StreamSource::create(const std::string& name,
                                                           std::unique_ptr<StreamOrigin> origin,
                                                           UnixTime now) {
  // ".." would be resolved by what this machine has there.
  const std::string absolute = "/" + name;
  if (name.ends_with('/') || (absolute + "/").find("/../") != std::string::npos)
    return Error(Code::kInvalidArgument,
                 fmt::format("\"{}\" is not the name of a file", printable(name)));
  HOLDFAST_ASSIGN_OR(const auto paths, SourcePaths::from({absolute}), "the stream's name");
  const std::string& path = paths.sources().front();
  if (path.empty())
    return Error(Code::kInvalidArgument,
                 fmt::format("\"{}\" is not the name of a file", printable(name)));

  Entry entry;
  entry.uid = ::geteuid();
  entry.gid = ::getegid();
  const std::int64_t since_1970 = std::max<std::int64_t>(now.nanoseconds, 0);
  entry.mtime = {since_1970 / 1'000'000'000,
                 static_cast<std::uint32_t>(since_1970 % 1'000'000'000)};
  entry.ctime = entry.mtime;
  entry.mode = kFolderMode;
  std::vector<Entry> entries{entry};  // the root
  for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
    entry.path = path.substr(0, slash);
    entries.push_back(entry);
  }
  entry.path = path;
  entry.mode = kFileMode;
  entry.size = kUnknownSize;
  entries.push_back(std::move(entry));
  Descriptor cancelled(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!cancelled) return error_from_errno(errno, "eventfd");
  return std::unique_ptr<StreamSource>(
      new StreamSource(std::move(entries), std::move(origin), std::move(cancelled)));
}

void StreamSource::become(State state, std::optional<Error> failure) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kFailed) return;
  state_ = state;
  failure_ = std::move(failure);
  changed_.notify_all();
}

Status StreamSource::scan(const std::function<bool(Entry&&)>& visit,
                          const std::function<void(ScanProblem&&)>&) {
  for (const Entry& entry : entries_)
    if (!visit(Entry(entry))) break;
  return {};
}

Result<std::unique_ptr<ContentReader>> StreamSource::open(const Entry& entry) {
  std::unique_lock lock(mutex_);
  if (entry.path != entries_.back().path || state_ != State::kUnopened)
    return Error(Code::kChanged, "a stream can be read only once");
  state_ = State::kReading;
  lock.unlock();
  auto fd = origin_->begin();
  if (!fd) {
    become(State::kFailed, fd.error());
    return std::move(fd).error();
  }
  return std::unique_ptr<ContentReader>(std::make_unique<Reader>(*this, *fd));
}

Result<std::vector<Entry>> StreamSource::next() {
  {
    std::unique_lock lock(mutex_);
    if (stopped_) return stopped();
    if (!std::exchange(scanned_, true)) return entries_;
    changed_.wait(
        lock, [this] { return stopped_ || state_ == State::kAtEnd || state_ == State::kFailed; });
    if (stopped_) return stopped();
    if (failure_) return *failure_;
  }
  HOLDFAST_TRY(origin_->finish(cancelled_.get()));
  return std::vector<Entry>();
}

void StreamSource::cancel() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
  const std::uint64_t one = 1;
  static_cast<void>(::write(cancelled_.get(), &one, sizeof one));
}

}  // namespace holdfast::agent
