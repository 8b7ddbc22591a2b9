/* Completions of bash, zsh and fish, made from the command and option tables. */
#include "cli/cmd.h"
#include "cli/manual.h"

#include <string.h>

/* Append "a|b|c" with spaces for the bars. */
static enum gm_status alternatives(const char *text, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (; *text && st == GM_OK; text++)
        st = gm_buf_add(out, *text == '|' ? " " : text, 1, err);
    return st;
}

/* One function for the options of a command and those that all have. */
static enum gm_status each_option(const struct gm_command *c,
                                  enum gm_status (*put)(const struct gm_command *c,
                                                        const struct gm_option *o,
                                                        struct gm_buf *out, struct gm_error *err),
                                  struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_option *const tables[] = {c->options, gm_common_options};
    for (size_t i = 0; i < 2; i++)
        for (const struct gm_option *o = tables[i]; o->name; o++)
            GM_TRY(put(c, o, out, err));
done:
    return st;
}

/* ---- bash ---- */

static enum gm_status bash_values(const struct gm_command *c, const struct gm_option *o,
                                  struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if (o->kind != GM_OPT_CHOICE)
        return GM_OK;
    GM_TRY(gm_buf_printf(out, err, "    '%s --%s') words='", c->name, o->name));
    GM_TRY(alternatives(o->value, out, err));
    GM_TRY(gm_buf_add_c(out, "' ;;\n", err));
done:
    return st;
}

static enum gm_status bash_name(const struct gm_command *c, const struct gm_option *o,
                                struct gm_buf *out, struct gm_error *err)
{
    (void)c;
    return gm_buf_printf(out, err, "--%s ", o->name);
}

enum gm_status gm_completion_bash(struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out,
                        "# bash completion of gmner\n_gmner() {\n"
                        "    local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
                        "    local command=${COMP_WORDS[1]} last=${COMP_WORDS[COMP_CWORD-1]}\n"
                        "    COMPREPLY=()\n    if [ \"$COMP_CWORD\" = 1 ]; then\n        words='",
                        err));
    for (size_t i = 0; gm_commands_at(i); i++)
        GM_TRY(gm_buf_printf(out, err, "%s ", gm_commands_at(i)->name));
    GM_TRY(gm_buf_add_c(out, "--help --version'\n    else case \"$command $last\" in\n", err));
    for (size_t i = 0; gm_commands_at(i); i++)
        GM_TRY(each_option(gm_commands_at(i), bash_values, out, err));
    GM_TRY(gm_buf_add_c(out, "    *) case \"$command $cur\" in\n", err));
    for (size_t i = 0; gm_commands_at(i); i++) {
        const struct gm_command *c = gm_commands_at(i);
        GM_TRY(gm_buf_printf(out, err, "        '%s -'*) words='", c->name));
        GM_TRY(each_option(c, bash_name, out, err));
        GM_TRY(gm_buf_add_c(out, "' ;;\n", err));
        if (!c->words)
            continue;
        GM_TRY(gm_buf_printf(out, err, "        '%s '*) [ \"$COMP_CWORD\" != 2 ] || words='",
                             c->name));
        GM_TRY(alternatives(c->words, out, err));
        GM_TRY(gm_buf_add_c(out, "' ;;\n", err));
    }
    GM_TRY(
        gm_buf_add_c(out,
                     "        esac ;;\n    esac; fi\n"
                     "    [ -z \"$words\" ] || COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                     "}\ncomplete -o default -F _gmner gmner\n",
                     err));
done:
    return st;
}

/* ---- zsh ---- */

/* Inside of single quotes, where _arguments and _describe read the signs of `special` themselves. */
static enum gm_status zsh_text(const char *text, const char *special, struct gm_buf *out,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (; *text && st == GM_OK; text++)
        st = *text == '\''
                 ? gm_buf_add_c(out, "'\\''", err)
                 : gm_buf_printf(out, err, "%s%c", strchr(special, *text) ? "\\" : "", *text);
    return st;
}

/* '(-o --output)'{-o,--output}'[help]:VALUE:_files' */
static enum gm_status zsh_option(const struct gm_command *c, const struct gm_option *o,
                                 struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    (void)c;
    GM_TRY(o->letter ? gm_buf_printf(out, err, " \\\n        '(-%c --%s)'{-%c,--%s}'[", o->letter,
                                     o->name, o->letter, o->name)
                     : gm_buf_printf(out, err, " \\\n        '--%s[", o->name));
    GM_TRY(zsh_text(o->help, "[]\\", out, err));
    GM_TRY(gm_buf_add_c(out, "]", err));
    if (o->kind != GM_OPT_FLAG) {
        GM_TRY(gm_buf_printf(out, err, ":%s:", o->kind == GM_OPT_CHOICE ? o->name : o->value));
        if (o->kind == GM_OPT_CHOICE) {
            GM_TRY(gm_buf_add_c(out, "(", err));
            GM_TRY(alternatives(o->value, out, err));
            GM_TRY(gm_buf_add_c(out, ")", err));
        } else if (o->kind == GM_OPT_STR) {
            GM_TRY(gm_buf_add_c(out, "_files", err));
        }
    }
    GM_TRY(gm_buf_add_c(out, "'", err));
done:
    return st;
}

enum gm_status gm_completion_zsh(struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out,
                        "#compdef gmner\n# zsh completion of gmner\nif (( CURRENT == 2 )); then\n"
                        "    local -a commands=(\n",
                        err));
    for (size_t i = 0; gm_commands_at(i); i++) {
        GM_TRY(gm_buf_printf(out, err, "        '%s:", gm_commands_at(i)->name));
        GM_TRY(zsh_text(gm_commands_at(i)->summary, ":\\", out, err));
        GM_TRY(gm_buf_add_c(out, "'\n", err));
    }
    GM_TRY(gm_buf_add_c(out,
                        "    )\n    _describe command commands\n    return\nfi\n"
                        "local command=$words[2]\nshift words\n(( CURRENT-- ))\ncase $command in\n",
                        err));
    for (size_t i = 0; gm_commands_at(i); i++) {
        const struct gm_command *c = gm_commands_at(i);
        GM_TRY(gm_buf_printf(out, err, "%s)\n    _arguments -s", c->name));
        GM_TRY(each_option(c, zsh_option, out, err));
        if (c->words) {
            GM_TRY(gm_buf_add_c(out, " \\\n        '1:word:(", err));
            GM_TRY(alternatives(c->words, out, err));
            GM_TRY(gm_buf_add_c(out, ")'", err));
        }
        GM_TRY(gm_buf_add_c(out, " \\\n        '*:file:_files' ;;\n", err));
    }
    st = gm_buf_add_c(out, "esac\n", err);
done:
    return st;
}

/* ---- fish ---- */

/* Inside of single quotes. */
static enum gm_status fish_text(const char *text, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (; *text && st == GM_OK; text++)
        st = gm_buf_printf(out, err, "%s%c", strchr("'\\", *text) ? "\\" : "", *text);
    return st;
}

static enum gm_status fish_option(const struct gm_command *c, const struct gm_option *o,
                                  struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_printf(out, err, "complete -c gmner -n '__fish_seen_subcommand_from %s' -l %s",
                         c->name, o->name));
    if (o->letter)
        GM_TRY(gm_buf_printf(out, err, " -s %c", o->letter));
    if (o->kind == GM_OPT_CHOICE) {
        GM_TRY(gm_buf_add_c(out, " -x -a '", err));
        GM_TRY(alternatives(o->value, out, err));
        GM_TRY(gm_buf_add_c(out, "'", err));
    } else if (o->kind != GM_OPT_FLAG) {
        GM_TRY(gm_buf_add_c(out, o->kind == GM_OPT_STR ? " -r -F" : " -x", err));
    }
    GM_TRY(gm_buf_add_c(out, " -d '", err));
    GM_TRY(fish_text(o->help, out, err));
    GM_TRY(gm_buf_add_c(out, "'\n", err));
done:
    return st;
}

enum gm_status gm_completion_fish(struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    GM_TRY(gm_buf_add_c(out, "# fish completion of gmner\n", err));
    for (size_t i = 0; gm_commands_at(i); i++) {
        const struct gm_command *c = gm_commands_at(i);
        GM_TRY(gm_buf_printf(out, err, "complete -c gmner -n __fish_use_subcommand -f -a %s -d '",
                             c->name));
        GM_TRY(fish_text(c->summary, out, err));
        GM_TRY(gm_buf_add_c(out, "'\n", err));
        GM_TRY(each_option(c, fish_option, out, err));
        if (!c->words)
            continue;
        GM_TRY(gm_buf_printf(out, err, "complete -c gmner -n '__fish_seen_subcommand_from %s' -a '",
                             c->name));
        GM_TRY(alternatives(c->words, out, err));
        GM_TRY(gm_buf_add_c(out, "'\n", err));
    }
done:
    return st;
}
