/* server_process.h - start the scripted server from a C test; it ends with the test, whatever
 * happens, because its standard input does. */
#ifndef GM_TESTS_SERVER_PROCESS_H
#define GM_TESTS_SERVER_PROCESS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct server_process {
    pid_t pid;
    int to; /* its standard input */
    char url[64];
};

/* args: "--faults 20 --seed 3", at most 14 words. */
static int server_start(struct server_process *s, const char *args)
{
    const char *program = getenv("GM_SCRIPTED_SERVER");
    char copy[512], *argv[16] = {(char *)(uintptr_t)program};
    char port[16] = "";
    int in[2], out[2], n = 1;
    snprintf(copy, sizeof copy, "%s", args);
    for (char *save = NULL, *w = strtok_r(copy, " ", &save); w && n < 15;
         w = strtok_r(NULL, " ", &save))
        argv[n++] = w;
    if (!program || pipe(in) || pipe(out))
        return -1;
    fcntl(in[1], F_SETFD, FD_CLOEXEC); /* or a second server would keep the first alive */
    fcntl(out[0], F_SETFD, FD_CLOEXEC);
    s->pid = fork();
    if (s->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[0]);
        close(in[1]);
        close(out[0]);
        close(out[1]);
        execv(program, argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    s->to = in[1];
    ssize_t got = read(out[0], port, sizeof port - 1);
    close(out[0]);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%ld/v1", strtol(port, NULL, 10));
    return got > 1 ? 0 : -1;
}

static void server_stop(struct server_process *s)
{
    close(s->to);
    waitpid(s->pid, NULL, 0);
}

#endif
