/* Manual pages in man(7)'s macros, made from the command and option tables. */
#include "cli/manual.h"

#include "cli/cmd.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Text of a page: the signs that troff reads are escaped, and line ends become spaces. A dot or an
 * apostrophe is a request only where a line begins, which is kept from both by `\&`. */
static enum gm_status put(const char *text, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool starts = out->n == 0 || out->p[out->n - 1] == '\n';
    if (starts && (*text == '.' || *text == '\''))
        GM_TRY(gm_buf_add_c(out, "\\&", err));
    for (; *text; text++) {
        const char *as = *text == '\\' ? "\\e" : *text == '-' ? "\\-" : *text == '\n' ? " " : NULL;
        GM_TRY(as ? gm_buf_add_c(out, as, err) : gm_buf_add(out, text, 1, err));
    }
done:
    return st;
}

/* "MACRO text" on a line; text NULL = the macro alone. */
static enum gm_status line(const char *macro, const char *text, struct gm_buf *out,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "%s%s", macro, text && *macro ? " " : ""));
    if (text)
        GM_TRY(put(text, out, err));
    GM_TRY(gm_buf_add_c(out, "\n", err));
done:
    return st;
}

static enum gm_status head(const char *name, const char *summary, struct gm_buf *out,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, ".TH ", err));
    for (const char *p = name; *p; p++) {
        char c[2] = {(char)toupper((unsigned char)*p), 0};
        GM_TRY(put(c, out, err));
    }
    GM_TRY(gm_buf_add_c(out, " 1 \"\" \"gmner " GM_VERSION "\"\n.SH NAME\n", err));
    GM_TRY(put(name, out, err));
    GM_TRY(gm_buf_add_c(out, " \\- ", err));
    GM_TRY(line("", summary, out, err));
done:
    return st;
}

static enum gm_status options(const struct gm_option *o, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (; o->name; o++) {
        char dash[8] = "", help[512];
        if (o->letter)
            snprintf(dash, sizeof dash, "-%c, ", o->letter);
        GM_TRY(gm_buf_add_c(out, ".TP\n.B ", err));
        GM_TRY(put(dash, out, err));
        GM_TRY(gm_buf_add_c(out, "\\-\\-", err));
        GM_TRY(put(o->name, out, err));
        if (o->value) {
            GM_TRY(gm_buf_add_c(out, " \\fI", err));
            GM_TRY(put(o->value, out, err));
            GM_TRY(gm_buf_add_c(out, "\\fR", err));
        }
        GM_TRY(gm_buf_add_c(out, "\n", err));
        gm_option_sentence(o, help, sizeof help);
        GM_TRY(line("", help, out, err));
    }
done:
    return st;
}

static enum gm_status examples(const char *lines, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = gm_buf_add_c(out, ".SH EXAMPLES\n.nf\n", err);
    while (*lines && st == GM_OK) {
        char one[512];
        size_t n = strcspn(lines, "\n");
        snprintf(one, sizeof one, "%.*s", (int)n, lines);
        st = line("", one, out, err);
        lines += n + (lines[n] == '\n');
    }
    return st == GM_OK ? gm_buf_add_c(out, ".fi\n", err) : st;
}

static const char exit_status[] =
    ".SH EXIT STATUS\n.TP\n0\nDone.\n.TP\n1\nFailed.\n.TP\n2\nWrong usage.\n.TP\n3\n"
    "Done, but some posts failed.\n";

enum gm_status gm_man_command(const struct gm_command *c, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char name[64];
    snprintf(name, sizeof name, "gmner-%s", c->name);
    GM_TRY(head(name, c->summary, out, err));
    GM_TRY(gm_buf_printf(out, err, ".SH SYNOPSIS\n.B gmner %s\n", c->name));
    GM_TRY(line("", c->usage, out, err));
    if (c->about) {
        GM_TRY(gm_buf_add_c(out, ".SH DESCRIPTION\n", err));
        GM_TRY(line("", c->about, out, err));
    }
    GM_TRY(gm_buf_add_c(out, ".SH OPTIONS\n", err));
    GM_TRY(options(c->options, out, err));
    GM_TRY(options(gm_common_options, out, err));
    GM_TRY(gm_buf_add_c(out, exit_status, err));
    if (c->examples)
        GM_TRY(examples(c->examples, out, err));
    GM_TRY(gm_buf_add_c(out, ".SH SEE ALSO\n.BR gmner (1)\n", err));
done:
    return st;
}

enum gm_status gm_man_overview(struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *name, *what;
    GM_TRY(head("gmner", "named entities of posts, and where their image shows them", out, err));
    GM_TRY(gm_buf_add_c(out,
                        ".SH SYNOPSIS\n.B gmner\n.I COMMAND\n[options]\n.SH DESCRIPTION\n"
                        "gmner finds the named entities of social\\-media posts, where each is in "
                        "the post's image,\nand exactly which pixels it covers.\n.SH COMMANDS\n",
                        err));
    for (size_t i = 0; gm_commands_at(i); i++) {
        GM_TRY(gm_buf_printf(out, err, ".TP\n.BR gmner\\-%s (1)\n", gm_commands_at(i)->name));
        GM_TRY(line("", gm_commands_at(i)->summary, out, err));
    }
    GM_TRY(gm_buf_add_c(out, exit_status, err));
    GM_TRY(gm_buf_add_c(out, ".SH ENVIRONMENT\n", err));
    for (size_t i = 0; gm_environment_at(i, &name, &what); i++) {
        GM_TRY(line(".TP\n.B", name, out, err));
        GM_TRY(line("", what, out, err));
    }
done:
    return st;
}
