/* tagger.h - the named entity tagger: native encoder, case features, linear layer and CRF.
 * Source: Lample et al., NAACL 2016 (CRF tagger); Devlin et al., NAACL 2019 (encoder). */
#ifndef GM_NER_TAGGER_H
#define GM_NER_TAGGER_H

#include "record/record.h"
#include "text/cut.h"

struct gm_tagger;

struct gm_tagger_opts {
    const char *precision; /* "auto", "f32", "bf16", "int8"; NULL = auto */
    double candidates_min; /* posts get candidates (record.h) with at least this score; 0 = none */
};

/* The most candidates of a post. */
enum { GM_CANDIDATES_MAX = 5 };

/* gm_tagger_load - open a model directory that `gmner train --task ner` wrote, or a Hugging Face directory that
 * AutoModelForTokenClassification saved (softmax_head.h); weights are mapped.
 * *out is yours. Immutable afterwards: any number of sessions share it, each on a thread of its
 * own. Errors: MODEL, FORMAT, IO (missing, wrong or damaged files, naming them), ARG (precision), NOMEM. */
enum gm_status gm_tagger_load(struct gm_tagger **out, const char *dir,
                              const struct gm_tagger_opts *opts, struct gm_error *err) GM_NODISCARD;
/* gm_tagger_set_policy - whether the rules of name_policy.h are applied to what is found in raw text (no, where
 * this wasn't called). Before its sessions run. */
void gm_tagger_set_policy(struct gm_tagger *t, bool tweets);
/* gm_tagger_set_min_score - leave out entities whose score is below `min`, in [0, 1]; 0, where this wasn't called.
 * Before its sessions run. */
void gm_tagger_set_min_score(struct gm_tagger *t, double min);
/* gm_tagger_set_cut - how raw text is cut, whatever the model directory says of it. Before its sessions run. */
void gm_tagger_set_cut(struct gm_tagger *t, enum gm_word_cut cut);
/* gm_tagger_may_be_iob1 - whether its labels have the names of BIO, and may be IOB1's all the same: of somebody else's
 * tagger, whose directory does not say. gm_tagger_set_iob1 - they are: B and I of a type are one class, whose runs are
 * the entities. Before its sessions run. Errors: NOMEM. */
bool gm_tagger_may_be_iob1(const struct gm_tagger *t);
enum gm_status gm_tagger_set_iob1(struct gm_tagger *t, struct gm_error *err) GM_NODISCARD;
void gm_tagger_free(struct gm_tagger *t); /* after its sessions; NULL-safe */

/* gm_tagger_softmax_settings - a gmner.json for a directory of somebody else's tagger, which has none: it says
 * that the labels are in config.json. NULL = out of memory. */
struct gm_json;
struct gm_json *gm_tagger_softmax_settings(void);

/* gm_tagger_session_new - what one caller needs to run a tagger: engines and working memory for as
 * many threads as the budget has now. *out is yours. Errors: NOMEM, SHAPE. Threads: yes. */
struct gm_tagger_session;
enum gm_status gm_tagger_session_new(struct gm_tagger_session **out, const struct gm_tagger *t,
                                     struct gm_error *err) GM_NODISCARD;
void gm_tagger_session_free(struct gm_tagger_session *s); /* NULL-safe */

/* gm_tagger_predict - set the entities and candidates of n posts, in packed batches of similar
 * length over the thread budget; raw text is segmented, long posts are done in overlapping windows.
 * Posts' knowledge is read where the tagger was trained with some.
 * Posts with an error, and posts that already have entities, are skipped.
 * Errors: NOMEM; ARG and MODEL (tokenizer and encoder do not belong together; damaged weights); CANCEL and
 * AGAIN (the calling thread's limit, base/stop.h). Threads: one call at a time on one session. */
enum gm_status gm_tagger_predict(struct gm_tagger_session *s, struct gm_post **posts, size_t n,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_tagger_features - each post as one vector: the mean of its words' states, before the linear layer, as
 * the text alone has them (no knowledge is read).
 *   out [n][gm_tagger_dim]  zeros for a post without words
 * Errors, threads: as gm_tagger_predict; the posts go through in one packed batch. Source: the similarity
 * of in-context samples in PGIM (arXiv 2305.12212), by the features of its own tagger. */
size_t gm_tagger_dim(const struct gm_tagger *t);
enum gm_status gm_tagger_features(struct gm_tagger_session *s, struct gm_post *const *posts,
                                  size_t n, float *out, struct gm_error *err) GM_NODISCARD;

/* gm_tagger_judge - what the tagger thinks of labels that n posts have from somewhere else: the score of
 * each entity becomes the probability that exactly its words are an entity of its type (0 where they are
 * no whole words, or the tagger has no such type), and outside[i] of post i that of the likeliest entity
 * on the tagger's best path that shares no word with the post's own; 0 = none. Not calibrated. Errors and
 * threads: as gm_tagger_predict. */
enum gm_status gm_tagger_judge(struct gm_tagger_session *s, struct gm_post **posts, size_t n,
                               double *outside, struct gm_error *err) GM_NODISCARD;

#endif
