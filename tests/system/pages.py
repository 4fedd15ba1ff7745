"""The commands in docs/operating, so that what is written there is what runs.

A block that begins with ```sh MACHINE is run on that machine, its lines as one script. A block
that begins with ```toml MACHINE PATH, or another language, is written to that file there. All
other blocks are for reading only."""

import dataclasses
import re


@dataclasses.dataclass
class Block:
    language: str
    machine: str
    path: str  # of a file; empty: a script
    text: str
    line: int


def blocks(page):
    found, current = [], None
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = re.fullmatch(r"```(\w+) +([\w-]+)(?: +(\S+))?", line)
        if current is None and fence:
            current = Block(fence[1], fence[2], fence[3] or "", "", number)
        elif line == "```" and current is not None:
            found.append(current)
            current = None
        elif current is not None:
            current.text += line + "\n"
    return found
