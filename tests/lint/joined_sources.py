"""Joins source files to few translation units, for a tool that reads C++.

What a file includes costs far more than the file itself: gathered by the dozen, sources are read in
a fifth of the time. Two files go together if they are compiled with the same options and if no name
that one declares at namespace scope, where clang-format leaves no indent, is declared by the other
too: anonymous namespaces keep such names apart for the linker only. That is read from the text, so
it may miss one; then the unit does not compile, and whoever reads it takes its halves instead.
"""

import collections
import re

DECLARED = re.compile(
    r"^(?:template\s*<.*>\s*)?"
    r"(?:(?:class|struct|union|enum(?:\s+class)?|#\s*define)\s+(\w+)|using\s+(\w+)\s*="
    r"|(?!(?:return|else|namespace|using|case|if|for|while|extern|friend|public)\b)"
    r"[A-Za-z_][\w:<>,&*\s\[\]]*?[\s&*>](\w+)\s*(?:\(|\[|=|\{|;))", re.MULTILINE)
# TEST(Store, Reads) is a class of both names; as words of one file they belong to that suite.
TESTED = re.compile(r"^(?:TEST|TEST_F|TEST_P|RC_GTEST_PROP)\(\s*(\w+),\s*(\w+)", re.MULTILINE)


def declared_names(text):
    """The names that a source file declares without an indent, other than members of a class."""
    names = {"".join(found) for found in DECLARED.findall(text)}
    return names | {f"{suite}_{test}_Test" for suite, test in TESTED.findall(text)}


def join(files, most):
    """Lists of at most `most` paths. `files` gives (path, text, what a list has in common)."""
    done, open_units = [], collections.defaultdict(list)
    for path, text, kind in files:
        names = declared_names(text)
        for unit in open_units[kind]:
            if not unit[1] & names:
                break
        else:
            unit = ([], set())
            open_units[kind].append(unit)
        unit[0].append(path)
        unit[1].update(names)
        if len(unit[0]) == most:
            done.append(unit[0])
            open_units[kind].remove(unit)
    return done + [unit[0] for units in open_units.values() for unit in units]
