#include "cli/options.h"

#include "base/alloc.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the nearest name ---- */

enum { NAME_MAX_LEN = 48 };

/* Edit distance with transpositions of neighbours (optimal string alignment), case ignored;
 * SIZE_MAX for words too long to be a slip of a name. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    size_t rows[3][NAME_MAX_LEN + 1];
    if (n > NAME_MAX_LEN || m > NAME_MAX_LEN)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3];
        const size_t *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
            size_t d = up[j - 1] + (ca != cb);
            if (up[j] + 1 < d)
                d = up[j] + 1;
            if (row[j - 1] + 1 < d)
                d = row[j - 1] + 1;
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
                cb == tolower((unsigned char)a[i - 2]) && up2[j - 2] + 1 < d)
                d = up2[j - 2] + 1;
            row[j] = d;
        }
    }
    return rows[n % 3][m];
}

const char *gm_nearest(const char *word, size_t n, const char *(*name)(const void *ctx, size_t i),
                       const void *ctx)
{
    const char *best = NULL;
    size_t best_d = SIZE_MAX, len = strlen(word);
    for (size_t i = 0; i < n; i++) {
        const char *candidate = name(ctx, i);
        size_t d = distance(word, candidate);
        /* A beginning ("--thr") is as good as one slip. */
        if (len >= 2 && strncmp(candidate, word, len) == 0)
            d = 1;
        if (d < best_d) {
            best = candidate;
            best_d = d;
        }
    }
    return best_d <= (len <= 3 ? 1 : len <= 8 ? 2 : 3) ? best : NULL;
}

/* ---- parsing ---- */

struct place {
    const struct gm_option *opt; /* NULL = unknown */
    void *value;                 /* where the value goes */
};

static size_t table_count(const struct gm_option *t)
{
    size_t n = 0;
    while (t[n].name)
        n++;
    return n;
}

static struct place find(const struct gm_option_set *sets, size_t n_sets, const char *name,
                         size_t len, char letter)
{
    for (size_t s = 0; s < n_sets; s++)
        for (const struct gm_option *o = sets[s].table; o->name; o++)
            if (letter ? o->letter == letter
                       : strlen(o->name) == len && !memcmp(o->name, name, len))
                return (struct place){o, (char *)sets[s].values + o->offset};
    return (struct place){0};
}

struct sets {
    const struct gm_option_set *v;
    size_t n;
};

static const char *flat_name(const void *ctx, size_t i)
{
    const struct sets *s = ctx;
    for (size_t k = 0; k < s->n; k++) {
        size_t n = table_count(s->v[k].table);
        if (i < n)
            return s->v[k].table[i].name;
        i -= n;
    }
    return "";
}

static enum gm_status unknown_option(struct sets sets, const char *word, struct gm_error *err)
{
    char name[NAME_MAX_LEN + 2];
    size_t n_options = 0;
    for (size_t s = 0; s < sets.n; s++)
        n_options += table_count(sets.v[s].table);
    const char *start = word + strspn(word, "-");
    size_t len = strcspn(start, "=");
    snprintf(name, sizeof name, "%.*s", (int)(len > NAME_MAX_LEN ? NAME_MAX_LEN + 1 : len), start);
    const char *nearest = len > 1 ? gm_nearest(name, n_options, flat_name, &sets) : NULL;
    if (nearest)
        return GM_FAIL(err, GM_EARG, "unknown option %s; did you mean --%s?", word, nearest);
    return GM_FAIL(err, GM_EARG, "unknown option %s; --help lists the options", word);
}

static bool in_choices(const char *choices, const char *text)
{
    struct gm_str rest = gm_str(choices), head;
    bool more = true;
    while (more) {
        more = gm_str_cut(rest, '|', &head, &rest);
        if (gm_str_eq_c(head, text))
            return true;
    }
    return false;
}

static enum gm_status set_number(const struct gm_option *o, const char *text, void *value,
                                 struct gm_error *err)
{
    long long i = 0;
    double x = 0;
    bool is_int = o->kind == GM_OPT_INT;
    bool ok = is_int ? gm_str_to_int(gm_str(text), &i) : gm_str_to_double(gm_str(text), &x);
    if (is_int)
        x = (double)i;
    if (!ok || !isfinite(x))
        return GM_FAIL(err, GM_EARG, "--%s: \"%s\" is not %s", o->name, text,
                       is_int ? "a whole number" : "a number");
    if (x < o->min || x > o->max)
        return GM_FAIL(err, GM_EARG, "--%s: %s is out of range; it must be from %.15g to %.15g",
                       o->name, text, o->min, o->max);
    if (is_int)
        memcpy(value, &i, sizeof i);
    else
        memcpy(value, &x, sizeof x);
    return GM_OK;
}

static enum gm_status set_value(const struct gm_option *o, const char *text, void *value,
                                struct gm_error *err)
{
    bool yes = true;
    switch (o->kind) {
    case GM_OPT_FLAG: memcpy(value, &yes, sizeof yes); return GM_OK;
    case GM_OPT_CHOICE:
        if (!in_choices(o->value, text))
            return GM_FAIL(err, GM_EARG, "--%s: \"%s\" is none of %s", o->name, text, o->value);
        break;
    case GM_OPT_STR:
        if (!text[0])
            return GM_FAIL(err, GM_EARG, "--%s: the value is empty", o->name);
        break;
    case GM_OPT_INT:
    case GM_OPT_NUM: return set_number(o, text, value, err);
    }
    memcpy(value, &text, sizeof text);
    return GM_OK;
}

static enum gm_status set_presets(const struct gm_option_set *sets, size_t n_sets,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t s = 0; s < n_sets; s++)
        for (const struct gm_option *o = sets[s].table; o->name; o++)
            if (o->preset)
                GM_TRY(set_value(o, o->preset, (char *)sets[s].values + o->offset, err));
done:
    return st;
}

bool gm_option_given(const struct gm_args *args, const char *name)
{
    for (size_t i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i], name) == 0)
            return true;
    return false;
}

/* One option word; *i moves past its value when that is a word of its own. */
static enum gm_status parse_option(struct sets sets, struct gm_args *args, int argc,
                                   char *const *argv, int *i, struct gm_error *err)
{
    const char *word = argv[*i], *value = NULL;
    bool is_long = word[1] == '-';
    struct place p;
    if (is_long) {
        size_t len = strcspn(word + 2, "=");
        p = find(sets.v, sets.n, word + 2, len, 0);
        value = word[2 + len] == '=' ? word + 2 + len + 1 : NULL;
    } else {
        p = find(sets.v, sets.n, NULL, 0, word[1]);
        value = word[2] ? word + 2 : NULL;
    }
    if (!p.opt)
        return unknown_option(sets, word, err);
    if (gm_option_given(args, p.opt->name))
        return GM_FAIL(err, GM_EARG, "--%s is given twice", p.opt->name);
    args->given[args->n_given++] = p.opt->name;
    if (p.opt->kind == GM_OPT_FLAG && value)
        return is_long ? GM_FAIL(err, GM_EARG, "--%s takes no value", p.opt->name)
                       : unknown_option(sets, word, err);
    if (p.opt->kind != GM_OPT_FLAG && !value) {
        if (*i + 1 >= argc)
            return GM_FAIL(err, GM_EARG, "--%s needs a value: --%s %s", p.opt->name, p.opt->name,
                           p.opt->value);
        value = argv[++*i];
    }
    return set_value(p.opt, value, p.value, err);
}

enum gm_status gm_options_parse(const struct gm_option_set *sets, size_t n_sets, int argc,
                                char *const *argv, struct gm_args *args, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct sets all = {sets, n_sets};
    *args = (struct gm_args){.v = gm_alloc(2 * (size_t)argc, sizeof *args->v)};
    if (!args->v)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    args->given = args->v + argc;
    GM_TRY(set_presets(sets, n_sets, err));
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc)
                args->v[args->n++] = argv[i];
        } else if (argv[i][0] == '-' && argv[i][1]) {
            GM_TRY(parse_option(all, args, argc, argv, &i, err));
        } else {
            args->v[args->n++] = argv[i];
        }
    }
done:
    return st;
}

/* ---- actions ---- */

enum gm_status gm_options_check_verb(const struct gm_option_readers *table, const char *command,
                                     const char *verb, const struct gm_args *args,
                                     struct gm_error *err)
{
    for (; table->option; table++) {
        char verbs[128];
        size_t used = 0;
        struct gm_str one, rest = gm_str(table->verbs);
        if (!gm_option_given(args, table->option) || in_choices(table->verbs, verb))
            continue;
        while (rest.n && used < sizeof verbs) {
            bool last = !gm_str_cut(rest, '|', &one, &rest);
            used += (size_t)snprintf(verbs + used, sizeof verbs - used, "%s%.*s",
                                     !used  ? ""
                                     : last ? " and "
                                            : ", ",
                                     GM_STR_ARG(one));
        }
        return GM_FAIL(err, GM_EARG, "%s: --%s is for %s; %s does not read it", command,
                       table->option, verbs, verb);
    }
    return GM_OK;
}
