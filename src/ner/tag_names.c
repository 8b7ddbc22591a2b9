#include "ner/tag_names.h"

#include <string.h>

enum form { PREFIX, SUFFIX, BARE };

/* In our letters; 0 = none. */
static char letter(char c)
{
    static const char theirs[] = "BIESLUMWbieslumw", ours[] = "BIESESISBIESESIS";
    const char *at = c ? strchr(theirs, c) : NULL;
    return at ? ours[at - theirs] : '\0';
}

static bool is_mark(char c) { return c == '-' || c == '_'; }

static bool is_outside(struct gm_str name)
{
    return gm_str_eq_c(name, "O") || gm_str_eq_c(name, "o");
}

/* A label of special tokens and padding ("[CLS]", "<pad>"), which no word has; among types "X" may be one. */
static bool is_filler(enum form form, struct gm_str name)
{
    char first = name.p[0], last = name.p[name.n - 1];
    if (name.n > 2 && ((first == '[' && last == ']') || (first == '<' && last == '>')))
        return true;
    return form != BARE && (gm_str_eq_c(name, "X") || gm_str_eq_c(name, "PAD"));
}

/* Whether a label has this form, and what it is then. */
static bool parse(enum form form, struct gm_str name, struct gm_tag_name *out)
{
    size_t n = name.n;
    char c = '\0';
    *out = (struct gm_tag_name){'I', name, is_filler(form, name)};
    if (is_outside(name) || out->is_filler) {
        out->prefix = 'O';
        return true;
    }
    if (form == BARE)
        return true;
    if (n > 2 && form == PREFIX && is_mark(name.p[1])) {
        c = letter(name.p[0]);
        out->type = gm_str_sub(name, 2, n);
    } else if (n > 2 && form == SUFFIX && is_mark(name.p[n - 2])) {
        c = letter(name.p[n - 1]);
        out->type = gm_str_sub(name, 0, n - 2);
    }
    out->prefix = c;
    return c != '\0';
}

/* What a form makes of all names. */
struct fit {
    size_t n_begin, n_inside, n_end, n_single, n_outside, n_fillers, n_not;
    struct gm_str first_not; /* the first label that does not have the form */
};

static struct fit fit_of(enum form form, const struct gm_str *names, size_t n)
{
    struct fit f = {0};
    for (size_t i = 0; i < n; i++) {
        struct gm_tag_name t;
        if (parse(form, names[i], &t)) {
            f.n_begin += t.prefix == 'B';
            f.n_inside += t.prefix == 'I';
            f.n_end += t.prefix == 'E';
            f.n_single += t.prefix == 'S';
            f.n_fillers += t.is_filler;
            f.n_outside += t.prefix == 'O' && !t.is_filler;
        } else if (f.n_not++ == 0) {
            f.first_not = names[i];
        }
    }
    return f;
}

/* A form other than BARE needs labels that only a scheme has: types may well be called e-mail and vitamin-b. */
static bool is_tagged(enum form form, const struct fit *f)
{
    bool begins = f->n_begin > 0 && (form == PREFIX || f->n_inside > 0);
    return begins || (f->n_inside > 0 && !f->n_begin && !f->n_end && !f->n_single);
}

static bool is_type(enum form form, struct gm_str name, const struct gm_str *names, size_t n)
{
    struct gm_tag_name t;
    for (size_t i = 0; i < n; i++)
        if (parse(form, names[i], &t) && t.prefix != 'O' && gm_str_eq(t.type, name))
            return true;
    return false;
}

/* Whether all labels have the form, and one is outside: O, or else the only one without it, or the only filler. */
static bool is_whole(enum form form, const struct fit *f, const struct gm_str *names, size_t n)
{
    if (!is_tagged(form, f))
        return false;
    if (f->n_outside || f->n_not == 0)
        return f->n_not == 0 && (f->n_outside || f->n_fillers == 1);
    return f->n_not == 1 && !is_type(form, f->first_not, names, n);
}

/* Letters without types: B, I, O. */
static bool is_untyped(const struct gm_str *names, size_t n)
{
    bool begins = false;
    for (size_t i = 0; i < n; i++) {
        if (is_outside(names[i]) || is_filler(BARE, names[i]))
            continue;
        char c = names[i].n == 1 ? letter(names[i].p[0]) : '\0';
        if (!c)
            return false;
        begins = begins || c == 'B';
    }
    return begins && n > 2;
}

static enum gm_status refuse(const struct gm_str *names, size_t n, struct gm_error *err)
{
    if (is_untyped(names, n))
        return GM_FAIL(
            err, GM_EMODEL,
            "the labels of \"id2label\" say no type (B, I, O); write one behind the letters "
            "there, as in B-TERM and I-TERM");
    for (enum form form = PREFIX; form < BARE; form++) {
        struct fit f = fit_of(form, names, n);
        if (is_tagged(form, &f) && f.n_not)
            return GM_FAIL(
                err, GM_EMODEL,
                "the labels of \"id2label\" are no BIO, BIOES, BILOU, BMES or IO tags (one "
                "has a letter such as B- for its place in an entity, but not %.*s)",
                GM_STR_ARG(f.first_not));
    }
    return GM_FAIL(
        err, GM_EMODEL,
        "the labels of \"id2label\" are no BIO, BIOES, BILOU, BMES or IO tags (there is no O, the label "
        "of words outside of entities; give that label the name O there)");
}

/* Whether a type has labels within but none to begin with: as only IOB1 has, whose B comes between two entities of one
 * type alone, and may never have come. */
static bool lacks_begin(const struct gm_tag_names *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool begins = x->items[i].prefix != 'I' && x->items[i].prefix != 'E';
        for (size_t k = 0; k < n && !begins; k++)
            begins = (x->items[k].prefix == 'B' || x->items[k].prefix == 'S') &&
                     gm_str_eq(x->items[k].type, x->items[i].type);
        if (!begins)
            return true;
    }
    return false;
}

enum gm_status gm_tag_names_read(const struct gm_str *names, size_t n, struct gm_arena *a,
                                 struct gm_tag_names *out, struct gm_error *err)
{
    struct fit f = {0};
    enum form form = PREFIX;
    bool has_tags = false;
    *out = (struct gm_tag_names){.items = gm_arena_alloc(a, n, sizeof *out->items)};
    if (!out->items)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu labels", n);
    for (; form < BARE; form++) {
        f = fit_of(form, names, n);
        if (is_whole(form, &f, names, n))
            break;
        has_tags = has_tags || is_tagged(form, &f);
    }
    if (form == BARE && (has_tags || fit_of(BARE, names, n).n_outside == 0 || is_untyped(names, n)))
        return refuse(names, n, err);
    for (size_t i = 0; i < n; i++)
        if (!parse(form, names[i], &out->items[i]))
            out->items[i] = (struct gm_tag_name){'O', names[i], false};
    out->scheme = form < BARE && f.n_end && f.n_single ? GM_TAGS_BIOES : GM_TAGS_BIO;
    out->runs = form == BARE || !f.n_begin || (out->scheme == GM_TAGS_BIO && lacks_begin(out, n));
    return GM_OK;
}
