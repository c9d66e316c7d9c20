// What the peers in JavaScript share: commands come as lines of JSON, events leave as lines of JSON.
// A peer gives `connect` and `listen`; both get an order and a function that says what happened.

const { readFileSync } = require("node:fs");
const readline = require("node:readline");

// A conversation is one connection, and the listener that it came from if there is one.
const conversations = new Map();

function say(id, event, details = {}) {
  process.stdout.write(JSON.stringify({ id, event, ...details }) + "\n");
}

function payload({ text, base64 }) {
  return base64 === undefined ? text : Buffer.from(base64, "base64");
}

// The events of one conversation, in the words that all peers use.
function reporter(id) {
  return {
    listening: (port, stop) => {
      conversations.set(id, { ...conversations.get(id), stop });
      say(id, "listening", { port });
    },
    open: (socket, details) => {
      conversations.set(id, { ...conversations.get(id), socket });
      say(id, "open", details);
    },
    message: (data) => say(id, "message", typeof data === "string" ? { text: data } : { base64: base64(data) }),
    ping: (data) => say(id, "ping", { base64: base64(data) }),
    pong: (data) => say(id, "pong", { base64: base64(data) }),
    close: (code, reason) => say(id, "close", { code, reason }),
    refused: (status, why) => say(id, "refused", { status, why }),
  };
}

// What an order says of TLS, read from its files: the peer's own certificate with its key, and whom it trusts.
function credentials({ tls }) {
  return Object.fromEntries(Object.entries(tls).map(([name, file]) => [name, readFileSync(file, "utf8")]));
}

function base64(data) {
  return Buffer.from(data).toString("base64");
}

// Opens `count` connections, has each send its own messages, and counts the answers that are right.
async function crowd(connect, { url, count, messages, tls }) {
  let right = 0;
  let allOpen;
  const everybody = new Promise((resolve) => (allOpen = resolve));
  let open = 0;
  const one = (number) =>
    new Promise((resolve) => {
      let received = 0;
      let socket;
      connect(
        { url, subprotocols: [], headers: {}, compression: false, tls },
        {
          open: async (opened) => {
            socket = opened;
            if (++open === count) allOpen();
            await everybody;
            for (let i = 0; i < messages; i++) socket.send(`${number} ${i}`);
          },
          message: (data) => {
            if (data === `${number} ${received++}`) right++;
            if (received === messages) socket.close(1000, "");
          },
          ping: () => {},
          pong: () => {},
          close: resolve,
          refused: resolve,
        },
      );
    });
  const codes = await Promise.all(Array.from({ length: count }, (_, number) => one(number)));
  return { right, clean: codes.filter((code) => code === 1000).length };
}

function serve({ connect, listen }) {
  const actions = {
    connect: (id, order) => connect(order, reporter(id)),
    listen: (id, order) => listen(order, reporter(id)),
    crowd: async (id, order) => say(id, "crowd", await crowd(connect, order)),
    send: (id, order) => conversations.get(id).socket.send(payload(order), order.pieces),
    ping: (id, order) => conversations.get(id).socket.ping(payload(order)),
    close: (id, { code, reason }) => conversations.get(id).socket.close(code, reason),
    terminate: (id) => conversations.get(id).socket.terminate(),
    end: (id) => {
      const { socket, stop } = conversations.get(id) ?? {};
      conversations.delete(id);
      socket?.terminate();
      stop?.();
    },
  };
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", async (line) => {
    const { id, action, ...order } = JSON.parse(line);
    try {
      await actions[action](id, order);
    } catch (error) {
      say(id, "failed", { why: String(error) });
    }
  });
  lines.on("close", () => process.exit(0));
}

module.exports = { credentials, serve };
