#include "train/ner_examples.h"

#include "base/log.h"
#include "train/distill.h"
#include "train/posts.h"
#include "train/spellings.h"

#include <string.h>

/* What is needed until the examples are made. */
struct maker {
    const struct gm_train_opts *o;
    struct gm_tagger *t;
    struct gm_ner_examples *out;
    struct gm_posts posts;
    struct gm_posts helpers;       /* posts that only their fine types are taken of */
    struct gm_posts_index by_text; /* of these */
    const float **soft;            /* of the posts; NULL = no teacher */
    struct gm_arena a;             /* of one post */
    struct gm_pieces tmp;
    size_t n_skipped, n_helped; /* entities left out; posts with a helper */
    enum gm_word_cut cut;
};

/* ---- types ---- */

/* The entity types of the posts, in order of name: the same whatever the order of the posts. */
static enum gm_status collect_types(struct gm_ner_labels *l, const struct maker *m,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint32_t id;
    *l = (struct gm_ner_labels){.scheme = strcmp(m->o->scheme, "bioes") == 0 ? GM_TAGS_BIOES
                                                                             : GM_TAGS_BIO};
    gm_labels_init(&l->types, GM_NER_MAX_TYPES);
    gm_arena_init(&l->arena, 0);
    for (size_t i = 0; i < m->posts.n; i++)
        for (size_t k = 0; k < m->posts.items[i].n_entities; k++)
            GM_TRY(gm_labels_add(&l->types, m->posts.items[i].entities[k].type, &id, err));
    gm_labels_sort(&l->types);
    if (l->types.n == 0)
        st = GM_FAIL(err, GM_EFORMAT, "%s: no entities to learn from", m->o->train);
done:
    return st;
}

/* The fine types of the posts or, where a file is named for them, of the posts there. */
static enum gm_status collect_fine(struct gm_fine_types *f, struct maker *m, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_posts *from = m->o->fine_file ? &m->helpers : &m->posts;
    f->helper = m->o->fine_file != NULL;
    if (m->o->fine_weight <= 0)
        return GM_OK;
    if (f->helper) {
        GM_TRY(gm_posts_read(&m->helpers, m->o->fine_file, err));
        GM_TRY(gm_posts_cut(&m->helpers, m->cut, err));
        GM_TRY(gm_posts_index_init(&m->by_text, &m->helpers, err));
    }
    for (size_t i = 0; i < from->n; i++)
        GM_TRY(gm_fine_types_collect(f, &from->items[i], err));
    gm_labels_sort(&f->pairs); /* as the types */
    if (f->helper && f->pairs.n == 0)
        st = GM_FAIL(err, GM_EFORMAT, "%s: no fine types (a third column)", m->o->fine_file);
done:
    return st;
}

static enum gm_status open_tagger(struct maker *m, struct gm_error *err)
{
    struct gm_ner_labels labels;
    struct gm_fine_types fine_types;
    gm_fine_types_init(&fine_types);
    enum gm_status st = collect_types(&labels, m, err);
    if (st == GM_OK)
        st = collect_fine(&fine_types, m, err);
    if (st != GM_OK) {
        gm_ner_labels_clear(&labels);
        gm_fine_types_clear(&fine_types);
        return st;
    }
    st = gm_ner_open(&m->t,
                     &(struct gm_ner_open){.dir = m->o->encoder,
                                           .precision = m->o->precision,
                                           .first_piece = strcmp(m->o->pooling, "first") == 0,
                                           .no_case = !m->o->case_features,
                                           .tuning = &m->o->net,
                                           .labels = &labels,
                                           .fine_types = &fine_types},
                     err);
    if (st == GM_OK) {
        m->t->knowledge = false; /* until a post has some */
        m->t->net.name_parts = m->o->name_parts;
        m->t->net.cut = m->cut;
    }
    return st;
}

/* ---- examples ---- */

/* Labels of a part of an entity that is too long for one sequence, as an entity of its own. */
static void close_part(const struct gm_ner_labels *l, uint16_t *labels, size_t n)
{
    struct gm_tag first = gm_ner_tag(l, labels[0]);
    if (first.prefix == 'I' || first.prefix == 'E') {
        first.prefix = first.prefix == 'I' ? 'B' : 'S';
        labels[0] = gm_ner_label(l, first);
    }
    struct gm_tag last = gm_ner_tag(l, labels[n - 1]);
    if (l->scheme == GM_TAGS_BIOES && (last.prefix == 'B' || last.prefix == 'I')) {
        last.prefix = last.prefix == 'I' ? 'E' : 'S';
        labels[n - 1] = gm_ner_label(l, last);
    }
}

/* Words [from, to) of a post as an example. */
static enum gm_status add_part(struct maker *m, const struct gm_ner_example *whole, size_t from,
                               size_t to, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ner_examples *x = m->out;
    const struct gm_pieced *t = &whole->text;
    size_t n = to - from;
    GM_TRY(GM_ARENA_GROW(&x->arena, x->items, x->n, x->cap, err));
    uint32_t *first = gm_arena_alloc(&x->arena, n + 1, sizeof *first);
    GM_TRY(first ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t w = 0; w <= n; w++)
        first[w] = t->first[from + w] - t->first[from];
    close_part(&m->t->labels, whole->gold + from, n);
    x->items[x->n++] = (struct gm_ner_example){
        .text = {n, t->ids + t->first[from], first, t->cases + from},
        .context = whole->context,
        .gold = whole->gold + from,
        .fine_classes = whole->fine_classes ? whole->fine_classes + from : NULL,
        .soft = whole->soft ? whole->soft + from * m->t->labels.k : NULL,
        .words = whole->words ? whole->words + from : NULL};
done:
    return st;
}

static bool is_inside(const struct gm_ner_labels *l, uint16_t label)
{
    char c = gm_ner_tag(l, label).prefix;
    return c == 'I' || c == 'E';
}

/* A post as examples: one, or several of as many words as the encoder takes, cut within an entity
 * only where that is longer. */
static enum gm_status add_post(struct maker *m, const struct gm_ner_example *whole,
                               struct gm_error *err)
{
    const struct gm_pieced *t = &whole->text;
    size_t room = (m->t->net.enc.config.positions - 3) / (whole->context.n_words ? 2 : 1);
    if (room > m->o->batch_tokens)
        room = m->o->batch_tokens;
    for (size_t from = 0; from < t->n_words;) {
        size_t to = from;
        while (to < t->n_words && t->first[to + 1] - t->first[from] <= room)
            to++;
        size_t cut = to;
        while (cut < t->n_words && cut > from && is_inside(&m->t->labels, whole->gold[cut]))
            cut--;
        if (cut > from)
            to = cut;
        enum gm_status st = add_part(m, whole, from, to, err);
        if (st != GM_OK)
            return st;
        from = to;
    }
    return GM_OK;
}

static enum gm_status gold_labels(struct maker *m, const struct gm_post *p, uint16_t **out,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ner_labels *l = &m->t->labels;
    size_t n_spans, n_skipped;
    struct gm_span *spans = gm_arena_alloc(&m->a, p->n_entities, sizeof *spans);
    struct gm_tag *tags = gm_arena_alloc(&m->a, p->n_tokens, sizeof *tags);
    *out = gm_arena_alloc(&m->out->arena, p->n_tokens, sizeof **out);
    GM_TRY(spans && tags && *out ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_post_spans(p, &l->types, spans, &n_spans, &n_skipped, err));
    gm_spans_to_tags(spans, n_spans, l->scheme, tags, p->n_tokens);
    for (size_t i = 0; i < p->n_tokens; i++)
        (*out)[i] = gm_ner_label(l, tags[i]);
    m->n_skipped += n_skipped;
done:
    return st;
}

/* Classes of the post's words: its own, or those of the same text in the helper's posts (unknown
 * where there is none). */
static enum gm_status fine_classes(struct maker *m, const struct gm_post *p, uint16_t **out,
                                   struct gm_error *err)
{
    struct gm_fine_types *f = &m->t->fine_types;
    *out = NULL;
    if (f->pairs.n == 0)
        return GM_OK;
    *out = gm_arena_alloc(&m->out->arena, p->n_tokens, sizeof **out);
    if (!*out)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n_tokens; i++)
        (*out)[i] = GM_FINE_UNKNOWN;
    const struct gm_post *from = f->helper ? gm_posts_index_find(&m->by_text, p->text) : p;
    if (!from || from->n_tokens != p->n_tokens)
        return GM_OK;
    m->n_helped++;
    return gm_fine_types_classes(f, from, *out, err);
}

/* The post's words for other spellings, and the users that it names. */
static enum gm_status keep_words(struct maker *m, const struct gm_str *words, size_t n,
                                 struct gm_ner_example *whole, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_ner_examples *x = m->out;
    struct gm_str *kept = gm_arena_alloc(&x->arena, n, sizeof *kept);
    bool ok = kept != NULL;
    for (size_t w = 0; w < n && ok; w++) {
        kept[w] = gm_arena_str(&x->arena, words[w]);
        ok = kept[w].p != NULL;
    }
    GM_TRY(ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t w = 1; w < n; w++) {
        if (!gm_str_eq_c(kept[w - 1], "@") ||
            gm_ner_tag(&m->t->labels, whole->gold[w]).prefix != 'O')
            continue;
        GM_TRY(GM_ARENA_GROW(&x->arena, x->users, x->n_users, x->cap_users, err));
        x->users[x->n_users++] = kept[w];
    }
    whole->words = kept;
done:
    return st;
}

static enum gm_status add_examples(struct maker *m, size_t i, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_post *p = &m->posts.items[i];
    const struct gm_net *net = &m->t->net;
    struct gm_arena *keep = &m->out->arena;
    struct gm_ner_example whole = {.soft = m->soft ? m->soft[i] : NULL};
    struct gm_word *ranges;
    struct gm_str *words;
    size_t n;
    gm_arena_reset(&m->a);
    GM_TRY(gm_words_of(p, net->cut, &m->a, &ranges, &words, &n, err));
    GM_TRY(gm_pieces_of_words(net, words, n, &m->tmp, keep, &whole.text, err));
    GM_TRY(gm_pieces_of_text(net, m->o->knowledge ? p->knowledge : GM_STR(""), &m->tmp, keep,
                             &whole.context, err));
    m->t->knowledge |= whole.context.n_words > 0;
    GM_TRY(gold_labels(m, p, &whole.gold, err));
    GM_TRY(fine_classes(m, p, &whole.fine_classes, err));
    if (m->o->spellings > 0)
        GM_TRY(keep_words(m, words, n, &whole, err));
    st = add_post(m, &whole, err);
done:
    return st;
}

static enum gm_status say_what_is_missing(const struct maker *m, struct gm_error *err)
{
    bool helpers = m->helpers.n > 0;
    if (helpers && m->n_helped == 0)
        return GM_FAIL(
            err, GM_EFORMAT,
            "%s: none of its posts has the words of a post in %s, so that its fine types "
            "help nothing; are they the same posts, with the same words?",
            m->o->fine_file, m->o->train);
    if (helpers && m->n_helped < m->posts.n)
        GM_LOG(GM_LOG_WARN, "train", "%zu of %zu posts have no post of the same words in %s",
               m->posts.n - m->n_helped, m->posts.n, m->o->fine_file);
    if (m->n_skipped)
        GM_LOG(GM_LOG_WARN, "train", "%zu gold entities overlap or split words and were left out",
               m->n_skipped);
    return GM_OK;
}

enum gm_status gm_ner_examples_read(struct gm_ner_examples *x, struct gm_tagger **t,
                                    const struct gm_train_opts *o, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct maker m = {.o = o, .out = x};
    *t = NULL;
    *x = (struct gm_ner_examples){0};
    gm_arena_init(&x->arena, 0);
    gm_arena_init(&m.a, 0);
    gm_pieces_init(&m.tmp);
    GM_TRY(gm_posts_read(&m.posts, o->train, err));
    m.cut = gm_posts_how_cut(&m.posts, o->words);
    GM_TRY(gm_posts_cut(&m.posts, m.cut, err));
    GM_TRY(open_tagger(&m, err));
    GM_TRY(gm_net_check_place(&m.t->net, o->model, err));
    if (o->teacher)
        GM_TRY(gm_distill_targets(o->teacher, o->precision, &m.posts, &m.t->labels, &x->arena,
                                  &m.soft, err));
    for (size_t i = 0; i < m.posts.n; i++)
        GM_TRY(add_examples(&m, i, err));
    GM_TRY(say_what_is_missing(&m, err));
    *t = m.t;
    m.t = NULL;
done:
    gm_tagger_free(m.t);
    gm_posts_clear(&m.posts);
    gm_posts_index_clear(&m.by_text);
    gm_posts_clear(&m.helpers);
    gm_arena_clear(&m.a);
    gm_pieces_clear(&m.tmp);
    return st;
}

/* ---- other spellings ---- */

/* Where the words of an example stand. */
static enum gm_status places_of(const struct gm_ner_labels *l, const struct gm_ner_example *e,
                                struct gm_arena *a, uint8_t **out, struct gm_error *err)
{
    *out = gm_arena_alloc(a, e->text.n_words, 1);
    if (!*out)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t w = 0; w < e->text.n_words; w++) {
        char c = gm_ner_tag(l, e->gold[w]).prefix;
        (*out)[w] = c == 'O' ? GM_OUTSIDE : c == 'B' || c == 'S' ? GM_BEGINS : GM_CONTINUES;
    }
    return GM_OK;
}

/* The labels of the entities that the new words make. */
static enum gm_status spelled_labels(const struct gm_ner_labels *l, const struct gm_ner_example *e,
                                     const struct gm_spelling *s, struct gm_arena *a,
                                     uint16_t **out, struct gm_error *err)
{
    struct gm_span *spans = gm_arena_alloc(a, s->n, sizeof *spans);
    struct gm_tag *tags = gm_arena_alloc(a, s->n, sizeof *tags);
    size_t n_spans = 0;
    *out = gm_arena_alloc(a, s->n, sizeof **out);
    if (!spans || !tags || !*out)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t w = 0; w < s->n; w++) {
        if (s->places[w] == GM_BEGINS)
            spans[n_spans++] =
                (struct gm_span){w, w + 1, gm_ner_tag(l, e->gold[s->sources[w]]).type};
        else if (s->places[w] == GM_CONTINUES)
            spans[n_spans - 1].end = w + 1;
    }
    gm_spans_to_tags(spans, n_spans, l->scheme, tags, s->n);
    for (size_t w = 0; w < s->n; w++)
        (*out)[w] = gm_ner_label(l, tags[w]);
    return GM_OK;
}

/* What a helper and a teacher say of the words, for the new ones that they are outside. */
static enum gm_status spelled_helpers(size_t k, const struct gm_ner_example *e,
                                      const struct gm_spelling *s, struct gm_arena *a,
                                      struct gm_ner_example *out, struct gm_error *err)
{
    float *soft = e->soft ? gm_arena_alloc(a, s->n * k, sizeof *soft) : NULL;
    if (e->fine_classes)
        out->fine_classes = gm_arena_alloc(a, s->n, sizeof *out->fine_classes);
    if ((e->soft && !soft) || (e->fine_classes && !out->fine_classes))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t w = 0; w < s->n; w++) {
        bool is_new = s->sources[w] == GM_SPELLING_NEW;
        if (out->fine_classes)
            out->fine_classes[w] = is_new ? 0 : e->fine_classes[s->sources[w]];
        for (size_t j = 0; soft && j < k; j++)
            soft[w * k + j] = is_new ? (float)(j == 0) : e->soft[s->sources[w] * k + j];
    }
    out->soft = soft;
    return GM_OK;
}

enum gm_status gm_ner_example_spell(const struct gm_ner_examples *x, const struct gm_tagger *t,
                                    const struct gm_ner_example *from, struct gm_rng *rng,
                                    struct gm_pieces *tmp, struct gm_arena *a,
                                    struct gm_ner_example *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_spelling s;
    uint8_t *places;
    *out = (struct gm_ner_example){.context = from->context};
    GM_TRY(places_of(&t->labels, from, a, &places, err));
    GM_TRY(
        gm_spell(from->words, places, from->text.n_words, x->users, x->n_users, rng, a, &s, err));
    GM_TRY(gm_pieces_of_words(&t->net, s.words, s.n, tmp, a, &out->text, err));
    GM_TRY(spelled_labels(&t->labels, from, &s, a, &out->gold, err));
    st = spelled_helpers(t->labels.k, from, &s, a, out, err);
done:
    return st;
}

void gm_ner_examples_clear(struct gm_ner_examples *x) { gm_arena_clear(&x->arena); }
