// Everything the programs print: text for people or, with --json, one JSON object a line. Results
// go to standard output, all else to standard error.
#pragma once

#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "repository/event_log.h"

namespace holdfast::cli {

using Json = nlohmann::ordered_json;

// Any thread.
class Output {
 public:
  explicit Output(std::string program) : program_(std::move(program)) {}

  bool json = false;
  int verbosity = 1;  // 0 quiet, 1, 2 verbose; set before threads are made

  // A result for people: one line on standard output. Not with --json.
  void line(std::string_view text);
  // A result that is a text by itself, with its line ends; also with --json.
  void text(std::string_view whole);
  // A result for programs: one line on standard output. Only with --json.
  void object(const Json& object);
  // Something that is going on, on standard error; not if quiet.
  void note(std::string_view text);
  void warning(std::string_view text);
  // "holdfast: what failed: where".
  void error(const Error& error);

  // Lines that are drawn over each other on a terminal, below everything else.
  bool can_draw() const;
  void draw(const std::vector<std::string>& lines);
  void erase();

  // False once standard output takes nothing any more.
  bool is_open() const { return open_; }
  // What was printed has left the process; an error if it could not.
  Status flush();

 private:
  void put(std::FILE* to, std::string_view text);
  void erase_locked();

  const std::string program_;
  std::mutex mutex_;
  std::size_t drawn_lines_ = 0;
  bool open_ = true;
};

// Bytes as a JSON string; what is not UTF-8 becomes readable there and exact in NAME_base64.
void put_bytes(Json& object, const std::string& name, const std::string& bytes);
void put_all(Json& object, const std::string& name, const std::vector<std::string>& all);

// What an embedded node has to say: warnings and errors.
class EmbeddedLog final : public repository::EventLog {
 public:
  explicit EmbeddedLog(Output& output) : output_(output) {}
  void note(const repository::Event& event) override;

 private:
  Output& output_;
};

}  // namespace holdfast::cli
