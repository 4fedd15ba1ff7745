"""A person at a terminal: passphrases typed without echo, progress drawn, and a terminal that is
as it was after Ctrl-C."""

import os
import pathlib
import pty
import sys
import termios

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import BIN, PASSPHRASE, expect, make_tree  # noqa: E402

del os.environ["HOLDFAST_PASSPHRASE"]
os.environ["TERM"] = "xterm"


class Typist:
    """Runs holdfast on a terminal of its own."""

    def __init__(self, *arguments):
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.execv(BIN / "holdfast", ["holdfast", *map(str, arguments)])
        self.screen = ""

    def echoes(self):
        return termios.tcgetattr(self.terminal)[3] & termios.ECHO != 0

    def read(self):
        """Some of what comes; False at the end."""
        try:
            piece = os.read(self.terminal, 4096)
        except OSError:
            return False
        self.screen += piece.decode()
        return piece != b""

    def answer(self, prompt, text):
        while not self.screen.endswith(prompt):
            expect(self.read(), f"no {prompt!r} in {self.screen!r}")
        expect(not self.echoes(), "what is typed can be seen")
        os.write(self.terminal, text.encode())

    def end(self, code):
        # The terminal is looked at while it is there: its last user may take it along.
        echoes = True
        while self.read():
            echoes = self.echoes()
        expect(echoes, "the terminal does not echo any more")
        status = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        expect(status == code, f"exit code {status}, not {code}: {self.screen}")
        expect(PASSPHRASE not in self.screen, f"the passphrase was shown: {self.screen}")
        return self.screen


make_tree("source")
init = ("init", "-r", "repo", "--kdf-cost", "low")

typist = Typist(*init)
typist.answer("new passphrase: ", PASSPHRASE + "\n")
typist.answer("the same again: ", "something else\n")
expect("the two passphrases differ" in typist.end(12), typist.screen)
expect(not pathlib.Path("repo").exists(), "something was done")

typist = Typist(*init)
typist.answer("new passphrase: ", "\n")
typist.answer("the same again: ", "\n")
expect("the passphrase is empty" in typist.end(12), typist.screen)

# An end of the input (Ctrl-D) is an empty one.
typist = Typist(*init)
typist.answer("new passphrase: ", "\x04")
typist.answer("the same again: ", "\x04")
expect("the passphrase is empty" in typist.end(12), typist.screen)

for prompt in ("new passphrase: ", "the same again: "):
    typist = Typist(*init)
    if prompt != "new passphrase: ":
        typist.answer("new passphrase: ", PASSPHRASE + "\n")
    typist.answer(prompt, "\x03")
    expect("interrupted" in typist.end(130), typist.screen)

typist = Typist(*init)
typist.answer("new passphrase: ", PASSPHRASE + "\n")
typist.answer("the same again: ", PASSPHRASE + "\n")
expect("created repository" in typist.end(0), typist.screen)

typist = Typist("backup", "-r", "repo", "source")
typist.answer("passphrase: ", "wrong\n")
typist.end(12)
typist = Typist("backup", "-r", "repo", "source")
typist.answer("passphrase: ", PASSPHRASE + "\n")
expect("saved on 1 of 1 nodes" in typist.end(0), typist.screen)
expect("\x1b[J" not in typist.screen.rsplit("saved on", 1)[1], "progress stayed on the screen")
