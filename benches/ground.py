"""What is measured over: the data, made once by the bench program, and nginx, which serves it on loopback."""

import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time

# As many addresses as if there were so many hosts.
HOSTS = [f"127.0.0.{number}" for number in range(1, 17)]
# What a side's command names tells which data it needs; the first three are served.
NEEDS = {"archive": "{archive_port}", "touched": "{touched_port}", "news": "{news_port}", "mails": "{data}/epoch.git"}
SERVED = ("archive", "touched", "news")


class Wrong(Exception):
    """What stops the whole run, told to a person."""


def say(text):
    print(f"== {text}", file=sys.stderr, flush=True)


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def tail(path):
    with open(path, "rb") as file:
        return file.read()[-600:].decode(errors="replace").strip()


def make_data(program, wanted, folder, mbox):
    """Makes what is not there yet: wanted says how much of each kind."""
    os.makedirs(folder, exist_ok=True)
    source = ["--mbox", mbox] if mbox else []
    told = f"{os.path.abspath(mbox)} {os.path.getmtime(mbox)}" if mbox else "made up"
    for kind, amount in wanted.items():
        stamp, made = f"{folder}/{kind}.made", f"{folder}/{'epoch.git' if kind == 'mails' else kind}"
        note = f"{amount} of {told}\n"
        if os.path.exists(stamp) and open(stamp).read() == note:
            continue
        say(f"making data: {kind}, {amount}")
        shutil.rmtree(made, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            os.remove(stamp)
        if kind == "mails":
            make_epoch(program, amount, made, source)
        else:
            shape = "feeds" if kind == "archive" else "news"
            check([program, "data", shape, *source, "--out", made, "--feeds", str(amount)])
        with open(stamp, "w") as file:
            file.write(note)


def make_epoch(program, mails, folder, source):
    check(["git", "init", "-q", "--bare", "-b", "master", folder])
    stream = subprocess.Popen([program, "data", "epoch", *source, "--mails", str(mails)], stdout=subprocess.PIPE)
    check(["git", "-C", folder, "fast-import", "--quiet"], stdin=stream.stdout)
    if stream.wait() != 0:
        raise Wrong("the bench program made no epoch")
    counted = subprocess.run(["git", "-C", folder, "rev-list", "--count", "master"], capture_output=True, text=True)
    if counted.stdout.strip() != str(mails):
        raise Wrong(f"the epoch has {counted.stdout.strip()} mails and not {mails}")


def check(argv, **options):
    # The program may say what it made; this standard output is for results.
    if subprocess.run(argv, stdout=sys.stderr, **options).returncode != 0:
        raise Wrong(f"{shlex.join(argv)} failed")


@contextlib.contextmanager
def served(data, folders, scratch):
    """Runs nginx over the folders, each on a port of its own; gives the ports."""
    if not folders:
        yield {}
        return
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not nginx:
        raise Wrong("there is no nginx; benches/setup installs it")
    home = fresh(f"{scratch}/nginx")
    ports = free_ports(folders)
    with open(f"{home}/nginx.conf", "w") as file:
        file.write(nginx_config(home, {f"{data}/{folder}": port for folder, port in ports.items()}))
    with open(f"{home}/log", "wb") as log:
        command = [nginx, "-e", f"{home}/error", "-p", home, "-c", f"{home}/nginx.conf"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        for port in ports.values():
            wait_for(process, port, home)
        yield ports
    finally:
        process.terminate()
        process.wait()


def nginx_config(home, folders):
    # As root, nginx would give itself another account, which may not reach the data.
    user = "user root;\n" if os.geteuid() == 0 else ""
    temporary = " ".join(f"{name}_temp_path {home}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    servers = ""
    for folder, port in folders.items():
        listen = " ".join(f"listen {host}:{port} backlog=1024;" for host in HOSTS)
        servers += f"server {{ root {json.dumps(folder)}; {listen} }}\n"
    return f"""{user}daemon off; worker_processes 1; pid {home}/pid; worker_rlimit_nofile 40000;
events {{ worker_connections 8192; }}
http {{
types {{ application/atom+xml atom; application/rss+xml xml; }}
access_log off; sendfile on; tcp_nopush on; etag on; keepalive_requests 10000000;
open_file_cache max=20000 inactive=600s; open_file_cache_valid 1s;
{temporary}
{servers}}}
"""


def free_ports(folders):
    """A port for each that is free on all of the addresses."""
    with contextlib.ExitStack() as held:
        ports = {}
        for folder in folders:
            for _ in range(50):
                with contextlib.suppress(OSError), contextlib.ExitStack() as tried:
                    port = 0
                    for host in HOSTS:
                        port = tried.enter_context(socket.create_server((host, port))).getsockname()[1]
                    held.enter_context(tried.pop_all())
                    ports[folder] = port
                    break
            else:
                raise Wrong("no port is free on all of 127.0.0.1 to 127.0.0.16")
        return ports


def wait_for(process, port, home):
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOSTS[-1], port), timeout=1):
            return
        time.sleep(0.05)
    raise Wrong(f"nginx does not answer: {tail(f'{home}/log')} {tail(f'{home}/error')}")
