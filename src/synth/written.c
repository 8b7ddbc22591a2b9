#include "synth/written.h"

#include "base/utf8.h"
#include "corpus/word_set.h"
#include "stages/llm_stage.h"

#include <stdlib.h>
#include <strings.h>

enum { MAX_NAMES = 100 };

/* The names that an answer gives with a sentence, each once. */
struct names {
    struct gm_synth_name items[MAX_NAMES];
    size_t n;
};

static uint32_t find_type(const struct gm_labels *types, struct gm_str name)
{
    uint32_t id = gm_labels_find(types, name);
    for (uint32_t i = 0; i < types->n && id == GM_LABEL_NONE; i++) {
        struct gm_str t = gm_labels_at(types, i);
        if (t.n == name.n && strncasecmp(t.p, name.p, t.n) == 0)
            id = i;
    }
    return id;
}

static enum gm_synth_reason add_name(struct names *names, struct gm_synth_name x)
{
    for (size_t i = 0; i < names->n; i++)
        if (gm_str_eq(names->items[i].text, x.text))
            return names->items[i].type == x.type ? GM_SYNTH_FITS : GM_SYNTH_TWO_TYPES;
    if (names->n == MAX_NAMES)
        return GM_SYNTH_SCHEMA;
    names->items[names->n++] = x;
    return GM_SYNTH_FITS;
}

static enum gm_status read_names(const struct gm_synth_seeds *seeds, const struct gm_json *list,
                                 struct gm_arena *a, struct names *out, enum gm_synth_reason *why,
                                 struct gm_error *err)
{
    for (size_t i = 0; i < gm_json_count(list) && *why == GM_SYNTH_FITS; i++) {
        const struct gm_json *e = gm_json_at(list, i);
        struct gm_str text = GM_STR(""), type = GM_STR("");
        (void)gm_json_str(gm_json_get(e, "text"), &text);
        (void)gm_json_str(gm_json_get(e, "type"), &type);
        struct gm_synth_name x = {gm_llm_one_line(a, text),
                                  find_type(&seeds->types, gm_str_trim(type))};
        if (!x.text.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        *why = x.text.n == 0             ? GM_SYNTH_SCHEMA
               : x.type == GM_LABEL_NONE ? GM_SYNTH_UNKNOWN_TYPE
                                         : add_name(out, x);
    }
    return GM_OK;
}

/* ---- the places of names ---- */

static int longer_first(const void *a, const void *b)
{
    const struct gm_synth_name *x = a, *y = b;
    return (x->text.n < y->text.n) - (x->text.n > y->text.n);
}

static int by_place(const void *a, const void *b)
{
    const struct gm_synth_mention *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

/* The words that bytes [from, to) are; false where they cut one. */
static bool whole_words(const struct gm_synth_sentence *s, size_t from, size_t to, size_t *first,
                        size_t *end)
{
    size_t w = 0;
    while (w < s->n_words && s->words[w].start < from)
        w++;
    *first = w;
    while (w < s->n_words && s->words[w].end < to)
        w++;
    *end = w + 1;
    return w < s->n_words && s->words[*first].start == from && s->words[w].end == to;
}

static bool is_free(const struct gm_synth_sentence *s, size_t first, size_t end)
{
    for (size_t i = 0; i < s->n_mentions; i++)
        if (first < s->mentions[i].end && s->mentions[i].first < end)
            return false;
    return true;
}

/* Every place of a name becomes a mention; `mentions` has room for one a word. */
static enum gm_synth_reason place(struct gm_synth_sentence *s, const struct gm_synth_name *x)
{
    enum gm_synth_reason why = GM_SYNTH_NOT_IN_TEXT;
    for (size_t at = 0; (at = gm_str_find(s->text, x->text, at)) != SIZE_MAX; at++) {
        struct gm_synth_mention m = {.type = x->type};
        if (!whole_words(s, at, at + x->text.n, &m.first, &m.end)) {
            why = why == GM_SYNTH_NOT_IN_TEXT ? GM_SYNTH_PART_OF_WORD : why;
        } else if (!is_free(s, m.first, m.end)) {
            why = why == GM_SYNTH_FITS ? why : GM_SYNTH_OVERLAP;
        } else {
            s->mentions[s->n_mentions++] = m;
            why = GM_SYNTH_FITS;
        }
    }
    return why;
}

static enum gm_synth_reason place_all(struct gm_synth_sentence *s, struct names *names)
{
    qsort(names->items, names->n, sizeof *names->items, longer_first);
    for (size_t i = 0; i < names->n; i++) {
        enum gm_synth_reason why = place(s, &names->items[i]);
        if (why != GM_SYNTH_FITS)
            return why;
    }
    qsort(s->mentions, s->n_mentions, sizeof *s->mentions, by_place);
    return GM_SYNTH_FITS;
}

/* ---- what was asked for ---- */

static bool has_name(const struct names *names, const struct gm_synth_name *x)
{
    for (size_t i = 0; i < names->n; i++)
        if (names->items[i].type == x->type && gm_str_eq(names->items[i].text, x->text))
            return true;
    return false;
}

static enum gm_synth_reason check_vary(const struct gm_synth_seed *seed, const struct names *names)
{
    bool has_type = false;
    for (size_t i = 0; i < names->n; i++)
        for (size_t k = 0; k < seed->n_names; k++) {
            if (gm_str_eq(seed->names[k].text, names->items[i].text))
                return GM_SYNTH_SAME;
            has_type = has_type || seed->names[k].type == names->items[i].type;
        }
    return has_type ? GM_SYNTH_FITS : names->n ? GM_SYNTH_OTHER_TYPE : GM_SYNTH_NO_ENTITY;
}

static enum gm_synth_reason check_kind(const struct gm_synth_seed *seed, enum gm_synth_kind kind,
                                       const struct names *names)
{
    if (kind == GM_SYNTH_NONE)
        return names->n ? GM_SYNTH_NOT_NEGATIVE : GM_SYNTH_FITS;
    if (kind == GM_SYNTH_VARY)
        return check_vary(seed, names);
    for (size_t i = 0; i < seed->n_names; i++)
        if (!has_name(names, &seed->names[i]))
            return GM_SYNTH_LOST;
    return GM_SYNTH_FITS;
}

size_t gm_synth_words_least(const struct gm_synth_opts *o, const struct gm_synth_seed *seed,
                            enum gm_synth_kind kind)
{
    return kind == GM_SYNTH_REWRITE ? (seed->n_words + 1) / 2 : o->words_min;
}

size_t gm_synth_words_most(const struct gm_synth_opts *o, const struct gm_synth_seed *seed,
                           enum gm_synth_kind kind)
{
    enum { FEW = 4 }; /* a post of a word or two, too, can be said in other words */
    return kind == GM_SYNTH_REWRITE ? 2 * seed->n_words + FEW : o->words_max;
}

static enum gm_synth_reason check_length(const struct gm_synth_sentence *s,
                                         const struct gm_synth_seed *seed, enum gm_synth_kind kind,
                                         const struct gm_synth_opts *o)
{
    size_t n = gm_synth_count_words(s->text, s->words, s->n_words);
    return n < gm_synth_words_least(o, seed, kind)  ? GM_SYNTH_SHORT
           : n > gm_synth_words_most(o, seed, kind) ? GM_SYNTH_LONG
                                                    : GM_SYNTH_FITS;
}

/* A rewritten post has the post's names and no others, whatever the answer lists. */
static enum gm_synth_reason take_seed_names(const struct gm_synth_seed *seed, struct names *names)
{
    enum gm_synth_reason why = GM_SYNTH_FITS;
    for (size_t i = 0; i < names->n; i++) {
        bool is_there = false;
        for (size_t k = 0; k < seed->n_names && !is_there; k++)
            is_there = gm_str_eq(seed->names[k].text, names->items[i].text);
        if (!is_there)
            return GM_SYNTH_ADDED;
    }
    for (size_t k = 0; k < seed->n_names && why == GM_SYNTH_FITS; k++)
        why = add_name(names, seed->names[k]);
    return why;
}

/* The knowledge says in other words what the post's own does, at half to twice its length. */
static enum gm_status check_knowledge(const struct gm_synth_seed *seed, const struct gm_json *item,
                                      double similarity, struct gm_arena *a,
                                      struct gm_synth_sentence *out, enum gm_synth_reason *why,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str text = GM_STR("");
    struct gm_buf hashes[2];
    struct gm_word_set sets[2];
    bool is_exact;
    (void)gm_json_str(gm_json_get(item, "knowledge"), &text);
    out->knowledge = gm_llm_one_line(a, text);
    if (!out->knowledge.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    const struct gm_str texts[2] = {seed->knowledge, out->knowledge};
    for (int i = 0; i < 2; i++)
        gm_buf_init(&hashes[i], SIZE_MAX - 1);
    for (int i = 0; i < 2; i++) {
        GM_TRY(gm_word_set_read(texts[i], &hashes[i], &sets[i].n, &sets[i].exact, err));
        sets[i].words = (const uint64_t *)(const void *)hashes[i].p;
    }
    if (texts[1].n == 0)
        *why = GM_SYNTH_NO_KNOWLEDGE;
    else if (gm_word_set_alike(&sets[0], &sets[1], similarity, &similarity, &is_exact) ||
             2 * texts[1].n < texts[0].n || texts[1].n > 2 * texts[0].n)
        *why = GM_SYNTH_SAME_KNOWLEDGE;
done:
    gm_buf_clear(&hashes[0]);
    gm_buf_clear(&hashes[1]);
    return st;
}

/* The text's words, and the places of the names in it. */
static enum gm_status find_names(enum gm_word_cut cut, const struct gm_synth_seed *seed,
                                 enum gm_synth_kind kind, struct names *names, struct gm_arena *a,
                                 struct gm_synth_sentence *out, enum gm_synth_reason *why,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    bool is_rewritten = kind == GM_SYNTH_REWRITE;
    if (is_rewritten && (*why = take_seed_names(seed, names)) != GM_SYNTH_FITS)
        return GM_OK;
    GM_TRY(gm_segment(out->text, cut, a, &out->words, &out->n_words, err));
    out->mentions = gm_arena_alloc(a, out->n_words, sizeof *out->mentions);
    GM_TRY(out->mentions ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    *why = place_all(out, names);
    if (is_rewritten && *why == GM_SYNTH_NOT_IN_TEXT)
        *why = GM_SYNTH_LOST;
    if (*why == GM_SYNTH_FITS && !is_rewritten)
        *why = check_kind(seed, kind, names);
done:
    return st;
}

enum gm_status gm_synth_sentence_read(const struct gm_synth_seeds *seeds,
                                      const struct gm_synth_seed *seed, enum gm_synth_kind kind,
                                      const struct gm_synth_opts *opts, const struct gm_json *item,
                                      struct gm_arena *a, struct gm_synth_sentence *out,
                                      enum gm_synth_reason *why, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct names names = {.n = 0};
    struct gm_str text = GM_STR("");
    *why = GM_SYNTH_FITS;
    *out = (struct gm_synth_sentence){.n_words = 0};
    (void)gm_json_str(gm_json_get(item, "text"), &text);
    out->text = gm_llm_one_line(a, text);
    GM_TRY(out->text.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (out->text.n == 0)
        *why = GM_SYNTH_SCHEMA;
    GM_TRY(read_names(seeds, gm_json_get(item, "entities"), a, &names, why, err));
    if (*why != GM_SYNTH_FITS)
        return GM_OK;
    GM_TRY(find_names(seeds->cut, seed, kind, &names, a, out, why, err));
    if (*why == GM_SYNTH_FITS)
        *why = check_length(out, seed, kind, opts);
    if (*why == GM_SYNTH_FITS && !opts->any_letters &&
        gm_letters_are_others(&seeds->letters, out->text))
        *why = GM_SYNTH_LETTERS;
    if (*why == GM_SYNTH_FITS && kind == GM_SYNTH_REWRITE && seed->knowledge.n)
        st = check_knowledge(seed, item, opts->similarity, a, out, why, err);
done:
    return st;
}

/* ---- the record ---- */

static struct gm_json *entities_of(const struct gm_synth_sentence *s, const struct gm_labels *types)
{
    struct gm_json *list = gm_json_new_array();
    bool ok = list != NULL;
    for (size_t i = 0; i < s->n_mentions && ok; i++) {
        const struct gm_synth_mention *m = &s->mentions[i];
        size_t from = s->words[m->first].start, to = s->words[m->end - 1].end;
        size_t start = gm_utf8_count(gm_str_sub(s->text, 0, from));
        size_t end = start + gm_utf8_count(gm_str_sub(s->text, from, to));
        struct gm_json *e = gm_json_new_object();
        ok = e && gm_json_set(e, "text", gm_json_new_str(gm_str_sub(s->text, from, to))) &&
             gm_json_set(e, "type", gm_json_new_str(gm_labels_at(types, m->type))) &&
             gm_json_set(e, "start", gm_json_new_int((long long)start)) &&
             gm_json_set(e, "end", gm_json_new_int((long long)end)) &&
             gm_json_set(e, "source", gm_json_new_str(GM_STR("synth")));
        ok = gm_json_add(list, e) && ok;
    }
    if (!ok)
        gm_json_free(list);
    return ok ? list : NULL;
}

enum gm_status gm_synth_sentence_post(const struct gm_synth_sentence *s,
                                      const struct gm_labels *types, struct gm_str id,
                                      struct gm_json *origin, struct gm_post *out,
                                      struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *line = gm_json_new_object();
    gm_post_init(out);
    if (!line) {
        gm_json_free(origin);
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    bool ok = gm_json_set(line, "id", gm_json_new_str(id));
    ok = gm_json_set(line, "text", gm_json_new_str(s->text)) && ok;
    ok = gm_json_set(line, "entities", entities_of(s, types)) && ok;
    if (s->knowledge.n)
        ok = gm_json_set(line, "knowledge", gm_json_new_str(s->knowledge)) && ok;
    ok = gm_json_set(line, "synth", origin) && ok;
    if (!ok) {
        gm_json_free(line);
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    GM_TRY(gm_post_from_json(out, line, NULL, err));
    out->tokens = gm_arena_alloc(&out->arena, s->n_words, sizeof *out->tokens);
    if (!out->tokens)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < s->n_words; i++)
        out->tokens[i] = (struct gm_token){s->words[i].start, s->words[i].end};
    out->n_tokens = s->n_words;
    out->has_tokens = true;
done:
    return st;
}
