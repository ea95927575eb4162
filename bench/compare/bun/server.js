// Bun's own WebSocket server, uWebSockets inside, with its native publish and subscribe:
// what there is to beat. It speaks the frames of edgechat.v1 that the load needs, keeps no
// history, has no limits, and listens on 127.0.0.1:$PORT. A yardstick, not a server to run.
const epoch = Date.now().toString(36);
const offsets = new Map(); // of the newest message of each room

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  fetch(request) {
    const url = new URL(request.url);
    const room = /^\/chat\/room\/([^/]+)$/.exec(url.pathname)?.[1];
    if (!room) return new Response("not found", { status: 404 });
    const offered = (request.headers.get("Sec-WebSocket-Protocol") ?? "").split(/\s*,\s*/);
    const named = offered.includes("edgechat.v1.json");
    const data = { room, named, username: url.searchParams.get("username") || "Anonymous" };
    const headers = named ? { "Sec-WebSocket-Protocol": "edgechat.v1.json" } : {};
    return server.upgrade(request, { data, headers }) ? undefined : new Response("an upgrade is wanted", { status: 400 });
  },
  websocket: {
    maxPayloadLength: 1 << 20,
    open(socket) {
      const { room, named } = socket.data;
      const offset = offsets.get(room) ?? 0;
      if (named) socket.send(JSON.stringify({ type: "subscribed", id: `${epoch}-${offset}`, offset }));
      socket.subscribe(room);
    },
    message(socket, text) {
      let frame;
      try {
        frame = JSON.parse(text);
      } catch {
        return;
      }
      if (frame?.type !== "message") return;
      const { room, username } = socket.data;
      const offset = (offsets.get(room) ?? 0) + 1;
      offsets.set(room, offset);
      const message = { type: "message", username, content: frame.content, timestamp: new Date().toISOString(), id: `${epoch}-${offset}`, offset };
      server.publish(room, JSON.stringify(message));
    },
  },
});
