#include "llm/local_server.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/host.h"
#include "base/progress.h"
#include "base/stop.h"
#include "llm/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGS_MAX = 64, STARTS_MAX = 3 };

struct gm_local_server {
    pid_t pid;
    int port;
    int log_fd; /* what it writes; an unlinked temporary file */
    char url[64];
};

/* A port that was free just now; another process may be faster, then the start is tried again. */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &n) == 0)
        port = ntohs(a.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

static int open_log(void)
{
    char path[] = "/tmp/gmner-server-XXXXXX";
    int fd = mkstemp(path);
    if (fd >= 0) {
        unlink(path);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    return fd;
}

/* The words of cmd and the arguments, all in the arena. */
static enum gm_status build_args(struct gm_arena *a, char **argv, const char *cmd, const char *gguf,
                                 int port, size_t slots, struct gm_error *err)
{
    struct gm_str rest = gm_str(cmd), word;
    size_t n = 0;
    bool more = true;
    while (more && n < ARGS_MAX - 10) {
        more = gm_str_cut(rest, ' ', &word, &rest);
        if (word.n)
            argv[n++] = (char *)(uintptr_t)gm_arena_str(a, word).p;
    }
    const char *const last[] = {
        "-m",     gguf,
        "--host", "127.0.0.1",
        "--port", gm_arena_printf(a, "%d", port).p,
        "-np",    gm_arena_printf(a, "%zu", slots).p,
    };
    if (n == 0 || more)
        return GM_FAIL(err, GM_EARG, "\"%s\" is no command for a llama-server", cmd);
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        argv[n++] = (char *)(uintptr_t)last[i];
    argv[n] = NULL;
    for (size_t i = 0; i < n; i++)
        if (!argv[i])
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return GM_OK;
}

/* In the child: only calls that are safe after a fork of a program with threads. */
static _Noreturn void run_child(char **argv, int log_fd, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* a Ctrl-C is ours to handle: what is in flight is to be finished */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    int null_fd = open("/dev/null", O_RDONLY);
    if (getppid() == parent && null_fd >= 0) { /* else the parent died before the prctl */
        dup2(null_fd, STDIN_FILENO);
        dup2(log_fd, STDOUT_FILENO);
        dup2(log_fd, STDERR_FILENO);
        execvp(argv[0], argv);
    }
    _exit(127);
}

/* The last line that the server wrote. */
static void last_words(int fd, char *out, size_t cap)
{
    char tail[512];
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof tail ? end - (off_t)sizeof tail : 0;
    ssize_t n = pread(fd, tail, sizeof tail, from);
    struct gm_str s = gm_str_trim((struct gm_str){tail, n > 0 ? (size_t)n : 0});
    size_t at = s.n;
    while (at > 0 && s.p[at - 1] != '\n')
        at--;
    snprintf(out, cap, "%.*s", GM_STR_ARG(gm_str_sub(s, at, s.n)));
}

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* GM_EAGAIN: it ended before it was healthy. */
static enum gm_status wait_healthy(struct gm_local_server *s, const char *argv0, double wait_s,
                                   struct gm_error *err)
{
    char health[80], words[300];
    int status;
    double end = gm_clock_s() + wait_s;
    snprintf(health, sizeof health, "http://127.0.0.1:%d/health", s->port);
    while (gm_clock_s() < end) {
        if (gm_stop_requested())
            return GM_FAIL(err, GM_ECANCEL, "stopped on request");
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            last_words(s->log_fd, words, sizeof words);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && !words[0])
                return GM_FAIL(err, GM_EIO, "%s: no such program; give llama.cpp's server with %s",
                               argv0, gm_option("--llama-server"));
            return GM_FAIL(err, GM_EAGAIN, "%s ended before it was ready: %s", argv0, words);
        }
        if (gm_http_status(health, 500) == 200)
            return GM_OK;
        sleep_ms(100);
    }
    last_words(s->log_fd, words, sizeof words);
    return GM_FAIL(err, GM_ENET, "%s was not ready within %.0f s: %s", argv0, wait_s, words);
}

static enum gm_status start_once(struct gm_local_server *s, const char *cmd, const char *gguf,
                                 size_t slots, double wait_s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char *argv[ARGS_MAX];
    pid_t parent = getpid();
    struct gm_arena a;
    gm_arena_init(&a, 0);
    s->port = free_port();
    if (s->port == 0 || s->log_fd < 0) {
        st = GM_FAIL(err, GM_EIO, "cannot start a local server: no free port or no room in /tmp");
        goto done;
    }
    GM_TRY(build_args(&a, argv, cmd, gguf, s->port, slots, err));
    if ((s->pid = fork()) == 0)
        run_child(argv, s->log_fd, parent);
    if (s->pid < 0) {
        s->pid = 0;
        st = GM_FAIL(err, GM_EIO, "cannot start %s: %s", argv[0], strerror(errno));
        goto done;
    }
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/v1", s->port);
    GM_TRY(wait_healthy(s, argv[0], wait_s, err));
done:
    gm_arena_clear(&a);
    return st;
}

enum gm_status gm_local_server_start(struct gm_local_server **out, const char *cmd,
                                     const char *gguf, size_t slots, double wait_s,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    if ((st = gm_path_reach(gguf, err)) != GM_OK)
        return st;
    if (!gm_is_file(gguf))
        return GM_FAIL(err, GM_EIO, "%s: no such file", gguf);
    struct gm_local_server *s = gm_alloc(1, sizeof *s);
    if (!s)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    s->log_fd = open_log();
    for (int i = 0; i < STARTS_MAX; i++) {
        st = start_once(s, cmd ? cmd : "llama-server", gguf, slots, wait_s, err);
        if (st != GM_EAGAIN)
            break;
    }
    if (st == GM_EAGAIN)
        st = GM_ENET;
    if (st == GM_OK)
        *out = s;
    else
        gm_local_server_stop(s);
    return st;
}

const char *gm_local_server_url(const struct gm_local_server *s) { return s->url; }

void gm_local_server_stop(struct gm_local_server *s)
{
    if (!s)
        return;
    /* Times 50 ms for it to end by itself; who wants to stop does not wait for long. */
    int times = gm_stop_requested() ? 6 : 100;
    if (s->pid > 0) {
        kill(s->pid, SIGTERM);
        for (int i = 0; i < times && waitpid(s->pid, NULL, WNOHANG) == 0; i++) {
            if (i == times - 1) {
                kill(s->pid, SIGKILL);
                waitpid(s->pid, NULL, 0);
            }
            sleep_ms(50);
        }
    }
    if (s->log_fd >= 0)
        close(s->log_fd);
    gm_free(s);
}
