"""The memory of a connected bot that does nothing: bpfnews with both platforms, or discord.js alone.

The memory is the resident size in /proc after some seconds. Both talk to the same stand-in (fake.py), and both run with the
environment that bpfnews' unit sets.
"""

import os
import subprocess
import sys
import time

import measured

UNIT = os.path.join(os.path.dirname(__file__), "..", "..", "contrib", "bpfnews.service")
CONFIG = """database = "bpfnews.sqlite"
[network]
allow_private_hosts = ["127.0.0.1"]
[discord]
token_file = "token"
api = "http://127.0.0.1:{port}"
[matrix]
homeserver = "http://127.0.0.1:{port}"
user = "@bot:localhost"
password_file = "password"
[[channel]]
name = "discord"
platform = "discord"
id = "1000000000000000001"
[[channel]]
name = "matrix"
platform = "matrix"
id = "!r0:localhost"
[[feed]]
name = "empty"
kind = "feed"
url = "http://127.0.0.1:{port}/feed.rss"
"""


def bpfnews(program, home, port):
    if not os.access(program, os.X_OK):
        print(f"{program} is not there; cargo build --release makes it", file=sys.stderr)
        sys.exit(measured.MISSING)
    for name, text in {"config.toml": CONFIG.format(port=port), "token": "MTIz.token.secret", "password": "secret"}.items():
        with open(f"{home}/{name}", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(text)
    return [program, "run", "--config", f"{home}/config.toml"]


def discordjs(packages, port):
    measured.need("node")
    if not os.path.isdir(f"{packages}/node_modules/discord.js"):
        print("discord.js is not installed", file=sys.stderr)
        sys.exit(measured.MISSING)
    return ["node", os.path.join(os.path.dirname(__file__), "discordjs.mjs"), os.path.abspath(packages), str(port)]


def environment():
    with open(UNIT) as unit:
        set_there = [line.strip().removeprefix("Environment=") for line in unit if line.startswith("Environment=")]
    return {**os.environ, **dict(setting.split("=", 1) for setting in set_there)}


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return {name: int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM", "RssAnon")}


def cpu(pid):
    with open(f"/proc/{pid}/stat") as stat:
        ticks = stat.read().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def main():
    given = measured.arguments(__doc__, "--side", "--program", "--packages", "--seconds", "--scratch")
    home = measured.fresh(given.scratch)
    fake = subprocess.Popen(
        [sys.executable, os.path.join(os.path.dirname(__file__), "fake.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    bot = None
    try:
        port = fake.stdout.readline().strip()
        if not port:
            sys.exit(fake.wait())
        is_ours = given.side == "ours"
        argv = bpfnews(os.path.abspath(given.program), home, port) if is_ours else discordjs(given.packages, port)
        with open(f"{home}/log", "wb") as log:
            bot = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
        time.sleep(given.seconds)
        if bot.poll() is not None:
            sys.exit(f"{argv[0]} ended with status {bot.returncode}: {measured.tail(f'{home}/log')}")
        memory = resident(bot.pid)
        figures = {"wall_s": given.seconds, "cpu_s": cpu(bot.pid), "peak_kb": memory["VmHWM"]}
    finally:
        for process in filter(None, (bot, fake)):
            process.terminate()
            process.wait()
    connected = set(fake.stdout.read().split())
    wanted = {"discord", "matrix"} if is_ours else {"discord"}
    measured.expect("connected", sorted(connected), sorted(wanted))
    measured.report("idle", given.side, 1, figures, rss_kb=memory["VmRSS"], anon_kb=memory["RssAnon"], platforms=len(connected))


main()
