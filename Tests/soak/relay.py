"""Passes bytes between clients and servers, and ends connections in the middle of anything, half of them by a reset. Some
it slows down, of others it passes on short pieces byte by byte.

usage: relay.py SEED PORT...   (prints, on one line, the ports that lead there)
"""

import asyncio
import logging
import random
import socket
import struct
import sys

CHUNK = 65536
SHORT = 200
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # of SO_LINGER


class Passage:
    """One connection and the one behind it, until so many bytes have passed in both directions."""

    def __init__(self, source):
        self.random = source
        self.left = 1 << source.randrange(8, 26)
        self.is_reset = source.random() < 0.5
        self.pace = source.choice(["plain", "plain", "slow", "bytes"])

    async def run(self, near, far):
        await asyncio.gather(self.pass_on(near[0], far[1]), self.pass_on(far[0], near[1]))
        for end in (near[1], far[1]):
            end.close()

    async def pass_on(self, reader, writer):
        try:
            while data := await reader.read(CHUNK):
                self.left -= len(data)
                if self.left < 0:
                    break
                await self.write(writer, data)
            else:
                writer.write_eof()
                return
        except OSError:
            pass
        # The other direction ends with this one.
        if self.is_reset and not writer.transport.is_closing():
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        writer.transport.abort()

    async def write(self, writer, data):
        if self.pace == "slow":
            await asyncio.sleep(self.random.random() / 100)
        step = 1 if self.pace == "bytes" and len(data) < SHORT else len(data)
        for at in range(0, len(data), step):
            writer.write(data[at : at + step])
            await writer.drain()


# asyncio knows tasks and readers by weak references alone, and would let go those that only wait for each other.
passages = set()


def leading_to(port, source):
    async def serve(reader, writer):
        try:
            far = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        passages.add(asyncio.current_task())
        await Passage(random.Random(source.random())).run((reader, writer), far)
        passages.discard(asyncio.current_task())

    return asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)


async def main():
    seed, *ports = sys.argv[1:]
    source = random.Random(seed)
    servers = [await leading_to(int(port), source) for port in ports]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


logging.getLogger("asyncio").setLevel(logging.ERROR)  # else each write behind the end of a connection is told
asyncio.run(main())
