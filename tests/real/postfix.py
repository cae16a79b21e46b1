#!/usr/bin/env python3
"""Runs postfix on loopback, with its configuration and its queue in a temporary folder, for the tests of bpfnews.

  postfix.py BOUNCE

The first line of standard output is the port, the folder of the mailboxes, the certificate of the authority that signed the
server's certificate for localhost, and two ports that ask for a login: one with STARTTLS, and one that is encrypted from the
first byte and knows no other way than LOGIN. The account is bpfnews, and its password "a secret". reader@reader.example has a
maildir; postfix refuses other names there at once. It accepts every name at gone.example, and bounces the mail. It passes mail
to bounces@bpf.example, with or without a token after a "+", to the shell command BOUNCE. The script then reads one command
from each line of standard input, and answers with one line:

  queue        the mails that wait           ok COUNT
  log          postfix' log so far           ok PATH

When standard input ends, the script stops the server and removes its temporary folder. Needs Debian's postfix and openssl. It
also needs root, because only root can start postfix; postfix' programs then run as the user postfix.
"""
import base64
import os
import pwd
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ports import own_ports

PROGRAMS = Path("/usr/lib/postfix/sbin")


def certificate(top):
    """A certificate for localhost, and the authority that signed it."""
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, cwd=top, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (top / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=authority of the tests", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "names", "-out", "cert.pem")


class Login(socketserver.StreamRequestHandler):
    """Answers postfix' questions for a login, as dovecot does (its auth protocol, version 1.1)."""
    ways = b""

    def say(self, *words):
        self.wfile.write(b"\t".join(words) + b"\n")

    def handle(self):
        for line in (b"VERSION\t1\t1", *(b"MECH\t" + way + b"\tplaintext" for way in self.ways.split()), b"SPID\t1",
                     b"CUID\t1", b"COOKIE\t" + b"0" * 32, b"DONE"):
            self.say(line)
        user = {}
        for line in self.rfile:
            word, number, *rest = line.rstrip(b"\n").split(b"\t") + [b""]
            given = next((base64.b64decode(part[5:]) for part in rest if part.startswith(b"resp=")), None)
            if word == b"CONT":
                given = base64.b64decode(rest[0])
            elif word != b"AUTH":
                continue
            if word == b"AUTH" and rest[0] == b"LOGIN" and given is None:
                self.say(b"CONT", number, base64.b64encode(b"Username:"))
            elif number not in user and (word == b"CONT" or rest[0] == b"LOGIN"):
                user[number] = given
                self.say(b"CONT", number, base64.b64encode(b"Password:"))
            else:
                _, name, password = given.split(b"\0") if word == b"AUTH" else (b"", user.pop(number), given)
                is_right = (name, password) == (b"bpfnews", b"a secret")
                self.say(b"OK" if is_right else b"FAIL", number, b"user=" + name)


def ask_for_logins(path, ways):
    """A socket at which postfix asks, with these ways to log in."""
    handler = type("LoginBy", (Login,), {"ways": ways})
    server = socketserver.ThreadingUnixStreamServer(str(path), handler)
    server.daemon_threads = True
    path.chmod(0o666)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    bounce, = sys.argv[1:]
    if os.geteuid() != 0:
        sys.exit("postfix starts as root only")
    ports = own_ports(3)
    top = Path(tempfile.mkdtemp(prefix="postfix"))
    # Postfix' programs run as other users.
    top.chmod(0o755)
    try:
        run(top, ports, bounce)
    finally:
        shutil.rmtree(top, ignore_errors=True)


def configure(top, ports, bounce):
    owner, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
    for name in ("etc", "queue", "data", "mail"):
        (top / name).mkdir()
    os.chown(top / "data", owner.pw_uid, owner.pw_gid)
    os.chown(top / "mail", nobody.pw_uid, nobody.pw_gid)
    certificate(top)
    etc = top / "etc"
    settings = {
        "compatibility_level": "3.6", "queue_directory": top / "queue", "data_directory": top / "data",
        "command_directory": "/usr/sbin", "daemon_directory": PROGRAMS, "mail_owner": "postfix", "setgid_group": "postdrop",
        "myhostname": "mx.bpf.example", "mydestination": "bpf.example", "mynetworks": "127.0.0.0/8",
        "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "recipient_delimiter": "+", "biff": "no",
        "alias_maps": f"texthash:{etc}/aliases", "alias_database": "", "local_recipient_maps": "",
        "virtual_mailbox_domains": "reader.example", "virtual_mailbox_base": top / "mail",
        "virtual_mailbox_maps": f"texthash:{etc}/mailboxes", "virtual_minimum_uid": "1",
        "virtual_uid_maps": f"static:{nobody.pw_uid}", "virtual_gid_maps": f"static:{nobody.pw_gid}",
        "relay_domains": "gone.example", "transport_maps": f"texthash:{etc}/transport", "relay_recipient_maps": "",
        "smtpd_tls_security_level": "encrypt", "smtpd_tls_cert_file": top / "cert.pem", "smtpd_tls_key_file": top / "key.pem",
        "smtpd_relay_restrictions": "permit_mynetworks, reject", "smtpd_recipient_restrictions": "",
        "maillog_file": top / "log", "maillog_file_prefixes": top, "smtpd_peername_lookup": "no",
        "default_destination_concurrency_limit": "20", "default_transport": "error:nowhere",
    }
    (etc / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
    command = bounce.replace("\\", "\\\\").replace('"', '\\"')
    (etc / "aliases").write_text(f'bounces "|{command}"\n')
    (etc / "mailboxes").write_text("reader@reader.example reader/\n")
    (etc / "transport").write_text("gone.example gone:\n")
    login = "-o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=dovecot -o smtpd_tls_auth_only=yes " \
        "-o smtpd_sasl_authenticated_header=yes -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject " \
        "-o smtpd_relay_restrictions=permit_sasl_authenticated,reject"
    port, with_login, implicit = ports
    services = [
        f"127.0.0.1:{port} inet n - n - - smtpd",
        f"127.0.0.1:{with_login} inet n - n - - smtpd\n  {login} -o smtpd_sasl_path={top}/plain",
        f"127.0.0.1:{implicit} inet n - n - - smtpd\n  {login} -o smtpd_sasl_path={top}/login -o smtpd_tls_wrappermode=yes",
        "pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
        "tlsmgr unix - - n 1000? 1 tlsmgr", "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
        "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify",
        "flush unix n - n 1000? 0 flush", "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp",
        "relay unix - - n - - smtp", "error unix - - n - - error", "retry unix - - n - - error",
        "local unix - n n - - local", "virtual unix - n n - - virtual", "anvil unix - - n - 1 anvil",
        "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd",
        # The exit status of a user that does not exist.
        "gone unix - n n - - pipe\n  user=nobody argv=/bin/sh -c { exit 67 }",
    ]
    (etc / "master.cf").write_text("\n".join(services) + "\n")
    return etc


def run(top, ports, bounce):
    etc = configure(top, ports, bounce)
    ask_for_logins(top / "plain", b"PLAIN LOGIN")
    ask_for_logins(top / "login", b"LOGIN")
    quiet = dict(stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr)
    # Makes the folders of the queue, with their owners.
    subprocess.run(["postfix", "-c", etc, "check"], check=False, **quiet)
    server = subprocess.Popen([PROGRAMS / "master", "-c", etc, "-d"], **quiet)
    try:
        wait(server, ports[0])
        print(ports[0], top / "mail", top / "ca.pem", ports[1], ports[2], flush=True)
        for line in sys.stdin:
            match line.split():
                case ["queue"]:
                    listed = subprocess.run(["postqueue", "-c", etc, "-j"], capture_output=True, check=True)
                    print("ok", len(listed.stdout.splitlines()), flush=True)
                case ["log"]:
                    print("ok", top / "log", flush=True)
                case other:
                    print("no such command:", *other, flush=True)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)


def wait(server, port):
    for _ in range(200):
        if server.poll() is not None:
            sys.exit("postfix ended")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                if connection.recv(100).startswith(b"220"):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit("postfix does not answer")


if __name__ == "__main__":
    main()
