/* scripted_server: a chat-completions server for tests and the bench, on 127.0.0.1 only.
 *
 *   scripted_server [--latency-ms N] [--slots N] [--faults PERCENT] [--seed N] [--log FILE]
 *                   [--only FAULT] [--fault-first N] [--key KEY] [--requests FILE] [--port N]
 *
 * Prints its port and serves until standard input ends. One thread, poll(); a request takes one of
 * the slots for the latency, as on a server that computes so many at once.
 * The answer is scripted by the request: the text between the last "<<" and ">>" of its body, or,
 * without those, {"phrases":[…]} with one element a line "N. …" (what the stage expand asks).
 * --faults P: so many of 100 requests get a fault, chosen by seed and the request's number;
 * --only: one kind of them; --fault-first N: the first N requests get it.
 * --log: one line an answer that was sent in full: the answer's text.
 * --requests: "? LINE" when a request has come, "! LINE" when its right answer was sent in full; LINE
 * is the first line of its last user message, as JSON has it.
 * GET /health is 200, GET /stats tells {"requests","answers","faults","most_at_once"}. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNS_MAX = 1024, DRIP_MS = 400, DELAY_MS = 700, TEXT_MAX = 1 << 16 };
enum { HUGE_BYTES = 9 << 20 };

static const char *const fault_names[] = {"429_after", "429_date", "429",         "500",
                                          "503",       "hang_up",  "hang_up_mid", "drip",
                                          "bad_json",  "huge",     "long_length", "short_length",
                                          "redirect",  "schema",   "delay",       "empty"};
enum fault {
    F_429_AFTER,
    F_429_DATE,
    F_429,
    F_500,
    F_503,
    F_HANG_UP,
    F_HANG_UP_MID,
    F_DRIP,
    F_BAD_JSON,
    F_HUGE,
    F_LONG_LENGTH,
    F_SHORT_LENGTH,
    F_REDIRECT,
    F_SCHEMA,
    F_DELAY,
    F_EMPTY,
    N_FAULTS,
    F_NONE = -1
};

enum state { READING, QUEUED, COMPUTING, WRITING };

struct conn {
    int fd; /* < 0 = free */
    enum state state;
    char *in, *out; /* malloc'ed: this program is no part of gmner */
    size_t n_in, cap_in, n_out, at_out;
    size_t body_at, total; /* of the request; total 0 = header not whole */
    double ready_at;
    bool close_after;
    enum fault fault;
    char line[120];        /* of --requests */
    char answer[TEXT_MAX]; /* JSON-escaped */
};

static struct {
    double latency_s;
    size_t slots;
    int faults, only;
    size_t fault_first;
    uint64_t seed;
    const char *key;
    uint16_t port; /* 0 = any */
    FILE *log, *requests;
} set = {.latency_s = 0, .slots = 64, .only = -1};

static struct conn conns[CONNS_MAX];
static size_t n_requests, n_answers, n_faults, busy, most_busy, queue_turn;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void *must(void *p)
{
    if (!p) {
        fputs("scripted_server: out of memory\n", stderr);
        exit(1);
    }
    return p;
}

static void drop(struct conn *c)
{
    if (c->state == COMPUTING)
        busy--;
    close(c->fd);
    free(c->in);
    free(c->out);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

static enum fault choose_fault(void)
{
    uint64_t r = mix(set.seed * 1000003 + n_requests);
    if (n_requests <= set.fault_first)
        return set.only < 0 ? (enum fault)(mix(r) % N_FAULTS) : (enum fault)set.only;
    if (set.fault_first || (int)(r % 100) >= set.faults)
        return F_NONE;
    enum fault f = set.only < 0 ? (enum fault)(mix(r) % N_FAULTS) : (enum fault)set.only;
    /* each Retry-After stops everybody for a second: fewer of them among the mixed faults */
    return set.only < 0 && f <= F_429_DATE && mix(r + 1) % 5 ? F_429 : f;
}

/* The last message of the body: those before it are examples. */
static char *last_message(char *body)
{
    static const char start[] = "\"role\":\"user\",\"content\":\"";
    char *last = body;
    for (char *p = strstr(body, start); p; p = strstr(p + 2, start))
        last = p + sizeof start - 1;
    return last;
}

static void note_request(struct conn *c, char mark)
{
    if (!set.requests)
        return;
    if (mark == '?') {
        const char *from = last_message(c->in + c->body_at), *to = strstr(from, "\\n");
        snprintf(c->line, sizeof c->line, "%.*s", to ? (int)(to - from) : 60, from);
    }
    fprintf(set.requests, "%c %s\n", mark, c->line);
}

/* The scripted answer, as it stands in a JSON string. */
static void script(struct conn *c)
{
    char *body = c->in + c->body_at, *from = NULL;
    for (char *p = strstr(body, "<<"); p; p = strstr(p + 2, "<<"))
        from = p;
    char *to = from ? strstr(from, ">>") : NULL;
    if (to) {
        snprintf(c->answer, sizeof c->answer, "%.*s", (int)(to - from - 2), from + 2);
        return;
    }
    size_t n = 0, used = 0;
    used += (size_t)snprintf(c->answer, sizeof c->answer, "{\\\"phrases\\\": [");
    for (char *p = strstr(last_message(body), "\\n"); p; p = strstr(p + 2, "\\n")) {
        char *end;
        long number = strtol(p + 2, &end, 10);
        if (end == p + 2 || *end != '.' || used > TEXT_MAX - 200)
            continue;
        used +=
            (size_t)snprintf(c->answer + used, sizeof c->answer - used,
                             "%s{\\\"entity\\\": %ld, \\\"phrase\\\": \\\"a thing number %ld\\\"}",
                             n++ ? ", " : "", number, number);
    }
    snprintf(c->answer + used, sizeof c->answer - used, "]}");
}

static void put(struct conn *c, const char *head, const char *body, size_t n_body, size_t stated)
{
    size_t cap = strlen(head) + n_body + 128;
    c->out = must(malloc(cap));
    c->n_out = (size_t)snprintf(
        c->out, cap, "%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", head,
        stated);
    memcpy(c->out + c->n_out, body, n_body);
    c->n_out += n_body;
    c->at_out = 0;
    c->state = WRITING;
}

static void put_status(struct conn *c, const char *head, const char *text)
{
    char body[600];
    int n = snprintf(body, sizeof body, "{\"error\":{\"message\":\"%s\"}}", text);
    put(c, head, body, (size_t)n, (size_t)n);
}

/* A whole completion; the two numbers spoil it: bytes left out at the end, and added to the length.
 */
static void put_answer(struct conn *c, const char *text, size_t leave_out, long add)
{
    static char body[TEXT_MAX + 512];
    int n = snprintf(
        body, sizeof body,
        "{\"id\":\"x\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{"
        "\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}],\"usage\":{"
        "\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"total_tokens\":%zu}}",
        text, (c->total - c->body_at) / 4, strlen(text) / 4,
        (c->total - c->body_at) / 4 + strlen(text) / 4);
    put(c, "HTTP/1.1 200 OK", body, (size_t)n - leave_out, (size_t)((long)n + add));
}

static void put_huge(struct conn *c)
{
    char *body = must(malloc(HUGE_BYTES));
    memset(body, ' ', HUGE_BYTES);
    put(c, "HTTP/1.1 200 OK", body, HUGE_BYTES, HUGE_BYTES);
    free(body);
}

static void put_retry_date(struct conn *c)
{
    char head[120];
    time_t then = time(NULL) + 2;
    struct tm tm;
    gmtime_r(&then, &tm);
    strftime(head, sizeof head,
             "HTTP/1.1 429 Too Many Requests\r\nRetry-After: %a, %d %b %Y %H:%M:%S GMT", &tm);
    put_status(c, head, "slow down");
}

static void reply_fault(struct conn *c)
{
    n_faults++;
    c->close_after = c->fault == F_HANG_UP_MID || c->fault == F_LONG_LENGTH ||
                     c->fault == F_SHORT_LENGTH || c->fault == F_HUGE;
    switch (c->fault) {
    case F_429_AFTER:
        put_status(c, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1", "slow down");
        break;
    case F_429_DATE: put_retry_date(c); break;
    case F_429: put_status(c, "HTTP/1.1 429 Too Many Requests", "slow down"); break;
    case F_500: put_status(c, "HTTP/1.1 500 Internal Server Error", "broken"); break;
    case F_503: put_status(c, "HTTP/1.1 503 Service Unavailable", "loading"); break;
    case F_HANG_UP: drop(c); break;
    case F_HANG_UP_MID: put_answer(c, c->answer, 40, 0); break;
    case F_BAD_JSON: put(c, "HTTP/1.1 200 OK", "{\"choices\": [oops", 17, 17); break;
    case F_HUGE: put_huge(c); break;
    case F_LONG_LENGTH: put_answer(c, c->answer, 0, 100); break;
    case F_SHORT_LENGTH: put_answer(c, c->answer, 0, -30); break;
    case F_REDIRECT:
        put_status(c, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere", "moved");
        break;
    case F_SCHEMA: put_answer(c, "I am sorry, here is no JSON.", 0, 0); break;
    case F_EMPTY: put_answer(c, "", 0, 0); break;
    default: put_answer(c, c->answer, 0, 0); break; /* drip and delay: late, but right */
    }
}

static void reply(struct conn *c)
{
    if (c->fault != F_NONE)
        reply_fault(c);
    else
        put_answer(c, c->answer, 0, 0);
}

static void start(struct conn *c)
{
    c->state = COMPUTING;
    busy++;
    most_busy = busy > most_busy ? busy : most_busy;
    c->ready_at = now_s() + set.latency_s + (c->fault == F_DELAY ? DELAY_MS / 1e3 : 0);
}

static bool has_key(const struct conn *c)
{
    char line[300];
    snprintf(line, sizeof line, "\r\nAuthorization: Bearer %s\r\n", set.key);
    return strstr(c->in, line) != NULL;
}

static void on_request(struct conn *c)
{
    char stats[200];
    if (strncmp(c->in, "GET ", 4) == 0) {
        int n = snprintf(stats, sizeof stats,
                         "{\"requests\":%zu,\"answers\":%zu,\"faults\":%zu,\"most_at_once\":%zu}",
                         n_requests, n_answers, n_faults, most_busy);
        put(c, "HTTP/1.1 200 OK", stats, (size_t)n, (size_t)n);
        return;
    }
    n_requests++;
    if (set.key && !has_key(c)) {
        /* as some services do: the key comes back in the message */
        char *at = strstr(c->in, "Bearer "), text[300];
        snprintf(text, sizeof text, "wrong key: %.*s", at ? (int)strcspn(at + 7, "\r") : 0,
                 at ? at + 7 : "");
        put_status(c, "HTTP/1.1 401 Unauthorized", text);
        return;
    }
    script(c);
    note_request(c, '?');
    c->fault = choose_fault();
    c->state = QUEUED;
    if (busy < set.slots)
        start(c);
}

/* The header's end and the body's length, when they are there. */
static void measure(struct conn *c)
{
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return;
    c->body_at = (size_t)(end + 4 - c->in);
    c->total = c->body_at;
    for (char *p = strstr(c->in, "\r\n"); p && p < end; p = strstr(p + 2, "\r\n"))
        if (strncasecmp(p + 2, "Content-Length:", 15) == 0)
            c->total += strtoul(p + 17, NULL, 10);
}

static void read_some(struct conn *c)
{
    if (c->cap_in < c->n_in + 65537) {
        c->cap_in = c->n_in * 2 + 131072;
        c->in = must(realloc(c->in, c->cap_in));
    }
    ssize_t n = read(c->fd, c->in + c->n_in, c->cap_in - c->n_in - 1);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            drop(c);
        return;
    }
    c->n_in += (size_t)n;
    c->in[c->n_in] = 0;
    if (c->state != READING)
        return;
    if (!c->total)
        measure(c);
    if (c->total && c->n_in >= c->total)
        on_request(c);
}

static void write_some(struct conn *c)
{
    bool drips = c->fault == F_DRIP;
    size_t n = c->n_out - c->at_out;
    if (drips && n > c->n_out / 8 + 1)
        n = c->n_out / 8 + 1;
    ssize_t w = write(c->fd, c->out + c->at_out, n);
    if (w < 0) {
        if (errno != EAGAIN && errno != EINTR)
            drop(c);
        return;
    }
    c->at_out += (size_t)w;
    if (drips)
        c->ready_at = now_s() + DRIP_MS / 8e3;
    if (c->at_out < c->n_out)
        return;
    if (c->answer[0] && strncmp(c->out, "HTTP/1.1 200", 12) == 0 &&
        (c->fault == F_NONE || c->fault == F_DRIP || c->fault == F_DELAY)) {
        n_answers++;
        if (set.log)
            fprintf(set.log, "%s\n", c->answer);
        note_request(c, '!');
    }
    bool close_it = c->close_after;
    int fd = c->fd;
    if (close_it) {
        drop(c);
        return;
    }
    free(c->out); /* ready for the next request of this connection */
    char *in = c->in;
    size_t cap = c->cap_in;
    memset(c, 0, offsetof(struct conn, answer));
    c->answer[0] = 0;
    c->in = in;
    c->cap_in = cap;
    c->fd = fd;
    c->fault = F_NONE;
}

static void accept_all(int listener)
{
    int fd, one = 1;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        size_t i = 0;
        while (i < CONNS_MAX && conns[i].fd >= 0)
            i++;
        if (i == CONNS_MAX) {
            close(fd);
            continue;
        }
        fcntl(fd, F_SETFL, O_NONBLOCK);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conns[i].fd = fd;
        conns[i].state = READING;
        conns[i].fault = F_NONE;
    }
}

/* What is due: replies whose latency has passed, and queued requests for the slots that they free.
 */
static void advance(double now)
{
    for (size_t i = 0; i < CONNS_MAX; i++) {
        struct conn *c = &conns[i];
        if (c->fd >= 0 && c->state == COMPUTING && c->ready_at <= now) {
            busy--;
            c->state = WRITING;
            reply(c);
            if (c->fd >= 0 && c->state == WRITING)
                write_some(c);
        }
    }
    for (size_t k = 0; k < CONNS_MAX && busy < set.slots; k++) {
        struct conn *c = &conns[(queue_turn + k) % CONNS_MAX];
        if (c->fd >= 0 && c->state == QUEUED) {
            start(c);
            queue_turn = (queue_turn + k + 1) % CONNS_MAX;
        }
    }
}

static void serve(int listener)
{
    static struct pollfd fds[CONNS_MAX + 2];
    static size_t who[CONNS_MAX + 2];
    for (;;) {
        double now = now_s(), next = now + 1;
        nfds_t n = 2;
        fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
        for (size_t i = 0; i < CONNS_MAX; i++) {
            struct conn *c = &conns[i];
            if (c->fd < 0)
                continue;
            bool waits = c->state == COMPUTING || (c->state == WRITING && c->ready_at > now);
            if (waits && c->ready_at < next)
                next = c->ready_at;
            who[n] = i;
            fds[n++] = (struct pollfd){.fd = c->fd,
                                       .events = c->state == WRITING && !waits ? POLLOUT : POLLIN};
        }
        int wait_ms = (int)((next - now) * 1000) + 1;
        if (poll(fds, n, wait_ms) < 0 && errno != EINTR)
            return;
        char end;
        if (fds[1].revents && read(STDIN_FILENO, &end, 1) <= 0)
            return;
        for (nfds_t k = 2; k < n; k++) {
            struct conn *c = &conns[who[k]];
            if (c->fd < 0 || !fds[k].revents)
                continue;
            if (fds[k].events == POLLOUT)
                write_some(c);
            else
                read_some(c);
        }
        accept_all(listener);
        advance(now_s());
        if (set.log)
            fflush(set.log);
    }
}

static int usage(const char *what)
{
    fprintf(stderr, "scripted_server: %s; see the head of its source\n", what);
    return 2;
}

static int read_args(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *v = argv[i + 1];
        if (strcmp(name, "--latency-ms") == 0)
            set.latency_s = strtod(v, NULL) / 1000;
        else if (strcmp(name, "--slots") == 0)
            set.slots = strtoul(v, NULL, 10);
        else if (strcmp(name, "--faults") == 0)
            set.faults = (int)strtol(v, NULL, 10);
        else if (strcmp(name, "--fault-first") == 0)
            set.fault_first = strtoul(v, NULL, 10);
        else if (strcmp(name, "--seed") == 0)
            set.seed = strtoul(v, NULL, 10);
        else if (strcmp(name, "--key") == 0)
            set.key = v;
        else if (strcmp(name, "--port") == 0)
            set.port = (uint16_t)strtoul(v, NULL, 10);
        else if (strcmp(name, "--log") == 0)
            set.log = must(fopen(v, "a"));
        else if (strcmp(name, "--requests") == 0) {
            set.requests = must(fopen(v, "a"));
            setvbuf(set.requests, NULL, _IOLBF, 0); /* a line is there before its answer is */
        } else if (strcmp(name, "--only") == 0) {
            for (int f = 0; f < N_FAULTS; f++)
                if (strcmp(fault_names[f], v) == 0)
                    set.only = f;
            if (set.only < 0)
                return usage("no such fault");
        } else
            return usage(name);
    }
    return argc % 2 ? 0 : usage("an option without its value");
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int rc = read_args(argc, argv);
    if (rc)
        return rc;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < CONNS_MAX; i++)
        conns[i].fd = -1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    a.sin_port = htons(set.port);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (listener < 0 || bind(listener, (struct sockaddr *)&a, len) < 0 ||
        listen(listener, 512) < 0 || getsockname(listener, (struct sockaddr *)&a, &len) < 0)
        return usage("cannot listen on 127.0.0.1");
    printf("%d\n", ntohs(a.sin_port));
    fflush(stdout);
    serve(listener);
    if (set.log)
        fclose(set.log);
    if (set.requests)
        fclose(set.requests);
    return 0;
}
