"""An echo server with one fault, to see that the loads tell: the eleventh message of each connection is lost, comes
twice, or comes changed. A client that waits for it in vain is closed.

usage: dishonest.py lost|duplicated|corrupted   (prints its port)
"""

import asyncio
import contextlib
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

FAULTY = 10
PATIENCE = 2  # seconds
PIECE = 15000


def changed(message):
    if isinstance(message, str):
        return message[:-1] + ("y" if message.endswith("x") else "x") if message else "x"
    return message[:-1] + bytes([message[-1] ^ 1]) if message else b"x"


def answers(message, place, fault):
    if place != FAULTY:
        return [message]
    return {"lost": [], "duplicated": [message, message], "corrupted": [changed(message)]}[fault]


def pieces(message):
    """Frames that the clients take."""
    return [message[at : at + PIECE] for at in range(0, len(message), PIECE)] or [message]


async def main():
    fault = sys.argv[1]

    async def echo(connection):
        place = 0
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            while True:
                message = await asyncio.wait_for(connection.recv(), PATIENCE)
                for answer in answers(message, place, fault):
                    await connection.send(pieces(answer))
                place += 1

    async with serve(echo, "127.0.0.1", 0, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
