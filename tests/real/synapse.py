#!/usr/bin/env python3
"""Runs a real Synapse on loopback, for bpfnews's tests.

  synapse.py [--limits] USER...

The first line of standard output is the homeserver's address, printed when it answers. The second one is JSON: for each
user the id, the password, and the access token and device of a session. Commands on standard input: "down" stops the
server, "up" starts it again with the same data; the answer to both is "ok 0". When standard input ends, the script stops
the server and removes its temporary folder.

--limits keeps Synapse's default rate limits. Without it, Synapse has none.

Needs Synapse in target/synapse: tests/run installs it there.
"""
import hashlib
import hmac
import json
import os
import secrets
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

PYTHON = Path(__file__).resolve().parents[2] / "target/synapse/bin/python"
START_MAX_S = 120
FREE = {"per_second": 10000, "burst_count": 10000}


def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def settings(folder, port, secret, limited):
    made = {
        "server_name": "localhost",
        "public_baseurl": f"http://127.0.0.1:{port}/",
        "pid_file": str(folder / "pid"),
        # No federation: only "client".
        "listeners": [
            {
                "port": port,
                "bind_addresses": ["127.0.0.1"],
                "type": "http",
                "tls": False,
                "resources": [{"names": ["client"], "compress": False}],
            }
        ],
        "database": {"name": "sqlite3", "args": {"database": str(folder / "db")}},
        "log_config": str(folder / "log.json"),
        "media_store_path": str(folder / "media"),
        "signing_key_path": str(folder / "signing.key"),
        "registration_shared_secret": secret,
        "macaroon_secret_key": secrets.token_hex(16),
        "form_secret": secrets.token_hex(16),
        "report_stats": False,
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "federation_domain_whitelist": [],
        "presence": {"enabled": False},
        "bcrypt_rounds": 4,
        # A device may ask for a token with which another one logs in once.
        "login_via_existing_session": {"enabled": True, "require_ui_auth": False, "token_timeout": "1m"},
    }
    if not limited:
        made |= {
            "rc_message": FREE,
            "rc_registration": FREE,
            "rc_login": {"address": FREE, "account": FREE, "failed_attempts": FREE},
            "rc_joins": {"local": FREE, "remote": FREE},
            "rc_joins_per_room": FREE,
            "rc_invites": {"per_room": FREE, "per_user": FREE, "per_issuer": FREE},
            "rc_room_creation": FREE,
            "rc_key_requests": FREE,
        }
    return made


class Homeserver:
    def __init__(self, limited):
        self.folder = Path(tempfile.mkdtemp(prefix="bpfnews-synapse-"))
        self.port, = own_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.secret = secrets.token_hex(16)
        self.process = None
        text = json.dumps(settings(self.folder, self.port, self.secret, limited))
        (self.folder / "homeserver.yaml").write_text(text)
        (self.folder / "log.json").write_text(json.dumps({"version": 1, "root": {"level": "WARNING"}}))
        self.run = [str(PYTHON), "-m", "synapse.app.homeserver", "-c", str(self.folder / "homeserver.yaml")]
        subprocess.run([*self.run, "--generate-keys"], cwd=self.folder, check=True, stdout=sys.stderr)

    def up(self):
        said = open(self.folder / "said", "ab")
        self.process = subprocess.Popen(self.run, cwd=self.folder, stdout=said, stderr=said)
        until = time.monotonic() + START_MAX_S
        while True:
            if self.process.poll() is not None or time.monotonic() > until:
                said = (self.folder / "said").read_text(errors="replace")
                sys.exit("Synapse does not start:\n" + said[-4000:])
            try:
                call(self.url + "/_matrix/client/versions")
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)

    def down(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def register(self, name):
        url = self.url + "/_synapse/admin/v1/register"
        nonce, password = call(url)["nonce"], secrets.token_hex(8)
        proof = hmac.new(self.secret.encode(), digestmod=hashlib.sha1)
        proof.update("\0".join([nonce, name, password, "notadmin"]).encode())
        body = {"nonce": nonce, "username": name, "password": password, "admin": False, "mac": proof.hexdigest()}
        made = call(url, body)
        return {
            "id": made["user_id"],
            "password": password,
            "token": made["access_token"],
            "device": made["device_id"],
        }


def main():
    names = [name for name in sys.argv[1:] if name != "--limits"]
    if not PYTHON.exists():
        sys.exit(f"there is no {PYTHON}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = Homeserver("--limits" in sys.argv)
    try:
        server.up()
        users = {name: server.register(name) for name in names}
        print(server.url, json.dumps(users), sep="\n", flush=True)
        for line in sys.stdin:
            {"up": server.up, "down": server.down}[line.strip()]()
            print("ok 0", flush=True)
    finally:
        server.down()
        shutil.rmtree(server.folder, ignore_errors=True)


if __name__ == "__main__":
    os.umask(0o077)
    main()
