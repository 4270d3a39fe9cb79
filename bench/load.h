/* What the load generator is told and what it reports. Included by load.c only. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

typedef struct { uint64_t *of; size_t len, cap; } samples;

static const char *mode = "closed", *key = "", *body_file = "";
static double seconds = 2;
static unsigned port, connections = 32, rate = 500, streamed, chunks, spread_us;
static int open_loop, idle; /* from `mode` */

static char *request, first_error[600]; /* the request as sent, token aside */
static size_t request_len, mark_at;

static void die(const char *what, const char *why) { fprintf(stderr, "load: %s: %s\n", what, why); exit(2); }

static void option(char *word) {
    char *value = strchr(word, '=');
    if (!value) die(word, "not name=value");
    *value++ = 0;
    struct { const char *name; unsigned *at; } numbers[] = {
        {"port", &port}, {"connections", &connections}, {"rate", &rate}, {"stream", &streamed}, {"chunks", &chunks},
        {"spread_us", &spread_us}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(word, numbers[i].name)) { *numbers[i].at = strtoul(value, NULL, 10); return; }
    if (!strcmp(word, "mode")) mode = value;
    else if (!strcmp(word, "key")) key = value;
    else if (!strcmp(word, "body")) body_file = value;
    else if (!strcmp(word, "seconds")) seconds = strtod(value, NULL);
    else die(word, "unknown option");
}

static void options(int argc, char **argv) {
    for (int i = 1; i < argc; i++) option(argv[i]);
    open_loop = !strcmp(mode, "rate");
    idle = !strcmp(mode, "idle");
    if (!open_loop && !idle && strcmp(mode, "closed")) die(mode, "unknown mode");
    if (!port || !connections || !rate || seconds <= 0) die("port, connections, rate, seconds", "must be above 0");
}

static void build_request(void) {
    FILE *f = fopen(body_file, "rb");
    if (!f) die(body_file, strerror(errno));
    char *body = malloc(1 << 20);
    size_t len = fread(body, 1, 1 << 20, f);
    fclose(f);
    request = malloc(len + 1024);
    size_t head = snprintf(request, 1024,
                           "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer %s\r\n"
                           "Accept: application/json\r\nContent-Type: application/json\r\nUser-Agent: bench/1\r\n"
                           "Content-Length: %zu\r\n\r\n", port, key, len);
    memcpy(request + head, body, len);
    free(body);
    request_len = head + len;
    char *mark = memmem(request, request_len, MARK, strlen(MARK));
    if (!mark) die(body_file, "holds no marker");
    mark_at = mark + strlen(MARK) - request;
}

static void add(samples *s, uint64_t value) {
    if (s->len == s->cap) s->of = realloc(s->of, (s->cap = s->cap ? s->cap * 2 : 65536) * sizeof *s->of);
    s->of[s->len++] = value;
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Microseconds; sorts. 0 without samples. */
static double percentile(samples *s, double share) {
    if (!s->len) return 0;
    qsort(s->of, s->len, sizeof *s->of, by_value);
    return s->of[(size_t)(share * (s->len - 1))] / 1e3;
}

/* Prints `first_error` so that it is a JSON string: what would need an escape becomes a space or a quote mark. */
static const char *plain(char *text) {
    for (char *at = text; *at; at++) *at = *at == '"' || *at == '\\' ? '\'' : *at < ' ' || *at > '~' ? ' ' : *at;
    return text;
}

#endif
