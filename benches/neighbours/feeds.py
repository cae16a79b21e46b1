"""Polls the feeds with aiohttp and a parser of Python's, and stores keys in SQLite, as a small bot in Python does.

The parser is feedparser or fastfeedparser. Requests are conditional; unchanged measures the second poll.
"""

import asyncio
import sqlite3
import sys

import measured

try:
    import aiohttp
    import fastfeedparser
    import feedparser
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(measured.MISSING)

AT_ONCE = 32
PARSERS = {"feedparser": feedparser.parse, "fastfeedparser": fastfeedparser.parse}


class Poller:
    def __init__(self, given):
        self.given, self.parse = given, PARSERS[given.parser]
        self.database = sqlite3.connect(f"{measured.fresh(given.scratch)}/keys.sqlite")
        self.database.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "CREATE TABLE key (feed INTEGER, key TEXT, title TEXT, PRIMARY KEY (feed, key)) WITHOUT ROWID;"
        )
        self.marks = {}

    async def poll(self):
        self.count = {"requests": 0, "unchanged": 0, "entries": 0}
        left = iter(range(self.given.feeds))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
            await asyncio.gather(*(self.work(session, left) for _ in range(AT_ONCE)))

    async def work(self, session, left):
        for feed in left:
            headers = self.marks.get(feed, {})
            async with session.get(measured.url(self.given.port, feed, self.given.file), headers=headers) as answer:
                self.count["requests"] += 1
                if answer.status == 304:
                    self.count["unchanged"] += 1
                    continue
                answer.raise_for_status()
                self.keep(feed, await answer.read())
                self.marks[feed] = {
                    "If-None-Match": answer.headers["ETag"],
                    "If-Modified-Since": answer.headers["Last-Modified"],
                }

    def keep(self, feed, document):
        entries = self.parse(document).entries
        self.count["entries"] += len(entries)
        rows = [(feed, entry.get("id") or entry.get("link"), entry.get("title")) for entry in entries]
        with self.database:
            self.database.executemany("INSERT OR IGNORE INTO key VALUES (?, ?, ?)", rows)

    def keys(self):
        return self.database.execute("SELECT count(*) FROM key").fetchone()[0]


given = measured.arguments(__doc__, "--parser", "--phase", "--port", "--feeds", "--file", "--each", "--scratch")
poller = Poller(given)
own = measured.Own()
asyncio.run(poller.poll())
if given.phase == "unchanged":
    own = measured.Own()
    asyncio.run(poller.poll())
    measured.expect("feeds that did not change", poller.count["unchanged"], given.feeds)
figures = own.end()
measured.expect("items", poller.keys(), given.feeds * given.each)
measured.report(given.phase, given.parser, given.feeds, figures, items=poller.keys(), **poller.count)
