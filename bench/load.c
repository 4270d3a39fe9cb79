/* The load generator of the bench: many keep-alive connections on one epoll loop, every answer verified (answer.h).
 *
 *   load mode=closed|rate|idle port=N key=SK body=FILE [connections=32] [seconds=2] [rate=500] [stream=0] [chunks=0]
 *        [spread_us=0]
 *
 * closed  each connection sends its next request when it has its answer, until `seconds` are over; the first requests
 *         start `spread_us` apart. Streams are the same with stream=1, and then have `chunks` deltas each.
 * rate    `rate` requests a second whatever the server does; latency counts from the planned moment, so that a stall is
 *         paid for by every request it delays.
 * idle    opens a stream on each connection, prints {"opened":...} when each has had its first delta, holds them
 *         until standard input ends, and counts those that were closed meanwhile.
 *
 * Prints one JSON object; exit status 1 if any answer was wrong or missing. The body file holds one marker (wire.h). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "answer.h"
#include "load.h"

#define WAVE 64            /* idle streams waiting for their first delta at a time */
#define GRACE 10000000000ull /* ns an answer may be late at the end of a run */

typedef struct {
    int fd, busy, counted;
    char *request;
    size_t sent;
    uint64_t began;
    reader r;
} conn;

static int poller, timer;
static conn *conns, **free_ring;
static unsigned total, ring_at, ring_len, started, busy, opened, token;
static unsigned long done, errors, deltas, reconnects;
static uint64_t start, last; /* last: the latest sign of life */
static samples latency, transit;

static void on_delta(uint64_t ns) {
    deltas++;
    last = now_ns();
    add(&transit, ns);
}

/* --- connections ------------------------------------------------------------------------------------------------- */

static void fail(conn *c, const char *why) {
    errors++;
    if (!first_error[0]) snprintf(first_error, sizeof first_error, "%s", why);
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    if (c->busy) busy--;
    c->busy = 0;
}

static int dial(conn *c) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (void *)&a, sizeof a)) { fail(c, strerror(errno)); return 0; }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
    return 1;
}

static void send_rest(conn *c) {
    ssize_t n = send(c->fd, c->request + c->sent, request_len - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) { fail(c, "connection lost while sending"); return; }
    if (n > 0) c->sent += n;
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | EPOLLOUT, .data.ptr = c};
    if (c->sent < request_len) epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

static void begin(conn *c, uint64_t when) {
    char hex[TOKEN_CHARS + 1];
    if (c->fd < 0 && !dial(c)) return;
    snprintf(hex, sizeof hex, "%08x", ++token);
    memcpy(c->request + mark_at, hex, TOKEN_CHARS);
    answer_begin(&c->r.a, token, streamed);
    c->r.line[0] = 0;
    c->sent = 0;
    c->began = when;
    c->busy = 1;
    busy++;
    send_rest(c);
}

static void start_due(uint64_t now);

static void finish(conn *c, uint64_t now) {
    c->busy = 0;
    busy--;
    if (streamed && c->r.a.deltas != chunks) { fail(c, "a stream had too few deltas or too many"); return; }
    done++;
    last = now;
    add(&latency, now - c->began);
    if (c->r.a.closes) {
        close(c->fd);
        c->fd = -1;
        reconnects++;
    }
    if (open_loop) free_ring[(ring_at + ring_len++) % connections] = c;
    else if (now < start + seconds * 1e9) begin(c, now);
}

static void readable(conn *c) {
    static char data[1 << 18];
    ssize_t n = recv(c->fd, data, sizeof data, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { fail(c, c->busy ? "connection lost before the answer was whole" : "idle connection closed"); return; }
    if (!c->busy) { fail(c, "bytes after the answer"); return; }
    size_t used;
    int got = answer_feed(&c->r, data, n, &used);
    if (got == WRONG) fail(c, c->r.a.why);
    else if (got == DONE && (ssize_t)used < n) fail(c, "bytes after the answer");
    else if (got == DONE) finish(c, now_ns());
    if (c->r.a.deltas && !c->counted) { c->counted = 1; opened++; }
}

static void writable(conn *c) {
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
    send_rest(c);
}

/* --- when requests start ----------------------------------------------------------------------------------------- */

static void arm(uint64_t due) {
    struct itimerspec t = {.it_value = {.tv_sec = due / 1000000000ull, .tv_nsec = due % 1000000000ull}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static void start_due(uint64_t now) {
    while (started < total) {
        uint64_t due = start + (open_loop ? started * 1000000000ull / rate : started * 1000ull * spread_us);
        if (idle && started - opened >= WAVE) return;
        if (open_loop && !ring_len) return;
        if (due > now) { arm(due); return; }
        conn *c = &conns[started++];
        if (open_loop) { c = free_ring[ring_at]; ring_at = (ring_at + 1) % connections; ring_len--; }
        begin(c, idle || !open_loop ? now : due);
    }
}

/* Nothing left to wait for: every planned request was started and answered, or something failed. */
static int over(uint64_t now) {
    if (errors && (!busy || errors > 100 || idle)) return 1;
    if (now > last + GRACE) return 1;
    return idle ? opened == connections : started == total && !busy;
}

/* --- the run ----------------------------------------------------------------------------------------------------- */

static void turn(int timeout) {
    static struct epoll_event events[512];
    uint64_t ticks;
    int n = epoll_wait(poller, events, 512, timeout);
    for (int i = 0; i < n; i++) {
        conn *c = events[i].data.ptr;
        if (!c && read(timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN) die("timer", strerror(errno));
        if (!c) continue;
        if (c->fd >= 0 && events[i].events & EPOLLOUT) writable(c);
        if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) readable(c);
    }
}

static void hold(void) {
    char byte;
    printf("{\"opened\":%u,\"seconds\":%.3f}\n", opened, (now_ns() - start) / 1e9);
    fflush(stdout);
    fcntl(0, F_SETFL, O_NONBLOCK);
    while (read(0, &byte, 1) != 0 && !errors) turn(50);
}

static void prepare(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    build_request();
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event on_time = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &on_time);
    conns = calloc(connections, sizeof *conns);
    free_ring = calloc(connections, sizeof *free_ring);
    for (unsigned i = 0; i < connections; i++) {
        conns[i].request = malloc(request_len);
        memcpy(conns[i].request, request, request_len);
        conns[i].fd = -1;
        if (!idle && !dial(&conns[i])) break;
        free_ring[ring_len++] = &conns[i];
    }
    total = open_loop ? (unsigned)(seconds * rate) : connections;
}

int main(int argc, char **argv) {
    options(argc, argv);
    prepare();
    start = last = now_ns();
    while (!over(now_ns())) {
        start_due(now_ns());
        turn(500);
    }
    if (idle && !errors && opened == connections) hold();
    else if (busy && !errors) { errors = busy; snprintf(first_error, sizeof first_error, "no answer for 10 s"); }
    double took = (last - start) / 1e9;
    printf("{\"done\":%lu,\"errors\":%lu,\"error\":\"%s\",\"seconds\":%.4f,\"deltas\":%lu,\"reconnects\":%lu,"
           "\"p50_us\":%.1f,\"p99_us\":%.1f,\"delta_p50_us\":%.1f,\"delta_p99_us\":%.1f}\n",
           done, errors, plain(first_error), took, deltas, reconnects, percentile(&latency, 0.5),
           percentile(&latency, 0.99), percentile(&transit, 0.5), percentile(&transit, 0.99));
    return errors != 0;
}
