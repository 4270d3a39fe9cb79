/* The mock upstream of the bench: an OpenAI-style server on one epoll loop, made never to be the bottleneck.
 *
 *   upstream PORT KEY
 *
 * POST (any path)  a chat completion, plain or streamed as the marker in the prompt asks (see wire.h). The request must
 *                  carry "Authorization: Bearer KEY" and the model "gpt-bench", else 400 / 401: a bench of refusals
 *                  measures nothing.
 * GET  /v1/models  a list of one model.
 * GET  /stats      counters as JSON; run.py compares them with what the load generator says it received.
 *
 * Every stream chunk is one HTTP chunk; `burst` chunks go into one write. */
#define _GNU_SOURCE
#include "upstream.h"

/* --- answers ---------------------------------------------------------------------------------------------------- */

static size_t event(char *out, const char *choices, const char *usage) {
    char body[CHUNK_ROOM];
    int n = snprintf(body, sizeof body,
                     "data: {\"id\":\"chatcmpl-BenchBenchBenchBenchBench\",\"object\":\"chat.completion.chunk\","
                     "\"created\":1790000000,\"model\":\"" MODEL "\",\"service_tier\":\"default\","
                     "\"choices\":[%s]%s}\n\n", choices, usage);
    return sprintf(out, "%x\r\n%s\r\n", n, body);
}

static size_t delta(conn *c, char *out) {
    char choices[256], text[DELTA_CHARS + 1];
    snprintf(text, sizeof text, DELTA, c->sent, c->token, (unsigned long long)now_ns());
    snprintf(choices, sizeof choices,
             "{\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":null,\"finish_reason\":null}", text);
    c->sent++;
    stats.chunks++;
    return event(out, choices, "");
}

static int stream_begin(conn *c) {
    char out[2048];
    int n = sprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                    "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\nx-request-id: req_bench\r\n\r\n");
    n += event(out + n, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}", "");
    return put(c, out, n);
}

static void stream_end(conn *c) {
    char out[2048], usage[160];
    size_t n = event(out, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}", "");
    snprintf(usage, sizeof usage, ",\"usage\":{\"prompt_tokens\":200,\"completion_tokens\":%u,\"total_tokens\":%u}",
             c->chunks, c->chunks + 200);
    n += event(out + n, "", usage);
    n += sprintf(out + n, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
    c->streaming = 0;
    put(c, out, n);
}

/* Sends what is due of a stream. 1: it may go on at once (no delay, the socket took all). */
static int stream_step(conn *c) {
    char out[MAX_BURST * CHUNK_ROOM];
    for (int turn = 0; turn < TURN && c->streaming && !c->out_len; turn++) {
        if (c->interval && now_ns() < c->due) return 0;
        size_t n = 0;
        for (unsigned i = 0; i < c->burst && c->sent < c->chunks; i++) n += delta(c, out + n);
        c->due += c->interval;
        if (n && !put(c, out, n)) return 0;
        if (c->sent < c->chunks) continue;
        if (!c->hold) stream_end(c);
        return 0;
    }
    return c->streaming && !c->out_len && !c->interval;
}

static void stream_run(conn *c) {
    int more = stream_step(c);
    if (c->fd < 0) return;
    if (more && !c->hot) { c->hot = 1; hot[hot_len++] = c; }
    if (c->streaming && c->interval && c->sent < c->chunks && c->slot < 0) heap_add(c);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static unsigned option(const char *mark, const char *end, const char *name, unsigned otherwise) {
    const char *at = memmem(mark, end - mark, name, strlen(name));
    return at ? strtoul(at + strlen(name), NULL, 10) : otherwise;
}

static const char *key_of(const char *body, const char *end, const char *name) {
    const char *at = memmem(body, end - body, name, strlen(name));
    if (!at) return NULL;
    for (at += strlen(name); at < end && (*at == ' ' || *at == ':'); at++) {}
    return at;
}

static void refuse(conn *c, const char *status, const char *why) {
    char json[256];
    stats.refused++;
    snprintf(json, sizeof json, "{\"error\":{\"message\":\"%s\",\"type\":\"bench\",\"code\":null}}", why);
    answer(c, status, json);
}

static void completion(conn *c) {
    char text[512], json[1024];
    snprintf(text, sizeof text, REPLY, c->token);
    snprintf(json, sizeof json,
             "{\"id\":\"chatcmpl-BenchBenchBenchBenchBench\",\"object\":\"chat.completion\",\"created\":1790000000,"
             "\"model\":\"" MODEL "\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\","
             "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":200,"
             "\"completion_tokens\":48,\"total_tokens\":248,\"prompt_tokens_details\":{\"cached_tokens\":0},"
             "\"completion_tokens_details\":{\"reasoning_tokens\":0}},\"service_tier\":\"default\","
             "\"system_fingerprint\":\"fp_bench0000\"}", text);
    answer(c, "200 OK", json);
}

static void chat(conn *c, const char *body, const char *end) {
    const char *model = key_of(body, end, "\"model\""), *stream = key_of(body, end, "\"stream\"");
    const char *mark = memmem(body, end - body, MARK, strlen(MARK));
    const char *fault = !model || strncmp(model, "\"" MODEL "\"", sizeof MODEL + 1) ? "unknown model"
                        : !mark || !memchr(mark, ']', end - mark)              ? "no whole [bench ...] marker"
                                                                               : NULL;
    if (fault) { refuse(c, "400 Bad Request", fault); return; }
    stats.requests++;
    c->token = strtoul(mark + strlen(MARK), NULL, 16);
    if (!stream || strncmp(stream, "true", 4)) { completion(c); return; }
    stats.streams++;
    c->chunks = option(mark, end, "chunks=", 1);
    c->interval = option(mark, end, "interval_us=", 0) * 1000ull;
    c->burst = option(mark, end, "burst=", 1);
    if (c->burst < 1 || c->burst > MAX_BURST) c->burst = 1;
    c->hold = option(mark, end, "hold=", 0);
    c->sent = 0;
    c->due = now_ns();
    c->streaming = 1;
    if (stream_begin(c)) stream_run(c);
}

static void request(conn *c, const char *head_end, const char *body, const char *end) {
    char wanted[300], *at;
    if (!strncmp(c->in, "GET /stats ", 11)) {
        char json[256];
        snprintf(json, sizeof json, "{\"connections\":%lu,\"requests\":%lu,\"streams\":%lu,\"chunks\":%lu,"
                 "\"refused\":%lu,\"aborted\":%lu}", stats.connections, stats.requests, stats.streams, stats.chunks,
                 stats.refused, stats.aborted);
        answer(c, "200 OK", json);
        return;
    }
    if (!strncmp(c->in, "GET ", 4)) {
        answer(c, "200 OK", "{\"object\":\"list\",\"data\":[{\"id\":\"" MODEL "\",\"object\":\"model\","
               "\"created\":1790000000,\"owned_by\":\"bench\"}]}");
        return;
    }
    int n = snprintf(wanted, sizeof wanted, "\r\nauthorization: bearer %s\r\n", expected_key);
    for (at = c->in; at + n <= head_end + 2 && strncasecmp(at, wanted, n); at++) {}
    if (at + n > head_end + 2) { refuse(c, "401 Unauthorized", "Authorization was not replaced"); return; }
    chat(c, body, end);
}

/* Takes whole requests out of what has arrived. */
static void parse(conn *c) {
    while (c->fd >= 0 && !c->streaming && !c->out_len) {
        char *end = c->in_len ? memmem(c->in, c->in_len, "\r\n\r\n", 4) : NULL, *length;
        if (!end) return;
        *end = 0;
        size_t want = (length = strcasestr(c->in, "\r\ncontent-length:")) ? strtoul(length + 17, NULL, 10) : 0;
        int unframed = strcasestr(c->in, "\r\ntransfer-encoding:") != NULL;
        *end = '\r';
        size_t whole = (end + 4 - c->in) + want;
        if (unframed || whole > MAX_REQUEST) {
            refuse(c, "411 Length Required", "needs a Content-Length of 1 MiB or less");
            drop(c);
            return;
        }
        if (c->in_len < whole) return;
        request(c, end, end + 4, c->in + whole);
        c->in_len -= whole;
        memmove(c->in, c->in + whole, c->in_len);
    }
}

static void readable(conn *c) {
    if (c->in_cap - c->in_len < 16384) c->in = realloc(c->in, c->in_cap = c->in_cap ? c->in_cap * 2 : 32768);
    ssize_t n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len - 1, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN)) { drop(c); return; }
    if (n > 0) c->in_len += n;
    if (c->in_len > MAX_REQUEST) { drop(c); return; }
    parse(c);
}

static void writable(conn *c) {
    if (!c->out_len || !flush_out(c)) return;
    watch(c, EPOLL_CTL_MOD);
    if (c->streaming) stream_run(c); else parse(c);
}

static void run_due(void) {
    uint64_t now = now_ns(), ticks;
    if (read(timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN) exit(1);
    while (heap_len && heap[0]->due <= now) {
        conn *c = heap[0];
        heap_drop(c);
        stream_run(c);
    }
}

static void run_hot(void) {
    int n = hot_len;
    conn *turn[n + 1];
    memcpy(turn, hot, n * sizeof *hot);
    hot_len = 0;
    for (int i = 0; i < n; i++) {
        turn[i]->hot = 0;
        if (turn[i]->fd >= 0) stream_run(turn[i]);
    }
}

static void bury(void) {
    for (int i = 0; i < grave_len; i++) { free(grave[i]->in); free(grave[i]->out); free(grave[i]); }
    grave_len = 0;
}

int main(int argc, char **argv) {
    if (argc != 3) { fprintf(stderr, "usage: upstream PORT KEY\n"); return 2; }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    expected_key = argv[2];
    int listener = listen_on(atoi(argv[1]));
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event events[512], on_accept = {.events = EPOLLIN, .data.ptr = &listener};
    struct epoll_event on_time = {.events = EPOLLIN, .data.ptr = &timer};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &on_accept);
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &on_time);
    for (;;) {
        int n = epoll_wait(poller, events, 512, hot_len ? 0 : -1);
        for (int i = 0; i < n; i++) {
            conn *c = events[i].data.ptr;
            if (events[i].data.ptr == &listener) { accept_all(listener); continue; }
            if (events[i].data.ptr == &timer) { run_due(); continue; }
            if (c->fd >= 0 && events[i].events & EPOLLOUT) writable(c);
            if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) readable(c);
        }
        run_hot();
        arm();
        bury();
    }
}
