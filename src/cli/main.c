/* main.c - the program: picks the subcommand, reads its options, runs it, reports its error. */
#include "base/alloc.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/path.h"
#include "base/stop.h"
#include "base/temp.h"
#include "cli/cmd.h"
#include "image/image.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void report(const struct gm_error *err) { GM_LOG(GM_LOG_ERROR, "cli", "%s", err->msg); }

static enum gm_exit show(enum gm_status (*text)(struct gm_buf *out, struct gm_error *err),
                         struct gm_error *err)
{
    struct gm_buf out;
    gm_buf_init(&out, (size_t)1 << 20);
    enum gm_status st = text(&out, err);
    if (st == GM_OK)
        st = gm_print(gm_buf_str(&out), err);
    gm_buf_clear(&out);
    return gm_exit_of(st);
}

static enum gm_status version_text(struct gm_buf *out, struct gm_error *err)
{
    return gm_buf_add_c(out, "gmner " GM_VERSION "\n", err);
}

static enum gm_exit show_command_help(const struct gm_command *c, struct gm_error *err)
{
    struct gm_buf out;
    gm_buf_init(&out, (size_t)1 << 20);
    enum gm_status st = gm_help_command(c, &out, err);
    if (st == GM_OK)
        st = gm_print(gm_buf_str(&out), err);
    gm_buf_clear(&out);
    return gm_exit_of(st);
}

static enum gm_exit check_args(const struct gm_command *c, const struct gm_args *args,
                               struct gm_error *err)
{
    if (args->n < c->min_args)
        return GM_USAGE(err, "too few words; usage: gmner %s %s", c->name, c->usage);
    if (args->n > c->max_args)
        return GM_USAGE(err, "\"%s\" is one word too many; usage: gmner %s %s",
                        args->v[c->max_args], c->name, c->usage);
    return GM_EXIT_DONE;
}

/* argv[0] is the first word after the command's name. */
static enum gm_exit run_command(const struct gm_command *c, int argc, char **argv,
                                struct gm_error *err)
{
    enum gm_exit code = GM_EXIT_FAILED;
    struct gm_common_opts common = {0};
    struct gm_args args = {0};
    void *opts = gm_alloc(1, c->opts_size);
    if (!opts) {
        (void)GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    const struct gm_option_set sets[] = {{c->options, opts}, {gm_common_options, &common}};
    enum gm_status st = gm_options_parse(sets, 2, argc, argv, &args, err);
    if (common.log_format && strcmp(common.log_format, "json") == 0)
        gm_log_setup(GM_LOG_JSON, GM_LOG_INFO);
    if (st != GM_OK) {
        code = st == GM_EARG ? GM_EXIT_USAGE : GM_EXIT_FAILED;
    } else if (common.help) {
        code = show_command_help(c, err);
    } else {
        code = check_args(c, &args, err);
        gm_threads_set((size_t)common.threads);
        gm_image_max_pixels_set((uint64_t)common.max_pixels);
        if (code == GM_EXIT_DONE) {
            gm_threads_begin();
            code = c->run(opts, &args, err);
        }
    }
done:
    gm_free(args.v);
    gm_free(opts);
    return code;
}

static enum gm_exit dispatch(int argc, char **argv, struct gm_error *err)
{
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return show(gm_help_overview, err);
    if (strcmp(argv[1], "--version") == 0)
        return show(version_text, err);
    const struct gm_command *c = gm_commands_find(argv[1]);
    if (c)
        return run_command(c, argc - 2, argv + 2, err);
    const char *nearest = gm_commands_nearest(argv[1]);
    return GM_USAGE(err, "no command \"%s\"%s%s; `gmner help` lists the commands", argv[1],
                    nearest ? "; did you mean " : "", nearest ? nearest : "");
}

/* Without a command: the overview, as the answer to a question that was not asked. */
static enum gm_exit no_command(void)
{
    struct gm_buf out;
    gm_buf_init(&out, (size_t)1 << 20);
    if (gm_help_overview(&out, NULL) == GM_OK)
        fputs(out.p, stderr);
    gm_buf_clear(&out);
    return GM_EXIT_USAGE;
}

/* Whether the reader of standard output has gone (`gmner ... | head`). */
static bool reader_gone(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) && !isatty(STDOUT_FILENO);
}

/* Threads that wait for each other spin for milliseconds by default, which on a busy machine takes
 * the core from the very thread they wait for (measured: 2 threads 3 times slower than 1). The
 * OpenMP runtime reads the setting before main, so the program starts once more with it. */
static void wait_politely(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    if (setenv("GOMP_SPINCOUNT", "10000", 1) == 0)
        execv("/proc/self/exe", argv); /* where that fails, go on as we are */
}

/* The process is called as the user has called it, and not "exe" after the file above. */
static void keep_name(const char *program)
{
    if (program)
        prctl(PR_SET_NAME, gm_path_file(gm_str(program)).p);
}

/* End by the signal, as everyone expects who waits for the program: a shell's loop ends with it. */
static void end_by(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

int main(int argc, char **argv)
{
    struct gm_error err = {0};
    wait_politely(argv);
    keep_name(argv[0]);
    /* A broken pipe comes back as a failed write, so that temporary files are cleaned up first. */
    signal(SIGPIPE, SIG_IGN);
    gm_temp_catch();
    if (argc < 2)
        return no_command();
    enum gm_exit code = dispatch(argc, argv, &err);
    if (code == GM_EXIT_FAILED && err.code == GM_EIO && reader_gone()) {
        /* Nobody wants the rest: end as every Unix filter does, without a message. */
        end_by(SIGPIPE);
    }
    if (code == GM_EXIT_FAILED || code == GM_EXIT_USAGE)
        report(&err);
    if (fclose(stdout) != 0 && code != GM_EXIT_FAILED) {
        GM_LOG(GM_LOG_ERROR, "cli", "standard output: cannot write: %s", strerror(errno));
        code = GM_EXIT_FAILED;
    }
    if (code == GM_EXIT_FAILED && err.code == GM_ECANCEL && gm_stop_signal())
        end_by(gm_stop_signal());
    return (int)code;
}
