/* The table of subcommands, in the order of the help. */
#include "cli/cmd.h"

#include "base/file.h"

#include <string.h>

static const struct gm_command *const commands[] = {
    &gm_cmd_predict, &gm_cmd_view,    &gm_cmd_serve, &gm_cmd_train, &gm_cmd_data,
    &gm_cmd_eval,    &gm_cmd_similar, &gm_cmd_guide, &gm_cmd_synth, &gm_cmd_tune,
    &gm_cmd_runs,    &gm_cmd_models,  &gm_cmd_help,
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

const struct gm_option gm_common_options[] = {
    {"threads", 0, GM_OPT_INT, offsetof(struct gm_common_opts, threads), "0", 0, 1024, "N",
     "threads to work with; 0 = OMP_NUM_THREADS where it is set, else all cores"},
    {"max-pixels", 0, GM_OPT_INT, offsetof(struct gm_common_opts, max_pixels), "100000000", 1, 4e9,
     "N", "pixels that a picture may have (width x height); a larger one is refused"},
    {"log-format", 0, GM_OPT_CHOICE, offsetof(struct gm_common_opts, log_format), "text", 0, 0,
     "text|json", "form of the messages on standard error"},
    {"help", 'h', GM_OPT_FLAG, offsetof(struct gm_common_opts, help), NULL, 0, 0, NULL,
     "show this help"},
    GM_OPTION_END,
};

const struct gm_command *gm_commands_at(size_t i) { return i < N_COMMANDS ? commands[i] : NULL; }

const struct gm_command *gm_commands_find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static const char *command_name(const void *ctx, size_t i)
{
    (void)ctx;
    return commands[i]->name;
}

const char *gm_commands_nearest(const char *word)
{
    return gm_nearest(word, N_COMMANDS, command_name, NULL);
}

enum gm_exit gm_exit_of(enum gm_status st) { return st == GM_OK ? GM_EXIT_DONE : GM_EXIT_FAILED; }

enum gm_exit gm_output_spares(const char *command, const char *to, const char *read,
                              struct gm_error *err)
{
    if (!to || !read || strcmp(to, "-") == 0 || strcmp(read, "-") == 0 ||
        !gm_is_same_file(to, read) || !(gm_is_file(to) || gm_is_dir(to)))
        return GM_EXIT_DONE;
    return GM_USAGE(err,
                    "%s: the output %s is what is read (%s), which would be lost; give another",
                    command, to, read);
}

enum gm_status gm_print(struct gm_str text, struct gm_error *err)
{
    struct gm_out *o;
    enum gm_status st = gm_out_open(&o, NULL, err);
    if (st != GM_OK)
        return st;
    st = gm_out_write(o, text, err);
    if (st == GM_OK)
        return gm_out_commit(o, err);
    gm_out_abort(o);
    return st;
}
