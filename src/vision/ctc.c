/* ctc.c - text = B(argmax_c p(t, c) for t = 0, 1, …), where B first joins neighbours that are alike and
 * then drops blanks; score = mean over what is left of max_c p(t, c), that of the first of joined ones.
 * Source: Graves et al., ICML 2006, best path decoding. Reference: tests/unit/test_vision_text.c, by hand;
 * RapidOCR's texts, tests/ref/text_reference.py. */
#include "vision/ctc.h"

enum gm_status gm_characters_split(struct gm_arena *a, struct gm_str text,
                                   struct gm_characters *out, struct gm_error *err)
{
    size_t n = 2;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    *out = (struct gm_characters){gm_arena_alloc(a, n, sizeof *out->at), 0};
    if (!out->at)
        return GM_FAIL(err, GM_ENOMEM, "out of memory for %zu characters", n);
    while (text.n) {
        struct gm_str line;
        gm_str_cut(text, '\n', &line, &text);
        out->at[out->n++] = line;
    }
    out->at[out->n++] = GM_STR(" ");
    return GM_OK;
}

static size_t best_class(const float *p, size_t n)
{
    float most = p[0];
    for (size_t i = 1; i < n; i++) /* without an index to keep this runs in vectors */
        most = p[i] > most ? p[i] : most;
    size_t best = 0;
    while (best + 1 < n && !(p[best] >= most))
        best++;
    return best;
}

enum gm_status gm_ctc_read(const float *p, size_t steps, const struct gm_characters *chars,
                           struct gm_buf *out, double *score, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t before = 0, n = 0;
    double sum = 0;
    for (size_t t = 0; t < steps; t++, p += chars->n + 1) {
        size_t c = best_class(p, chars->n + 1);
        if (c != 0 && c != before) {
            GM_TRY(gm_buf_add_str(out, chars->at[c - 1], err));
            sum += (double)p[c];
            n++;
        }
        before = c;
    }
done:
    *score = n ? sum / (double)n : 0;
    return st;
}
