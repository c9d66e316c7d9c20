"""What the peers in Python share: commands come as lines of JSON, events leave as lines of JSON.

A peer gives `connect` and `listen`; both get an order and something to tell events to.
"""

import asyncio
import base64
import json
import ssl
import sys

# A conversation is one connection, and the listener that it came from if there is one.
conversations = {}


def say(number, event, **details):
    sys.stdout.write(json.dumps({"id": number, "event": event, **details}) + "\n")
    sys.stdout.flush()


def payload(order):
    return base64.b64decode(order["base64"]) if "base64" in order else order["text"]


def clients_tls(order):
    """What an order says of TLS: whom it trusts, and the own certificate with its key."""
    if not order["tls"]:
        return None
    context = ssl.create_default_context(cafile=order["tls"].get("ca"))
    if "cert" in order["tls"]:
        context.load_cert_chain(order["tls"]["cert"], order["tls"]["key"])
    return context


def servers_tls(order):
    """The same of a server, which asks for certificates where it is told whom to trust."""
    if not order["tls"]:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=order["tls"].get("ca"))
    context.load_cert_chain(order["tls"]["cert"], order["tls"]["key"])
    if "ca" in order["tls"]:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_of(transport):
    """The common name in the certificate that the peer has shown."""
    certificate = transport.get_extra_info("peercert")
    names = dict(pair for name in certificate["subject"] for pair in name) if certificate else {}
    return {":client": names["commonName"]} if names else {}


def encoded(data):
    return base64.b64encode(data).decode()


class Teller:
    """The events of one conversation, in the words that all peers use."""

    def __init__(self, number):
        self.number = number

    def listening(self, port, stop):
        conversations.setdefault(self.number, {})["stop"] = stop
        say(self.number, "listening", port=port)

    def open(self, socket, **details):
        conversations.setdefault(self.number, {})["socket"] = socket
        say(self.number, "open", **details)

    def message(self, data):
        say(self.number, "message", **({"text": data} if isinstance(data, str) else {"base64": encoded(data)}))

    def ping(self, data):
        say(self.number, "ping", base64=encoded(data))

    def pong(self, data):
        say(self.number, "pong", base64=encoded(data))

    def close(self, code, reason):
        say(self.number, "close", code=code, reason=reason)

    def refused(self, status, why=None):
        say(self.number, "refused", status=status, why=why)


class Member(Teller):
    """One of a crowd: sends its own messages when everybody is there, and counts the answers that are right."""

    def __init__(self, number, messages, everybody):
        super().__init__(number)
        self.messages = messages
        self.everybody = everybody
        self.received = self.right = 0
        self.code = None

    def open(self, socket, **details):
        self.socket = socket
        self.sending = asyncio.create_task(self.send_all())

    async def send_all(self):
        await self.everybody.wait()
        for i in range(self.messages):
            await self.socket.send(f"{self.number} {i}")

    def message(self, data):
        self.right += data == f"{self.number} {self.received}"
        self.received += 1
        if self.received == self.messages:
            self.closing = asyncio.create_task(self.socket.close(1000, ""))

    def close(self, code, reason):
        self.code = code

    def refused(self, status, why=None):
        self.code = status


async def crowd(connect, number, order):
    request = {"url": order["url"], "subprotocols": [], "headers": {}, "compression": False, "tls": order["tls"]}
    everybody = asyncio.Barrier(order["count"])
    members = [Member(i, order["messages"], everybody) for i in range(order["count"])]
    await asyncio.gather(*(connect(request, member) for member in members))
    clean = sum(member.code == 1000 for member in members)
    say(number, "crowd", right=sum(member.right for member in members), clean=clean)


async def act(connect, listen, number, action, order):
    if action in ("connect", "listen"):
        await {"connect": connect, "listen": listen}[action](order, Teller(number))
    elif action == "crowd":
        await crowd(connect, number, order)
    elif action == "end":
        ending = conversations.pop(number, {})
        if "socket" in ending:
            ending["socket"].terminate()
        if "stop" in ending:
            await ending["stop"]()
    else:
        socket = conversations[number]["socket"]
        if action == "send":
            await socket.send(payload(order), order["pieces"])
        elif action == "ping":
            await socket.ping(payload(order))
        elif action == "close":
            await socket.close(order["code"], order["reason"])
        elif action == "terminate":
            socket.terminate()


async def serve_commands(connect, listen):
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    # What runs for long, a connection that is read, must not hold up the next command.
    running = set()
    last = {}
    while line := await reader.readline():
        order = json.loads(line)
        number, action = order.pop("id"), order.pop("action")
        before = last.get(number) if action not in ("connect", "listen", "end") else None
        task = loop.create_task(after(number, before, act(connect, listen, number, action, order)))
        if action == "send":
            last[number] = task
        running.add(task)
        task.add_done_callback(running.discard)


async def after(number, before, action):
    """Messages of one conversation leave in the order of their commands."""
    if before is not None:
        await before
    try:
        await action
    except Exception as error:
        say(number, "failed", why=repr(error))


def run(connect, listen):
    asyncio.run(serve_commands(connect, listen))
