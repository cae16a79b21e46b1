#!/usr/bin/env python3
"""Opens the newest mail of a maildir in neomutt, on a terminal of 80 columns, and prints the screen, for the tests of bpfnews.

  mutt.py MAILDIR

Needs Debian's neomutt.
"""
import os
import pty
import select
import signal
import sys
import tempfile
import time
from pathlib import Path

LIMIT_S = 20


def main():
    box, = sys.argv[1:]
    with tempfile.TemporaryDirectory() as top:
        shown = Path(top) / "shown"
        pager = Path(top) / "pager"
        pager.write_text(f'#!/bin/sh\ncp "$1" {shown}.part && mv {shown}.part {shown}\n')
        pager.chmod(0o755)
        settings = Path(top) / "muttrc"
        settings.write_text("\n".join([
            "set sort=date", "set folder=" + top, "set record=", "set header_cache=", "set prompt_after=no",
            "set wait_key=no", "set confirmappend=no", "set quit=yes", "set sleep_time=0", "set markers=no",
            "alternative_order text/plain text/html", "ignore *",
            "unignore from to subject date list-id list-unsubscribe",
            f"set pager={pager}",
            "push '<last-entry><display-message><exit>'",
        ]) + "\n")
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm", COLUMNS="80", LINES="50", LC_ALL="C.UTF-8", HOME=top)
            os.execvp("neomutt", ["neomutt", "-n", "-F", str(settings), "-R", "-f", box])
        said, deadline = b"", time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    said += os.read(terminal, 4096)
                except OSError:
                    break
            elif shown.exists():
                time.sleep(0.3)
                break
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if not shown.exists():
            sys.exit("neomutt showed nothing: " + said.decode(errors="replace"))
        sys.stdout.write(shown.read_text(errors="replace"))


if __name__ == "__main__":
    main()
