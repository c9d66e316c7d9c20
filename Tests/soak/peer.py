"""One of the soak's loads, with Python's `websockets`: connections whose every echoed message is compared. It sends
messages in fragments of its own choice, compressed or not.

For each line on its standard input, the seconds of a round, it runs one, waits until all connections have ended, and
prints what it has counted so far as a line of JSON.

usage: peer.py SEED AUTHORITY CONNECTIONS URL...   (~ before one that may be cut)
"""

import asyncio
import collections
import json
import logging
import random
import ssl
import sys
import time

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

LETTERS = ["a", "e", "n", " ", "ä", "ß", "λ", "Ж", "€", "語", "ह", "😀", "🧵"]
LONGEST_BITS = 17

counts = collections.Counter(
    dict.fromkeys(["lives", "messages", "bytes", "lost", "duplicated", "corrupted", "cut", "aborted", "unexpected"], 0)
)


def message(life, seed, place):
    """The same each time."""
    source = random.Random(f"{seed}/{place}")
    length = source.getrandbits(source.randrange(LONGEST_BITS + 1))
    header = f"{life}:{place};" if length >= 40 else ""
    if source.random() < 0.5:
        return header + "".join(source.choices(LETTERS, k=(length - len(header)) // 2 if length else 0))
    return header.encode() + source.randbytes(length - len(header))


def fragments(sent, source):
    """The message in pieces of at most the servers' maxFrameSize."""
    at = 0
    while True:
        size = source.randint(0, 15000)
        yield sent[at : at + size]
        at += size
        if at >= len(sent):
            return


def count_wrong(life, place, got):
    front = got[:40] if isinstance(got, str) else got[:40].decode("latin-1")
    words = front.partition(";")[0].split(":")
    if len(words) == 2 and words[0] == str(life) and words[1].isdecimal() and int(words[1]) != place:
        if int(words[1]) < place:
            counts["duplicated"] += 1
        else:
            counts["lost"] += int(words[1]) - place
    else:
        counts["corrupted"] += 1


def deflate(source):
    bits = [None, *range(9, 16)]
    return ClientPerMessageDeflateFactory(
        source.random() < 0.5, source.random() < 0.5, source.choice(bits), source.choice([True, *bits[1:]])
    )


async def send(connection, life, seed, planned, source):
    for place in range(planned):
        sent = message(life, seed, place)
        if source.random() < 0.5 or len(sent) > 15000:
            await connection.send(fragments(sent, source))
        else:
            await connection.send(sent)
        if source.random() < 0.1:
            await connection.ping()


async def receive(connection, life, seed, planned):
    """False when a message was wrong."""
    for place in range(planned):
        got = await connection.recv()
        if got != message(life, seed, place):
            count_wrong(life, place, got)
            return False
        counts["messages"] += 1
        counts["bytes"] += len(got)
    return True


async def live(life, url, trust, source):
    counts["lives"] += 1
    may_be_cut = url.startswith("~")
    url = url.removeprefix("~")
    seed, planned = source.random(), source.randrange(40)
    extensions = [deflate(source)] if source.random() < 0.7 else None
    try:
        async with connect(
            url, ssl=trust if url.startswith("wss:") else None, compression=None, extensions=extensions, proxy=None,
            max_size=None, ping_interval=None, open_timeout=60, close_timeout=60,
        ) as connection:  # fmt: skip
            sending = asyncio.create_task(send(connection, life, seed, planned, source))
            try:
                is_right = await receive(connection, life, seed, planned)
                if not is_right:
                    connection.transport.abort()
                elif source.random() < 0.2:
                    counts["aborted"] += 1
                    connection.transport.abort()
                else:
                    await connection.close(source.choice([1000, 3000, 4999]), "fertig ✓")
            finally:
                sending.cancel()
                await asyncio.wait([sending])
                if not sending.cancelled():
                    sending.exception()
    except (WebSocketException, OSError, TimeoutError) as error:
        if may_be_cut:
            counts["cut"] += 1
        else:
            counts["unexpected"] += 1
            print(f"life {life}: {error!r}", file=sys.stderr, flush=True)


async def live_until(end, place, urls, trust, source):
    life = 0
    while time.monotonic() < end:
        await live(f"{place}.{life}", source.choice(urls), trust, source)
        life += 1


def main():
    seed, authority, connections, *urls = sys.argv[1:]
    trust = ssl.create_default_context(cafile=authority)
    source = random.Random(seed)
    for line in sys.stdin:
        end = time.monotonic() + float(line)

        async def play(end=end):
            sources = [random.Random(source.random()) for _ in range(int(connections))]
            await asyncio.gather(*(live_until(end, i, urls, trust, each) for i, each in enumerate(sources)))

        asyncio.run(play())
        print(json.dumps(counts), flush=True)


logging.getLogger("asyncio").setLevel(logging.ERROR)  # else each write behind the end of a connection is told
main()
