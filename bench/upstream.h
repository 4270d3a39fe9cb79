/* Connections of the mock upstream: their state, their timers, their writing. Included by upstream.c only. */
#ifndef BENCH_UPSTREAM_H
#define BENCH_UPSTREAM_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "wire.h"

#define MAX_REQUEST (1 << 20)
#define MAX_BURST 16
#define CHUNK_ROOM 512
#define TURN 8 /* writes of one stream before the next stream has its turn */

typedef struct conn {
    int fd, hot, slot; /* hot: in the list of streams without delay; slot: place in the timer heap, -1 if none */
    char *in, *out;
    size_t in_len, in_cap, out_len, out_at;
    unsigned token, chunks, sent, burst;
    int streaming, hold;
    uint64_t interval, due;
} conn;

static int poller, timer;
static const char *expected_key;
static uint64_t armed; /* what the timerfd is set to, 0: nothing */
static conn *hot[65536], *heap[65536], *grave[65536];
static int hot_len, heap_len, grave_len;
static struct { unsigned long connections, requests, streams, chunks, refused, aborted; } stats;

/* --- timers: a binary heap of paced streams, one timerfd --------------------------------------------------------- */

static void place(int i, conn *c) { heap[i] = c; c->slot = i; }

static void sift(int i) {
    conn *c = heap[i];
    for (; i && heap[(i - 1) / 2]->due > c->due; i = (i - 1) / 2) place(i, heap[(i - 1) / 2]);
    for (int k; (k = 2 * i + 1) < heap_len; i = k) {
        if (k + 1 < heap_len && heap[k + 1]->due < heap[k]->due) k++;
        if (heap[k]->due >= c->due) break;
        place(i, heap[k]);
    }
    place(i, c);
}

static void heap_add(conn *c) { place(heap_len++, c); sift(c->slot); }

static void heap_drop(conn *c) {
    int i = c->slot;
    c->slot = -1;
    if (i < 0 || i == --heap_len) return;
    place(i, heap[heap_len]);
    sift(i);
}

static void arm(void) {
    struct itimerspec t = {0};
    if (heap_len) {
        t.it_value.tv_sec = heap[0]->due / 1000000000ull;
        t.it_value.tv_nsec = heap[0]->due % 1000000000ull;
    }
    if (armed == (heap_len ? heap[0]->due : 0)) return;
    armed = heap_len ? heap[0]->due : 0;
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void drop(conn *c) {
    if (c->fd < 0) return;
    if (c->streaming) stats.aborted++;
    if (c->slot >= 0) heap_drop(c);
    c->streaming = 0;
    close(c->fd);
    c->fd = -1;
    grave[grave_len++] = c; /* freed after the turn: events of this turn may still name it */
}

static void watch(conn *c, int op) {
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | (c->out_len ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, op, c->fd, &e);
}

/* Sends the rest of what is waiting; 1 if all is gone. */
static int flush_out(conn *c) {
    ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) { drop(c); return 0; }
    if (n > 0) c->out_at += n;
    if (c->out_at < c->out_len) return 0;
    c->out_at = c->out_len = 0;
    return 1;
}

static int put(conn *c, const char *data, size_t len) {
    if (!c->out) c->out = malloc(MAX_BURST * CHUNK_ROOM + 2048);
    memcpy(c->out, data, len);
    c->out_len = len;
    c->out_at = 0;
    if (flush_out(c)) return 1;
    if (c->fd >= 0) watch(c, EPOLL_CTL_MOD);
    return 0;
}

static int answer(conn *c, const char *status, const char *json) {
    char out[4096];
    int n = snprintf(out, sizeof out, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                     "x-request-id: req_bench\r\n\r\n%s", status, strlen(json), json);
    return put(c, out, n);
}

/* --- the socket of the server ------------------------------------------------------------------------------------ */

static int listen_on(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (void *)&a, sizeof a) || listen(fd, 4096)) { perror("upstream: listen"); exit(1); }
    return fd;
}

static void accept_all(int listener) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; stats.connections++) {
        conn *c = calloc(1, sizeof *c);
        c->fd = fd;
        c->slot = -1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        watch(c, EPOLL_CTL_ADD);
    }
}

#endif
