"""No page for operators has commands that nobody runs: a shell block names the machine of the
system test that runs it, and the system test goes through the page. That it has run every block of
every page it sees to itself, at its end."""

import os
import pathlib
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
sys.path.insert(0, str(pathlib.Path(os.environ["HOLDFAST_E2E"]).parent / "system"))
import pages  # noqa: E402
from e2e import expect  # noqa: E402
from run import NUMBERS  # noqa: E402

STORY = (pathlib.Path(pages.__file__).parent / "run.py").read_text()
SHELLS = ("sh", "bash", "shell", "console")
commands = 0
for page in sorted(pages.OPERATING.glob("*.md")):
    expect(not pages.hidden_blocks(page), f"{page.name}: in no block: {pages.hidden_blocks(page)}")
    for block in pages.blocks(page):
        where = f"{page.name}, line {block.line}"
        if not block.machine:
            expect(block.language not in SHELLS, f"{where}: commands that no machine runs")
            continue
        expect(block.machine in (*NUMBERS, "nodes"), f"{where}: there is no {block.machine}")
        expect(f'.page("{page.name}"' in STORY, f"{where}: the system test does not go there")
        expect(block.path or block.language == "sh", f"{where}: neither commands nor a file")
        commands += block.language == "sh" and not block.path
expect(commands > 15, f"only {commands} blocks with commands are found")
