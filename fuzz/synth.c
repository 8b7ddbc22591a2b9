/* What a model writes when it is asked for training sentences: read, its entities found, made a record. */
#include "fuzz.h"

#include "base/utf8.h"
#include "synth/answer.h"
#include "synth/written.h"

static const struct gm_synth_name names[] = {{{"Leopard 2", 9}, 0}, {{"Ulm", 3}, 1}};
static const struct gm_synth_seed post = {.id = {"1", 1},
                                          .text = {"Leopard 2 in Ulm", 16},
                                          .knowledge = {"Ulm is a town.", 14},
                                          .n_words = 4,
                                          .names = names,
                                          .n_names = 2};

/* A record of a sentence that fits says itself where its entities are. */
static void make_record(const struct gm_synth_sentence *s, const struct gm_labels *types)
{
    struct gm_post p;
    struct gm_json *origin = gm_json_new_object();
    if (!origin || gm_synth_sentence_post(s, types, GM_STR("1.k1.1"), origin, &p, NULL) != GM_OK ||
        p.n_entities != s->n_mentions || p.n_tokens != s->n_words)
        abort();
    for (size_t i = 1; i < p.n_entities; i++)
        if (p.entities[i].start < p.entities[i - 1].end)
            abort();
    gm_post_clear(&p);
}

static void read_all(const struct gm_synth_seeds *seeds, const struct gm_json *list)
{
    struct gm_synth_opts o = gm_synth_opts_default();
    struct gm_arena a;
    gm_arena_init(&a, 0);
    o.words_min = 1;
    for (size_t i = 0; i < gm_json_count(list); i++)
        for (int k = 0; k < GM_SYNTH_KINDS; k++) {
            struct gm_synth_sentence s;
            enum gm_synth_reason why;
            gm_arena_reset(&a);
            if (gm_synth_sentence_read(seeds, &post, (enum gm_synth_kind)k, &o, gm_json_at(list, i),
                                       &a, &s, &why, NULL) != GM_OK)
                abort();
            if (why == GM_SYNTH_FITS)
                make_record(&s, &seeds->types);
        }
    gm_arena_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct gm_str text = {(const char *)data, size};
    struct gm_synth_seeds seeds = {.n = 0};
    struct gm_error err = {0};
    struct gm_json *j;
    uint32_t id;
    gm_labels_init(&seeds.types, 2);
    if (gm_labels_add(&seeds.types, GM_STR("vehicle"), &id, NULL) != GM_OK ||
        gm_labels_add(&seeds.types, GM_STR("location"), &id, NULL) != GM_OK)
        abort();
    if (gm_utf8_is_valid(text) && gm_synth_answer_read_knowledge(&j, text, &err) == GM_OK) {
        read_all(&seeds, gm_json_get(j, "sentences"));
        gm_json_free(j);
    } else if (gm_utf8_is_valid(text) && !err.msg[0]) {
        abort();
    }
    gm_labels_clear(&seeds.types);
    fuzz_end();
    return 0;
}
