/* tokenizer.h - sub-word tokenizers read from a Hugging Face tokenizer.json, with the same ids and
 * offsets as the `tokenizers` library.
 *
 * What a file may hold is decided by its content: models WordPiece, Unigram and BPE; normalizers
 * of normalise.h; the pre_tokenizers of pretokenise.h; the post_processors of special_tokens.h; anything
 * else is an error that names it. Its "truncation" and "padding" settings are ignored: nothing is
 * ever cut off. */
#ifndef GM_TOKENIZER_TOKENIZER_H
#define GM_TOKENIZER_TOKENIZER_H

#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gm_tokenizer;
struct gm_pieces_scratch;

struct gm_piece {
    int32_t id;
    uint32_t start, end; /* code points of the text given, half-open */
};

/* The pieces of one or more texts; the caller's storage, reused from text to text so that encoding
 * allocates nothing in the long run. One thread at a time. */
struct gm_pieces {
    struct gm_piece *items; /* [n] */
    size_t n, cap;
    struct gm_pieces_scratch *scratch; /* private to tokenizer.c */
};

void gm_pieces_init(struct gm_pieces *p);  /* empty; allocates nothing */
void gm_pieces_clear(struct gm_pieces *p); /* free the memory; usable again */
void gm_pieces_reset(struct gm_pieces *p); /* empty, keep the memory */

/* gm_tokenizer_load - read a tokenizer.json of at most 128 MiB. *out is yours (gm_tokenizer_free);
 * it never changes and may be used by many threads at once.
 * Errors: IO, FORMAT (no JSON), MODEL (not supported or broken, saying what), NOMEM. */
enum gm_status gm_tokenizer_load(struct gm_tokenizer **out, const char *path,
                                 struct gm_error *err) GM_NODISCARD;
/* gm_tokenizer_load_dir - the same of a Hugging Face directory, with a tokenizer.json or what older tokenizers kept
 * (layouts.h). Errors: as there, too. */
enum gm_status gm_tokenizer_load_dir(struct gm_tokenizer **out, const char *dir,
                                     struct gm_error *err) GM_NODISCARD;
void gm_tokenizer_free(struct gm_tokenizer *t); /* NULL-safe */

/* gm_tokenizer_encode - append the pieces of `text` (well-formed UTF-8) to `out`, without [CLS] and
 * [SEP]. A word of a text that was split already is given by itself, as the library does it with
 * is_pretokenized (byte-level and Metaspace pre-tokenisers put their prefix before each word then,
 * where the file says so): offsets then count from the word's start, and a word in which nothing is
 * left after normalisation (control characters, a variation selector) appends no piece; what that
 * means is the caller's to decide. A text that spells an added token ("[SEP]") gets that token's
 * id, as in the library.
 * Errors: NOMEM; ARG (a text of 4 GiB or more). `out` then keeps what it held.
 * Cost O(bytes). Threads: yes, with separate `out`. */
enum gm_status gm_tokenizer_encode(const struct gm_tokenizer *t, struct gm_str text,
                                   struct gm_pieces *out, struct gm_error *err) GM_NODISCARD;

/* Ids of the special tokens; -1 where the tokenizer has none. cls and sep are those that the
 * post-processor puts around a text; pad is the token "[PAD]" or "<pad>"; unk is the model's, or
 * "<unk>" where it has none. */
struct gm_special_tokens_ids {
    int32_t cls, sep, pad, unk;
};
struct gm_special_tokens_ids gm_tokenizer_special(const struct gm_tokenizer *t);

/* gm_tokenizer_id - id of a token as the vocabulary writes it ("##ing"); -1 when absent. */
int32_t gm_tokenizer_id(const struct gm_tokenizer *t, struct gm_str token);

/* gm_tokenizer_parts_chinese - whether it makes a word of each Chinese character before anything else (BertNormalizer
 * with handle_chinese_chars). */
bool gm_tokenizer_parts_chinese(const struct gm_tokenizer *t);

/* gm_tokenizer_n_ids - highest id + 1: the rows that an embedding table must have. */
size_t gm_tokenizer_n_ids(const struct gm_tokenizer *t);

#endif
