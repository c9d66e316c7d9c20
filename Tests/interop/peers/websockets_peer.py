"""Python's websockets, as a client and as a server."""


from websockets.asyncio.client import connect as websockets_connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

import commands


class Socket:
    def __init__(self, connection, tell):
        self.connection = connection
        self.tell = tell

    async def send(self, data, pieces=1):
        if pieces == 1:
            await self.connection.send(data)
        else:
            length = -(-len(data) // pieces)
            await self.connection.send([data[i : i + length] for i in range(0, len(data), length)])

    async def ping(self, data):
        await (await self.connection.ping(data))
        self.tell.pong(data)

    async def close(self, code, reason):
        await self.connection.close(code, reason)

    def terminate(self):
        self.connection.transport.abort()


async def read(connection, tell):
    try:
        async for data in connection:
            tell.message(data)
    except ConnectionClosed:
        pass
    await connection.wait_closed()
    tell.close(connection.close_code, connection.close_reason)


def described(connection, fields):
    extensions = ", ".join(extension.name for extension in connection.protocol.extensions)
    return {"subprotocol": connection.subprotocol or "", "extensions": extensions, "fields": fields}


def compression(order):
    return "deflate" if order["compression"] else None


async def connect(order, tell):
    try:
        connection = await websockets_connect(
            order["url"],
            subprotocols=order["subprotocols"] or None,
            additional_headers=order["headers"],
            compression=compression(order),
            ssl=commands.clients_tls(order),
            max_size=None,
            open_timeout=None,
        )
    except InvalidStatus as error:
        tell.refused(error.response.status_code)
        return
    except (OSError, InvalidHandshake) as error:
        tell.refused(None, str(error))
        return
    fields = {name.lower(): value for name, value in connection.response.headers.raw_items()}
    tell.open(Socket(connection, tell), **described(connection, fields))
    await read(connection, tell)


async def listen(order, tell):
    async def handle(connection):
        fields = {name.lower(): value for name, value in connection.request.headers.raw_items()}
        fields |= {":path": connection.request.path} | commands.client_of(connection.transport)
        tell.open(Socket(connection, tell), **described(connection, fields))
        await read(connection, tell)

    def add_fields(connection, request, response):
        response.headers.update(order["headers"])

    server = await serve(
        handle,
        "127.0.0.1",
        0,
        subprotocols=order["subprotocols"] or None,
        # Without a subprotocol in common the connection is to open, as with the other peers.
        select_subprotocol=lambda connection, offered: next((one for one in order["subprotocols"] if one in offered), None),
        compression=compression(order),
        process_response=add_fields,
        ssl=commands.servers_tls(order),
        max_size=None,
    )

    async def stop():
        server.close()

    tell.listening(server.sockets[0].getsockname()[1], stop)


commands.run(connect, listen)
