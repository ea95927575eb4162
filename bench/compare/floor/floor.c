/*
 * floor: the least that a chat server can cost on this kernel.
 *
 * It upgrades GET /chat/room/NAME?username=NAME to a WebSocket and passes each
 * {"type":"message","content":"..."} on to everyone in the room, with one send(2)
 * for each delivery and next to nothing besides: no history, no JSON library, no
 * rights, no limits. What another server takes above it is what that server does.
 *
 *     cc -O2 -o floor floor.c              one send for each delivery
 *     cc -O2 -DBATCH -o floor floor.c      one send for each member and turn of epoll
 *     PORT=4000 ./floor                    on 127.0.0.1 alone
 *
 * It is a yardstick and no server to run. Fragmented messages, binary frames and
 * frames of more than 65535 bytes end the connection. So does a member that takes no
 * more bytes: a message may neither be cut off nor wait without a queue. A content is
 * copied as it came, escapes and all, and is not checked.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	READ_BYTES = 128 << 10, /* of one read; more than the longest frame, so that a whole one always fits */
	MAX_FRAME = 65535,      /* bytes of payload that a client may send in a frame */
	SEND_BYTES = 1 << 20,   /* asked of the kernel for what waits for a member; it grants net.core.wmem_max at most */
	MAX_REQUEST = 8 << 10,  /* bytes of the request for the upgrade */
	ROOM_BUCKETS = 1024,
	EVENTS = 256, /* of one epoll_wait: the turn that -DBATCH gathers */
};

struct conn;

struct room {
	struct room *next; /* in its bucket, or in the list of rooms that have something unsent */
	struct room *next_unsent;
	char *name; /* as it stands in the path, percent-encoding and all */
	struct conn **members;
	size_t count, space;
	char *out; /* frames that no member has yet */
	size_t out_len, out_space;
	uint64_t offset; /* of its newest message */
	bool unsent;
};

struct conn {
	int fd;
	bool dead;             /* closed at the end of the turn; until then pointers to it stay good */
	struct conn *next_dead;
	struct room *room;     /* NULL until the upgrade */
	size_t place;          /* in room->members */
	char *carry;           /* the beginning of a frame or request of which the rest is under way */
	size_t carry_len;
	char *head;            /* the JSON of its messages up to the content */
	size_t head_len;
};

static int epoll;
static char epoch[17]; /* of this process, the first part of each id */
static struct room *rooms[ROOM_BUCKETS];
static struct room *unsent;
static struct conn *dead;
static char input[READ_BYTES + MAX_FRAME + 16]; /* what was carried over, and then what was read */

static void fail(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *must(void *p)
{
	if (!p)
		fail("memory");
	return p;
}

static void end(struct conn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	c->next_dead = dead;
	dead = c;
}

/* Cut off in the middle a frame would take the next one with it, so that a short send ends the connection. */
static void push(struct conn *c, const char *b, size_t n)
{
	if (!c->dead && send(c->fd, b, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
		end(c);
}

/* ---- the handshake: SHA-1 (RFC 3174) and base64 (RFC 4648) ---- */

static uint32_t rol(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	for (int t = 0; t < 16; t++)
		w[t] = (uint32_t)p[4 * t] << 24 | (uint32_t)p[4 * t + 1] << 16 | (uint32_t)p[4 * t + 2] << 8 | p[4 * t + 3];
	for (int t = 16; t < 80; t++)
		w[t] = rol(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (int t = 0; t < 80; t++) {
		uint32_t f, k;
		if (t < 20)
			f = (b & c) | (~b & d), k = 0x5A827999;
		else if (t < 40)
			f = b ^ c ^ d, k = 0x6ED9EBA1;
		else if (t < 60)
			f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
		else
			f = b ^ c ^ d, k = 0xCA62C1D6;
		uint32_t next = rol(a, 5) + f + e + w[t] + k;
		e = d, d = c, c = rol(b, 30), b = a, a = next;
	}
	h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* accept_for writes Sec-WebSocket-Accept for a key (RFC 6455, 4.2.2): 28 characters and a NUL. */
static void accept_for(const char *key, size_t n, char *out)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t text[256] = {0}, sum[21] = {0};
	uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
	size_t len = n + sizeof guid - 1, blocks = (len + 8) / 64 + 1;

	memcpy(text, key, n);
	memcpy(text + n, guid, sizeof guid - 1);
	text[len] = 0x80;
	text[64 * blocks - 2] = (uint8_t)(len * 8 >> 8);
	text[64 * blocks - 1] = (uint8_t)(len * 8);
	for (size_t i = 0; i < blocks; i++)
		sha1_block(h, text + 64 * i);
	for (int i = 0; i < 20; i++)
		sum[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
	for (int i = 0; i < 21; i += 3) {
		uint32_t v = (uint32_t)sum[i] << 16 | (uint32_t)sum[i + 1] << 8 | sum[i + 2];
		for (int j = 0; j < 4; j++)
			*out++ = digits[v >> (18 - 6 * j) & 63];
	}
	out[-1] = '='; /* 20 bytes are one short of 21 */
	*out = 0;
}

/* ---- rooms ---- */

static struct room *room_named(const char *name, size_t n)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	struct room **bucket = &rooms[hash % ROOM_BUCKETS];
	for (struct room *r = *bucket; r; r = r->next)
		if (strlen(r->name) == n && memcmp(r->name, name, n) == 0)
			return r;
	struct room *r = must(calloc(1, sizeof *r));
	r->name = must(strndup(name, n));
	r->next = *bucket;
	return *bucket = r;
}

static void flush(struct room *r)
{
	for (size_t i = 0; r->out_len && i < r->count; i++)
		push(r->members[i], r->out, r->out_len);
	r->out_len = 0;
}

static void join(struct conn *c, struct room *r)
{
	flush(r); /* what was said before is not for who comes now */
	if (r->count == r->space) {
		r->space = r->space ? 2 * r->space : 16;
		r->members = must(realloc(r->members, r->space * sizeof *r->members));
	}
	c->room = r;
	c->place = r->count;
	r->members[r->count++] = c;
}

static void leave(struct conn *c)
{
	struct room *r = c->room;
	r->members[c->place] = r->members[--r->count];
	r->members[c->place]->place = c->place;
}

/* ---- frames (RFC 6455, 5.2) ---- */

static size_t frame_head(uint8_t *h, uint8_t opcode, size_t n)
{
	h[0] = 0x80 | opcode;
	if (n < 126) {
		h[1] = (uint8_t)n;
		return 2;
	}
	if (n <= 65535) {
		h[1] = 126, h[2] = (uint8_t)(n >> 8), h[3] = (uint8_t)n;
		return 4;
	}
	h[1] = 127;
	for (int i = 0; i < 8; i++)
		h[2 + i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
	return 10;
}

static void publish(struct conn *c, const char *content, size_t n)
{
	struct timespec now;
	struct tm tm;
	char tail[160];
	uint8_t head[10];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size_t tail_len = strftime(tail, sizeof tail, "\",\"timestamp\":\"%Y-%m-%dT%H:%M:%S", &tm);
	struct room *r = c->room;
	unsigned long long offset = ++r->offset;
	tail_len += (size_t)snprintf(tail + tail_len, sizeof tail - tail_len, ".%03dZ\",\"id\":\"%s-%llu\",\"offset\":%llu}",
		(int)(now.tv_nsec / 1000000), epoch, offset, offset);

	size_t json = c->head_len + n + tail_len, head_len = frame_head(head, 1, json);
	if (r->out_len + head_len + json > r->out_space) {
		r->out_space = 2 * (r->out_len + head_len + json);
		r->out = must(realloc(r->out, r->out_space));
	}
	char *p = r->out + r->out_len;
	p = mempcpy(p, head, head_len);
	p = mempcpy(p, c->head, c->head_len);
	p = mempcpy(p, content, n);
	p = mempcpy(p, tail, tail_len);
	r->out_len = (size_t)(p - r->out);
#ifdef BATCH
	if (!r->unsent) {
		r->unsent = true;
		r->next_unsent = unsent;
		unsent = r;
	}
#else
	flush(r);
#endif
}

/* string_at returns the end of the JSON string that begins at p, which is its first quote: behind its last one. */
static const char *string_at(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : NULL;
}

/*
 * message finds the content of {"type":"message","content":"..."}, whatever the order of
 * the two and whatever else is in the object. A key is a string with a colon behind it.
 */
static void message(struct conn *c, const char *p, const char *end)
{
	const char *content = NULL;
	size_t len = 0;
	bool typed = false;
	int depth = 0;

	while (p < end) {
		if (*p != '"') {
			depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
			p++;
			continue;
		}
		const char *key = p, *value;
		if (!(p = string_at(key, end)))
			return;
		size_t key_len = (size_t)(p - key);
		while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
			p++;
		if (p == end || *p != ':')
			continue;
		for (p++; p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r');)
			p++;
		if (p == end || *p != '"')
			continue;
		value = p;
		if (!(p = string_at(value, end)))
			return;
		size_t value_len = (size_t)(p - value);
		if (depth != 1)
			continue;
		if (key_len == 6 && !memcmp(key, "\"type\"", 6))
			typed = value_len == 9 && !memcmp(value, "\"message\"", 9);
		else if (key_len == 9 && !memcmp(key, "\"content\"", 9))
			content = value + 1, len = value_len - 2;
	}
	if (typed && content)
		publish(c, content, len);
}

/* frames takes whole frames off the input, and returns how many bytes they were. */
static size_t frames(struct conn *c, char *b, size_t n)
{
	size_t at = 0;
	while (!c->dead && n - at >= 2) {
		uint8_t *p = (uint8_t *)b + at, opcode = p[0] & 15, answer[2 + 125];
		size_t len = p[1] & 127, head = 6;

		if (!(p[0] & 0x80) || !(p[1] & 0x80) || (p[0] & 0x70) || len == 127 || (opcode >= 8 && len > 125)) {
			end(c);
			break;
		}
		if (len == 126) {
			head = 8;
			if (n - at < 4)
				break;
			len = (size_t)p[2] << 8 | p[3];
		}
		if (n - at < head + len)
			break;
		char *payload = (char *)p + head;
		for (size_t i = 0; i < len; i++)
			payload[i] ^= (char)p[head - 4 + (i & 3)];
		at += head + len;

		if (opcode == 1) {
			message(c, payload, payload + len);
		} else if (opcode == 8 || opcode == 9) { /* close is answered with its code, ping with its payload */
			size_t back = opcode == 9 ? len : len < 2 ? 0 : 2;
#ifdef BATCH
			flush(c->room); /* the answer does not overtake what was said before */
#endif
			answer[0] = opcode == 8 ? 0x88 : 0x8A, answer[1] = (uint8_t)back;
			memcpy(answer + 2, payload, back);
			push(c, (char *)answer, 2 + back);
			if (opcode == 8)
				end(c);
		} else if (opcode != 10) {
			end(c);
		}
	}
	return at;
}

/* ---- the upgrade ---- */

static int hex(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* head_of writes the JSON of this member's messages up to the content; the name comes percent-encoded. */
static void head_of(struct conn *c, const char *name, const char *end)
{
	static const char before[] = "{\"type\":\"message\",\"username\":\"", behind[] = "\",\"content\":\"";
	char *out = must(malloc(sizeof before + sizeof behind + 6 * (size_t)(end - name))), *p = mempcpy(out, before, sizeof before - 1);
	for (; name < end; name++) {
		int ch = (uint8_t)*name;
		if (ch == '+') {
			ch = ' ';
		} else if (ch == '%' && end - name > 2 && hex(name[1]) >= 0 && hex(name[2]) >= 0) {
			ch = hex(name[1]) << 4 | hex(name[2]);
			name += 2;
		}
		if (ch == '"' || ch == '\\' || ch < 32)
			p += sprintf(p, "\\u%04x", (unsigned)ch);
		else
			*p++ = (char)ch;
	}
	p = mempcpy(p, behind, sizeof behind - 1);
	c->head = out;
	c->head_len = (size_t)(p - out);
}

static void refuse(struct conn *c, const char *status)
{
	char answer[128];
	push(c, answer, (size_t)snprintf(answer, sizeof answer, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status));
	end(c);
}

/* request takes the request off the input and joins the room. It returns how many bytes it was. */
static size_t request(struct conn *c, char *b, size_t n)
{
	static const char path[] = "GET /chat/room/", header[] = "\r\nSec-WebSocket-Key:", offer[] = "\r\nSec-WebSocket-Protocol:";
	static const char protocol[] = "edgechat.v1.json";
	char accept[29], answer[256];
	char *stop = memmem(b, n, "\r\n\r\n", 4);

	if (!stop) {
		if (n > MAX_REQUEST)
			refuse(c, "431 Request Header Fields Too Large");
		return 0;
	}
	stop[2] = 0; /* strings end here; the last header keeps its \r\n */
	char *room = b + sizeof path - 1, *room_end = room + (strncmp(b, path, sizeof path - 1) ? 0 : strcspn(room, " ?/\r"));
	if (room_end <= room || (*room_end != ' ' && *room_end != '?')) {
		refuse(c, "404 Not Found");
		return 0;
	}
	char *key = strcasestr(b, header);
	key = key ? key + sizeof header - 1 : stop;
	key += strspn(key, " \t");
	size_t key_len = strcspn(key, " \t\r");
	if (key_len == 0 || key_len > 128) {
		refuse(c, "400 Bad Request");
		return 0;
	}
	char *query_end = room_end + strcspn(room_end, " \r"), *name = NULL, *name_end = NULL;
	for (char *p = room_end; p < query_end && !name; p += 1 + strcspn(p + 1, "& \r")) {
		if (!strncmp(p + 1, "username=", 9)) {
			name = p + 10;
			name_end = name + strcspn(name, "& \r");
		}
	}
	if (!name || name == name_end) {
		static char nobody[] = "Anonymous";
		name = nobody, name_end = nobody + sizeof nobody - 1;
	}
	char *offered = strcasestr(b, offer);
	if (offered) {
		offered[sizeof offer - 1 + strcspn(offered + sizeof offer - 1, "\r")] = 0; /* nothing behind it is needed any more */
		offered = strstr(offered, protocol);
	}
	head_of(c, name, name_end);
	accept_for(key, key_len, accept);
	push(c, answer, (size_t)snprintf(answer, sizeof answer,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
		accept, offered ? offer + 2 : "", offered ? protocol : "", offered ? "\r\n" : ""));
	join(c, room_named(room, (size_t)(room_end - room)));
	if (offered) { /* a client that speaks edgechat.v1 waits for this before it speaks */
		unsigned long long offset = c->room->offset;
		n = (size_t)snprintf(answer + 2, sizeof answer - 2, "{\"type\":\"subscribed\",\"id\":\"%s-%llu\",\"offset\":%llu}", epoch, offset, offset);
		push(c, answer, frame_head((uint8_t *)answer, 1, n) + n);
	}
	return (size_t)(stop + 4 - b);
}

/* ---- the loop ---- */

static void readable(struct conn *c)
{
	if (c->carry)
		memcpy(input, c->carry, c->carry_len);
	ssize_t got = recv(c->fd, input + c->carry_len, READ_BYTES, MSG_DONTWAIT);
	if (got <= 0) {
		if (got == 0 || (errno != EAGAIN && errno != EINTR))
			end(c);
		return;
	}
	size_t n = c->carry_len + (size_t)got, used = 0;
	if (!c->room)
		used = request(c, input, n);
	if (c->room)
		used += frames(c, input + used, n - used);
	if (c->dead)
		return;
	c->carry_len = n - used;
	if (c->carry_len == 0) {
		free(c->carry);
		c->carry = NULL;
		return;
	}
	c->carry = must(realloc(c->carry, c->carry_len));
	memcpy(c->carry, input + used, c->carry_len);
}

static void accept_all(int listener)
{
	int fd, on = 1, bytes = SEND_BYTES;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = must(calloc(1, sizeof *c));
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
			fail("epoll_ctl");
	}
	if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		fail("accept");
}

static void bury(void)
{
	while (dead) {
		struct conn *c = dead;
		dead = c->next_dead;
		if (c->room)
			leave(c);
		close(c->fd);
		free(c->carry);
		free(c->head);
		free(c);
	}
}

int main(void)
{
	const char *port = getenv("PORT");
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct rlimit files;
	int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (!port || atoi(port) < 1 || atoi(port) > 65535) {
		fprintf(stderr, "floor: PORT is %s; give it a port from 1 to 65535\n", port ? port : "not set");
		return 2;
	}
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	snprintf(epoch, sizeof epoch, "%llx", (unsigned long long)time(NULL));
	address.sin_port = htons((uint16_t)atoi(port));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
		fail("listen on 127.0.0.1");
	struct epoll_event e = {.events = EPOLLIN}, events[EVENTS]; /* data.ptr NULL: the listener */
	if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e))
		fail("epoll");

	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			if (!c)
				accept_all(listener);
			else if (!c->dead)
				readable(c);
		}
		while (unsent) {
			struct room *r = unsent;
			unsent = r->next_unsent;
			r->unsent = false;
			flush(r);
		}
		bury();
	}
}
