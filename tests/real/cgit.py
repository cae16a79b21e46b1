#!/usr/bin/env python3
"""Serves a bare git repository by a real cgit, the software behind git.kernel.org, on loopback, for bpfnews's tests.

  cgit.py REPOSITORY.git

The first line of standard output is the repository's URL, printed when the server answers. The test moves branches
with git. cgit's cache is off, so the next request sees them. When standard input ends, the script stops the server and
removes its temporary folder.

Needs cgit and lighttpd: tests/run installs them. The settings are cgit's defaults, so the Atom has ten entries and the
log fifty a page.
"""
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from ports import own_ports

CGIT = Path("/usr/lib/cgit/cgit.cgi")
LIGHTTPD = Path("/usr/sbin/lighttpd")
NAME = "tree"

CGITRC = """virtual-root=/
cache-size=0
enable-log-filecount=1
enable-log-linecount=1
max-atom-items=10
repo.url={name}
repo.path={repo}
repo.desc=a tree for tests
repo.defbranch=master
"""

LIGHTTPD_CONF = """server.modules = ("mod_setenv", "mod_cgi", "mod_alias", "mod_rewrite")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{top}"
server.errorlog = "{top}/error.log"
cgi.assign = ("cgit.cgi" => "")
alias.url = ("/cgit.cgi" => "{cgit}")
url.rewrite-once = ("^/(?!cgit\\.cgi)(.*)$" => "/cgit.cgi/$1")
setenv.add-environment = ("CGIT_CONFIG" => "{top}/cgitrc")
"""


def serve(top, repo):
    port, = own_ports(1)
    (top / "cgitrc").write_text(CGITRC.format(name=NAME, repo=repo))
    (top / "lighttpd.conf").write_text(LIGHTTPD_CONF.format(port=port, top=top, cgit=CGIT))
    server = subprocess.Popen([LIGHTTPD, "-D", "-f", top / "lighttpd.conf"], stdin=subprocess.DEVNULL,
                              stdout=sys.stderr)
    url = f"http://127.0.0.1:{port}/{NAME}/"
    for _ in range(200):
        if server.poll() is not None:
            sys.exit("lighttpd ended early:\n" + (top / "error.log").read_text())
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                answer.read(1)
            return server, url
        except urllib.error.HTTPError:
            return server, url      # an empty repository has no page of its own, but it is served
        except OSError:
            time.sleep(0.05)
    server.kill()
    sys.exit("cgit: no answer")


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    for program in (CGIT, LIGHTTPD):
        if not program.exists():
            sys.exit(f"{program} is not installed")
    top, server = Path(tempfile.mkdtemp(prefix="bpfnews-cgit.")), None
    try:
        server, url = serve(top, Path(sys.argv[1]).resolve())
        print(url, flush=True)
        for line in sys.stdin:
            sys.exit(f"no such command: {line!r}")
    finally:
        if server and server.poll() is None:
            server.terminate()
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
