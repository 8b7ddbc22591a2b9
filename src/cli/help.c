/* The help texts and docs/cli.md, made from the command and option tables. */
#include "cli/cmd.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 100, INDENT = 28 };

/* Append `text` wrapped at WIDTH, continued lines indented by `indent`; the cursor is at `col`. */
static enum gm_status wrap(const char *text, size_t indent, size_t col, struct gm_buf *out,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool first = true;
    while (*text) {
        size_t n = strcspn(text, " \n");
        if (!first && col + 1 + n > WIDTH) {
            GM_TRY(gm_buf_printf(out, err, "\n%*s", (int)indent, ""));
            col = indent;
            first = true;
        }
        GM_TRY(gm_buf_printf(out, err, "%s%.*s", first ? "" : " ", (int)n, text));
        col += n + !first;
        first = false;
        text += n;
        while (*text == ' ')
            text++;
        if (*text == '\n') {
            GM_TRY(gm_buf_printf(out, err, "\n%*s", (int)indent, ""));
            col = indent;
            first = true;
            text++;
        }
    }
    GM_TRY(gm_buf_add_c(out, "\n", err));
done:
    return st;
}

/* "-o, --output FILE" */
static void option_head(const struct gm_option *o, char *text, size_t cap)
{
    char letter[8] = "";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(text, cap, "%s--%s%s%s", letter, o->name, o->value ? " " : "",
             o->value ? o->value : "");
}

/* The head on a line of its own, or on several, each but the last ending behind a '|'. */
static enum gm_status put_head(const char *head, struct gm_buf *out, struct gm_error *err)
{
    enum { HEAD_INDENT = 2, CHOICES_INDENT = 8 };
    enum gm_status st = GM_OK;
    size_t indent = HEAD_INDENT, n;
    while ((n = strlen(head)) + indent > WIDTH) {
        for (n = WIDTH - indent; n > 1 && head[n - 1] != '|';)
            n--;
        if (n == 1)
            n = WIDTH - indent;
        GM_TRY(gm_buf_printf(out, err, "%*s%.*s\n", (int)indent, "", (int)n, head));
        head += n;
        indent = CHOICES_INDENT;
    }
    GM_TRY(gm_buf_printf(out, err, "%*s%s\n%*s", (int)indent, "", head, INDENT, ""));
done:
    return st;
}

/* What an option does; *told is its default, or that it is needed: what ends its help text, else its preset. */
static struct gm_str split_default(const struct gm_option *o, struct gm_str *told)
{
    static const struct {
        const char *mark;
        size_t skip;
    } endings[] = {{" (default: ", 11}, {" (needed", 2}};
    struct gm_str help = gm_str(o->help);
    *told = gm_str(o->preset ? o->preset : "");
    for (size_t i = 0; i < 2 && help.p[help.n - 1] == ')'; i++) {
        size_t at = gm_str_find(help, gm_str(endings[i].mark), 0);
        if (at == SIZE_MAX)
            continue;
        *told = gm_str_sub(help, at + endings[i].skip, help.n - 1);
        return gm_str_sub(help, 0, at);
    }
    return help;
}

void gm_option_sentence(const struct gm_option *o, char *text, size_t cap)
{
    struct gm_str told, what = split_default(o, &told);
    if (!told.n || what.n < strlen(o->help))
        snprintf(text, cap, "%s", o->help);
    else
        snprintf(text, cap, "%s (default: %.*s)", o->help, GM_STR_ARG(told));
}

enum gm_status gm_options_help(const struct gm_option *table, struct gm_buf *out,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (const struct gm_option *o = table; o->name; o++) {
        char head[512], help[512];
        option_head(o, head, sizeof head);
        gm_option_sentence(o, help, sizeof help);
        if (strlen(head) <= INDENT - 4)
            GM_TRY(gm_buf_printf(out, err, "  %-*s", INDENT - 2, head));
        else
            GM_TRY(put_head(head, out, err));
        GM_TRY(wrap(help, INDENT, INDENT, out, err));
    }
done:
    return st;
}

/* Append text with "|" escaped, as cells of a Markdown table need it. */
static enum gm_status cell(struct gm_str text, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < text.n; i++)
        GM_TRY(gm_buf_printf(out, err, "%s%c", text.p[i] == '|' ? "\\" : "", text.p[i]));
done:
    return st;
}

enum gm_status gm_options_markdown(const struct gm_option *table, struct gm_buf *out,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (!table->name)
        return st;
    GM_TRY(gm_buf_add_c(out, "| option | what it does | default |\n|---|---|---|\n", err));
    for (const struct gm_option *o = table; o->name; o++) {
        char head[128];
        option_head(o, head, sizeof head);
        GM_TRY(gm_buf_add_c(out, "| `", err));
        GM_TRY(cell(gm_str(head), out, err));
        GM_TRY(gm_buf_add_c(out, "` | ", err));
        struct gm_str told, what = split_default(o, &told);
        GM_TRY(cell(what, out, err));
        GM_TRY(gm_buf_add_c(out, " | ", err));
        GM_TRY(cell(told, out, err));
        GM_TRY(gm_buf_add_c(out, " |\n", err));
    }
done:
    return st;
}

/* Every variable that the program reads. */
static const struct {
    const char *name, *what;
} variables[] = {
    {"GMNER_HOME",
     "folder that has recipes/, prompts/, models/ and .deps/: needed where the program lies "
     "elsewhere (default: the folder above the program's, or ../share/gmner beside that)"},
    {"GMNER_MODELS", "folder of models, NAME/FILE, that count before those of GMNER_HOME"},
    {"XDG_DATA_HOME",
     "gmner/models in it are the user's models, which an installed program's `gmner models get` and "
     "`add` write where GMNER_MODELS is not set (default: $HOME/.local/share)"},
    {"GMNER_PROMPTS", "folder of prompts that count before those of GMNER_HOME (docs/llm.md)"},
    {"GMNER_CACHE",
     "file of the language models' replies (default: $XDG_CACHE_HOME/gmner/replies.sqlite, "
     "else $HOME/.cache/gmner/replies.sqlite); vectors.sqlite beside it keeps what "
     "sentences and pictures of pools were encoded to"},
    {"GMNER_VISION_CACHE",
     "folder of the vision models that the runtime has prepared, of at most 512 MB, for a faster "
     "start; \"none\" = without (default: $XDG_CACHE_HOME/gmner/vision, else "
     "$HOME/.cache/gmner/vision)"},
    {"GMNER_FONT", "font file of annotated pictures (default: DejaVu Sans)"},
    {"GMNER_OPENVINO",
     "path of libopenvino_c.so (default: .deps/openvino of GMNER_HOME, else the system's)"},
    {"OPENAI_BASE_URL", "what --endpoint is where it is not given"},
    {"OPENAI_API_KEY", "the key for language model servers"},
    {"SSL_CERT_FILE", "certificates of the authorities to trust (default: the system's)"},
    {"OMP_NUM_THREADS", "what --threads is where it is not given"},
    {"OMP_WAIT_POLICY, GOMP_SPINCOUNT",
     "how threads wait for each other (default: briefly, then asleep)"},
    {"ONEDNN_MAX_CPU_ISA",
     "the widest instructions to use, such as AVX2 (default: all that there are)"},
    {"NO_COLOR, TERM",
     "no colours where NO_COLOR is set or TERM is dumb; no progress bar for the latter"},
};
enum { N_VARIABLES = sizeof variables / sizeof *variables };

bool gm_environment_at(size_t i, const char **name, const char **what)
{
    if (i >= N_VARIABLES)
        return false;
    *name = variables[i].name;
    *what = variables[i].what;
    return true;
}

enum gm_status gm_help_environment(struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < N_VARIABLES; i++) {
        GM_TRY(gm_buf_printf(out, err, "  %s\n%*s", variables[i].name, INDENT, ""));
        GM_TRY(wrap(variables[i].what, INDENT, INDENT, out, err));
    }
done:
    return st;
}

static enum gm_status markdown_environment(struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "\n## Environment\n\n| variable | what it says |\n|---|---|\n", err));
    for (size_t i = 0; i < N_VARIABLES; i++)
        GM_TRY(gm_buf_printf(out, err, "| %s | %s |\n", variables[i].name, variables[i].what));
done:
    return st;
}

enum gm_status gm_help_overview(struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out,
                        "gmner finds the named entities of social-media posts, where each is in the"
                        " post's image,\nand exactly which pixels it covers.\n\n"
                        "Usage: gmner COMMAND [options]\n\nCommands:\n",
                        err));
    for (size_t i = 0; gm_commands_at(i); i++)
        GM_TRY(gm_buf_printf(out, err, "  %-10s%s\n", gm_commands_at(i)->name,
                             gm_commands_at(i)->summary));
    GM_TRY(gm_buf_add_c(
        out,
        "\n`gmner COMMAND --help` explains a command, `gmner help environment` the"
        " variables that count;\n`gmner --version` tells the version.\nExit status: 0 done, 1 failed, 2 wrong usage, 3 done but some"
        " posts failed.\n",
        err));
done:
    return st;
}

/* Examples come one a line; each is shown with `before` in front. */
static enum gm_status examples(const char *lines, const char *before, struct gm_buf *out,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        GM_TRY(gm_buf_printf(out, err, "%s%.*s\n", before, (int)n, lines));
        lines += n + (lines[n] == '\n');
    }
done:
    return st;
}

enum gm_status gm_help_command(const struct gm_command *c, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "gmner %s - %s\n\nUsage: gmner %s %s\n", c->name, c->summary,
                         c->name, c->usage));
    if (c->about) {
        GM_TRY(gm_buf_add_c(out, "\n", err));
        GM_TRY(wrap(c->about, 0, 0, out, err));
    }
    if (c->options->name) {
        GM_TRY(gm_buf_add_c(out, "\nOptions:\n", err));
        GM_TRY(gm_options_help(c->options, out, err));
    }
    GM_TRY(gm_buf_add_c(out, "\nOptions of every command:\n", err));
    GM_TRY(gm_options_help(gm_common_options, out, err));
    if (c->examples) {
        GM_TRY(gm_buf_add_c(out, "\nExamples:\n", err));
        GM_TRY(examples(c->examples, "  ", out, err));
    }
done:
    return st;
}

static enum gm_status markdown_command(const struct gm_command *c, struct gm_buf *out,
                                       struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "\n## gmner %s\n\n%c%s.\n\n```\ngmner %s %s\n```\n", c->name,
                         toupper((unsigned char)c->summary[0]), c->summary + 1, c->name, c->usage));
    if (c->about)
        GM_TRY(gm_buf_printf(out, err, "\n%s\n", c->about));
    GM_TRY(gm_buf_add_c(out, "\n", err));
    GM_TRY(gm_options_markdown(c->options, out, err));
    if (c->examples) {
        GM_TRY(gm_buf_add_c(out, "\n```\n", err));
        GM_TRY(examples(c->examples, "", out, err));
        GM_TRY(gm_buf_add_c(out, "```\n", err));
    }
done:
    return st;
}

enum gm_status gm_help_markdown(struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out,
                        "# Command line\n\n<!-- Written by `gmner help --markdown`; a test fails"
                        " when it lags behind the program. -->\n\n"
                        "Results go to standard output or to `-o`, everything else to standard"
                        " error. Exit status: 0 done,\n1 failed, 2 wrong usage, 3 done but some"
                        " posts failed. `-o FILE` is written beside its place and\nrenamed when"
                        " complete: an existing file is replaced only on success.\n\n"
                        "Options of every command:\n\n",
                        err));
    GM_TRY(gm_options_markdown(gm_common_options, out, err));
    for (size_t i = 0; gm_commands_at(i); i++)
        GM_TRY(markdown_command(gm_commands_at(i), out, err));
    st = markdown_environment(out, err);
done:
    return st;
}
