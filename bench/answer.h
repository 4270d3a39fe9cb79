/* Reads and verifies the answers of one connection: HTTP/1.1 framing, then a plain completion or a stream of deltas.
 * Pure: bytes in, verdict out. Included by load.c only. */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define ROOM 16384 /* of the head, of one plain body, of one stream event */

enum { IN_HEAD, IN_BODY, IN_SIZE, IN_CHUNK, IN_TRAILER };
enum { MORE = 0, DONE = 1, WRONG = -1 };

typedef struct {
    int phase, streamed, closes, finished; /* finished: [DONE] was seen */
    size_t left;                           /* bytes of this body or chunk still to come */
    unsigned token, deltas;
    char why[400]; /* the reason of WRONG */
    size_t text_len;
    char text[ROOM]; /* head, chunk-size line, plain body, or the unfinished event of a stream */
} answer;

/* Called for every delta with the time it took from the upstream's write to here. */
static void on_delta(uint64_t ns);

static int wrong(answer *a, const char *why, const char *text, size_t len) {
    snprintf(a->why, sizeof a->why, "%s: %.*s", why, (int)(len > 300 ? 300 : len), text);
    return WRONG;
}

static void answer_begin(answer *a, unsigned token, int streamed) {
    a->phase = IN_HEAD;
    a->streamed = streamed;
    a->closes = a->finished = 0;
    a->left = a->text_len = 0;
    a->token = token;
    a->deltas = 0;
    a->why[0] = 0;
}

static unsigned long long digits(const char *at, int n, int base) {
    unsigned long long value = 0;
    for (; n--; at++) {
        int digit = *at <= '9' ? *at - '0' : (*at | 32) - 'a' + 10;
        if (digit < 0 || digit >= base) return ~0ull;
        value = value * base + digit;
    }
    return value;
}

/* One event of a stream. Deltas must come in order, each once, with this request's token. */
static int take_event(answer *a, const char *event, size_t len) {
    const char *at = memmem(event, len, DELTA_WORD, strlen(DELTA_WORD));
    if (memmem(event, len, "data: [DONE]", 12)) a->finished = 1;
    if (memmem(event, len, "\"error\":{", 9)) return wrong(a, "error event", event, len);
    if (!at) return MORE;
    if (at + DELTA_CHARS > event + len) return wrong(a, "broken delta", event, len);
    at += strlen(DELTA_WORD);
    if (digits(at + 7, 8, 16) != a->token) return wrong(a, "delta of another caller", event, len);
    if (digits(at, 6, 10) != a->deltas) return wrong(a, "delta lost, doubled or out of order", event, len);
    a->deltas++;
    on_delta(now_ns() - digits(at + 16, 16, 16));
    return MORE;
}

/* Takes the whole events out of `text`, keeps the unfinished one. */
static int take_events(answer *a) {
    char *at = a->text, *end = a->text + a->text_len, *stop;
    for (; (stop = memmem(at, end - at, "\n\n", 2)); at = stop + 2)
        if (take_event(a, at, stop + 2 - at)) return WRONG;
    a->text_len = end - at;
    memmove(a->text, at, a->text_len);
    return MORE;
}

static int take_body(answer *a, const char *data, size_t len) {
    while (len) { /* a gateway may put many events into one HTTP chunk, so they go through `text` piece by piece */
        size_t n = len < ROOM - 1 - a->text_len ? len : ROOM - 1 - a->text_len;
        if (!n) return wrong(a, "answer or event too long", a->text, a->text_len);
        memcpy(a->text + a->text_len, data, n);
        a->text_len += n;
        a->text[a->text_len] = 0;
        data += n;
        len -= n;
        if (a->streamed && take_events(a)) return WRONG;
    }
    return MORE;
}

static int body_end(answer *a) {
    char expected[512];
    if (a->streamed) return a->finished ? DONE : wrong(a, "stream without [DONE]", a->text, a->text_len);
    snprintf(expected, sizeof expected, REPLY, a->token);
    if (!memmem(a->text, a->text_len, expected, strlen(expected)))
        return wrong(a, "not the answer to this request", a->text, a->text_len);
    if (!memmem(a->text, a->text_len, "\"total_tokens\"", 14)) return wrong(a, "no usage", a->text, a->text_len);
    return DONE;
}

static int head_end(answer *a) {
    const char *length = strcasestr(a->text, "\r\ncontent-length:");
    int chunked = strcasestr(a->text, "\r\ntransfer-encoding: chunked") != NULL;
    a->closes = strcasestr(a->text, "\r\nconnection: close") != NULL;
    if (!length == !chunked) return wrong(a, "neither length nor chunks (or both)", a->text, a->text_len);
    a->phase = chunked ? IN_SIZE : IN_BODY;
    a->left = length ? strtoul(length + 17, NULL, 10) : 0;
    if (length && !a->left) return wrong(a, "empty body", a->text, a->text_len);
    a->text_len = 0;
    return MORE;
}

/* The body of a chunked answer shares `text` with the line that gives the next size: the line goes through `line`. */
static int take_line(answer *a, const char **at, const char *end, char *line, size_t room) {
    const char *stop = memchr(*at, '\n', end - *at);
    size_t have = strlen(line), n = (stop ? stop + 1 : end) - *at;
    if (have + n >= room) return wrong(a, "chunk size line too long", *at, n);
    memcpy(line + have, *at, n);
    line[have + n] = 0;
    *at += n;
    return stop ? DONE : MORE;
}

typedef struct { answer a; char line[256]; } reader;

static int take_head(reader *r, const char **at, const char *end) {
    answer *a = &r->a;
    for (; *at < end; (*at)++) {
        if (a->text_len + 1 >= ROOM) return wrong(a, "head too long", a->text, 100);
        a->text[a->text_len++] = **at;
        if (**at != '\n' || a->text_len < 4 || memcmp(a->text + a->text_len - 4, "\r\n\r\n", 4)) continue;
        a->text[a->text_len] = 0;
        (*at)++;
        if (!strncmp(a->text, "HTTP/1.1 200 ", 13)) return head_end(a);
        snprintf(a->why, sizeof a->why, "%.*s %.*s", (int)strcspn(a->text, "\r"), a->text, (int)(end - *at), *at);
        return WRONG;
    }
    return MORE;
}

static int take_data(reader *r, const char **at, const char *end) {
    answer *a = &r->a;
    size_t n = (size_t)(end - *at) < a->left ? (size_t)(end - *at) : a->left;
    if (take_body(a, *at, n)) return WRONG;
    *at += n;
    a->left -= n;
    if (a->left) return MORE;
    if (a->phase == IN_BODY) return body_end(a);
    a->phase = IN_SIZE; /* the CRLF after the data is an empty line there */
    return MORE;
}

static int take_size(reader *r, const char **at, const char *end) {
    answer *a = &r->a;
    int got = take_line(a, at, end, r->line, sizeof r->line);
    if (got != DONE) return got;
    int empty = r->line[0] == '\r';
    a->left = strtoul(r->line, NULL, 16);
    r->line[0] = 0;
    if (empty) return a->phase == IN_TRAILER ? body_end(a) : MORE;
    if (a->phase == IN_SIZE) a->phase = a->left ? IN_CHUNK : IN_TRAILER;
    return MORE;
}

/* Feeds bytes: MORE, DONE (an answer is whole and right; `*used` bytes were its own) or WRONG. */
static int answer_feed(reader *r, const char *data, size_t len, size_t *used) {
    const char *at = data, *end = data + len;
    int got = MORE;
    while (at < end && got == MORE) {
        if (r->a.phase == IN_HEAD) got = take_head(r, &at, end);
        else if (r->a.phase == IN_BODY || r->a.phase == IN_CHUNK) got = take_data(r, &at, end);
        else got = take_size(r, &at, end);
    }
    *used = at - data;
    return got;
}

#endif
