/* bench_emissions: what a tagger's words score before and in the CRF, for comparing measures of
 * uncertainty outside of the program (bench/uncertainty.py).
 *
 *   bench_emissions MODEL POSTS
 *
 * One line {"labels": [K names], "trans": [K*K], "start": [K], "end": [K]}, then for each post, in
 * order, a line with its emissions: [[K numbers] a word]. */
#include "ner/ner_model.h"
#include "train/posts.h"

#include <stdio.h>

static void print_row(const float *x, size_t n)
{
    printf("[");
    for (size_t i = 0; i < n; i++)
        printf("%s%.9g", i ? "," : "", (double)x[i]);
    printf("]");
}

static void print_crf(const struct gm_tagger *t)
{
    struct gm_crf crf = gm_ner_crf(t);
    for (size_t i = 0; i < crf.k; i++) {
        struct gm_tag tag = gm_ner_tag(&t->labels, i);
        struct gm_str type = i ? gm_labels_at(&t->labels.types, tag.type) : GM_STR("");
        printf("%s\"%c%s%.*s\"", i ? "," : "{\"labels\":[", tag.prefix, i ? "-" : "",
               GM_STR_ARG(type));
    }
    printf("],\"trans\":");
    print_row(crf.trans, crf.trans ? crf.k * crf.k : 0); /* taggers of others have none */
    printf(",\"start\":");
    print_row(crf.start, crf.k);
    printf(",\"end\":");
    print_row(crf.end, crf.k);
    printf("}\n");
}

static void print_post(const struct gm_tagger *t, const struct gm_ner_rows *r)
{
    printf("[");
    for (size_t w = 0; w < r->n_words; w++) {
        printf("%s", w ? "," : "");
        print_row(r->emit + w * t->labels.k, t->labels.k);
    }
    printf("]\n");
}

static enum gm_status run(const char *model, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_tagger *t = NULL;
    struct gm_tagger_session *s = NULL;
    struct gm_ner_rows *rows;
    struct gm_arena a;
    struct gm_posts posts = {0};
    gm_arena_init(&a, 0);
    GM_TRY(gm_tagger_load(&t, model, NULL, err));
    GM_TRY(gm_tagger_session_new(&s, t, err));
    GM_TRY(gm_posts_read(&posts, path, err));
    GM_TRY(gm_posts_cut(&posts, t->net.cut, err));
    print_crf(t);
    for (size_t i = 0; i < posts.n; i++) { /* one by one: batches would change their order */
        struct gm_post *p = &posts.items[i];
        gm_arena_reset(&a);
        GM_TRY(gm_ner_score(s, &p, 1, &a, &rows, err));
        print_post(t, &rows[0]);
    }
done:
    gm_posts_clear(&posts);
    gm_tagger_session_free(s);
    gm_tagger_free(t);
    gm_arena_clear(&a);
    return st;
}

int main(int argc, char **argv)
{
    struct gm_error err;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_emissions MODEL POSTS\n");
        return 2;
    }
    if (run(argv[1], argv[2], &err) == GM_OK)
        return 0;
    fprintf(stderr, "bench_emissions: %s\n", err.msg);
    return 1;
}
