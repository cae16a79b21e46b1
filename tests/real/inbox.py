#!/usr/bin/env python3
"""Serves a real public-inbox, the software behind lore.kernel.org, on loopback, for the tests of bpfnews.

  inbox.py MBOX [--first N] [--lag] [--news]

MBOX is a plain mboxrd whose "From mboxrd@z DATE" lines have the arrival of each mail (UTC). Its first N mails
(all, without --first) are in the inbox at once; the others wait. Each mail gets one Received: header with its arrival,
because public-inbox orders its feeds by it.

The first line of standard output is the base URL, printed when the server answers. The script then reads one command
from each line of standard input, and answers with one line:

  more N     adds N more mails                           ok COUNT   (mails in the inbox now)
  refresh    with --lag: updates the search              ok COUNT
  down, up   stops the HTTP server, starts it again      ok COUNT
  epoch      begins a new epoch for the next mails       ok COUNT
  purge N    removes mail N (from 0) from the history    ok COUNT
  rm N       removes mail N with a new commit            ok COUNT
  quietly N  like more, but waits for no server          ok COUNT
  news-down, news-up   the same for the news server      ok COUNT
  wall, unwall         answers HTTP with a page for people, or not     ok COUNT
  remove ID  removes a mail permanently, as spam         ok COUNT

When standard input ends, the script stops the server and removes its temporary folder. With --lag, search finds new
mails up to 40 seconds later. Without it, search finds them when the script prints "ok".

With --news, NNTP serves the inbox too, and so does a proxy that can act as a wall. The first line then has the proxy's URL,
the URLs of the newsgroup without and with TLS, and the file of the certificate, separated by spaces.

Needs public-inbox and its Perl modules: tests/run installs them.
"""
import argparse
import http.server
import calendar
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from ports import own_ports

NAME = "bpf"
GROUP = "invalid.list.bpf"
WALL = b"<!doctype html><html><head><title>Making sure you're not a bot!</title></head><body></body></html>"
BRANCH = "refs/heads/master"
FROM_LINE = re.compile(rb"^From mboxrd@z (.+)$", re.M)
MESSAGE_ID = re.compile(rb"(?mi)^message-id:\s*<([^>]+)>")


def mails(path):
    """The mails of an mboxrd: the arrival and the bytes of each."""
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
        self.certificate, self.key = top / "certificate.pem", top / "key.pem"
        self.url = f"http://127.0.0.1:{port}/{NAME}/"
        self.env = dict(os.environ, PI_CONFIG=str(top / "config"), HOME=str(top), LC_ALL="C", TZ="UTC",
                        GIT_CONFIG_SYSTEM="/dev/null")
        self.run("public-inbox-init", "-V2", "-L", "full", NAME, str(self.dir), self.url, f"{NAME}@list.invalid")
        (self.dir / "description").write_text("a list for tests\n")
        self.make_repo()
        self.server = self.news = None

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

    def learn_spam(self, place):
        self.run("public-inbox-learn", "rm", "--all", given=self.archived[place])

    def let_in(self, count, quietly=False):
        batch, self.waiting = self.waiting[:count], self.waiting[count:]
        if not batch:
            return
        self.commit(batch)
        self.run("public-inbox-index", "-L", "full", "--no-fsync", str(self.dir))
        self.count += len(batch)
        if self.server and not self.lag and not quietly:
            self.refresh(batch[-1][1])
        if self.news and not quietly:
            self.wait_for_news()

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

    def certify(self):
        """Makes a certificate for loopback; returns its file."""
        if not self.certificate.exists():
            self.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                     "-addext", "basicConstraints=critical,CA:FALSE",
                     "-keyout", str(self.key), "-out", str(self.certificate))

    def serve_news(self, port, tls_port):
        """Starts the news server, or starts it again."""
        self.news_port = port
        self.certify()
        self.run("git", "config", "-f", self.env["PI_CONFIG"], f"publicinbox.{NAME}.newsgroup", GROUP)
        self.news = subprocess.Popen(["public-inbox-nntpd", "-W0", "-l", f"nntp://127.0.0.1:{port}",
                                      "-l", f"nntps://127.0.0.1:{tls_port}",
                                      f"--cert={self.certificate}", f"--key={self.key}"], env=self.env,
                                     stdin=subprocess.DEVNULL, stdout=sys.stderr)
        self.wait_for_news()

    def high(self):
        """The highest article number that the index has."""
        rows = sqlite3.connect(f"file:{self.dir}/msgmap.sqlite3?mode=ro", uri=True)
        return rows.execute("SELECT MAX(num) FROM msgmap").fetchone()[0] or 0

    def wait_for_news(self):
        """Waits until the news server has all articles."""
        for _ in range(300):
            if self.news.poll() is not None:
                sys.exit("public-inbox-nntpd ended")
            try:
                with socket.create_connection(("127.0.0.1", self.news_port), timeout=10) as s:
                    lines = s.makefile("rwb")
                    lines.readline()
                    lines.write(b"GROUP %s\r\n" % GROUP.encode())
                    lines.flush()
                    answer = lines.readline().split()
                if answer[0] == b"211" and int(answer[3]) >= self.high():
                    return
            except (OSError, IndexError):
                pass
            time.sleep(0.05)
        sys.exit("public-inbox-nntpd does not have the newest mail")

    def stop_news(self):
        if self.news and self.news.poll() is None:
            self.news.kill()
            self.news.wait()

    def remove(self, message_id):
        """Removes a mail from the inbox, its index and its history."""
        raw = next(raw for _, raw in self.everything if message_id.encode() in raw.split(b"\n\n")[0])
        # The mail as it was added, with the header of its arrival.
        shown = subprocess.run(["git", "--git-dir", str(self.repo), "log", "--format=%H"], env=self.env,
                               capture_output=True, check=True).stdout.split()
        for commit in shown:
            blob = subprocess.run(["git", "--git-dir", str(self.repo), "cat-file", "blob", commit + b":m"],
                                  env=self.env, capture_output=True).stdout
            if blob.endswith(raw):
                subprocess.run(["public-inbox-purge", str(self.dir)], input=blob, check=True, env=self.env,
                               stdout=sys.stderr)
                self.count -= 1
                return
        sys.exit(f"no such mail: {message_id}")

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


class Front(http.server.BaseHTTPRequestHandler):
    """A proxy before the HTTP server, which can act as a wall."""

    walled, target = False, ""

    def answer(self, method):
        if Front.walled:
            status, kind, body = 200, "text/html", WALL
        else:
            request = urllib.request.Request(Front.target + self.path, method=method,
                                             data=b"" if method == "POST" else None)
            try:
                with urllib.request.urlopen(request, timeout=30) as got:
                    status, kind, body = got.status, got.headers.get("Content-Type", ""), got.read()
            except urllib.error.HTTPError as error:
                status, kind, body = error.code, error.headers.get("Content-Type", ""), error.read()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def log_message(self, *_):
        pass


def front(port):
    """Serves the proxy on a thread; returns its URL."""
    Front.target = f"http://127.0.0.1:{port}"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/{NAME}/"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mbox", type=Path)
    parser.add_argument("--first", type=int)
    parser.add_argument("--lag", action="store_true")
    parser.add_argument("--news", action="store_true")
    args = parser.parse_args()
    for program in ("git", "public-inbox-init", "public-inbox-index", "public-inbox-httpd"):
        if not shutil.which(program):
            sys.exit(f"{program} is not installed")
    top, inbox = Path(tempfile.mkdtemp(prefix="bpfnews-inbox.")), None
    try:
        everything = list(mails(args.mbox))
        # No connection of another test takes these while the mails are indexed.
        port, news_port, tls_port = own_ports(3)
        inbox = Inbox(top, everything, port, args.lag)
        inbox.let_in(len(everything) if args.first is None else args.first)
        inbox.everything = everything
        inbox.serve(port)
        if args.news:
            inbox.serve_news(news_port, tls_port)
            print(front(port), f"nntp://127.0.0.1:{news_port}/{GROUP}", f"nntps://localhost:{tls_port}/{GROUP}",
                  inbox.certificate, flush=True)
        else:
            print(inbox.url, flush=True)
        for line in sys.stdin:
            match line.split():
                case ["more", count]:
                    inbox.let_in(int(count))
                case ["quietly", count]:
                    inbox.let_in(int(count), quietly=True)
                case ["down"]:
                    inbox.stop()
                case ["up"]:
                    inbox.serve(port)
                case ["epoch"]:
                    inbox.begin_epoch()
                case ["purge", place]:
                    inbox.purge(int(place))
                case ["rm", place]:
                    inbox.learn_spam(int(place))
                case ["news-down"]:
                    inbox.stop_news()
                case ["news-up"]:
                    inbox.serve_news(news_port, tls_port)
                case ["wall"]:
                    Front.walled = True
                case ["unwall"]:
                    Front.walled = False
                case ["remove", message_id]:
                    inbox.remove(message_id)
                case ["refresh"]:
                    inbox.refresh(everything[inbox.count - 1][1])
                case _:
                    sys.exit(f"no such command: {line!r}")
            print("ok", inbox.count, flush=True)
    finally:
        if inbox:
            inbox.stop_news()
            inbox.stop()
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
