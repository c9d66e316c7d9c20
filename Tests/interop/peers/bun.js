// Bun's own WebSocket client and server.

const { credentials, serve } = require("./commands.js");

function connect({ url, subprotocols, headers, compression, tls }, tell) {
  const settings = tls ? { tls: credentials({ tls }) } : {};
  const options = { protocols: subprotocols, headers, perMessageDeflate: compression, ...settings };
  const socket = new WebSocket(url, options);
  socket.binaryType = "nodebuffer";
  let isOpen = false;
  socket.onopen = () => {
    isOpen = true;
    tell.open(
      {
        send: (data) => socket.send(data),
        ping: (data) => socket.ping(data),
        close: (code, reason) => (code === null ? socket.close() : socket.close(code, reason)),
        terminate: () => socket.terminate(),
      },
      { subprotocol: socket.protocol, extensions: socket.extensions },
    );
  };
  socket.onmessage = ({ data }) => tell.message(data);
  socket.addEventListener("ping", ({ data }) => tell.ping(data));
  socket.addEventListener("pong", ({ data }) => tell.pong(data));
  socket.onclose = ({ code, reason }) => (isOpen ? tell.close(code, reason) : tell.refused(null));
}

function listen({ subprotocols, headers, compression, tls }, tell) {
  const asks = { requestCert: true, rejectUnauthorized: true };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: tls ? { ...credentials({ tls }), ...(tls.ca && asks) } : undefined,
    fetch(request, server) {
      const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(/ *, */);
      const subprotocol = subprotocols.find((one) => offered.includes(one));
      const { pathname, search } = new URL(request.url);
      const data = { subprotocol, fields: { ...request.headers.toJSON(), ":path": pathname + search } };
      const answer = subprotocol ? { ...headers, "Sec-WebSocket-Protocol": subprotocol } : headers;
      return server.upgrade(request, { headers: new Headers(answer), data }) ? undefined : new Response("", { status: 400 });
    },
    websocket: {
      perMessageDeflate: compression,
      maxPayloadLength: 16 * 1024 * 1024,
      open: (socket) =>
        tell.open(
          {
            send: (data) => socket.send(data, compression),
            ping: (data) => socket.ping(data),
            close: (code, reason) => (code === null ? socket.close() : socket.close(code, reason)),
            terminate: () => socket.terminate(),
          },
          { subprotocol: socket.data.subprotocol ?? "", fields: socket.data.fields },
        ),
      message: (socket, data) => tell.message(data),
      ping: (socket, data) => tell.ping(data),
      pong: (socket, data) => tell.pong(data),
      close: (socket, code, reason) => tell.close(code, reason),
    },
  });
  tell.listening(server.port, () => server.stop(true));
}

serve({ connect, listen });
