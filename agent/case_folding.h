// Text in one case, for comparisons that do not look at it.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::agent {

// Upper case becomes lower case in Latin, Greek and Cyrillic letters, where each has a counterpart
// of the same length in UTF-8. All other bytes stay, those that are not UTF-8 too.
std::string fold_case(std::string_view text);

}  // namespace holdfast::agent
