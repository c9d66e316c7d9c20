"""A WebSocket in a page of a server of ours."""

import json

# Runs `steps`, which may call `finish`, with an open socket; `messages` holds what came, bytes as ["bytes", length, sum].
WITH_SOCKET = """
new Promise((finish, fail) => {
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws', %s);
  const messages = [];
  socket.binaryType = 'arraybuffer';
  socket.onmessage = async ({ data }) => {
    const bytes = data instanceof Blob ? await data.arrayBuffer() : data;
    const sum = () => new Uint8Array(bytes).reduce((sum, byte) => sum + byte, 0);
    messages.push(typeof data === 'string' ? data : ['bytes', bytes.byteLength, sum()]);
    socket.onreceived?.();
  };
  socket.onclose = ({ code, reason, wasClean }) => fail(new Error(`closed ${code} ${reason} ${wasClean}`));
  const finishAtClose = () => socket.onclose = ({ code, reason, wasClean }) => finish([code, reason, wasClean, messages]);
  socket.onopen = () => { %s };
})
"""


def run(browser, server, steps, subprotocols=()):
    return browser.open(server.page_url).evaluate(WITH_SOCKET % (json.dumps(subprotocols), steps))
