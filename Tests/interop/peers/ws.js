// The ws of Node.js, as a client and as a server.

const { WebSocket, WebSocketServer } = require("ws");
const commands = require("./commands.js");

// Small messages too are to be compressed.
const deflate = { threshold: 0 };

function send(socket, data, pieces = 1) {
  const bytes = Buffer.from(data); // a text is cut inside characters, too
  const length = Math.ceil(bytes.length / pieces);
  for (let i = 0; i < pieces; i++) {
    const piece = bytes.subarray(i * length, (i + 1) * length);
    socket.send(piece, { binary: typeof data !== "string", fin: i === pieces - 1 });
  }
}

function report(socket, tell) {
  socket.on("message", (data, isBinary) => tell.message(isBinary ? data : data.toString()));
  socket.on("ping", (data) => tell.ping(data));
  socket.on("pong", (data) => tell.pong(data));
  socket.on("close", (code, reason) => tell.close(code, reason.toString()));
  socket.on("error", () => {}); // the close says it
}

function opened(socket, fields) {
  return [
    {
      send: (data, pieces) => send(socket, data, pieces),
      ping: (data) => socket.ping(data),
      close: (code, reason) => (code === null ? socket.close() : socket.close(code, reason)),
      terminate: () => socket.terminate(),
    },
    { subprotocol: socket.protocol, extensions: socket.extensions, fields },
  ];
}

function connect({ url, subprotocols, headers, compression }, tell) {
  const options = { headers, perMessageDeflate: compression ? deflate : false, maxPayload: 0 };
  const socket = new WebSocket(url, subprotocols, options);
  let fields;
  let status = null;
  socket.on("upgrade", (response) => (fields = response.headers));
  socket.on("unexpected-response", (request, response) => {
    status = response.statusCode;
    tell.refused(status);
    request.destroy();
  });
  socket.on("open", () => {
    tell.open(...opened(socket, fields));
  });
  report(socket, { ...tell, close: (...end) => status === null && tell.close(...end) });
}

function listen({ subprotocols, headers, compression }, tell) {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    maxPayload: 0,
    perMessageDeflate: compression ? deflate : false,
    handleProtocols: (offered) => subprotocols.find((one) => offered.has(one)) ?? false,
  });
  server.on("headers", (lines) => {
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  });
  server.on("connection", (socket, request) => {
    report(socket, tell);
    tell.open(...opened(socket, { ...request.headers, ":path": request.url }));
  });
  server.on("listening", () => tell.listening(server.address().port, () => server.close()));
}

commands({ connect, listen });
