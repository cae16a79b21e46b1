-- What is registered with Discord, so that it is registered once per change and not at every start.

CREATE TABLE registered_commands (
    application   TEXT    PRIMARY KEY,          -- Discord's id of the bot's application
    hash          TEXT    NOT NULL,             -- of all commands as they were sent
    registered_at INTEGER NOT NULL
) STRICT;
