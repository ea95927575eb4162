/*
 * edgechat.c: a client of edgechat for small devices, in C99.
 *
 * One struct of less than 4 KiB, no allocation, no threads, no printf. It joins a room by MessagePack over WebSocket,
 * sends one message at a time and again until that is acknowledged, and comes back behind the last message that it saw.
 * docs/devices.md says how to use it; docs/protocol.md is what it speaks.
 *
 *     static struct ec c;                 // nothing of it on the stack
 *     ec_init(&c, &config, &net);         // once
 *     for (;;) ec_poll(&c);               // often: it never waits
 *     if (ec_publish(&c, "21.5 C", 6) == 0) ...
 *
 * Include this file in one file of the program. With -DEC_EXAMPLE it is a program of its own for POSIX.
 * Everything is called from one thread. Strings are UTF-8.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef EC_CONTENT
#define EC_CONTENT 512 /* bytes kept of what a message says; of a longer one the beginning. What is sent is no longer. */
#endif
#ifndef EC_OUT
#define EC_OUT 1024 /* bytes of the request, which holds room, name and token; at least EC_CONTENT + 128 */
#endif

/* ec_net is how bytes get to the server and back. None of it waits. */
struct ec_net {
	void *ctx;
	int (*open)(void *ctx, const char *host, uint16_t port); /* 1 connected, 0 not yet: it is called again, -1 it failed */
	int (*read)(void *ctx, uint8_t *p, size_t n);            /* bytes read, 0 if there are none now, -1 at the end */
	int (*write)(void *ctx, const uint8_t *p, size_t n);     /* bytes written, 0 if none fit now, -1 if it is cut */
	void (*close)(void *ctx);
	uint32_t (*millis)(void *ctx); /* a clock that may wrap */
	uint32_t (*random)(void *ctx); /* 32 bits that nobody else has: of the hardware's generator */
};

enum ec_kind {
	EC_SUBSCRIBED, /* in the room */
	EC_GAP,        /* messages are missing before the next one */
	EC_MESSAGE,    /* username, content, id, timestamp; edited, deleted or truncated */
	EC_EDITED,     /* target says content now */
	EC_DELETED,    /* target is gone */
	EC_JOINED,
	EC_LEFT,
	EC_TYPING,
	EC_ACK,     /* what ec_publish was given is on disk; or, if durable is 0, in the server's memory alone */
	EC_REFUSED, /* it is not taken: code, text. It will not be sent again */
	EC_DOWN,    /* no connection; it comes back by itself. status, code and text say why if the server did */
	EC_STOPPED  /* it does not come back: status, code, text. Mend what they name, and call ec_start */
};

struct ec_config {
	const char *host;
	uint16_t port;
	const char *room;
	const char *username; /* or NULL; with a token its name is used */
	const char *token;    /* or NULL */
	const char *since;    /* the id to go on behind, "all", or NULL: what is new alone */
};

/* ec_frame is what the last event is about. It is valid until ec_poll is called again. */
struct ec_frame {
	char type[16];
	char username[132];
	char content[EC_CONTENT + 1];
	char id[64];
	char target[64];
	char key[40];
	char code[32];
	char text[160];
	uint64_t timestamp;   /* milliseconds since 1970, by the server's clock */
	uint32_t retry_after; /* ms */
	uint32_t ping_interval;
	uint16_t status;   /* of HTTP, or the code of a close frame */
	uint8_t recovered; /* 0 if messages are missing */
	uint8_t recovering;
	uint8_t durable, edited, deleted, truncated;
	uint8_t verified; /* username is a token's: nobody else can have said it */
};

enum ec_state { EC_S_WAIT, EC_S_OPEN, EC_S_HEAD, EC_S_BODY, EC_S_FRAMES, EC_S_STOPPED };

struct ec {
	struct ec_frame f;
	char last[64]; /* the id to come back behind; keep it over a restart as ec_config.since */
	void (*event)(struct ec *c, enum ec_kind kind);
	void *ctx; /* the program's own */

	/* The rest is its own. */
	const struct ec_config *config;
	const struct ec_net *net;
	uint32_t since, heard, pause; /* when this state began, when bytes came, how long to wait in EC_S_WAIT */
	uint32_t interval;
	uint32_t id[2], count; /* of keys */
	uint32_t retry, retry_at;
	uint16_t pend_len, out_len, out_at;
	uint8_t state, attempts, subscribed, asked, pinged;
	uint8_t pending, sent, delayed;
	uint8_t pong, pong_len, closing;
	char accept[29];
	uint8_t control[125]; /* of a ping, or of a close frame */
	uint8_t pend[EC_CONTENT];
	uint8_t out[EC_OUT];

	/* The frame of WebSocket that is read. */
	uint8_t head, op, first, message_op, lengths, control_len, agreed, accepted;
	uint64_t left;
	/* The line of HTTP, or the object of MessagePack. */
	char line[80];
	uint8_t line_len, in_value, kind, need, broken;
	uint32_t pairs, skip, len, copied;
	uint64_t number;
	char *into;
	uint32_t room;
};

/* ---- what a program calls ------------------------------------------------------------------------------------------ */

/* ec_init makes c ready. config and net are used, not copied. event is called from within ec_poll. */
void ec_init(struct ec *c, const struct ec_config *config, const struct ec_net *net, void (*event)(struct ec *, enum ec_kind), void *ctx);
/* ec_start begins at once, also after EC_STOPPED. What waits to be sent is kept. */
void ec_start(struct ec *c);
/* ec_poll does what can be done now. Call it when bytes have come, and at least ten times a second. */
void ec_poll(struct ec *c);
/* ec_publish takes a message, to be sent now or as soon as there is a connection, again after each cut, until EC_ACK or
 * EC_REFUSED. 0, or -1 if it is too long or the one before is not acknowledged yet. */
int ec_publish(struct ec *c, const char *content, size_t n);

/* ---- bytes --------------------------------------------------------------------------------------------------------- */

static uint32_t ec_rol(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }

/* ec_sha1_block is one round of SHA-1 (RFC 3174, method 2), which the handshake of WebSocket asks for. */
static void ec_sha1_block(uint32_t h[5], uint32_t w[16])
{
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	for (unsigned t = 0; t < 80; t++) {
		if (t >= 16)
			w[t & 15] = ec_rol(w[(t + 13) & 15] ^ w[(t + 8) & 15] ^ w[(t + 2) & 15] ^ w[t & 15], 1);
		uint32_t f, k;
		if (t < 20)
			f = (b & c) | (~b & d), k = 0x5A827999;
		else if (t < 40)
			f = b ^ c ^ d, k = 0x6ED9EBA1;
		else if (t < 60)
			f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
		else
			f = b ^ c ^ d, k = 0xCA62C1D6;
		uint32_t x = ec_rol(a, 5) + f + e + k + w[t & 15];
		e = d, d = c, c = ec_rol(b, 30), b = a, a = x;
	}
	h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* ec_sha1 hashes 60 bytes: a key and the GUID of RFC 6455. */
static void ec_sha1(const char *p, uint8_t sum[20])
{
	uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0}, w[16] = {0};
	for (unsigned i = 0; i < 60; i++)
		w[i / 4] |= (uint32_t)(uint8_t)p[i] << (24 - i % 4 * 8);
	w[15] |= 0x80000000;
	ec_sha1_block(h, w);
	memset(w, 0, sizeof w);
	w[15] = 60 * 8;
	ec_sha1_block(h, w);
	for (unsigned i = 0; i < 20; i++)
		sum[i] = (uint8_t)(h[i / 4] >> (24 - i % 4 * 8));
}

static void ec_base64(const uint8_t *p, size_t n, char *to)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < n; i += 3) {
		uint32_t x = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
		*to++ = digits[x >> 18];
		*to++ = digits[x >> 12 & 63];
		*to++ = i + 1 < n ? digits[x >> 6 & 63] : '=';
		*to++ = i + 2 < n ? digits[x & 63] : '=';
	}
	*to = 0;
}

/* ec_put appends to what goes out. What does not fit sets broken. */
static void ec_put(struct ec *c, const void *p, size_t n)
{
	if (n > sizeof c->out - c->out_len) {
		c->broken = 1;
		return;
	}
	memcpy(c->out + c->out_len, p, n);
	c->out_len = (uint16_t)(c->out_len + n);
}

static void ec_puts(struct ec *c, const char *s) { ec_put(c, s, strlen(s)); }

static void ec_escape(struct ec *c, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	for (; *s; s++) {
		uint8_t b = (uint8_t)*s;
		if ((b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') || b == '-' || b == '_' || b == '.') {
			ec_put(c, s, 1);
		} else {
			char x[3] = {'%', hex[b >> 4], hex[b & 15]};
			ec_put(c, x, 3);
		}
	}
}

static void ec_decimal(struct ec *c, uint32_t n)
{
	char x[10];
	size_t i = sizeof x;
	do
		x[--i] = (char)('0' + n % 10), n /= 10;
	while (n);
	ec_put(c, x + i, sizeof x - i);
}

/* ---- the connection ------------------------------------------------------------------------------------------------ */

static uint32_t ec_now(struct ec *c) { return c->net->millis(c->net->ctx); }
static uint32_t ec_random(struct ec *c) { return c->net->random(c->net->ctx); }

static void ec_enter(struct ec *c, enum ec_state s)
{
	c->state = (uint8_t)s;
	c->since = ec_now(c);
}

/* ec_down ends the connection. It comes back after at least min milliseconds, or not at all. */
static void ec_down(struct ec *c, uint32_t min, int stop)
{
	if (c->state != EC_S_WAIT && c->state != EC_S_STOPPED)
		c->net->close(c->net->ctx);
	c->subscribed = c->sent = c->closing = 0;
	c->out_len = c->out_at = 0;
	if (stop) {
		ec_enter(c, EC_S_STOPPED);
		c->event(c, EC_STOPPED);
		return;
	}
	/* At random, so that a hundred devices do not come back at once. */
	uint32_t bound = c->attempts < 5 ? 1000u << c->attempts : 30000;
	if (c->attempts < 5)
		c->attempts++;
	c->pause = 500 + ec_random(c) % (bound - 499);
	if (c->pause < min)
		c->pause = min;
	ec_enter(c, EC_S_WAIT);
	c->event(c, EC_DOWN);
}

static void ec_request(struct ec *c)
{
	const struct ec_config *g = c->config;
	char key[60 + 1];
	uint8_t nonce[20];
	for (unsigned i = 0; i < 16; i += 4) {
		uint32_t x = ec_random(c);
		memcpy(nonce + i, &x, 4);
	}
	ec_base64(nonce, 16, key);
	c->broken = 0;
	ec_puts(c, "GET /chat/room/");
	ec_escape(c, g->room);
	ec_puts(c, "?format=msgpack");
	if (g->username && !g->token) {
		ec_puts(c, "&username=");
		ec_escape(c, g->username);
	}
	c->asked = c->last[0] != 0;
	if (c->asked) {
		ec_puts(c, "&since=");
		ec_escape(c, c->last);
	}
	ec_puts(c, " HTTP/1.1\r\nHost: ");
	ec_puts(c, g->host);
	ec_puts(c, ":");
	ec_decimal(c, g->port);
	ec_puts(c, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: edgechat.v1.msgpack\r\nSec-WebSocket-Key: ");
	ec_put(c, key, 24);
	if (g->token) {
		ec_puts(c, "\r\nAuthorization: Bearer ");
		ec_puts(c, g->token);
	}
	ec_puts(c, "\r\n\r\n");
	memcpy(key + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 37);
	ec_sha1(key, nonce);
	ec_base64(nonce, 20, c->accept);
}

/* ec_frame_out makes a frame of what is in out behind its first 8 bytes, which are its head: of a client it is masked. */
static void ec_frame_out(struct ec *c, uint8_t op)
{
	size_t n = (size_t)c->out_len - 8;
	uint32_t mask = ec_random(c);
	uint8_t *head = c->out;
	memcpy(c->out + 4, &mask, 4);
	if (n < 126) {
		head += 2;
		head[1] = (uint8_t)(0x80 | n);
	} else {
		head[1] = 0x80 | 126;
		head[2] = (uint8_t)(n >> 8);
		head[3] = (uint8_t)n;
	}
	head[0] = (uint8_t)(0x80 | op);
	for (size_t i = 0; i < n; i++)
		c->out[8 + i] ^= c->out[4 + i % 4];
	c->out_at = (uint16_t)(head - c->out);
}

static void ec_text(struct ec *c, const void *p, size_t n)
{
	uint8_t head[3] = {(uint8_t)(0xa0 | n), 0, 0};
	size_t h = 1;
	if (n >= 256)
		head[0] = 0xda, head[1] = (uint8_t)(n >> 8), head[2] = (uint8_t)n, h = 3;
	else if (n >= 32)
		head[0] = 0xd9, head[1] = (uint8_t)n, h = 2;
	ec_put(c, head, h);
	ec_put(c, p, n);
}

static void ec_string(struct ec *c, const char *s) { ec_text(c, s, strlen(s)); }

/* ec_key writes the key of the pending message: nobody else has it, and no earlier message of this device. */
static void ec_key(const struct ec *c, char to[26])
{
	static const char hex[] = "0123456789abcdef";
	uint32_t parts[3] = {c->id[0], c->id[1], c->count};
	for (unsigned i = 0; i < 24; i++)
		to[i] = hex[parts[i / 8] >> (28 - i % 8 * 4) & 15];
	to[24] = 0;
}

/* ec_queue puts the next frame into out, if that is empty and there is one. */
static void ec_queue(struct ec *c)
{
	uint32_t now = ec_now(c);
	char key[26];
	if (c->out_len != 0)
		return;
	c->out_len = 8;
	if (c->closing) {
		ec_put(c, c->control, c->control_len < 2 ? 0 : 2);
		ec_frame_out(c, 8);
		return;
	}
	if (c->pong) {
		c->pong = 0;
		ec_put(c, c->control, c->pong_len);
		ec_frame_out(c, 10);
		return;
	}
	if (c->subscribed && c->pending && !c->sent && !(c->delayed && (int32_t)(now - c->retry_at) < 0)) {
		c->sent = 1;
		c->delayed = 0;
		ec_key(c, key);
		ec_put(c, "\x83", 1); /* a map of three */
		ec_string(c, "type"), ec_string(c, "message");
		ec_string(c, "content"), ec_text(c, c->pend, c->pend_len);
		ec_string(c, "idempotency_key"), ec_string(c, key);
		ec_frame_out(c, 2);
		return;
	}
	if (!c->pinged && now - c->heard > c->interval) {
		c->pinged = 1;
		ec_put(c, "\x81", 1);
		ec_string(c, "type"), ec_string(c, "ping");
		ec_frame_out(c, 2);
		return;
	}
	c->out_len = 0;
}

/* ---- what the server says ------------------------------------------------------------------------------------------ */

/* ec_clear makes the fields of the frame before go. */
static void ec_clear(struct ec *c)
{
	memset(&c->f, 0, sizeof c->f);
	c->f.recovered = 1;
	c->pairs = c->skip = 0;
	c->need = c->kind = c->in_value = c->broken = 0;
	c->into = NULL;
	c->room = c->len = c->copied = 0;
	c->line_len = 0;
}

/* ec_say is what this itself has to say of a connection that ends. */
static void ec_say(struct ec *c, const char *text)
{
	ec_clear(c);
	strncpy(c->f.text, text, sizeof c->f.text - 1);
}

static int ec_is(const char *a, const char *b) { return strcmp(a, b) == 0; }

static void ec_got_subscribed(struct ec *c)
{
	c->subscribed = 1;
	c->attempts = 0;
	if (c->f.ping_interval)
		c->interval = c->f.ping_interval;
	if (!c->asked)
		memcpy(c->last, c->f.id, sizeof c->last);
	c->event(c, EC_SUBSCRIBED);
	if (c->f.recovering && !c->f.recovered)
		c->event(c, EC_GAP);
}

static void ec_got_error(struct ec *c, int mine)
{
	if (!mine) {
		c->event(c, EC_REFUSED);
	} else if (c->f.retry_after || ec_is(c->f.code, "unavailable")) {
		c->sent = 0;
		c->delayed = 1;
		c->retry_at = ec_now(c) + (c->f.retry_after ? c->f.retry_after : 1000);
	} else {
		c->pending = 0;
		c->event(c, EC_REFUSED);
	}
}

/* ec_frame_in does what a whole frame says. */
static void ec_frame_in(struct ec *c)
{
	char key[26];
	struct ec_frame *f = &c->f;
	ec_key(c, key);
	int mine = c->pending && ec_is(f->key, key);
	enum ec_kind kind;
	if (ec_is(f->type, "subscribed")) {
		ec_got_subscribed(c);
		return;
	} else if (ec_is(f->type, "ack")) {
		if (mine) {
			c->pending = 0;
			c->event(c, EC_ACK);
		}
		return;
	} else if (ec_is(f->type, "error")) {
		ec_got_error(c, mine);
		return;
	} else if (ec_is(f->type, "message"))
		kind = EC_MESSAGE;
	else if (ec_is(f->type, "edited"))
		kind = EC_EDITED;
	else if (ec_is(f->type, "deleted"))
		kind = EC_DELETED;
	else if (ec_is(f->type, "joined"))
		kind = EC_JOINED;
	else if (ec_is(f->type, "left"))
		kind = EC_LEFT;
	else if (ec_is(f->type, "typing"))
		kind = EC_TYPING;
	else
		return; /* pong, or of a newer server */
	if (f->id[0])
		memcpy(c->last, f->id, sizeof c->last);
	c->event(c, kind);
}

/* ec_place says where the value of a key goes: a text into f, which is all that this needs to tell. */
static void ec_place(struct ec *c)
{
	static const struct { char key[16]; uint16_t at, size; } texts[] = {
#define EC_T(key, field) {key, offsetof(struct ec_frame, field), sizeof ((struct ec_frame *)0)->field}
		EC_T("type", type), EC_T("username", username), EC_T("content", content), EC_T("id", id), EC_T("target", target),
		EC_T("idempotency_key", key), EC_T("code", code), EC_T("message", text),
#undef EC_T
	};
	c->into = NULL;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strncmp(c->line, texts[i].key, 16) == 0) {
			c->into = (char *)&c->f + texts[i].at;
			c->room = (uint32_t)texts[i].size - 1u;
		}
}

/* ec_number takes a number or a truth. */
static void ec_number(struct ec *c, uint64_t n)
{
	uint32_t small = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
	if (ec_is(c->line, "timestamp"))
		c->f.timestamp = n;
	else if (ec_is(c->line, "retry_after_ms"))
		c->f.retry_after = small;
	else if (ec_is(c->line, "ping_interval_ms"))
		c->f.ping_interval = small;
	else if (ec_is(c->line, "recovered"))
		c->f.recovered = n != 0;
	else if (ec_is(c->line, "was_recovering"))
		c->f.recovering = n != 0;
	else if (ec_is(c->line, "durable"))
		c->f.durable = n != 0;
	else if (ec_is(c->line, "verified"))
		c->f.verified = n != 0;
	else if (ec_is(c->line, "edited"))
		c->f.edited = n != 0;
	else if (ec_is(c->line, "deleted"))
		c->f.deleted = n != 0;
}

enum { EC_K_NEXT, EC_K_LEN, EC_K_DATA, EC_K_NUMBER, EC_K_END };

/* ec_done ends an object: a key, a value, or a part of a value that nobody asks for. children are to be skipped. */
static void ec_done(struct ec *c, uint32_t children)
{
	c->kind = EC_K_NEXT;
	if (c->skip) {
		c->skip = c->skip - 1 + children;
	} else if (children) {
		c->skip = children;
		return;
	}
	if (c->skip)
		return;
	if (!c->in_value) {
		ec_place(c);
		c->in_value = 1;
	} else {
		c->in_value = 0;
		if (--c->pairs == 0)
			c->kind = EC_K_END;
	}
}

/* ec_data begins a text of len bytes. */
static void ec_data(struct ec *c, uint32_t len)
{
	c->len = len;
	c->copied = 0;
	if (!c->in_value && !c->skip) {
		memset(c->line, 0, sizeof c->line);
		c->into = c->line;
		c->room = 31;
	} else if (c->skip) {
		c->into = NULL;
	}
	c->kind = EC_K_DATA;
	if (len == 0)
		ec_done(c, 0);
}

/* ec_object is the first byte of one. */
static void ec_object(struct ec *c, uint8_t b)
{
	c->number = 0;
	c->op = b;
	if (!c->in_value && !c->skip)
		c->line[0] = 0; /* a key that is no text is nobody's */
	if (b < 0x80) {
		if (c->in_value && !c->skip)
			ec_number(c, b);
		ec_done(c, 0);
	} else if (b < 0x90) {
		ec_done(c, 2u * (b & 15));
	} else if (b < 0xa0) {
		ec_done(c, b & 15);
	} else if (b < 0xc0) {
		ec_data(c, b & 31);
	} else if (b == 0xc0 || b == 0xc2 || b == 0xc3) {
		if (c->in_value && !c->skip)
			ec_number(c, b == 0xc3);
		ec_done(c, 0);
	} else if (b >= 0xe0) {
		ec_done(c, 0); /* less than nothing: nothing here is */
	} else if (b >= 0xd4 && b <= 0xd8) {
		ec_data(c, (1u << (b - 0xd4)) + 1); /* an extension of a fixed size, with its type */
		c->into = NULL;
	} else {
		/*                              c1 (never)  bin 8 16 32  ext 8 16 32  float     uint 8 16 32 64  int                 str 8 16 32  array   map */
		static const uint8_t sizes[] = {0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4};
		c->need = sizes[b - 0xc1];
		c->kind = b >= 0xca && b <= 0xd3 ? EC_K_NUMBER : EC_K_LEN;
		if (c->need == 0)
			c->broken = 1;
	}
}

/* ec_whole_characters takes the beginning of a character away from the end of what was kept. */
static void ec_whole_characters(struct ec *c)
{
	uint32_t at = c->copied;
	while (at && ((uint8_t)c->into[at - 1] & 0xc0) == 0x80)
		at--;
	if (!at)
		return;
	uint8_t first = (uint8_t)c->into[--at];
	uint32_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (at + n > c->copied)
		c->into[at] = 0;
}

/* ec_feed takes a byte of a MessagePack map. */
static void ec_feed(struct ec *c, uint8_t b)
{
	if (c->broken)
		return;
	if (c->pairs == 0 && c->kind == EC_K_NEXT) { /* the map itself, of less than 16 pairs or of more */
		if (c->need) {
			c->number = c->number << 8 | b;
			if (--c->need == 0 && (c->pairs = (uint32_t)c->number) == 0)
				c->kind = EC_K_END;
		} else if (b == 0xde) {
			c->need = 2;
			c->number = 0;
		} else if (b > 0x80 && b < 0x90) {
			c->pairs = b & 15;
		} else {
			c->broken = 1;
		}
		return;
	}
	switch (c->kind) {
	case EC_K_NEXT:
		ec_object(c, b);
		break;
	case EC_K_LEN:
		c->number = c->number << 8 | b;
		if (--c->need)
			break;
		if (c->op == 0xdc || c->op == 0xdd) {
			ec_done(c, (uint32_t)c->number);
		} else if (c->op == 0xde || c->op == 0xdf) {
			ec_done(c, 2 * (uint32_t)c->number);
		} else {
			int ext = c->op >= 0xc7 && c->op <= 0xc9;
			ec_data(c, (uint32_t)c->number + (ext ? 1u : 0u));
			if (ext)
				c->into = NULL;
		}
		break;
	case EC_K_NUMBER:
		c->number = c->number << 8 | b;
		if (--c->need)
			break;
		if (c->in_value && !c->skip && c->op >= 0xcc)
			ec_number(c, c->number);
		ec_done(c, 0);
		break;
	case EC_K_DATA:
		if (c->into && c->copied < c->room)
			c->into[c->copied++] = (char)b;
		else if (c->into == c->f.content)
			c->f.truncated = 1;
		if (--c->len == 0) {
			if (c->into == c->f.content && c->f.truncated)
				ec_whole_characters(c);
			ec_done(c, 0);
		}
		break;
	default:
		c->broken = 1; /* something behind the map */
	}
}

/* ec_closed is a close frame. */
static void ec_closed(struct ec *c)
{
	uint16_t code = (uint16_t)(c->control_len < 2 ? 1005 : c->control[0] << 8 | c->control[1]);
	size_t n = c->control_len < 2 ? 0 : c->control_len - 2u;
	ec_clear(c);
	c->f.status = code;
	memcpy(c->f.text, c->control + 2, n);
	for (size_t i = 0; i < n && i < sizeof c->f.code - 1 && c->f.text[i] != ':' && c->f.text[i] != ' '; i++)
		c->f.code[i] = c->f.text[i];
	/* The answer, as far as it goes at once. */
	c->closing = 1;
	if (c->out_len == 0) {
		ec_queue(c);
		c->net->write(c->net->ctx, c->out + c->out_at, (size_t)(c->out_len - c->out_at));
	}
	ec_down(c, 0, code == 1002 || code == 1003 || (code >= 1007 && code <= 1010));
}

/* ec_whole is the end of a frame. 0 if the connection is over. */
static int ec_whole(struct ec *c)
{
	c->head = 0;
	switch (c->first & 15) {
	case 8:
		ec_closed(c);
		return 0;
	case 9:
		c->pong = 1;
		c->pong_len = c->control_len;
		return 1;
	case 10:
		return 1;
	}
	if (!(c->first & 0x80))
		return 1;
	if (c->message_op == 2 && !c->broken && c->kind == EC_K_END)
		ec_frame_in(c);
	c->message_op = 0;
	return 1;
}

/* ec_head takes a byte of the head of a frame. 0 if it breaks RFC 6455. */
static int ec_head(struct ec *c, uint8_t b)
{
	uint8_t op = c->first & 15;
	if (c->head == 0) {
		c->first = b;
		c->head = 1;
		op = b & 15;
		if (b & 0x70 || (op > 2 && op < 8) || op > 10 || (op >= 8 && !(b & 0x80)) || (op == 0) != (c->message_op != 0 && op < 8))
			return 0;
		if (op == 1 || op == 2) {
			c->message_op = op;
			ec_clear(c);
		}
		return 1;
	}
	if (c->head == 1) {
		if (b & 0x80 || (op >= 8 && b > 125))
			return 0; /* a server masks nothing */
		c->lengths = b == 127 ? 8 : b == 126 ? 2 : 0;
		c->left = b < 126 ? b : 0;
		c->control_len = 0;
		c->head = c->lengths ? 2 : 3;
	} else {
		c->left = c->left << 8 | b;
		if (--c->lengths == 0)
			c->head = 3;
	}
	return 1;
}

/* ec_frames takes bytes of frames. 0 if the connection is over. */
static int ec_frames(struct ec *c, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (c->head < 3) {
			if (!ec_head(c, p[i])) {
				ec_say(c, "what came is no WebSocket frame");
				ec_down(c, 0, 0);
				return 0;
			}
		} else {
			c->left--;
			if ((c->first & 15) >= 8)
				c->control[c->control_len++] = p[i];
			else if (c->message_op == 2)
				ec_feed(c, p[i]);
		}
		if (c->head == 3 && c->left == 0 && !ec_whole(c))
			return 0;
	}
	return 1;
}

/* ec_field returns the value if the line is this field of HTTP, in lower case, with its colon. */
static const char *ec_field(const struct ec *c, const char *name)
{
	const char *s = c->line;
	for (; *name; name++, s++)
		if (*name != (*s >= 'A' && *s <= 'Z' ? *s + 32 : *s))
			return NULL;
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

static uint32_t ec_parse(const char *s)
{
	uint32_t n = 0;
	for (; *s >= '0' && *s <= '9' && n < 100000; s++)
		n = n * 10 + (uint32_t)(*s - '0');
	return n;
}

/* ec_line is a line of the answer's head. */
static void ec_line(struct ec *c)
{
	const char *v;
	c->line[c->line_len] = 0;
	if (c->f.status == 0)
		c->f.status = strncmp(c->line, "HTTP/1.1 ", 9) == 0 ? (uint16_t)ec_parse(c->line + 9) : 1;
	else if ((v = ec_field(c, "sec-websocket-accept:")) != NULL)
		c->accepted = ec_is(v, c->accept) != 0;
	else if ((v = ec_field(c, "sec-websocket-protocol:")) != NULL)
		c->agreed = ec_is(v, "edgechat.v1.msgpack") != 0;
	else if ((v = ec_field(c, "retry-after:")) != NULL)
		c->f.retry_after = ec_parse(v) * 1000;
	else if ((v = ec_field(c, "content-length:")) != NULL)
		c->left = ec_parse(v);
	c->line_len = 0;
}

/* ec_refused: the answer was no 101. The code stands in its body, with a message, of which this is the beginning. */
static void ec_refused(struct ec *c)
{
	const char *at = strstr(c->f.text, "\"code\":\"");
	if (at)
		for (size_t i = 0; i < sizeof c->f.code - 1 && at[8 + i] && at[8 + i] != '"'; i++)
			c->f.code[i] = at[8 + i];
	at = strstr(c->f.text, "\"message\":\"");
	if (at) {
		memmove(c->f.text, at + 11, strlen(at + 11) + 1);
		c->f.text[strcspn(c->f.text, "\"")] = 0;
	}
	ec_down(c, c->f.retry_after, !c->f.retry_after && c->f.status >= 400 && c->f.status < 500);
}

/* ec_answer takes bytes of HTTP and returns how many. */
static size_t ec_answer(struct ec *c, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (c->state == EC_S_BODY) {
			if (c->copied < sizeof c->f.text - 1)
				c->f.text[c->copied++] = (char)p[i];
			if (c->copied == c->left || c->copied == sizeof c->f.text - 1) {
				ec_refused(c);
				return n;
			}
			continue;
		}
		if (p[i] == '\r')
			continue;
		if (p[i] != '\n') {
			if (c->line_len < sizeof c->line - 1)
				c->line[c->line_len++] = (char)p[i];
			continue;
		}
		if (c->line_len) {
			ec_line(c);
			continue;
		}
		if (c->f.status != 101) {
			c->copied = 0;
			ec_enter(c, EC_S_BODY);
			if (c->left == 0) {
				ec_refused(c);
				return n;
			}
			continue;
		}
		if (!c->accepted || !c->agreed) {
			ec_say(c, "what answers is no edgechat");
			ec_down(c, 0, 0);
			return n;
		}
		c->head = c->message_op = c->pong = c->pinged = 0;
		ec_enter(c, EC_S_FRAMES);
		return i + 1;
	}
	return n;
}

/* ---- the loop ------------------------------------------------------------------------------------------------------ */

/* ec_read takes what has come, 1 KiB at most. */
static void ec_read(struct ec *c)
{
	uint8_t buf[128];
	for (unsigned turns = 0; turns < 8; turns++) {
		int n = c->net->read(c->net->ctx, buf, sizeof buf);
		if (n == 0)
			return;
		if (n < 0) {
			if (c->state == EC_S_BODY) {
				ec_refused(c);
				return;
			}
			ec_say(c, "the connection was cut");
			ec_down(c, 0, 0);
			return;
		}
		c->heard = ec_now(c);
		c->pinged = 0;
		size_t at = c->state == EC_S_FRAMES ? 0 : ec_answer(c, buf, (size_t)n);
		if (at < (size_t)n && c->state == EC_S_FRAMES && !ec_frames(c, buf + at, (size_t)n - at))
			return;
		if (c->state == EC_S_WAIT || c->state == EC_S_STOPPED)
			return;
	}
}

static void ec_write(struct ec *c)
{
	for (;;) {
		if (c->state == EC_S_FRAMES)
			ec_queue(c);
		if (c->out_len == 0)
			return;
		int n = c->net->write(c->net->ctx, c->out + c->out_at, (size_t)(c->out_len - c->out_at));
		if (n < 0) {
			ec_say(c, "the connection was cut");
			ec_down(c, 0, 0);
			return;
		}
		c->out_at = (uint16_t)(c->out_at + n);
		if (c->out_at < c->out_len)
			return;
		c->out_len = c->out_at = 0;
	}
}

void ec_init(struct ec *c, const struct ec_config *config, const struct ec_net *net, void (*event)(struct ec *, enum ec_kind), void *ctx)
{
	memset(c, 0, sizeof *c);
	c->config = config;
	c->net = net;
	c->event = event;
	c->ctx = ctx;
	c->id[0] = ec_random(c);
	c->id[1] = ec_random(c);
	if (config->since)
		strncpy(c->last, config->since, sizeof c->last - 1);
	ec_enter(c, EC_S_WAIT);
}

void ec_start(struct ec *c)
{
	if (c->state != EC_S_STOPPED)
		return;
	c->attempts = 0;
	c->pause = 0;
	ec_enter(c, EC_S_WAIT);
}

void ec_poll(struct ec *c)
{
	uint32_t now = ec_now(c);
	if (c->state == EC_S_WAIT && now - c->since >= c->pause) {
		ec_clear(c);
		c->accepted = c->agreed = 0;
		c->left = 0;
		c->interval = 25000;
		ec_enter(c, EC_S_OPEN);
	}
	if (c->state == EC_S_OPEN) {
		int n = c->net->open(c->net->ctx, c->config->host, c->config->port);
		if (n < 0) {
			ec_say(c, "there is no connection to the server");
			ec_down(c, 0, 0);
		} else if (n > 0) {
			ec_request(c);
			c->heard = now;
			ec_enter(c, EC_S_HEAD);
			if (c->broken) {
				ec_say(c, "room, name and token are longer than EC_OUT");
				ec_down(c, 0, 1);
			}
		}
	}
	if (c->state >= EC_S_HEAD && c->state <= EC_S_FRAMES)
		ec_read(c);
	if (c->state >= EC_S_HEAD && c->state <= EC_S_FRAMES)
		ec_write(c);
	/* Ten seconds for a connection and for an answer; then the server's interval, and five seconds for a pong. */
	now = ec_now(c);
	uint32_t quiet = c->state == EC_S_FRAMES ? now - c->heard : now - c->since;
	if (c->state >= EC_S_OPEN && c->state <= EC_S_FRAMES && quiet > (c->state == EC_S_FRAMES ? c->interval + 5000 : 10000)) {
		ec_say(c, "the server is silent");
		ec_down(c, 0, 0);
	}
}

int ec_publish(struct ec *c, const char *content, size_t n)
{
	if (c->pending || n > sizeof c->pend)
		return -1;
	memcpy(c->pend, content, n);
	c->pend_len = (uint16_t)n;
	c->pending = 1;
	c->sent = c->delayed = 0;
	c->count++;
	return 0;
}

#ifdef EC_EXAMPLE
/*
 * A program for POSIX: what comes on standard input is said, a line each; what is said is printed.
 *
 *     gcc -O2 -DEC_EXAMPLE -o talk edgechat.c
 *     ./talk [-l] HOST PORT ROOM [NAME]
 *
 * It ends once all is acknowledged; with -l it goes on to listen. EDGECHAT_TOKEN is a token, EDGECHAT_SINCE where to begin.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int fd = -1;

static void posix_close(void *ctx)
{
	(void)ctx;
	if (fd >= 0)
		close(fd);
	fd = -1;
}

static int posix_open(void *ctx, const char *host, uint16_t port)
{
	struct addrinfo hints = {0}, *list;
	char text[6];
	(void)ctx;
	if (fd >= 0) {
		struct pollfd p = {fd, POLLOUT, 0};
		int err = 0;
		socklen_t n = sizeof err;
		if (poll(&p, 1, 0) == 0)
			return 0;
		return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && err == 0 ? 1 : -1;
	}
	snprintf(text, sizeof text, "%u", (unsigned)port);
	hints.ai_socktype = SOCK_STREAM;
	if (getaddrinfo(host, text, &hints, &list) != 0)
		return -1;
	fd = socket(list->ai_family, SOCK_STREAM, 0);
	int done = -1;
	if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		done = connect(fd, list->ai_addr, list->ai_addrlen) == 0 ? 1 : errno == EINPROGRESS ? 0 : -1;
	freeaddrinfo(list);
	return done;
}

static int posix_read(void *ctx, uint8_t *p, size_t n)
{
	(void)ctx;
	ssize_t k = recv(fd, p, n, 0);
	return k > 0 ? (int)k : k < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static int posix_write(void *ctx, const uint8_t *p, size_t n)
{
	(void)ctx;
	ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
	return k >= 0 ? (int)k : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static uint32_t posix_millis(void *ctx)
{
	struct timespec t;
	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

static uint32_t posix_random(void *ctx)
{
	static int source = -1;
	uint32_t x;
	(void)ctx;
	if (source < 0)
		source = open("/dev/urandom", O_RDONLY);
	if (read(source, &x, sizeof x) != sizeof x)
		abort();
	return x;
}

static void print(struct ec *c, enum ec_kind kind)
{
	const struct ec_frame *f = &c->f;
	switch (kind) {
	case EC_SUBSCRIBED: printf("subscribed %s\n", f->id); break;
	case EC_GAP: printf("gap\n"); break;
	case EC_MESSAGE: printf("message %s %s%s: %s%s\n", f->id, f->username, f->verified ? " (verified)" : "", f->content, f->truncated ? "..." : f->deleted ? "(deleted)" : ""); break;
	case EC_EDITED: printf("edited %s %s\n", f->target, f->content); break;
	case EC_DELETED: printf("deleted %s\n", f->target); break;
	case EC_JOINED: printf("joined %s\n", f->username); break;
	case EC_LEFT: printf("left %s\n", f->username); break;
	case EC_TYPING: printf("typing %s\n", f->username); break;
	case EC_ACK: printf("ack %s%s\n", f->id, f->durable ? "" : " in memory"); break;
	case EC_REFUSED: printf("refused %s %s\n", f->code, f->text); break;
	case EC_DOWN: printf("down %u %s %s\n", f->status, f->code, f->text); break;
	case EC_STOPPED: printf("stopped %u %s %s\n", f->status, f->code, f->text); exit(1);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct ec c;
	static const struct ec_net net = {NULL, posix_open, posix_read, posix_write, posix_close, posix_millis, posix_random};
	static struct ec_config config;
	static char line[EC_CONTENT];
	size_t n = 0;
	int listen = argc > 1 && ec_is(argv[1], "-l"), ended = 0;
	argv += listen, argc -= listen;
	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: talk [-l] HOST PORT ROOM [NAME]\n");
		return 2;
	}
	config.host = argv[1], config.port = (uint16_t)atoi(argv[2]), config.room = argv[3], config.username = argc > 4 ? argv[4] : NULL;
	config.token = getenv("EDGECHAT_TOKEN"), config.since = getenv("EDGECHAT_SINCE");
	ec_init(&c, &config, &net, print, NULL);
	for (;;) {
		ec_poll(&c);
		if (ended && !c.pending && !listen)
			return 0;
		struct pollfd p[2] = {{fd, POLLIN, 0}, {c.pending || ended ? -1 : 0, POLLIN, 0}};
		poll(p, 2, 50);
		/* A byte at a time: what is not said yet stays in the pipe. */
		while (!c.pending && p[1].revents) {
			ssize_t k = read(0, line + n, 1);
			if (k <= 0)
				ended = 1;
			if (k > 0 && line[n] != '\n' && n < sizeof line - 1)
				n++;
			else if (n > 0)
				ec_publish(&c, line, n), n = 0;
			else if (ended)
				break;
			struct pollfd more = {0, POLLIN, 0};
			if (ended || poll(&more, 1, 0) == 0)
				break;
		}
	}
}
#endif
