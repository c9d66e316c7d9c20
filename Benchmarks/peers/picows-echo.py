"""A WebSocket echo server on picows, with uvloop. usage: picows-echo.py PORT"""

import asyncio
import sys

import picows
import uvloop


class Echo(picows.WSListener):
    def on_ws_frame(self, transport, frame):
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == picows.WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        else:
            transport.send(frame.msg_type, frame.get_payload_as_memoryview(), frame.fin)


async def main():
    server = await picows.ws_create_server(lambda _: Echo(), "127.0.0.1", int(sys.argv[1]), max_frame_size=16 << 20)
    print(f"picows-echo: listening on ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await server.serve_forever()


uvloop.install()
asyncio.run(main())
