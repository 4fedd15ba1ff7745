"""The commands in README.md and docs/operating, so that what is written there is what runs.

A block that begins with ```sh MACHINE is run on that machine, its lines as one script. A block
that begins with ```toml MACHINE PATH, or another language, is written to that file there. Blocks
without a machine are for reading, or, in README.md, for wherever the reader is."""

import dataclasses
import pathlib
import re

OPERATING = pathlib.Path(__file__).resolve().parents[2] / "docs/operating"


@dataclasses.dataclass
class Block:
    language: str
    machine: str
    path: str  # of a file; empty: a script
    text: str
    line: int


def blocks(page):
    """All blocks of the file; ValueError if one is not as above."""
    found, current = [], None
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if current is not None and line != "```":
            current.text += line + "\n"
        elif current is not None:
            found.append(current)
            current = None
        elif line.startswith("```"):
            fence = re.fullmatch(r"```(\w+)(?: +([\w-]+)(?: +(\S+))?)?", line)
            if not fence:
                raise ValueError(f"{page.name}, line {number}: {line} names no language")
            current = Block(fence[1], fence[2] or "", fence[3] or "", "", number)
    if current is not None:
        raise ValueError(f"{page.name}, line {current.line}: a block without an end")
    return found


def hidden_blocks(page):
    """Lines that are code by their indentation alone: no block, so that nobody runs them."""
    lines = ["", *re.sub(r"(?ms)^```.*?^```$", "", page.read_text()).splitlines()]
    return [line for before, line in zip(lines, lines[1:])
            if not before and line.startswith("    ")]
