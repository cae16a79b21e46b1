-- Texts lie end to end in rows that fill a page each, for small rows of their own leave part of every page empty. A row above
-- zero is shared; where it ends, a text goes on in the next. The row -N belongs to item N alone: a text that was written again,
-- or that was here before rows were shared.
ALTER TABLE items ADD COLUMN text_at INTEGER;              -- the row, times 8192, and where in it; NULL: there is no text
ALTER TABLE items ADD COLUMN text_bytes INTEGER;

ALTER TABLE texts RENAME TO texts_before;
CREATE TABLE texts (
    id   INTEGER PRIMARY KEY,
    body BLOB NOT NULL                                     -- prose and headers, each text compressed by itself (zstd)
) STRICT;
INSERT INTO texts (id, body) SELECT -item_id, body FROM texts_before ORDER BY item_id DESC;
UPDATE items SET text_at = t.item_id * -8192, text_bytes = length(t.body) FROM texts_before t WHERE t.item_id = items.id;
DROP TABLE texts_before;

-- Items with their texts: the head, and what of it lies in the next row.
CREATE VIEW whole_items AS
SELECT i.*, substr(a.body, 1 + (i.text_at & 8191), i.text_bytes) AS head,
       substr(b.body, 1, (i.text_at & 8191) + i.text_bytes - length(a.body)) AS tail
FROM items i
LEFT JOIN texts a ON a.id = i.text_at >> 13
LEFT JOIN texts b ON b.id = a.id + 1 AND (i.text_at & 8191) + i.text_bytes > length(a.body);
