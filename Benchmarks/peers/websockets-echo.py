"""A WebSocket echo server on websockets, with uvloop. usage: websockets-echo.py PORT [--deflate]"""

import asyncio
import sys

import uvloop
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def echo(connection):
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosed:
        pass


async def main():
    deflates = "--deflate" in sys.argv
    factory = ServerPerMessageDeflateFactory(compress_settings={"level": 6})
    server = await serve(echo, "127.0.0.1", int(sys.argv[1]), compression=None,
                         extensions=[factory] if deflates else None, max_size=16 << 20)
    print(f"websockets-echo: listening on ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await server.serve_forever()


uvloop.install()
asyncio.run(main())
