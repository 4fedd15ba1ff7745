// Reads the #include lines of the whole tree and holds them against the rules below. A new folder
// gets a row in kLayers; a file that must break a rule gets a row in kExceptions, with the reason.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/testing/source_tree.h"

namespace holdfast::testing {
namespace {

// May a layer touch threads, files, sockets and clocks, or are they given to it as ports?
enum class Kind { kCore, kShell };

struct Layer {
  std::string_view folder;
  Kind kind;
  std::vector<std::string_view> may_include;  // folders; all of a layer, not of layers within it
};

// The first row whose folder begins a path is the path's layer. A layer may include itself.
const std::vector<Layer> kLayers = {
    {"common/base/", Kind::kCore, {}},
    {"common/ports/", Kind::kCore, {"common/base/"}},
    {"common/crypto/", Kind::kCore, {"common/base/", "common/ports/"}},
    {"common/content/", Kind::kCore, {"common/base/", "common/ports/", "common/crypto/"}},
    {"common/format/",
     Kind::kCore,
     {"common/base/", "common/ports/", "common/crypto/", "common/content/"}},
    {"common/wire/",
     Kind::kCore,
     {"common/base/", "common/ports/", "common/crypto/", "common/content/", "common/format/"}},
    {"common/posix/",
     Kind::kShell,
     {"common/base/", "common/ports/", "common/crypto/", "common/content/", "common/format/",
      "common/wire/"}},

    {"agent/posix/",
     Kind::kShell,
     {"common/base/", "common/ports/", "common/crypto/", "common/content/", "common/format/",
      "common/wire/", "common/posix/", "agent/"}},
    {"agent/",
     Kind::kCore,
     {"common/base/", "common/ports/", "common/crypto/", "common/content/", "common/format/",
      "common/wire/"}},

    {"repository/posix/",
     Kind::kShell,
     {"common/base/", "common/ports/", "common/crypto/", "common/content/", "common/format/",
      "common/wire/", "common/posix/", "repository/store/", "repository/"}},
    {"repository/store/",
     Kind::kCore,
     {"common/base/", "common/ports/", "common/crypto/", "common/content/", "common/format/"}},
    {"repository/",
     Kind::kCore,
     {"common/base/", "common/ports/", "common/crypto/", "common/content/", "common/format/",
      "common/wire/", "repository/store/"}},

    {"cli/",
     Kind::kShell,
     {"common/base/", "common/ports/", "common/crypto/", "common/content/", "common/format/",
      "common/wire/", "common/posix/", "agent/", "agent/posix/", "repository/", "repository/store/",
      "repository/posix/"}},
    {"tests/",
     Kind::kShell,
     {"common/base/", "common/ports/", "common/crypto/", "common/content/", "common/format/",
      "common/wire/", "common/posix/", "agent/", "agent/posix/", "repository/", "repository/store/",
      "repository/posix/", "cli/"}},
};

// What a core never includes: a name, or with '/' at its end all below it.
const std::set<std::string_view> kOperatingSystemHeaders = {
    // POSIX and Linux
    "arpa/", "dirent.h", "dlfcn.h", "fcntl.h", "grp.h", "ifaddrs.h", "linux/", "net/", "netdb.h",
    "netinet/", "poll.h", "pthread.h", "pwd.h", "sched.h", "signal.h", "spawn.h", "sys/",
    "syslog.h", "termios.h", "time.h", "unistd.h",
    // the same through the standard library
    "barrier", "condition_variable", "csignal", "filesystem", "fstream", "future", "iostream",
    "latch", "mutex", "random", "semaphore", "shared_mutex", "stop_token", "thread"};

// The clocks, environment and randomness that reach a core without an include of their own.
const std::vector<std::string_view> kOperatingSystemNames = {
    "system_clock",  "steady_clock", "high_resolution_clock", "clock_gettime", "gettimeofday",
    "random_device", "getenv"};

struct Library {
  std::string_view header;  // begins the include
  std::vector<std::string_view> homes;
};

// Each library is wrapped in one place, so that replacing it, or reading how it is used, is one
// folder's work. Tests may use all.
const std::vector<Library> kLibraries = {
    {"openssl/", {"common/crypto/"}},
    {"zstd", {"common/content/"}},
    {"xxhash", {"common/content/"}},
    {"google/protobuf/", {"common/format/", "common/wire/"}},
    {"zmq", {"common/posix/"}},
    {"archive", {"agent/posix/"}},
    {"rocksdb/", {"repository/posix/"}},
    {"httplib", {"repository/posix/"}},
    {"systemd/", {"agent/posix/", "repository/posix/"}},
    {"toml++/", {"agent/posix/", "repository/posix/", "cli/"}},
    {"spdlog/", {"common/posix/", "agent/posix/", "repository/posix/", "cli/"}},
    {"nlohmann/", {"cli/"}},
    {"CLI/", {"cli/", "repository/posix/", "agent/posix/"}},
};

struct Exception {
  std::string_view file;
  std::string_view uses;  // the include, or the name, as it is written
  std::string_view reason;
};

const std::vector<Exception> kExceptions = {
    {"agent/restore_content.h", "mutex", "workers of one file count its chunks together"},
    {"agent/restore_ledger.h", "mutex", "workers write down problems together"},
};

// --- reading -------------------------------------------------------------------------------------

struct Include {
  std::string target;  // "common/base/bytes.h"
  bool quoted = false;
};

std::vector<Include> includes_of(const SourceFile& file) {
  std::vector<Include> includes;
  for (const auto& line : file.lines) {
    const auto start = line.find_first_not_of(" \t#");
    const bool is_include = line.find('#') < start && line.compare(start, 7, "include") == 0;
    if (!is_include) continue;
    const auto open = line.find_first_of("\"<", start);
    const auto close = line.find_first_of("\">", open + 1);
    if (close == std::string::npos) continue;
    includes.push_back({line.substr(open + 1, close - open - 1), line[open] == '"'});
  }
  return includes;
}

const Layer* layer_of(std::string_view path) {
  const auto found = std::find_if(kLayers.begin(), kLayers.end(), [&](const Layer& layer) {
    return path.starts_with(layer.folder);
  });
  return found == kLayers.end() ? nullptr : &*found;
}

bool is_excepted(std::string_view file, std::string_view uses,
                 const std::vector<Exception>& exceptions) {
  return std::any_of(exceptions.begin(), exceptions.end(),
                     [&](const auto& e) { return e.file == file && e.uses == uses; });
}

bool mentions(const std::string& line, std::string_view name) {
  const auto at = line.find(name);
  return at != std::string::npos && at < line.find("//");
}

// --- the rules -----------------------------------------------------------------------------------

using Faults = std::vector<std::string>;

Faults upward_includes(const SourceFile& file) {
  Faults faults;
  const Layer* from = layer_of(file.path);
  if (from == nullptr) return {file.path + " is in no layer"};
  for (const auto& include : includes_of(file)) {
    const Layer* to = layer_of(include.target);
    if (to == nullptr || to == from) continue;
    const auto& allowed = from->may_include;
    if (std::find(allowed.begin(), allowed.end(), to->folder) == allowed.end())
      faults.push_back(file.path + " includes " + include.target);
  }
  return faults;
}

Faults uses_of_the_system(const SourceFile& file, const std::vector<Exception>& exceptions) {
  Faults faults;
  const Layer* layer = layer_of(file.path);
  if (layer == nullptr || layer->kind == Kind::kShell) return faults;
  const auto add = [&](std::string_view uses) {
    if (!is_excepted(file.path, uses, exceptions))
      faults.push_back(file.path + " uses " + std::string(uses));
  };
  for (const auto& include : includes_of(file)) {
    const auto folder = include.target.substr(0, include.target.find('/') + 1);
    if (!include.quoted && (kOperatingSystemHeaders.contains(include.target) ||
                            kOperatingSystemHeaders.contains(folder)))
      add(include.target);
  }
  for (const auto& line : file.lines)
    for (const auto name : kOperatingSystemNames)
      if (mentions(line, name)) add(name);
  return faults;
}

Faults libraries_away_from_home(const SourceFile& file, const std::vector<Exception>& exceptions) {
  Faults faults;
  const Layer* layer = layer_of(file.path);
  if (layer == nullptr || layer->folder == "tests/") return faults;
  for (const auto& include : includes_of(file)) {
    for (const auto& library : kLibraries) {
      const auto& homes = library.homes;
      if (include.quoted || !include.target.starts_with(library.header)) continue;
      if (std::find(homes.begin(), homes.end(), layer->folder) != homes.end()) continue;
      if (!is_excepted(file.path, include.target, exceptions))
        faults.push_back(file.path + " includes " + include.target);
    }
  }
  return faults;
}

// Headers of the project that include themselves through others.
Faults circles(const std::vector<SourceFile>& files) {
  std::map<std::string, std::vector<Include>> graph;
  for (const auto& file : files) graph[file.path] = includes_of(file);
  Faults faults;
  for (const auto& [start, ignored] : graph) {
    std::set<std::string> seen;
    std::vector<std::string> waiting = {start};
    while (!waiting.empty()) {
      const auto current = waiting.back();
      waiting.pop_back();
      const auto found = graph.find(current);
      if (found == graph.end()) continue;
      for (const auto& include : found->second) {
        if (include.target == start) faults.push_back(start + " is included by " + current);
        if (seen.insert(include.target).second) waiting.push_back(include.target);
      }
    }
  }
  return faults;
}

const std::vector<SourceFile>& sources() {
  static const auto files =
      read_sources({"common", "agent", "repository", "cli", "tests"}, {".h", ".cpp"});
  return files;
}

template <typename Rule>
Faults all(Rule rule) {
  Faults faults;
  for (const auto& file : sources())
    for (auto& fault : rule(file)) faults.push_back(std::move(fault));
  return faults;
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Layers, TheWholeTreeIsRead) { EXPECT_THAT(sources(), SizeIs(::testing::Ge(60))); }

TEST(Layers, IncludesGoDownwardsOnly) { EXPECT_THAT(all(upward_includes), IsEmpty()); }

TEST(Layers, CoresSeeNoOperatingSystem) {
  EXPECT_THAT(all([](const auto& file) { return uses_of_the_system(file, kExceptions); }),
              IsEmpty());
}

TEST(Layers, EachLibraryStaysAtHome) {
  EXPECT_THAT(all([](const auto& file) { return libraries_away_from_home(file, kExceptions); }),
              IsEmpty());
}

TEST(Layers, NoHeaderIsIncludedInACircle) { EXPECT_THAT(circles(sources()), IsEmpty()); }

TEST(Layers, QuotedIncludesAreFromTheRootAndOthersAreNot) {
  EXPECT_THAT(all([](const SourceFile& file) {
                Faults faults;
                for (const auto& include : includes_of(file))
                  if (include.quoted != (layer_of(include.target) != nullptr))
                    faults.push_back(file.path + " includes " + include.target);
                return faults;
              }),
              IsEmpty());
}

TEST(Layers, EveryExceptionIsStillNeeded) {
  const auto count = [](const std::vector<Exception>& exceptions) {
    return all([&](const auto& file) { return uses_of_the_system(file, exceptions); }).size() +
           all([&](const auto& file) { return libraries_away_from_home(file, exceptions); }).size();
  };
  for (const auto& exception : kExceptions) {
    auto others = kExceptions;
    std::erase_if(others, [&](const auto& e) {
      return e.file == exception.file && e.uses == exception.uses;
    });
    EXPECT_GT(count(others), count(kExceptions)) << exception.file << " " << exception.uses;
  }
}

// --- what the rules see --------------------------------------------------------------------------

TEST(LayersRule, AnIncludeOfAHigherLayerIsSeen) {
  EXPECT_THAT(upward_includes({"common/ports/a.h", {"#include \"common/wire/message.h\""}}),
              ElementsAre("common/ports/a.h includes common/wire/message.h"));
}

TEST(LayersRule, AgentAndRepositoryNeverMeet) {
  EXPECT_THAT(upward_includes({"agent/a.h", {"#include \"repository/b.h\""}}), SizeIs(1));
  EXPECT_THAT(upward_includes({"repository/b.h", {"  #  include \"agent/a.h\"  // why"}}),
              SizeIs(1));
  EXPECT_THAT(upward_includes({"agent/posix/a.h", {"#include \"repository/posix/b.h\""}}),
              SizeIs(1));
}

TEST(LayersRule, ACoreDoesNotReachIntoItsShell) {
  EXPECT_THAT(upward_includes({"agent/a.h", {"#include \"agent/posix/b.h\""}}), SizeIs(1));
  EXPECT_THAT(upward_includes({"agent/posix/b.h", {"#include \"agent/a.h\""}}), IsEmpty());
}

TEST(LayersRule, AFileOutsideAllLayersIsSeen) {
  EXPECT_THAT(upward_includes({"common/new/a.h", {}}),
              ElementsAre("common/new/a.h is in no layer"));
}

TEST(LayersRule, TheSystemIsSeenInACoreButNotInAShell) {
  const std::vector<std::string> lines = {
      "#include <sys/stat.h>", "#include <thread>", "#include <chrono>",
      "auto now = std::chrono::steady_clock::now();", "// steady_clock would be wrong here"};
  EXPECT_THAT(uses_of_the_system({"repository/a.cpp", lines}, {}),
              ElementsAre("repository/a.cpp uses sys/stat.h", "repository/a.cpp uses thread",
                          "repository/a.cpp uses steady_clock"));
  EXPECT_THAT(uses_of_the_system({"repository/posix/a.cpp", lines}, {}), IsEmpty());
  EXPECT_THAT(uses_of_the_system({"repository/a.cpp", {lines[1]}},
                                 {{"repository/a.cpp", "thread", "a reason"}}),
              IsEmpty());
}

TEST(LayersRule, ALibraryAwayFromHomeIsSeen) {
  const std::vector<std::string> lines = {"#include <rocksdb/db.h>"};
  EXPECT_THAT(libraries_away_from_home({"repository/store/a.cpp", lines}, {}), SizeIs(1));
  EXPECT_THAT(libraries_away_from_home({"repository/posix/a.cpp", lines}, {}), IsEmpty());
}

TEST(LayersRule, ACircleIsSeen) {
  EXPECT_THAT(
      circles({{"agent/a.h", {"#include \"agent/b.h\""}},
               {"agent/b.h", {"#include \"agent/c.h\""}},
               {"agent/c.h", {"#include \"agent/b.h\""}}}),
      ElementsAre("agent/b.h is included by agent/c.h", "agent/c.h is included by agent/b.h"));
}

}  // namespace
}  // namespace holdfast::testing
