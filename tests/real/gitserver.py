#!/usr/bin/env python3
"""Serves a bare git repository by git's own servers on loopback, for bpfnews's tests.

  gitserver.py REPOSITORY.git [--daemon] [--unfiltered]

By default, lighttpd runs `git http-backend`; with --daemon, `git daemon` serves git's own protocol. Both allow partial
clones, except with --unfiltered. The first line of standard output is the address for bpfnews, printed once the server
answers. The test moves branches with git. The script then reads one command from each line of standard input, and
answers with one line:

  requests   the HTTP requests so far       ok COUNT

When standard input ends, the script stops the server and removes its temporary folder.

Needs git and lighttpd: tests/run installs them.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ports import own_ports

LIGHTTPD = Path("/usr/sbin/lighttpd")

LIGHTTPD_CONF = """server.modules = ("mod_setenv", "mod_cgi", "mod_alias", "mod_accesslog")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{top}"
server.errorlog = "{top}/error.log"
accesslog.filename = "{top}/access.log"
cgi.assign = ("" => "")
alias.url = ("/" => "{backend}/")
setenv.add-environment = ("GIT_PROJECT_ROOT" => "{root}", "GIT_HTTP_EXPORT_ALL" => "1", {config})
"""


def configuration(unfiltered):
    """The environment in which git's servers allow the requests of bpfnews."""
    keys = [("uploadpack.allowFilter", "false" if unfiltered else "true"), ("safe.directory", "*")]
    env = {"GIT_CONFIG_COUNT": str(len(keys)), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for place, (key, value) in enumerate(keys):
        env[f"GIT_CONFIG_KEY_{place}"] = key
        env[f"GIT_CONFIG_VALUE_{place}"] = value
    return env


def wait_for(server, port):
    for _ in range(200):
        if server.poll() is not None:
            sys.exit("the server ended early")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit("no answer")


def serve_http(top, root, env):
    port, = own_ports(1)
    backend = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip()
    config = ", ".join(f'"{key}" => "{value}"' for key, value in env.items())
    conf = LIGHTTPD_CONF.format(port=port, top=top, root=root, backend=f"{backend}/git-http-backend", config=config)
    (top / "lighttpd.conf").write_text(conf)
    server = subprocess.Popen([LIGHTTPD, "-D", "-f", top / "lighttpd.conf"], stdin=subprocess.DEVNULL,
                              stdout=sys.stderr)
    wait_for(server, port)
    return server, f"git+http://127.0.0.1:{port}/"


def serve_daemon(root, env):
    port, = own_ports(1)
    server = subprocess.Popen(["git", "daemon", f"--base-path={root}", "--export-all", "--listen=127.0.0.1",
                               f"--port={port}", "--reuseaddr", str(root)], stdin=subprocess.DEVNULL,
                              stdout=sys.stderr, env=dict(os.environ, **env), process_group=0)
    wait_for(server, port)
    return server, f"git://127.0.0.1:{port}/"


def main():
    args = sys.argv[1:]
    daemon, unfiltered = "--daemon" in args, "--unfiltered" in args
    args = [arg for arg in args if arg not in ("--daemon", "--unfiltered")]
    if len(args) != 1 or args[0].startswith("-"):
        sys.exit(__doc__)
    repository = Path(args[0]).resolve()
    if not daemon and not LIGHTTPD.exists():
        sys.exit(f"{LIGHTTPD} is not installed")
    top, server = Path(tempfile.mkdtemp(prefix="bpfnews-git.")), None
    env = configuration(unfiltered)
    try:
        server, url = serve_daemon(repository.parent, env) if daemon else serve_http(top, repository.parent, env)
        print(url + repository.name, flush=True)
        for line in sys.stdin:
            if line.strip() != "requests":
                sys.exit(f"no such command: {line!r}")
            log = top / "access.log"
            print("ok", len(log.read_text().splitlines()) if log.exists() else 0, flush=True)
    finally:
        if server and server.poll() is None:
            if daemon:
                os.killpg(server.pid, signal.SIGTERM)
            else:
                server.terminate()
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
