"""aiohttp, as a client and as a server."""

import asyncio

import aiohttp
from aiohttp import WSMsgType, web

import commands

LONGEST_WINDOW = 15  # aiohttp names compression by the bits of its window


class Socket:
    def __init__(self, socket, transport):
        self.socket = socket
        self.transport = transport
        self.closed = asyncio.Event()

    async def send(self, data, pieces=1):
        assert pieces == 1, "aiohttp sends no fragments"
        await (self.socket.send_str(data) if isinstance(data, str) else self.socket.send_bytes(data))

    async def ping(self, data):
        await self.socket.ping(data)

    async def close(self, code, reason):
        # The answer is read in here, not where messages are read.
        await self.socket.close(code=code, message=reason.encode())
        self.closed.set()

    def terminate(self):
        if self.transport is not None:
            self.transport.abort()


async def read(socket, tell):
    while True:
        message = await socket.socket.receive()
        if message.type is WSMsgType.PING:
            tell.ping(message.data)
            await socket.socket.pong(message.data)
        elif message.type is WSMsgType.PONG:
            tell.pong(message.data)
        elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            tell.message(message.data)
        elif message.type is WSMsgType.CLOSE:
            return tell.close(message.data, message.extra)
        elif message.type is WSMsgType.CLOSING:
            await socket.closed.wait()
            return tell.close(socket.socket.close_code, "")
        else:
            return tell.close(socket.socket.close_code, "")


def lower(fields):
    return {name.lower(): value for name, value in fields.items()}


async def connect(order, tell):
    async with aiohttp.ClientSession() as session:
        try:
            opened = await session.ws_connect(
                order["url"],
                protocols=order["subprotocols"],
                headers=order["headers"],
                compress=LONGEST_WINDOW if order["compression"] else 0,
                max_msg_size=0,
                autoping=False,
                ssl=commands.clients_tls(order) or True,
            )
        except aiohttp.WSServerHandshakeError as error:
            tell.refused(error.status)
            return
        except aiohttp.ClientError as error:
            tell.refused(None, str(error))
            return
        socket = Socket(opened, opened._response.connection.transport)
        extensions = "permessage-deflate" if opened.compress else ""
        tell.open(socket, subprotocol=opened.protocol or "", extensions=extensions, fields=lower(opened._response.headers))
        await read(socket, tell)


async def listen(order, tell):
    async def handle(request):
        accepted = web.WebSocketResponse(
            protocols=order["subprotocols"],
            compress=order["compression"],
            max_msg_size=0,
            autoping=False,
        )
        accepted.headers.update(order["headers"])
        await accepted.prepare(request)
        socket = Socket(accepted, request.transport)
        extensions = "permessage-deflate" if accepted.compress else ""
        fields = lower(request.headers) | {":path": request.path_qs} | commands.client_of(request.transport)
        tell.open(socket, subprotocol=accepted.ws_protocol or "", extensions=extensions, fields=fields)
        await read(socket, tell)
        return accepted

    application = web.Application()
    application.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=commands.servers_tls(order))
    await site.start()
    tell.listening(runner.addresses[0][1], runner.cleanup)


commands.run(connect, listen)
