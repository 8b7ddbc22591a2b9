/* refine.h - what the parts of the stage refine share. Internal to src/stages. */
#ifndef GM_STAGES_REFINE_H
#define GM_STAGES_REFINE_H

#include "stages/examples.h"

enum { GM_REFINE_TYPES_MAX = 128, GM_REFINE_ASKED_MAX = 100 };

/* What the threshold of the combined question is for; the names of the setting, and of the fields in
 * the record. */
enum gm_refine_measure {
    GM_REFINE_BY_SCORE,
    GM_REFINE_BY_MARGINAL,
    GM_REFINE_BY_ENTROPY,
    GM_REFINE_BY_MARGIN,
    GM_N_REFINE_MEASURES
};

struct gm_refine {
    struct gm_llm_stage
        base;      /* first: the helpers take a pointer to it. Its prompt and schema are those of
                                the first question, or of the only one */
    bool combined; /* one question for span and type; else one for each */
    enum gm_refine_measure measure;
    double threshold;  /* of the combined question */
    double span, type; /* of the steps: 1 - span_score and 1 - type_score over it are asked about */
    double missed;     /* candidates with at least this score are asked about */
    struct gm_prompt *type_prompt; /* of the second step */
    struct gm_json *type_schema;
    struct gm_examples *examples; /* NULL = none */
    struct gm_str types[GM_REFINE_TYPES_MAX];
    size_t n_types;
    struct gm_str type_list;        /* "PER, LOC" */
    struct gm_str type_definitions; /* a line each */
};

/* One post on its way through the steps. What they change is kept here until all have their answers:
 * where one has none, the post stays as it was. Lists live in the post's arena. */
struct gm_refine_work {
    struct gm_post *post;
    struct gm_picture picture; /* .w 0 = none yet */
    struct gm_example_set examples;
    bool is_prepared;           /* both of these are as they will be */
    struct gm_entity *entities; /* [n] as they are by now */
    bool *is_fresh;             /* [n] its words are new, and its type has not been judged */
    size_t n;
    bool *is_judged; /* of each candidate of the post: it was asked about */
};

/* What is asked about, by number: number 1 is at[0]. Those from n_entities on are the post's candidates,
 * which may be left out of an answer. */
struct gm_refine_list {
    size_t at[GM_REFINE_ASKED_MAX];
    size_t n, n_entities;
    bool may_repeat; /* set by gm_refine_ask: several answers about one number are several names */
};

/* ---- refine_ask.c ---- */

extern const char *const gm_refine_values[]; /* what the prompts may use */
extern const char *const gm_refine_example_values[];

/* gm_refine_steps_open, gm_refine_steps_fingerprint - settings, prompts and schemas of the two steps. */
enum gm_status gm_refine_steps_open(struct gm_refine *r, const struct gm_json *settings,
                                    struct gm_error *err) GM_NODISCARD;
enum gm_status gm_refine_steps_fingerprint(const struct gm_json *settings, struct gm_buf *out,
                                           struct gm_error *err) GM_NODISCARD;

/* gm_refine_span_score, gm_refine_type_score - how sure the tagger is of an entity's words and type. Of other
 * taggers only the whole score is known: it stands for both. */
double gm_refine_span_score(const struct gm_entity *e);
double gm_refine_type_score(const struct gm_entity *e);

enum gm_refine_question { GM_REFINE_ASK_COMBINED, GM_REFINE_ASK_SPANS, GM_REFINE_ASK_TYPES };

/* gm_refine_ask - one question about a list. *left: there is no answer to judge, and the post is to stay as it
 * was (it may have failed); else the reply is OK or FORMAT. The reply is the caller's to clear, whatever comes
 * back. Statuses as of gm_llm_stage_ask. */
enum gm_status gm_refine_ask(struct gm_refine *r, struct gm_refine_work *w,
                             struct gm_refine_list *list, enum gm_refine_question question,
                             struct gm_llm_reply *reply, bool *left,
                             struct gm_error *err) GM_NODISCARD;

/* gm_refine_reply_text - member `name` of an answer, trimmed; .n 0 where it is no text.
 * gm_refine_find_type - the number of the type of that name: as it is, else by ASCII case, else MISC for OTHER
 * and the other way round; n_types = none.
 * gm_refine_reject_all - no answer fits: all entities of the list are told so. Errors: NOMEM. */
struct gm_str gm_refine_reply_text(const struct gm_json *answer, const char *name);
size_t gm_refine_find_type(const struct gm_refine *r, struct gm_str name);
enum gm_status gm_refine_reject_all(const struct gm_refine *r, struct gm_refine_work *w,
                                    const struct gm_refine_list *list,
                                    struct gm_error *err) GM_NODISCARD;

/* ---- refine_types.c ---- */

/* gm_refine_is_type_unsure - whether its type is uncertain.
 * gm_refine_types - the second step: the types of those whose type is uncertain or whose words are new.
 * *left and statuses as of gm_refine_ask. */
bool gm_refine_is_type_unsure(const struct gm_refine *r, const struct gm_entity *e);
enum gm_status gm_refine_types(struct gm_refine *r, struct gm_refine_work *w, bool *left,
                               struct gm_error *err) GM_NODISCARD;

/* ---- refine_apply.c ---- */

/* What one answer makes of the words that it is about. */
enum { GM_REFINE_NAMES_MAX = 10 };
struct gm_refine_names {
    struct gm_str names[GM_REFINE_NAMES_MAX]; /* none: they are no name */
    struct gm_str types[GM_REFINE_NAMES_MAX]; /* .n 0 = nothing said */
    size_t n;
    const char *why; /* why nothing of it can be used; NULL = it can */
};

/* gm_refine_apply - all answers of a post together (refine_merge.h): answers [list->n], those of
 * candidates NULL where there is none. Errors: NOMEM. */
enum gm_status gm_refine_apply(const struct gm_refine *r, struct gm_refine_work *w,
                               const struct gm_refine_list *list,
                               const struct gm_refine_names *const *answers,
                               struct gm_error *err) GM_NODISCARD;

#endif
