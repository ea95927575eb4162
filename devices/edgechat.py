"""edgechat.py: a client of edgechat for MicroPython, and for CPython.

It joins a room by MessagePack over WebSocket, sends one message at a time and again until that is
acknowledged, and comes back behind the last message that it saw. It keeps less than 4 KiB of bytes.
docs/devices.md says how to use it; docs/protocol.md is what it speaks.

    client = Client("192.168.4.1", 3000, "den", username="probe", event=print)
    while True:
        client.poll()              # never waits, but for a connection: CONNECT seconds at most
        client.publish("21.5 C")   # False while the one before is not acknowledged

event(kind, frame) is called from within poll. frame is a dict, as docs/protocol.md has it. The kinds are
those of frames: "subscribed", "message", "edited", "deleted", "joined", "left", "typing"; and
"gap" (messages are missing before the next one), "ack" (what publish took is on disk, or with durable
False in the server's memory), "refused" (it is not taken: code, message), "down" (it comes
back by itself: status, message) and "stopped" (it does not: mend what message names, and call start).
"""

import binascii
import hashlib
import os
import socket
import time

CONTENT = 512  # bytes kept of what a message says; of a longer one the beginning
CONNECT = 5  # seconds that poll waits for a connection
_AGAIN = (11, 35, 115)  # EAGAIN on the systems where this runs, and EINPROGRESS

try:
    _ms, _since = time.ticks_ms, time.ticks_diff
except AttributeError:  # CPython

    def _ms():
        return int(time.monotonic() * 1000)

    def _since(a, b):
        return a - b


def _sha1(b):
    """SHA-1 (RFC 3174), which the handshake of WebSocket asks for, and a MicroPython without TLS lacks."""
    if hasattr(hashlib, "sha1"):
        return hashlib.sha1(b).digest()
    all32 = 0xFFFFFFFF
    rol = lambda x, n: (x << n | x >> (32 - n)) & all32
    h = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0]
    n = len(b)
    b += b"\x80" + bytes((55 - n) % 64) + (8 * n).to_bytes(8, "big")
    for at in range(0, len(b), 64):
        w = [int.from_bytes(b[i : i + 4], "big") for i in range(at, at + 64, 4)]
        a, x, y, z, e = h
        for t in range(80):
            if t >= 16:
                w.append(rol(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1))
            f = (x & y | ~x & z, x ^ y ^ z, x & y | x & z | y & z, x ^ y ^ z)[t // 20]
            k = (0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6)[t // 20]
            a, x, y, z, e = (rol(a, 5) + (f & all32) + e + k + w[t]) & all32, a, rol(x, 30), y, z
        h = [(i + j) & all32 for i, j in zip(h, (a, x, y, z, e))]
    return b"".join([i.to_bytes(4, "big") for i in h])


class _Down(Exception):
    """The connection is over: status, message, code, the least time to wait in ms, and whether it comes back."""


def _random(n):
    return int.from_bytes(os.urandom(4), "little") % n


def _hex(b):
    return binascii.hexlify(b).decode()


def _escape(s):
    out = ""
    for b in s.encode():
        c = chr(b)
        out += c if b < 128 and (c.isalpha() or c.isdigit() or c in "-_.") else "%%%02X" % b
    return out


def _text(s):
    b = s.encode() if isinstance(s, str) else s
    n = len(b)
    if n < 32:
        return bytes((0xA0 | n,)) + b
    if n < 256:
        return bytes((0xD9, n)) + b
    return bytes((0xDA, n >> 8, n & 255)) + b


def _map(*pairs):
    return bytes((0x80 | len(pairs) // 2,)) + b"".join([_text(x) for x in pairs])


class Client:
    def __init__(self, host, port, room, username=None, token=None, since=None, event=None):
        self.address = (host, port)
        self.room, self.username, self.token = room, username, token
        self.last = since  # the id to come back behind; keep it over a restart
        self.event = event or (lambda kind, frame: None)
        self._id, self._count = _hex(os.urandom(8)), 0
        self._pending = None
        self.start()

    def start(self):
        """Begins at once, also after "stopped". What waits to be sent is kept."""
        self._attempts = 0
        self._wait, self._at = 0, _ms()
        self._task = self._socket = None
        self.stopped = False

    def publish(self, text):
        """Takes a message, to be sent again until "ack" or "refused". False if the one before is not acknowledged yet."""
        content = text.encode()
        if len(content) > CONTENT:
            raise ValueError("%d bytes, and CONTENT is %d" % (len(content), CONTENT))
        if self._pending is not None:
            return False
        self._count += 1
        self._pending, self._key = content, "%s-%d" % (self._id, self._count)
        self._sent, self._retry = False, None
        return True

    def busy(self):
        """A message is not acknowledged yet."""
        return self._pending is not None

    def fileno(self):
        """For select and poll; -1 without a connection."""
        return self._socket.fileno() if self._socket else -1

    def poll(self):
        """Does what can be done now. Call it when bytes have come, and at least ten times a second."""
        if self.stopped or (self._task is None and _since(_ms(), self._at) < self._wait):
            return
        if self._task is None:
            self._task = self._run()
        try:
            next(self._task)
        except _Down as e:
            self._end(*e.args)
        except OSError as e:
            self._end(0, "the connection failed: %s" % e)

    def _end(self, status, message, code="", least=0, back=True):
        self._task = None
        if self._socket:
            self._socket.close()
            self._socket = None
        frame = {"status": status, "message": message, "code": code}
        if not back:
            self.stopped = True
            self.event("stopped", frame)
            return
        # At random, so that a hundred devices do not come back at once.
        bound = min(30000, 1000 << self._attempts)
        self._attempts = min(self._attempts + 1, 5)
        self._wait, self._at = max(least, 500 + _random(bound - 499)), _ms()
        self.event("down", frame)

    # One connection. It yields whenever there is nothing to do.

    def _run(self):
        self._in, self._out = b"", b""
        self._heard, self._pinged, self._interval, self._subscribed = _ms(), False, 25000, False
        self._socket = socket.socket(*socket.getaddrinfo(self.address[0], self.address[1], 0, socket.SOCK_STREAM)[0][:1])
        self._socket.settimeout(CONNECT)
        self._socket.connect(socket.getaddrinfo(self.address[0], self.address[1], 0, socket.SOCK_STREAM)[0][-1])
        self._socket.setblocking(False)
        yield from self._handshake()
        while True:
            yield from self._frame()

    def _handshake(self):
        key = binascii.b2a_base64(os.urandom(16)).strip()
        path = "/chat/room/%s?format=msgpack" % _escape(self.room)
        if self.username and not self.token:
            path += "&username=" + _escape(self.username)
        self._asked = bool(self.last)
        if self._asked:
            path += "&since=" + _escape(self.last)
        head = "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" % ((path,) + self.address)
        head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: edgechat.v1.msgpack\r\nSec-WebSocket-Key: " + key.decode()
        if self.token:
            head += "\r\nAuthorization: Bearer " + self.token
        self._out = (head + "\r\n\r\n").encode()
        fields, status = {}, (yield from self._line()).split(b" ")
        while True:
            line = yield from self._line()
            if not line:
                break
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        status = int(status[1]) if len(status) > 1 and status[0] == b"HTTP/1.1" else 0
        accept = binascii.b2a_base64(_sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")).strip()
        if status == 101 and fields.get(b"sec-websocket-accept") == accept and fields.get(b"sec-websocket-protocol") == b"edgechat.v1.msgpack":
            return
        if status < 400:
            raise _Down(status, "what answers is no edgechat")
        body = (yield from self._bytes(min(int(fields.get(b"content-length", b"0")), 1024))).decode()
        part = lambda name: body.partition('"%s":"' % name)[2].partition('"')[0]
        after = int(fields.get(b"retry-after", b"0")) * 1000
        raise _Down(status, part("message"), part("code"), after, after > 0 or status >= 500)

    def _frame(self):
        head = yield from self._bytes(2)
        op, n = head[0] & 15, head[1]
        if head[0] & 0x70 or n > 127 or op not in (0, 1, 2, 8, 9, 10) or (op > 7 and (n > 125 or head[0] < 128)):
            raise _Down(0, "what came is no WebSocket frame")
        if n > 125:
            n = int.from_bytes((yield from self._bytes(2 if n == 126 else 8)), "big")
        if op == 8:
            body = yield from self._bytes(n)
            code = int.from_bytes(body[:2], "big") if n > 1 else 1005
            self._send(8, body[:2])
            self._flush()
            why = body[2:].decode()
            raise _Down(code, why, why.partition(":")[0].partition(" ")[0], 0, code not in (1002, 1003, 1007, 1008, 1009, 1010))
        if op == 9:
            self._send(10, (yield from self._bytes(n)))
        elif op == 2 and head[0] & 128:
            self._left = n
            frame = yield from self._object()
            yield from self._skip(self._left)
            if isinstance(frame, dict):
                self._got(frame)
        else:  # the server sends neither text nor fragments to who speaks MessagePack
            yield from self._skip(n)

    def _got(self, f):
        kind = f.get("type")
        mine = self._pending is not None and f.get("idempotency_key") == self._key
        if kind == "subscribed":
            self._subscribed, self._attempts, self._sent = True, 0, False
            self._interval = f.get("ping_interval_ms", self._interval)
            if not self._asked:
                self.last = f["id"]
            self.event(kind, f)
            if f.get("was_recovering") and not f.get("recovered"):
                self.event("gap", f)
        elif kind == "ack":
            if mine:
                self._pending = None
                self.event("ack", f)
        elif kind == "error":
            again = f.get("retry_after_ms") or (f.get("code") == "unavailable" and 1000)
            if mine and again:
                self._sent, self._retry = False, (_ms(), again)
                return
            if mine:
                self._pending = None
            self.event("refused", f)
        elif kind in ("message", "edited", "deleted", "joined", "left", "typing"):
            if "id" in f:
                self.last = f["id"]
            self.event(kind, f)

    # MessagePack, of a frame of which _left bytes are to come. Of a text no more than CONTENT bytes are kept.

    def _part(self, n):
        if n > self._left:
            raise _Down(0, "a frame that is cut off")
        self._left -= n
        return (yield from self._bytes(n))

    def _int(self, n):
        return int.from_bytes((yield from self._part(n)), "big")

    def _object(self):
        b = (yield from self._part(1))[0]
        if b < 0x80:
            return b
        if b < 0x90:
            return (yield from self._pairs(b & 15))
        if b < 0xA0:
            return (yield from self._list(b & 15))
        if b < 0xC0:
            return (yield from self._string(b & 31))
        if b <= 0xC3:
            return (None, None, False, True)[b - 0xC0]
        if 0xC4 <= b <= 0xC6:
            return (yield from self._string((yield from self._int(1 << b - 0xC4))))
        if 0xCC <= b <= 0xCF:
            return (yield from self._int(1 << b - 0xCC))
        if 0xD0 <= b <= 0xD3:
            n = 1 << b - 0xD0
            x = yield from self._int(n)
            return x - (1 << 8 * n) if x >> 8 * n - 1 else x
        if 0xD9 <= b <= 0xDB:
            return (yield from self._string((yield from self._int(1 << b - 0xD9))))
        if b in (0xDC, 0xDD):
            return (yield from self._list((yield from self._int(2 if b == 0xDC else 4))))
        if b in (0xDE, 0xDF):
            return (yield from self._pairs((yield from self._int(2 if b == 0xDE else 4))))
        if b >= 0xE0:
            return b - 256
        if b in (0xCA, 0xCB):  # nothing here is one
            yield from self._part(4 if b == 0xCA else 8)
            return None
        raise _Down(0, "a frame that is no MessagePack")

    def _pairs(self, n):
        out = {}
        for _ in range(n):
            key = yield from self._object()
            out[key] = yield from self._object()
        return out

    def _list(self, n):
        for _ in range(n):  # no frame of one room has one
            yield from self._object()

    def _string(self, n):
        if n > self._left:
            raise _Down(0, "a frame that is cut off")
        kept = yield from self._part(min(n, CONTENT))
        if n > CONTENT:
            yield from self._skip(n - CONTENT)
            self._left -= n - CONTENT
            end = CONTENT - 1  # where the last character begins, of which all must be there
            while end and kept[end] & 0xC0 == 0x80:
                end -= 1
            if end + (1 if kept[end] < 0x80 else 2 if kept[end] < 0xE0 else 3 if kept[end] < 0xF0 else 4) > CONTENT:
                kept = kept[:end]
        return kept.decode()

    # Bytes, in and out.

    def _line(self):
        line = b""
        while True:
            b = yield from self._bytes(1)
            if b == b"\n":
                return line.strip()
            if len(line) < 256:
                line += b

    def _skip(self, n):
        while n > 0:
            n -= len((yield from self._bytes(min(n, 128))))

    def _bytes(self, n):
        while len(self._in) < n:
            self._flush()
            try:
                data = self._socket.recv(max(128, n - len(self._in)))
                if not data:
                    raise _Down(0, "the connection was cut")
                self._in += data
                self._heard, self._pinged = _ms(), False
            except OSError as e:
                if e.args[0] not in _AGAIN:
                    raise
                self._idle()
                yield
        data, self._in = self._in[:n], self._in[n:]
        return data

    def _idle(self):
        quiet = _since(_ms(), self._heard)
        if quiet > (self._interval + 5000 if self._subscribed else 10000):
            raise _Down(0, "the server is silent")
        if self._out:
            return
        if self._subscribed and self._pending is not None and not self._sent and not (self._retry and _since(_ms(), self._retry[0]) < self._retry[1]):
            self._sent, self._retry = True, None
            self._send(2, _map("type", "message", "content", self._pending, "idempotency_key", self._key))
        elif self._subscribed and quiet > self._interval and not self._pinged:
            self._pinged = True
            self._send(2, _map("type", "ping"))

    def _send(self, op, payload):
        n, mask = len(payload), os.urandom(4)
        head = bytes((0x80 | op, 0x80 | n)) if n < 126 else bytes((0x80 | op, 0xFE, n >> 8, n & 255))
        self._out += head + mask + bytes([b ^ mask[i & 3] for i, b in enumerate(payload)])
        self._flush()

    def _flush(self):
        while self._out:
            try:
                n = self._socket.send(self._out)
            except OSError as e:
                if e.args[0] not in _AGAIN:
                    raise
                return
            self._out = self._out[n:]


def _main(argv):
    """talk: python3 edgechat.py [-l] HOST PORT ROOM [NAME]: lines in, events out, as the program of edgechat.c."""
    import select
    import sys

    listen = argv[:1] == ["-l"]
    host, port, room = argv[listen : listen + 3]
    name = argv[listen + 3] if len(argv) > listen + 3 else None

    def show(kind, f):
        if kind == "message":
            name = f["username"] + (" (verified):" if f.get("verified") else ":")
            print("message", f["id"], name, f.get("content", "(deleted)"))
        elif kind == "ack":
            print("ack", f["id"] if f["durable"] else f["id"] + " in memory")
        elif kind == "subscribed":
            print("subscribed", f["id"])
        elif kind in ("edited", "deleted"):
            print(kind, f["target"], f.get("content", ""))
        elif kind in ("joined", "left", "typing"):
            print(kind, f["username"])
        elif kind == "gap":
            print("gap")
        else:
            print(kind, f.get("status", 0), f.get("code", ""), f.get("message", ""))
        if kind == "stopped":
            sys.exit(1)

    getenv = getattr(os, "getenv", lambda name: None)
    client = Client(host, int(port), room, name, getenv("EDGECHAT_TOKEN"), getenv("EDGECHAT_SINCE"), show)
    stdin = getattr(sys.stdin, "buffer", sys.stdin)
    stdin = getattr(stdin, "raw", stdin)  # a line that was read ahead is not seen by poll
    poller, ended = select.poll(), False
    poller.register(stdin, select.POLLIN)
    while listen or not ended or client.busy():
        client.poll()
        if client.busy() or ended:
            time.sleep(0.005)
        elif poller.poll(5):
            said = stdin.readline()
            ended = not said
            if said.strip():
                client.publish((said if isinstance(said, str) else said.decode()).rstrip("\n"))


if __name__ == "__main__":
    import sys

    _main(sys.argv[1:])
