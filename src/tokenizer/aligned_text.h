/* aligned_text.h - a text on its way through normalisers and pre-tokenisers, with the place that every
 * byte came from, and the bookkeeping that the `tokenizers` library does of such places.
 * Internal to src/tokenizer. */
#ifndef GM_TOKENIZER_ALIGNED_TEXT_H
#define GM_TOKENIZER_ALIGNED_TEXT_H

#include "base/status.h"
#include "base/str.h"
#include "base/utf8.h"

#include <stddef.h>
#include <stdint.h>

/* A text and its places; the caller's storage, reused from text to text. One thread at a time. */
struct gm_aligned_text {
    char *p;       /* [n] bytes, well-formed UTF-8 */
    uint32_t *src; /* [n] number of the code point of the source that each byte came from */
    size_t n, cap;
};

void gm_aligned_text_init(struct gm_aligned_text *t);  /* empty; allocates nothing */
void gm_aligned_text_clear(struct gm_aligned_text *t); /* free the memory; usable again */
void gm_aligned_text_swap(struct gm_aligned_text *a, struct gm_aligned_text *b);
struct gm_str gm_aligned_text_str(const struct gm_aligned_text *t); /* borrowed */

/* gm_aligned_text_room - make room for `more` bytes behind the text. Errors: NOMEM. */
enum gm_status gm_aligned_text_room(struct gm_aligned_text *t, size_t more,
                                    struct gm_error *err) GM_NODISCARD;

/* gm_aligned_text_put - append a code point that came from number `src`; there must be room. */
static inline void gm_aligned_text_put(struct gm_aligned_text *t, uint32_t cp, uint32_t src)
{
    if (cp < 0x80) {
        t->p[t->n] = (char)cp;
        t->src[t->n++] = src;
        return;
    }
    size_t n = gm_utf8_put(cp, t->p + t->n);
    for (size_t i = 0; i < n; i++)
        t->src[t->n++] = src;
}

/* gm_aligned_text_set - make `t` the well-formed text `s`, whose first code point has number `first`.
 * Errors: NOMEM. */
enum gm_status gm_aligned_text_set(struct gm_aligned_text *t, struct gm_str s, uint32_t first,
                                   struct gm_error *err) GM_NODISCARD;

/* gm_aligned_text_copy - append bytes [from, to) of `in`. Errors: NOMEM. */
enum gm_status gm_aligned_text_copy(struct gm_aligned_text *t, const struct gm_aligned_text *in,
                                    size_t from, size_t to, struct gm_error *err) GM_NODISCARD;

/* A change of a whole text, code point by code point, which finds the places of the new ones as the
 * library's NormalizedString::transform does: it knows of each new code point only whether it is
 * one more (change > 0), stands for the next old one (0), or stands for it and -change more gone.
 * Where a normaliser's account of itself does not add up, the places drift, there as here. */
struct gm_transform {
    const struct gm_aligned_text *in;
    struct gm_aligned_text *out; /* emptied at the start */
    size_t at;                   /* byte of `in` up to which the old text is accounted for */
};

void gm_transform_begin(struct gm_transform *t, const struct gm_aligned_text *in,
                        struct gm_aligned_text *out);
/* gm_transform_drop - n old code points go before anything stands for them. */
void gm_transform_drop(struct gm_transform *t, size_t n);
/* gm_transform_emit - the next new code point. Errors: NOMEM. */
enum gm_status gm_transform_emit(struct gm_transform *t, uint32_t cp, long change,
                                 struct gm_error *err) GM_NODISCARD;

#endif
