// Where the passphrase comes from: HOLDFAST_PASSPHRASE, a file, a command's output, or the terminal
// without echo; in this order of the most explicit: options, then the environment, then the
// terminal.
#pragma once

#include <functional>
#include <string>

#include "cli/workplace.h"
#include "common/base/result.h"

namespace holdfast::cli {

struct PassphraseOptions {
  std::string file, command;  // --passphrase-file, --passphrase-command
};

// Bytes up to the first line end; never empty. kWrongPassphrase if there is none to be had, with
// what to do. `twice`: a new one, asked again when typed. Blocks the calling thread until it is
// typed or the command has ended; the loop goes on.
Result<std::string> obtain_passphrase(Workplace& work, const PassphraseOptions& options,
                                      bool twice = false);

}  // namespace holdfast::cli
