/// The page at `/`.
let page = """
    <!DOCTYPE html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>Weft</title>
    <style>
    body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
    main { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 2rem; }
    form { display: flex; gap: .5rem; }
    input { flex: 1; font: inherit; padding: .3rem .5rem; }
    button { font: inherit; }
    ul { list-style: none; padding: 0; min-height: 10rem; border-top: 1px solid #ccc; }
    .state { color: #777; font-weight: normal; font-size: .8em; }
    </style>
    <h1>Weft</h1>
    <main>
    <section>
    <h2>Echo <span class="state" id="state">connecting</span></h2>
    <form id="form"><input id="message" autocomplete="off" placeholder="comes back to you">
    <button id="send">Send</button></form>
    <ul id="log"></ul>
    </section>
    <section>
    <h2>Chat <span class="state" id="chat-state">connecting</span></h2>
    <form id="chat-form"><input id="chat-message" autocomplete="off" placeholder="goes to everybody">
    <button id="chat-send">Send</button></form>
    <ul id="chat-log"></ul>
    </section>
    </main>
    <script>
    function wire(path, prefix) {
        const find = name => document.getElementById(prefix + name);
        const scheme = location.protocol === "https:" ? "wss" : "ws";
        const socket = new WebSocket(`${scheme}://${location.host}${path}`);
        socket.onopen = () => find("state").textContent = "open";
        socket.onclose = event => find("state").textContent = `closed ${event.code} ${event.reason}`;
        socket.onmessage = event => {
            const item = document.createElement("li");
            item.textContent = event.data;
            find("log").prepend(item);
        };
        find("form").onsubmit = event => {
            event.preventDefault();
            if (socket.readyState === WebSocket.OPEN) socket.send(find("message").value);
            find("message").value = "";
        };
    }
    wire("/ws", "");
    wire("/chat", "chat-");
    </script>
    </html>
    """
