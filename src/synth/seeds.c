#include "synth/seeds.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "corpus/guide.h"
#include "formats/reader.h"
#include "stages/llm_stage.h"
#include "text/unicode.h"

enum { MAX_TYPES = 1000, MAX_DEFINITIONS = 1 << 20 };

/* What the user says of a type, else what the guide does, else what is known of its name. */
static enum gm_status add_definitions(struct gm_synth_seeds *s, const struct gm_str *own,
                                      const struct gm_guide *guide, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_type_family family = gm_type_family(s->types.names, s->types.n);
    struct gm_buf b;
    gm_buf_init(&b, MAX_DEFINITIONS);
    for (uint32_t i = 0; i < s->types.n; i++) {
        struct gm_str type = gm_labels_at(&s->types, i);
        struct gm_str text = own && own[i].n ? own[i]
                             : guide->file   ? gm_guide_definition(guide, type)
                                             : gm_type_definition(type, family);
        GM_TRY(gm_buf_printf(&b, err, "%s- %.*s%s%.*s", i ? "\n" : "", GM_STR_ARG(type),
                             text.n ? ": " : "", GM_STR_ARG(text)));
    }
    s->definitions = gm_arena_str(&s->arena, gm_buf_str(&b));
    s->guide = gm_arena_str(&s->arena, guide->text);
    if (!s->definitions.p || !s->guide.p)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_buf_clear(&b);
    return st;
}

/* *own: the definitions, in the order of the types, in the arena. */
static enum gm_status read_types(struct gm_synth_seeds *s, const char *path,
                                 const struct gm_str **own, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *j = NULL;
    GM_TRY(gm_type_definitions_load(&j, path, true, err));
    if (gm_json_count(j) == 0) {
        st = GM_FAIL(err, GM_EFORMAT, "%s: lines \"TYPE: definition\" are expected", path);
        goto done;
    }
    struct gm_str *texts = gm_arena_alloc(&s->arena, gm_json_count(j), sizeof *texts);
    GM_TRY(texts ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (void *it = gm_json_first(j); it; it = gm_json_next(j, it)) {
        struct gm_str text = GM_STR("");
        uint32_t id;
        (void)gm_json_str(gm_json_value(it), &text); /* else null: none of one's own */
        GM_TRY(gm_labels_add(&s->types, gm_json_key(it), &id, err));
        texts[id] = gm_llm_one_line(&s->arena, text);
        GM_TRY(texts[id].p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    }
    *own = texts;
done:
    gm_json_free(j);
    return st;
}

static enum gm_status add_names(struct gm_synth_seeds *s, struct gm_synth_seed *seed,
                                const struct gm_post *p, bool is_open, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_synth_name *names = gm_arena_alloc(&s->arena, p->n_entities, sizeof *names);
    if (!names)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    seed->names = names;
    for (size_t i = 0; i < p->n_entities; i++) {
        struct gm_synth_name x = {gm_llm_one_line(&s->arena, p->entities[i].text),
                                  gm_labels_find(&s->types, p->entities[i].type)};
        size_t k = 0;
        if (!x.text.p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        if (x.type == GM_LABEL_NONE && is_open)
            GM_TRY(gm_labels_add(&s->types, p->entities[i].type, &x.type, err));
        if (x.type == GM_LABEL_NONE)
            return GM_FAIL(err, GM_EFORMAT,
                           "the entity \"%.*s\" has the type %.*s, which the file of types hasn't",
                           GM_STR_ARG(x.text), GM_STR_ARG(p->entities[i].type));
        while (k < seed->n_names && !(names[k].type == x.type && gm_str_eq(names[k].text, x.text)))
            k++;
        if (k == seed->n_names && x.text.n)
            names[seed->n_names++] = x;
    }
done:
    return st;
}

size_t gm_synth_count_words(struct gm_str text, const struct gm_word *words, size_t n_words)
{
    size_t n = 0;
    for (size_t i = 0; i < n_words; i++) {
        bool counts = false;
        for (size_t at = words[i].start; at < words[i].end && !counts;)
            counts = gm_cp_is_alnum(gm_utf8_next(text, &at));
        n += counts;
    }
    return n;
}

static enum gm_status count_words(struct gm_synth_seed *seed, enum gm_word_cut cut,
                                  struct gm_error *err)
{
    struct gm_arena work;
    struct gm_word *words;
    size_t n;
    gm_arena_init(&work, 0);
    enum gm_status st = gm_segment(seed->text, cut, &work, &words, &n, err);
    if (st == GM_OK)
        seed->n_words = gm_synth_count_words(seed->text, words, n);
    gm_arena_clear(&work);
    return st;
}

static enum gm_status add_seed(struct gm_synth_seeds *s, const struct gm_post *p, bool is_open,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_synth_seed seed = {.id = gm_arena_str(&s->arena, p->id),
                                 .text = gm_llm_one_line(&s->arena, p->text),
                                 .knowledge = gm_llm_one_line(&s->arena, p->knowledge)};
    if (!seed.id.p || !seed.text.p || !seed.knowledge.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (p->names_only)
        return GM_FAIL(err, GM_EFORMAT,
                       "the file has names without texts; convert it first: gmner "
                       "data convert FILE seeds.jsonl --text TEXTS");
    if (!p->has_entities)
        return GM_FAIL(err, GM_EFORMAT, "the post has no entities or tags: it is not annotated");
    GM_TRY(add_names(s, &seed, p, is_open, err));
    GM_TRY(gm_letters_add(&s->letters, seed.text, err));
    GM_TRY(GM_ARENA_GROW(&s->arena, s->items, s->n, s->cap, err));
    s->items[s->n++] = seed;
done:
    return st;
}

struct reading {
    struct gm_synth_seeds *seeds;
    bool is_open; /* the seeds say what types there are */
    struct gm_cut_counts counts;
};

static void count_cut(struct gm_cut_counts *c, const struct gm_post *p)
{
    if (!p->has_tokens)
        gm_cut_count_raw(c, p->text);
    for (size_t i = 0; i < p->n_tokens; i++)
        gm_cut_count_word(c, gm_post_word(p, i));
}

static enum gm_status take_seed(void *user, struct gm_post *p, struct gm_error *err)
{
    struct reading *x = user;
    count_cut(&x->counts, p);
    return add_seed(x->seeds, p, x->is_open, err);
}

static enum gm_status read_posts(struct gm_synth_seeds *s, const char *path, bool is_open,
                                 struct gm_error *err)
{
    struct reading x = {.seeds = s, .is_open = is_open};
    enum gm_status st = gm_reader_each(path, NULL, take_seed, &x, err);
    s->cut = gm_cut_of(&x.counts);
    for (size_t i = 0; i < s->n && st == GM_OK; i++)
        st = count_words(&s->items[i], s->cut, err);
    return st == GM_OK && s->n == 0 ? GM_FAIL(err, GM_EFORMAT, "%s: no posts", path) : st;
}

enum gm_status gm_synth_seeds_load(struct gm_synth_seeds *s, const char *path,
                                   const char *types_path, const char *guide_path,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_str *own = NULL;
    struct gm_guide guide;
    *s = (struct gm_synth_seeds){.n = 0};
    gm_arena_init(&s->arena, 0);
    gm_labels_init(&s->types, MAX_TYPES);
    GM_TRY(gm_guide_load(&guide, guide_path, err));
    if (types_path)
        GM_TRY(read_types(s, types_path, &own, err));
    GM_TRY(read_posts(s, path, !types_path, err));
    st = add_definitions(s, own, &guide, err);
done:
    gm_guide_clear(&guide);
    return st;
}

void gm_synth_seeds_clear(struct gm_synth_seeds *s)
{
    gm_letters_clear(&s->letters);
    gm_labels_clear(&s->types);
    gm_arena_clear(&s->arena);
}
