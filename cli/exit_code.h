// What the programs' exit codes mean, for scripts and timers.
#pragma once

#include "common/base/result.h"

namespace holdfast::cli {

enum ExitCode : int {
  kDone = 0,        // on every node
  kFailed = 1,      // nothing came of it
  kUsage = 2,       // the command line
  kSomeUnread = 3,  // committed, but some files could not be read
  kBehind = 4,      // committed by quorum, not yet on every node (outweighs 3)
  kDamaged = 5,     // verify found damage
  kNoSuchRepository = 10,
  kWrongPassphraseGiven = 12,
  kInterruptedByUser = 130,
};

inline int exit_code_of(const Error& error) {
  switch (error.code()) {
    case Code::kNoRepository:
      return kNoSuchRepository;
    case Code::kWrongPassphrase:
      return kWrongPassphraseGiven;
    case Code::kInterrupted:
      return kInterruptedByUser;
    default:
      return kFailed;
  }
}

constexpr const char* kExitCodeHelp =
    "Exit codes: 0 done on every node; 1 failed; 2 usage; 3 committed, but some files could not "
    "be\n"
    "read; 4 committed by quorum, not yet on every node (if 3 applies as well, the code is 4: a\n"
    "missing copy is the more severe); 5 damage found; 10 no such repository; 12 wrong "
    "passphrase;\n"
    "130 interrupted.";

}  // namespace holdfast::cli
