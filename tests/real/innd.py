#!/usr/bin/env python3
"""Serves a group by INN, the news server of Usenet, on loopback, for the tests of bpfnews.

  innd.py COUNT

The first line of standard output is the URL of a group with COUNT articles. The script then reads one command from each line
of standard input, and answers with one line:

  more N       posts N more articles; the very first one is <1@inn.invalid>      ok COUNT   (articles that were ever posted)
  cancel N     removes article N                                                 ok COUNT

When standard input ends, the script stops the server and removes its temporary folder. Needs Debian's inn2. If root
runs this script, it starts INN as the user news, because INN does not run as root.
"""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ports import own_ports

GROUP = "invalid.list.bpf"
HOME = Path("/usr/lib/news")
PROGRAMS = HOME / "bin"


class Inn:
    def __init__(self, top, port):
        self.top, self.port, self.count = top, port, 0
        self.user = pwd.getpwnam("news") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.env = dict(os.environ, INNCONF=str(top / "inn.conf"), LC_ALL="C", TZ="UTC")
        paths = {name: top / name for name in ("db", "etc", "filter", "http", "log", "run", "spool", "archive", "articles",
                                               "incoming", "outgoing", "overview", "tmp")}
        for path in paths.values():
            path.mkdir()
        (paths["incoming"] / "bad").mkdir()
        lines = [
            "mta: /bin/true", "organization: tests", "ovmethod: tradindexed", "hismethod: hisv6",
            "pathhost: inn.invalid", "domain: inn.invalid", f"pathnews: {HOME}", "artcutoff: 0",
            f"port: {port}", "bindaddress: 127.0.0.1", "enableoverview: true", "wireformat: true",
            f"runasuser: {self.user.pw_name}", "runasgroup: %s" % self.group(), "nnrpdposthost: inn.invalid", "nnrpdloadlimit: 0",
        ] + [f"path{name}: {path}" for name, path in paths.items()]
        (top / "inn.conf").write_text("\n".join(lines) + "\n")
        etc, db = paths["etc"], paths["db"]
        (etc / "storage.conf").write_text("method tradspool {\n newsgroups: *\n class: 0\n}\n")
        (etc / "incoming.conf").write_text('peer ME {\n hostname: "localhost, 127.0.0.1"\n}\n')
        (etc / "newsfeeds").write_text("ME:*::\n")
        (etc / "readers.conf").write_text('auth all {\n hosts: "*"\n default: "<tests>"\n}\n'
                                          'access all {\n users: "<tests>"\n newsgroups: "*"\n}\n')
        for name in ("expire.ctl", "control.ctl", "moderators", "distributions"):
            (etc / name).write_text("")
        (etc / "expire.ctl").write_text("/remember/:10\n*:A:never:never:never\n")
        groups = ["control 0000000000 0000000001 n", "control.cancel 0000000000 0000000001 n",
                  "junk 0000000000 0000000001 n", f"{GROUP} 0000000000 0000000001 y"]
        (db / "active").write_text("\n".join(groups) + "\n")
        for name in ("active.times", "newsgroups", "history"):
            (db / name).write_text("")
        for path in [top, *top.rglob("*")]:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        self.run("makedbz", "-i", "-o", "-f", str(db / "history"))
        self.server = subprocess.Popen([PROGRAMS / "innd", "-d", "-P", str(port)], **self.as_user(),
                                       stdout=sys.stderr, stderr=sys.stderr)
        self.wait()

    def group(self):
        import grp
        return grp.getgrgid(self.user.pw_gid).gr_name

    def as_user(self):
        owner = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        return dict(env=self.env, stdin=subprocess.DEVNULL, cwd=self.top, **owner)

    def run(self, program, *args):
        subprocess.run([PROGRAMS / program, *args], check=True, stdout=sys.stderr, **self.as_user())

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        lines = s.makefile("rwb")
        return lines, lines.readline()

    def wait(self):
        for _ in range(200):
            if self.server.poll() is not None:
                sys.exit("innd ended")
            try:
                if self.connect()[1].startswith(b"20"):
                    return
            except OSError:
                pass
            time.sleep(0.05)
        sys.exit("innd does not answer")

    def post(self, count):
        lines, _ = self.connect()
        for _ in range(count):
            self.count += 1
            number = self.count
            date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(time.time() - 86_400 + 10 * number))
            self.ask(lines, f"IHAVE <{number}@inn.invalid>", b"335")
            article = (f"Path: tests!not-for-mail\r\nNewsgroups: {GROUP}\r\nFrom: A <a@inn.invalid>\r\nDate: {date}\r\n"
                       f"Subject: [PATCH bpf] article {number}\r\nMessage-ID: <{number}@inn.invalid>\r\n\r\n"
                       f"Article {number}.\r\n..and a dot\r\n.")
            self.ask(lines, article, b"235")

    @staticmethod
    def ask(lines, text, wanted):
        lines.write(text.encode() + b"\r\n")
        lines.flush()
        answer = lines.readline()
        if not answer.startswith(wanted):
            sys.exit(f"innd answers {answer!r} to {text.splitlines()[0]!r}")

    def cancel(self, number):
        self.run("ctlinnd", "-t", "20", "cancel", f"<{number}@inn.invalid>")

    def stop(self):
        if self.server.poll() is None:
            self.server.terminate()
            try:
                self.server.wait(5)
            except subprocess.TimeoutExpired:
                self.server.kill()


def main():
    if not (PROGRAMS / "innd").exists():
        sys.exit("inn2 is not installed")
    top, inn = Path(tempfile.mkdtemp(prefix="bpfnews-innd.")), None
    try:
        port, = own_ports(1)
        inn = Inn(top, port)
        inn.post(int(sys.argv[1]))
        print(f"nntp://127.0.0.1:{port}/{GROUP}", flush=True)
        for line in sys.stdin:
            match line.split():
                case ["more", count]:
                    inn.post(int(count))
                case ["cancel", number]:
                    inn.cancel(int(number))
                case _:
                    sys.exit(f"no such command: {line!r}")
            print("ok", inn.count, flush=True)
    finally:
        if inn:
            inn.stop()
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
