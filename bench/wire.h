/* What the mock upstream and the load generator agree on.
 *
 * A request is an ordinary OpenAI chat completion. Its last message holds a marker, which every gateway has to carry to
 * the upstream because it is part of the prompt:
 *
 *     [bench token=1a2b3c4d chunks=150 interval_us=20000 burst=1 hold=0]
 *
 * The upstream repeats the token in its answer, so that the load generator notices an answer given to the wrong caller.
 * Stream deltas are numbered and carry the time of sending (CLOCK_MONOTONIC, shared by all processes of a machine). */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdint.h>
#include <time.h>

#define MODEL "gpt-bench"
#define MARK "[bench token="
#define TOKEN_CHARS 8

/* The text of a plain answer; its only variable part is the token. */
#define REPLY                                                                                                     \
    "Comet Encke returns every 3.3 years, the shortest period known for a bright comet. It was named after the "  \
    "man who computed its orbit, not after those who saw it first: token %08x."

/* The text of one stream delta: number, token, nanoseconds. The load generator parses exactly this. */
#define DELTA_WORD "comet"
#define DELTA "comet%06u-%08x-%016llx "
#define DELTA_CHARS 38

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

#endif
