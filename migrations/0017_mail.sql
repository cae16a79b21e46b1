-- E-mail. `subscribers` is the only table with addresses of people; an address is erased when its person leaves.

CREATE TABLE subscribers (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    address      TEXT,                          -- as it was typed; NULL: erased
    folded       TEXT UNIQUE,                   -- in lower case, so that an address signs up once; NULL: erased
    secret       BLOB    NOT NULL,              -- random: the key of its links, its return path and its Message-IDs
    state        TEXT    NOT NULL CHECK (state IN ('asked', 'on', 'suspended', 'off')),
    asked_at     INTEGER NOT NULL,              -- the last sign-up
    asks         INTEGER NOT NULL DEFAULT 1,    -- mails with a link to confirm since asks_from
    asks_from    INTEGER NOT NULL,
    confirmed_at INTEGER,
    changed_at   INTEGER NOT NULL,              -- when the state changed
    refusals     INTEGER NOT NULL DEFAULT 0,    -- refused mails in a row that do not say that the address is wrong
    why          TEXT                           -- the code of the last refusal: '550 5.1.1'; never a server's words
) STRICT;

CREATE INDEX subscribers_on ON subscribers (id) WHERE state = 'on';
CREATE INDEX subscribers_asked ON subscribers (asked_at) WHERE state = 'asked';

-- An issue that goes to subscribers, and how far its deliveries are queued. They are queued in pages.
CREATE TABLE mailings (
    issue     INTEGER PRIMARY KEY,
    begun_at  INTEGER NOT NULL,
    queued_to INTEGER NOT NULL DEFAULT 0,       -- the last subscriber with a delivery
    ended_at  INTEGER                           -- NULL: more are to be queued
) STRICT;

-- Mails of each hour since 1970, for the bound of a day. A mail is counted before it is sent.
CREATE TABLE mail_hours (
    hour INTEGER PRIMARY KEY,
    sent INTEGER NOT NULL
) STRICT;
