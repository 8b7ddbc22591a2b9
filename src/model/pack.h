/* pack.h - packed batches for the encoder: texts cut into pieces and laid end to end, long ones in
 * overlapping windows, and which row speaks for which word. */
#ifndef GM_MODEL_PACK_H
#define GM_MODEL_PACK_H

#include "model/net.h"
#include "record/record.h"

/* One text as the encoder sees it: the pieces of its words. */
struct gm_pieced {
    size_t n_words;
    const uint32_t *ids; /* [first[n_words]] */
    const uint32_t
        *first; /* [n_words+1] word w is pieces first[w] .. first[w+1]; at least one each */
    const uint8_t *cases; /* [n_words] enum gm_case */
};

/* A word of more pieces than this, or than half of what a small encoder reads at once, keeps the first
 * ones. */
enum { GM_WORD_MAX_PIECES = 64 };

/* gm_pieces_of_words - cut words [n] (well-formed UTF-8) into pieces, in the arena. A word in which
 * the tokenizer finds nothing becomes the unknown piece. A model with name_parts reads a word behind "#" or
 * "@" part by part (text/parts.h, with the vocabulary for its unigram model): it stays one word. `tmp` is working storage. Errors: NOMEM. */
enum gm_status gm_pieces_of_words(const struct gm_net *net, const struct gm_str *words, size_t n,
                                  struct gm_pieces *tmp, struct gm_arena *a, struct gm_pieced *out,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_pieces_of_text - the same for raw text, cut into words first (a caption, knowledge, a type). Errors: as
 * gm_segment. */
enum gm_status gm_pieces_of_text(const struct gm_net *net, struct gm_str text,
                                 struct gm_pieces *tmp, struct gm_arena *a, struct gm_pieced *out,
                                 struct gm_error *err) GM_NODISCARD;

/* A batch being put together; arrays grow and are reused. */
struct gm_packer {
    struct gm_arena arena; /* all arrays; reset with the batch */
    size_t n_tokens, cap_tokens, n_seqs, cap_seqs, n_rows, cap_rows, n_posts, cap_posts,
        cap_post_seqs;
    uint32_t *ids, *positions, *types, *extra; /* [n_tokens] */
    uint32_t *offsets;                         /* [n_seqs+1] */
    uint32_t *begin, *end;                     /* [n_rows] token ranges: the pieces of each word */
    uint32_t *posts, *post_seqs;               /* [n_posts+1] rows and sequences of each post */
};

void gm_packer_init(struct gm_packer *p);
void gm_packer_clear(struct gm_packer *p);
void gm_packer_reset(struct gm_packer *p);

/* gm_packer_add - append one post: [CLS] text [SEP], and `context` [SEP] behind it where there is one
 * (n_words 0 = none): knowledge that the text's words attend to and that gets no rows. Texts longer
 * than the encoder's positions go in windows that overlap by a quarter; a word in two windows is
 * taken from the one where it is further from the edge. The context's first pieces are taken, as
 * many as the text leaves room for, at least half of the positions' worth. A post without words
 * takes no rows. A word's row is over all its pieces, or the first alone (gm_net.first_piece).
 * Source of the context: PGIM and RiVEG's knowledge behind <EOS>. */
enum gm_status gm_packer_add(struct gm_packer *p, const struct gm_net *net,
                             const struct gm_pieced *text, const struct gm_pieced *context,
                             struct gm_error *err) GM_NODISCARD;

/* Sequences that are next to each other in a packer, and their rows: what goes through the encoder at
 * once. */
struct gm_slice {
    size_t seq, end_seq, row, end_row;
};

/* gm_packer_cut - all there is in n slices of about equal length, or as many as it has sequences;
 * *slices [*n_out] in the arena. Errors: NOMEM. */
enum gm_status gm_packer_cut(const struct gm_packer *p, size_t n, struct gm_arena *a,
                             struct gm_slice **slices, size_t *n_out,
                             struct gm_error *err) GM_NODISCARD;

/* gm_packer_slice - posts [from, to). */
struct gm_slice gm_packer_slice(const struct gm_packer *p, size_t from, size_t to);

/* gm_slice_states - the encoder's states of a slice's rows, each the mean over the row's tokens: *y
 * [gm_rows_bucket(rows), hidden], after dropout when training. The graph was begun. Errors: as
 * gm_encoder_forward. */
enum gm_status gm_slice_states(const struct gm_slice *s, const struct gm_packer *p,
                               const struct gm_encoder *enc, struct gm_graph *g, struct gm_var **y,
                               struct gm_error *err) GM_NODISCARD;

/* gm_packer_drop_words - each piece becomes [UNK] with probability `share`, drawn by the seed, but [CLS] and
 * [SEP]: a model then learns not to rest on single words (word dropout; for training). */
void gm_packer_drop_words(struct gm_packer *p, const struct gm_net *net, double share,
                          uint64_t seed);

/* gm_packer_cost - tokens that gm_packer_add would append. */
size_t gm_packer_cost(const struct gm_net *net, const struct gm_pieced *text,
                      const struct gm_pieced *context);

/* gm_packer_token, _end_sequence - the same by hand, for texts put together from parts.
 * Positions count from the sequence's start. */
enum gm_status gm_packer_token(struct gm_packer *p, int32_t id, uint32_t type, uint32_t extra,
                               struct gm_error *err) GM_NODISCARD;
enum gm_status gm_packer_end_sequence(struct gm_packer *p, struct gm_error *err) GM_NODISCARD;
/* gm_packer_row, _end_post - one more output row over tokens [begin,end); the rows and sequences since
 * the last call are a post. */
enum gm_status gm_packer_row(struct gm_packer *p, size_t begin, size_t end,
                             struct gm_error *err) GM_NODISCARD;
enum gm_status gm_packer_end_post(struct gm_packer *p, struct gm_error *err) GM_NODISCARD;

#endif
