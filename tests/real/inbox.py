#!/usr/bin/env python3
"""Serves a real public-inbox, the software behind lore.kernel.org, on loopback, for the tests of bpfnews.

  inbox.py MBOX [--first N] [--lag]

MBOX is a plain mboxrd whose "From mboxrd@z DATE" lines tell when each mail arrived (UTC). Its first N mails (all,
if not told) are in the inbox at once; the others wait. Each mail gets one Received: header with its arrival, for
that is the clock by which public-inbox orders its feeds.

The first line of standard output is the base URL, printed once the server answers. Then one command is read from each
line of standard input, and one line answers it:

  more N     lets N more mails in                        ok COUNT   (mails in the inbox now)
  refresh    makes search see what is in, with --lag     ok COUNT
  down, up   stops the HTTP server, starts it again      ok COUNT
  epoch      begins a new epoch for the next mails       ok COUNT
  purge N    takes mail N (from 0) out of the history    ok COUNT
  rm N       removes mail N by a further commit          ok COUNT

The server ends, and its temporary folder goes, when standard input ends. With --lag search is left to notice new
mails by itself, which takes it up to 40 seconds; without it search knows them when "ok" is said.

Needs public-inbox and its Perl modules: tests/run installs them.
"""
import argparse
import calendar
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

NAME = "bpf"
BRANCH = "refs/heads/master"
FROM_LINE = re.compile(rb"^From mboxrd@z (.+)$", re.M)
MESSAGE_ID = re.compile(rb"(?mi)^message-id:\s*<([^>]+)>")


def mails(path):
    """The mails of an mboxrd: when each arrived, and its bytes."""
    data = path.read_bytes()
    marks = list(FROM_LINE.finditer(data))
    ends = [m.start() for m in marks[1:]] + [len(data)]
    for mark, end in zip(marks, ends):
        raw = data[mark.end() + 1:end]
        if raw.endswith(b"\n\n"):
            raw = raw[:-1]
        raw = re.sub(rb"(?m)^>(>*From )", rb"\1", raw)
        stamp = " ".join(mark.group(1).decode().split())
        yield calendar.timegm(time.strptime(stamp, "%a %b %d %H:%M:%S %Y")), raw


class Inbox:
    def __init__(self, top, waiting, port, lag):
        self.dir, self.waiting, self.lag, self.count = top / NAME, waiting, lag, 0
        self.archived, self.epoch, self.is_begun = [], 0, False
        self.url = f"http://127.0.0.1:{port}/{NAME}/"
        self.env = dict(os.environ, PI_CONFIG=str(top / "config"), HOME=str(top), LC_ALL="C", TZ="UTC",
                        GIT_CONFIG_SYSTEM="/dev/null")
        self.run("public-inbox-init", "-V2", "-L", "full", NAME, str(self.dir), self.url, f"{NAME}@list.invalid")
        (self.dir / "description").write_text("a list for tests\n")
        self.make_repo()
        self.server = None

    @property
    def repo(self):
        return self.dir / "git" / f"{self.epoch}.git"

    def make_repo(self):
        if not self.repo.exists():
            self.run("git", "init", "-q", "--bare", str(self.repo))
        self.run("git", "--git-dir", str(self.repo), "symbolic-ref", "HEAD", BRANCH)

    def begin_epoch(self):
        self.epoch, self.is_begun = self.epoch + 1, False
        self.make_repo()

    def run(self, *command, given=None):
        about = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
        subprocess.run(command, check=True, env=self.env, stdout=sys.stderr, **about)

    def purge(self, place):
        self.run("public-inbox-purge", str(self.dir), given=self.archived[place])

    def remove(self, place):
        self.run("public-inbox-learn", "rm", "--all", given=self.archived[place])

    def let_in(self, count):
        batch, self.waiting = self.waiting[:count], self.waiting[count:]
        if not batch:
            return
        self.commit(batch)
        self.run("public-inbox-index", "-L", "full", "--no-fsync", str(self.dir))
        self.count += len(batch)
        if self.server and not self.lag:
            self.refresh(batch[-1][1])

    def commit(self, batch):
        git = subprocess.Popen(["git", "--git-dir", str(self.repo), "fast-import", "--quiet", "--done"],
                               stdin=subprocess.PIPE, env=self.env)
        write = git.stdin.write
        for place, (at, raw) in enumerate(batch):
            when = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(at)).encode()
            raw = b"Received: from list.invalid by archive.invalid; " + when + b"\n" + raw
            write(b"commit %s\nauthor a list <list@list.invalid> %d +0000\n" % (BRANCH.encode(), at))
            write(b"committer an archive <archive@archive.invalid> %d +0000\ndata 4\nmail\n" % at)
            if place == 0 and self.is_begun:
                write(b"from %s^0\n" % BRANCH.encode())
            self.archived.append(raw)
            write(b"M 100644 inline m\ndata %d\n%s\n" % (len(raw), raw))
        self.is_begun = True
        write(b"done\n")
        git.stdin.close()
        if git.wait():
            sys.exit("git fast-import failed")

    def refresh(self, newest):
        """Makes the server reopen its search index, and waits until a search finds the newest mail."""
        self.server.send_signal(signal.SIGHUP)
        found = MESSAGE_ID.search(newest)
        if not found:
            sys.exit("a mail without Message-ID")
        query = urllib.parse.urlencode({"q": 'mid:"%s"' % found.group(1).decode(), "x": "A"})
        self.wait(self.url + "?" + query, "search does not find the newest mail")

    def serve(self, port):
        self.server = subprocess.Popen(["public-inbox-httpd", "-W0", "-l", f"127.0.0.1:{port}"], env=self.env,
                                       stdin=subprocess.DEVNULL, stdout=sys.stderr)
        self.wait(self.url + "_/text/help/raw", "no answer")
        if self.lag:
            # From its first use on, the server keeps the index open.
            self.wait(self.url + "?q=rt:1000000000..&x=A", "no answer to a search")

    def wait(self, url, complaint):
        for _ in range(300):
            if self.server.poll() is not None:
                sys.exit("public-inbox-httpd ended")
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    answer.read(1)
                return
            except OSError:
                time.sleep(0.05)
        sys.exit(f"public-inbox: {complaint}")

    def stop(self):
        if self.server and self.server.poll() is None:
            self.server.terminate()
            try:
                self.server.wait(5)
            except subprocess.TimeoutExpired:
                self.server.kill()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mbox", type=Path)
    parser.add_argument("--first", type=int)
    parser.add_argument("--lag", action="store_true")
    args = parser.parse_args()
    for program in ("git", "public-inbox-init", "public-inbox-index", "public-inbox-httpd"):
        if not shutil.which(program):
            sys.exit(f"{program} is not installed")
    top, inbox = Path(tempfile.mkdtemp(prefix="bpfnews-inbox.")), None
    try:
        everything = list(mails(args.mbox))
        port = free_port()
        inbox = Inbox(top, everything, port, args.lag)
        inbox.let_in(len(everything) if args.first is None else args.first)
        inbox.serve(port)
        print(inbox.url, flush=True)
        for line in sys.stdin:
            match line.split():
                case ["more", count]:
                    inbox.let_in(int(count))
                case ["down"]:
                    inbox.stop()
                case ["up"]:
                    inbox.serve(port)
                case ["epoch"]:
                    inbox.begin_epoch()
                case ["purge", place]:
                    inbox.purge(int(place))
                case ["rm", place]:
                    inbox.remove(int(place))
                case ["refresh"]:
                    inbox.refresh(everything[inbox.count - 1][1])
                case _:
                    sys.exit(f"no such command: {line!r}")
            print("ok", inbox.count, flush=True)
    finally:
        if inbox:
            inbox.stop()
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
