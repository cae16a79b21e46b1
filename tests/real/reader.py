#!/usr/bin/env python3
"""A person's Matrix client that is not ours (matrix-nio): it reads the messages of bpfnews, for bpfnews's tests.

  reader.py HOMESERVER USER PASSWORD

The first line of standard output is "ready", after the login. Commands on standard input:

  join ROOM        joins; answered with "ok 0"
  read ROOM        answered with a line of JSON: for each message that a person sees there, in order, an object with
                   "from", "kind" (m.notice, or "unreadable", or "removed"), "body" and "html" as they are after edits,
                   "edits" (how many), "below" (the body of the message that its thread starts from, or null), "encrypted",
                   "verified" (whether this reader verified the device that sent it) and "mentions"

When standard input ends, the client ends and loses its keys.

Runs with the Python of target/synapse, in which tests/run installs matrix-nio.
"""
import asyncio
import json
import logging
import sys
import tempfile

# More messages than a test posts: a server leaves out the others.
TIMELINE = {"room": {"timeline": {"limit": 1000}}}
# If a sync brings nothing for this many milliseconds, all messages have arrived.
QUIET_MS = 500


def message(event):
    source = event.source
    content = source.get("content", {})
    relates = content.get("m.relates_to") or {}
    return {
        "id": event.event_id,
        "from": event.sender,
        "kind": content.get("msgtype", source["type"]),
        "body": content.get("body"),
        "html": content.get("formatted_body"),
        "edits": 0,
        "below": relates.get("event_id") if relates.get("rel_type") == "m.thread" else None,
        "encrypted": event.decrypted,
        "verified": event.verified,
        "mentions": content.get("m.mentions"),
    }


class Reader:
    def __init__(self, client):
        self.client = client
        # For each room: its messages by event id, in order.
        self.rooms = {}

    def take(self, room_id, event):
        from nio import MegolmEvent, RedactedEvent, RedactionEvent, RoomMessage

        seen = self.rooms.setdefault(room_id, {})
        if isinstance(event, RedactionEvent):
            if event.redacts in seen:
                seen[event.redacts] |= {"kind": "removed", "body": None, "html": None}
        elif isinstance(event, RedactedEvent):
            seen[event.event_id] = {"id": event.event_id, "from": event.sender, "kind": "removed"}
        elif isinstance(event, MegolmEvent):
            seen[event.event_id] = {"id": event.event_id, "from": event.sender, "kind": "unreadable"}
        elif isinstance(event, RoomMessage):
            content = event.source["content"]
            relates = content.get("m.relates_to") or {}
            if relates.get("rel_type") != "m.replace":
                seen[event.event_id] = message(event)
                return
            edited = seen.get(relates.get("event_id"))
            # Clients accept an edit only from the message's own sender.
            if edited and edited["from"] == event.sender and edited["kind"] not in ("removed", "unreadable"):
                new = content["m.new_content"]
                edited["kind"] = new.get("msgtype")
                edited["body"] = new.get("body")
                edited["html"] = new.get("formatted_body")
                edited["mentions"] = new.get("m.mentions")
                edited["edits"] += 1
                edited["encrypted"] = edited["encrypted"] and event.decrypted

    async def sync(self):
        from nio import SyncResponse

        while True:
            answer = await self.client.sync(timeout=QUIET_MS, sync_filter=TIMELINE)
            if not isinstance(answer, SyncResponse):
                sys.exit(f"the reader cannot sync: {answer}")
            if self.client.should_upload_keys:
                await self.client.keys_upload()
            if self.client.should_query_keys:
                await self.client.keys_query()
            for room_id, room in answer.rooms.join.items():
                for event in room.timeline.events:
                    self.take(room_id, event)
            if not answer.rooms.join and not answer.to_device_events:
                return

    async def join(self, room_id):
        from nio import JoinResponse

        answer = await self.client.join(room_id)
        if not isinstance(answer, JoinResponse):
            sys.exit(f"the reader cannot join {room_id}: {answer}")
        await self.sync()
        return "ok 0"

    async def read(self, room_id):
        await self.sync()
        seen = self.rooms.get(room_id, {})
        bodies = {id: message.get("body") for id, message in seen.items()}
        shown = []
        for one in seen.values():
            one = dict(one)
            del one["id"]
            if one.get("below"):
                one["below"] = bodies.get(one["below"], "?")
            shown.append(one)
        return json.dumps(shown)


async def serve(homeserver, user, password, folder):
    from nio import AsyncClient, AsyncClientConfig, LoginResponse

    client = AsyncClient(homeserver, user, store_path=folder, config=AsyncClientConfig(encryption_enabled=True))
    try:
        answer = await client.login(password, device_name="reader")
        if not isinstance(answer, LoginResponse):
            sys.exit(f"the reader cannot log in: {answer}")
        reader = Reader(client)
        # This uploads the device's keys too, so that it is sent those of rooms.
        await reader.sync()
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            command, _, room = line.strip().partition(" ")
            print(await {"join": reader.join, "read": reader.read}[command](room), flush=True)
    finally:
        await client.close()


def main():
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="bpfnews-reader-") as folder:
        asyncio.run(serve(*sys.argv[1:4], folder))


if __name__ == "__main__":
    main()
