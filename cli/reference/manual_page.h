// The parts of a command's manual page that its description knows, in scdoc's language: what is
// written by hand (docs/man) holds the rest.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/reference/command_reference.h"
#include "common/base/result.h"

namespace holdfast::cli {

// `text`, a page in scdoc's language. Lines that begin with '@' are replaced:
//
//   @command holdfast key export    the page is about this command; comes first, and is left out
//   @synopsis [WORD...]             how it is called, or its command WORD...
//   @options [WORD...]              its operands and options, or those of its command WORD...
//   @program-options                the options that all commands of the program take
//
// `find` gives a program's description by name. kInvalidArgument naming the line for one that says
// something else or names what there is not.
using FindProgram = std::function<Result<CommandReference>(const std::string& name)>;
Result<std::string> manual_page(std::string_view text, const FindProgram& find);

}  // namespace holdfast::cli
