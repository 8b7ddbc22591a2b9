#include "cli/cmd.h"
#include "cli/manual.h"

#include <string.h>

struct opts {
    bool markdown;
    const char *install;
};

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    const struct opts *o = options;
    const struct gm_command *c = NULL;
    enum gm_status st;
    struct gm_buf out;
    bool environment = args->n && strcmp(args->v[0], "environment") == 0;
    if (args->n && !environment) {
        c = gm_commands_find(args->v[0]);
        const char *nearest = c ? NULL : gm_commands_nearest(args->v[0]);
        if (!c)
            return GM_USAGE(err, "no command \"%s\"%s%s; `gmner help` lists the commands",
                            args->v[0], nearest ? "; did you mean " : "", nearest ? nearest : "");
    }
    if (o->install)
        return gm_exit_of(gm_manual_write(o->install, err));
    gm_buf_init(&out, (size_t)1 << 22);
    st = o->markdown   ? gm_help_markdown(&out, err)
         : environment ? gm_help_environment(&out, err)
         : c           ? gm_help_command(c, &out, err)
                       : gm_help_overview(&out, err);
    if (st == GM_OK)
        st = gm_print(gm_buf_str(&out), err);
    gm_buf_clear(&out);
    return gm_exit_of(st);
}

static const struct gm_option options[] = {
    {"markdown", 0, GM_OPT_FLAG, offsetof(struct opts, markdown), NULL, 0, 0, NULL,
     "print docs/cli.md: every command as Markdown"},
    {"install", 0, GM_OPT_STR, offsetof(struct opts, install), NULL, 0, 0, "PREFIX",
     "write the manual pages and the completions of bash, zsh and fish below PREFIX"},
    GM_OPTION_END,
};

const struct gm_command gm_cmd_help = {
    .name = "help",
    .summary = "explain a command",
    .usage = "[COMMAND|environment]",
    .examples = "gmner help predict\n"
                "gmner help environment\n"
                "gmner help --install ~/.local\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .max_args = 1,
    .run = run,
};
