"""Reads the first mails of an archive (a git repository with one mail a commit, as the file m) as a neighbour would.

    cat-file       git cat-file alone: the floor
    python         Python's email package, and SQLite
    public-inbox   public-inbox-index -L basic: threads, dates and Message-IDs, no words
"""

import email
import email.header
import email.policy
import email.utils
import os
import sqlite3
import subprocess

import measured


def commits(epoch, mails):
    listed = subprocess.run(["git", "-C", epoch, "rev-list", "--reverse", "HEAD"], capture_output=True, text=True, check=True)
    return listed.stdout.split()[:mails]


def bodies(epoch, chosen, home):
    """The mails, as git prints them."""
    with open(f"{home}/wanted", "w") as wanted:
        wanted.writelines(f"{commit}:m\n" for commit in chosen)
    with open(f"{home}/wanted") as wanted:
        git = subprocess.Popen(
            ["git", "-C", epoch, "cat-file", "--batch", "--buffer"], stdin=wanted, stdout=subprocess.PIPE, bufsize=1 << 20
        )
    while head := git.stdout.readline().split():
        yield git.stdout.read(int(head[2]))
        git.stdout.read(1)
    # Waited for, so that its CPU time is counted.
    git.wait()


def cat_file(given, chosen, home):
    own = measured.Own()
    sizes = [len(mail) for mail in bodies(given.epoch, chosen, home)]
    return own.end(), {"mails": len(sizes), "bytes": sum(sizes)}


def text(value):
    try:
        return str(email.header.make_header(email.header.decode_header(value or "")))
    except (ValueError, LookupError, UnicodeError):
        return str(value)


def row(mail):
    parsed = email.message_from_bytes(mail, policy=email.policy.compat32)
    answers = str(parsed["References"] or parsed["In-Reply-To"] or "").split()
    key = str(parsed["Message-ID"] or "").strip("<> \t\r\n")
    try:
        date = email.utils.parsedate_to_datetime(str(parsed["Date"])).timestamp()
    except (ValueError, TypeError, OverflowError):
        date = None
    body = next((part.get_payload(decode=True) for part in parsed.walk() if part.get_content_type() == "text/plain"), b"")
    subject, author = text(parsed["Subject"]), text(parsed["From"])
    fields = (key, answers[0].strip("<>") if answers else key, date, subject, author, len(body))
    return tuple(field.encode(errors="replace").decode() if isinstance(field, str) else field for field in fields)


def python(given, chosen, home):
    own = measured.Own()
    database = sqlite3.connect(f"{home}/mails.sqlite")
    database.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "CREATE TABLE mail (id TEXT PRIMARY KEY, thread TEXT, date REAL, subject TEXT, author TEXT, length INTEGER);"
        "CREATE INDEX mail_thread ON mail (thread, date);"
    )
    mails = 0
    with database:
        for mail in bodies(given.epoch, chosen, home):
            database.execute("INSERT OR IGNORE INTO mail VALUES (?, ?, ?, ?, ?, ?)", row(mail))
            mails += 1
    (items,) = database.execute("SELECT count(*) FROM mail").fetchone()
    database.close()
    figures = own.end()
    return figures, {"mails": mails, "items": items, "bytes_per_mail": size(f"{home}/mails.sqlite") / mails}


def public_inbox(given, chosen, home):
    measured.need("public-inbox-index")
    inbox, log = f"{home}/inbox", f"{home}/log"
    environment = {**os.environ, "HOME": home, "PI_CONFIG": f"{home}/config"}
    init = ["public-inbox-init", "-V2", "-L", "basic", "bench", inbox, "http://127.0.0.1/bench", "bench@example.org"]
    measured.child(init, log, env=environment)
    # Its first epoch borrows the mails from the archive, so that only the index is made.
    epoch = f"{inbox}/git/0.git"
    subprocess.run(["git", "init", "-q", "--bare", epoch], check=True)
    with open(f"{epoch}/objects/info/alternates", "w") as alternates:
        alternates.write(os.path.abspath(f"{given.epoch}/objects") + "\n")
    subprocess.run(["git", "-C", epoch, "update-ref", "refs/heads/master", chosen[-1]], check=True)
    subprocess.run(["git", "-C", epoch, "symbolic-ref", "HEAD", "refs/heads/master"], check=True)
    figures = measured.child(["public-inbox-index", "-L", "basic", inbox], log, env=environment)
    with sqlite3.connect(f"{inbox}/xap15/over.sqlite3") as over:
        (mails,) = over.execute("SELECT count(*) FROM over WHERE num > 0").fetchone()
    index = size(f"{inbox}/xap15") + size(f"{inbox}/msgmap.sqlite3")
    return figures, {"mails": mails, "bytes_per_mail": index / mails}


def size(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(folder, file)) for folder, _, files in os.walk(path) for file in files)


SIDES = {"cat-file": cat_file, "python": python, "public-inbox": public_inbox}

given = measured.arguments(__doc__, "--side", "--epoch", "--mails", "--scratch")
home = measured.fresh(given.scratch)
chosen = commits(given.epoch, given.mails)
figures, count = SIDES[given.side](given, chosen, home)
measured.expect("mails", count["mails"], given.mails)
measured.report("ingest", given.side, given.mails, figures, **count)
