// The ws of Node.js, as a client and as a server.

const { createServer } = require("node:http");
const { createServer: createSecureServer } = require("node:https");
const { WebSocket, WebSocketServer } = require("ws");
const { credentials, serve } = require("./commands.js");

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

function connect({ url, subprotocols, headers, compression, tls }, tell) {
  const settings = tls ? credentials({ tls }) : {};
  const options = { headers, perMessageDeflate: compression ? deflate : false, maxPayload: 0, ...settings };
  const socket = new WebSocket(url, subprotocols, options);
  let fields;
  let isOpen = false;
  let isRefused = false;
  const refuse = (status, why) => {
    if (!isRefused) tell.refused(status, why);
    isRefused = true;
  };
  socket.on("upgrade", (response) => (fields = response.headers));
  socket.on("unexpected-response", (request, response) => {
    refuse(response.statusCode);
    request.destroy();
  });
  socket.on("open", () => {
    isOpen = true;
    tell.open(...opened(socket, fields));
  });
  socket.on("error", (error) => isOpen || refuse(null, error.message)); // else the close says it
  report(socket, { ...tell, close: (...end) => isRefused || tell.close(...end) });
}

function listen({ subprotocols, headers, compression, tls }, tell) {
  const asks = { requestCert: true, rejectUnauthorized: true };
  const http = tls ? createSecureServer({ ...credentials({ tls }), ...(tls.ca && asks) }) : createServer();
  const server = new WebSocketServer({
    server: http,
    maxPayload: 0,
    perMessageDeflate: compression ? deflate : false,
    handleProtocols: (offered) => subprotocols.find((one) => offered.has(one)) ?? false,
  });
  server.on("headers", (lines) => {
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  });
  server.on("connection", (socket, request) => {
    socket.on("error", () => {}); // the close says it
    report(socket, tell);
    const fields = { ...request.headers, ":path": request.url };
    if (tls?.ca) fields[":client"] = request.socket.getPeerCertificate().subject.CN;
    tell.open(...opened(socket, fields));
  });
  const stop = () => {
    server.close();
    http.close();
  };
  http.listen(0, "127.0.0.1", () => tell.listening(http.address().port, stop));
}

serve({ connect, listen });
