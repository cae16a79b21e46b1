"""Stands in for Discord and a Matrix homeserver on loopback, just enough that a bot connects and stays idle.

    python fake.py          prints the port that it listens on; ends with its standard input

Three servers of fifty channels, ten rooms of fifty people. Nothing happens there. It also has a feed without entries.
"""

import asyncio
import json
import sys

try:
    from aiohttp import WSMsgType, web
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(77)

GUILDS, CHANNELS, ROOMS, PEOPLE = 3, 50, 10, 50
SINCE = "2024-01-01T00:00:00.000000+00:00"
BOT = {"id": "42", "username": "bot", "discriminator": "0", "global_name": None, "avatar": None, "bot": True}
ACCOUNT = "@bot:localhost"


def guild_id(number):
    return 10**18 + number * 1000


def channel(number, place):
    return {
        "id": str(guild_id(number) + 1 + place), "guild_id": str(guild_id(number)), "type": 0, "name": f"channel-{place}",
        "position": place, "permission_overwrites": [], "topic": "What is talked about here " * 3, "nsfw": False,
        "parent_id": None, "last_message_id": None, "rate_limit_per_user": 0, "flags": 0,
    }  # fmt: skip


def role(number):
    return {
        "id": str(guild_id(number)), "name": "@everyone", "permissions": "2147483647", "position": 0, "color": 0,
        "colors": {"primary_color": 0}, "hoist": False, "managed": False, "mentionable": False, "flags": 0,
    }  # fmt: skip


def guild(number):
    lists = ["emojis", "features", "stickers", "voice_states", "presences", "threads"]
    lists += ["stage_instances", "guild_scheduled_events", "soundboard_sounds"]
    numbers = ["mfa_level", "verification_level", "default_message_notifications", "explicit_content_filter"]
    numbers += ["system_channel_flags", "premium_tier", "nsfw_level"]
    member = {"user": BOT, "roles": [], "joined_at": SINCE, "deaf": False, "mute": False, "flags": 0}
    return {
        **{name: [] for name in lists}, **{name: 0 for name in numbers},
        "id": str(guild_id(number)), "name": f"server {number}", "owner_id": "42", "afk_timeout": 60, "nsfw": False,
        "preferred_locale": "en-US", "premium_progress_bar_enabled": False, "joined_at": SINCE, "large": False,
        "unavailable": False, "member_count": 2, "members": [member], "roles": [role(number)],
        "channels": [channel(number, place) for place in range(CHANNELS)],
    }  # fmt: skip


def ready(address):
    empty = ["private_channels", "relationships", "presences", "geo_ordered_rtc_regions", "guild_join_requests", "_trace"]
    return {
        **{name: [] for name in empty}, "v": 10, "session_id": "one", "session_type": "normal", "shard": [0, 1],
        "user": {**BOT, "mfa_enabled": False, "verified": True, "email": None, "flags": 0},
        "resume_gateway_url": f"ws://{address}", "application": {"id": "42", "flags": 0}, "user_settings": {}, "auth": {},
        "guilds": [{"id": str(guild_id(number)), "unavailable": True} for number in range(GUILDS)],
    }  # fmt: skip


async def gateway(request):
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    numbers = iter(range(1, 1000))

    async def event(name, data):
        await socket.send_json({"op": 0, "s": next(numbers), "t": name, "d": data})

    await socket.send_json({"op": 10, "s": None, "t": None, "d": {"heartbeat_interval": 41250}})
    async for message in socket:
        if message.type != WSMsgType.TEXT:
            continue
        match json.loads(message.data)["op"]:
            case 1:
                await socket.send_json({"op": 11, "s": None, "t": None, "d": None})
            case 2:
                await event("READY", ready(request.host))
                for number in range(GUILDS):
                    await event("GUILD_CREATE", guild(number))
                seen("discord")
            case 6:
                await event("RESUMED", {})
    return socket


async def where(request):
    starts = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
    return web.json_response({"url": f"ws://{request.host}", "shards": 1, "session_start_limit": starts})


async def discord(request):
    match request.match_info["rest"].split("/"):
        case ["applications", _, "commands"]:
            named = {"application_id": "42", "version": "1"}
            commands = enumerate(await request.json())
            return web.json_response([{**command, **named, "id": str(7000 + number)} for number, command in commands])
        case ["channels", name]:
            number, place = divmod(int(name) - 10**18, 1000)
            return web.json_response(channel(number, place - 1))
        case ["guilds", name]:
            return web.json_response(guild((int(name) - 10**18) // 1000))
        case ["guilds", name, "roles"]:
            return web.json_response([role((int(name) - 10**18) // 1000)])
        case ["guilds", _, "members", _]:
            return web.json_response(guild(0)["members"][0])
    return web.json_response({**BOT, "verified": True, "mfa_enabled": False, "email": None, "flags": 0})


def state(kind, key, number, content, sender=ACCOUNT):
    id = f"${kind}-{key}-{number}".replace("@", "").replace(":", "-")
    return {"type": kind, "state_key": key, "event_id": id, "sender": sender, "origin_server_ts": 1, "content": content}


def room(number):
    people = [ACCOUNT] + [f"@person{n}:localhost" for n in range(1, PEOPLE)]
    events = [
        state("m.room.create", "", number, {"creator": ACCOUNT, "room_version": "10"}),
        state("m.room.name", "", number, {"name": f"room {number}"}),
        state("m.room.power_levels", "", number, {"users": {ACCOUNT: 100}}),
        state("m.room.join_rules", "", number, {"join_rule": "public"}),
    ]
    events += [state("m.room.member", who, number, {"membership": "join", "displayname": who[1:5]}, who) for who in people]
    return {
        "state": {"events": events}, "timeline": {"events": [], "limited": False, "prev_batch": "p"},
        "ephemeral": {"events": []}, "account_data": {"events": []}, "unread_notifications": {},
        "summary": {"m.joined_member_count": PEOPLE, "m.invited_member_count": 0, "m.heroes": people[1:6]},
    }  # fmt: skip


async def sync(request):
    joined = {f"!r{number}:localhost": room(number) for number in range(ROOMS)}
    if request.query.get("since"):
        joined = {}
        # The second request shows that the client accepted the first answer.
        seen("matrix")
        await asyncio.sleep(min(int(request.query.get("timeout", "0")) / 1000, 30))
    return web.json_response({
        "next_batch": "s1", "rooms": {"join": joined}, "to_device": {"events": []}, "account_data": {"events": []},
        "presence": {"events": []}, "device_one_time_keys_count": {"signed_curve25519": 50},
        "device_unused_fallback_key_types": ["signed_curve25519"],
    })  # fmt: skip


async def matrix(request):
    session = {"user_id": ACCOUNT, "device_id": "DEVICE", "access_token": "token"}
    path = request.path.removeprefix("/_matrix/")
    for end, answer in {
        "/versions": {"versions": ["v1.1", "v1.5", "v1.11"], "unstable_features": {}},
        "/login": {"flows": [{"type": "m.login.password"}]} if request.method == "GET" else session,
        "/whoami": session,
        "/keys/upload": {"one_time_key_counts": {"signed_curve25519": 50}},
        "/keys/query": {"device_keys": {}, "failures": {}},
        "/filter": {"filter_id": "1"},
        "/capabilities": {"capabilities": {}},
        "/joined_rooms": {"joined_rooms": [f"!r{number}:localhost" for number in range(ROOMS)]},
    }.items():
        if path.endswith(end):
            return web.json_response(answer)
    if "/account_data/" in path or "/room_keys/" in path:
        status = 404 if request.method == "GET" else 200
        return web.json_response({"errcode": "M_NOT_FOUND", "error": "there is none"}, status=status)
    return web.json_response({})


async def feed(_):
    document = '<rss version="2.0"><channel><title>Empty</title></channel></rss>'
    return web.Response(text=document, content_type="application/rss+xml")


def seen(what):
    """Reports once that a platform is connected."""
    if what not in told:
        told.add(what)
        print(what, flush=True)


async def main():
    app = web.Application()
    app.add_routes([
        web.get("/", gateway), web.get("/feed.rss", feed),
        web.get("/api/v10/gateway", where), web.get("/api/v10/gateway/bot", where),
        web.route("*", "/api/v10/{rest:.*}", discord),
        web.get("/_matrix/client/{version}/sync", sync), web.route("*", "/_matrix/{rest:.*}", matrix),
    ])  # fmt: skip
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


told = set()
asyncio.run(main())
