/* synth.h - training sentences that a language model makes out of annotated posts (docs/synth.md).
 *
 * Of each annotated post it is asked for sentences that keep the post's entities in new contexts and for
 * some with other entities of its types; of a post without entities for sentences without. What comes is
 * checked, sentence by sentence; where some were refused the model is asked for the missing ones once more.
 *
 *   opts, seeds ─► requests ─► answers in the order of the requests ─► checks ─► accept / reject
 *
 * Sentences come out in the order of the seeds whatever the order of the answers, so that the same answers
 * give the same file: a run that was killed is begun again, and the client's cache of answers gives it what
 * was there. Memory: that of the seeds, of the index of near-duplicates (about 700 bytes a sentence), and of
 * the answers in flight. */
#ifndef GM_SYNTH_SYNTH_H
#define GM_SYNTH_SYNTH_H

#include "llm/llm.h"
#include "record/record.h"

/* Why a sentence is refused, in the order of the checks. */
enum gm_synth_reason {
    GM_SYNTH_FITS,
    GM_SYNTH_NO_ANSWER,    /* a whole answer that can't be read */
    GM_SYNTH_SURPLUS,      /* more than was asked for */
    GM_SYNTH_SCHEMA,       /* no text, or entities that are none */
    GM_SYNTH_UNKNOWN_TYPE, /* a type that there isn't */
    GM_SYNTH_TWO_TYPES,    /* of one name */
    GM_SYNTH_NOT_IN_TEXT,  /* an entity that isn't there word for word */
    GM_SYNTH_PART_OF_WORD, /* … only as a part of longer words */
    GM_SYNTH_OVERLAP,      /* … only inside of another entity */
    GM_SYNTH_LOST,         /* kept entities: one of them is not there */
    GM_SYNTH_NO_ENTITY,    /* other entities: none */
    GM_SYNTH_SAME,         /* other entities: one of the post's own */
    GM_SYNTH_OTHER_TYPE,   /* other entities: none of a type that the post has */
    GM_SYNTH_NOT_NEGATIVE, /* no entities: there is one */
    GM_SYNTH_ADDED,        /* rewritten: one that the post has not */
    GM_SYNTH_SHORT,
    GM_SYNTH_LONG,
    GM_SYNTH_LETTERS,        /* other letters than the seeds' (letters.h) */
    GM_SYNTH_NO_KNOWLEDGE,   /* rewritten: none, where the post has some */
    GM_SYNTH_SAME_KNOWLEDGE, /* … nearly the post's own, or of a quite other length */
    GM_SYNTH_TWIN,           /* nearly another sentence of this run */
    GM_SYNTH_TWIN_SEED,
    GM_SYNTH_TWIN_POOL,
    GM_SYNTH_TWIN_DEV,
    GM_SYNTH_TWIN_TEST,
    GM_SYNTH_QUOTA,      /* there are enough of one of its types */
    GM_SYNTH_CONFLICT,   /* the tagger finds one of its labels all but impossible */
    GM_SYNTH_UNLABELLED, /* … and a name that has none all but certain */
    GM_SYNTH_REASONS
};

/* gm_synth_reason - "not_in_text". gm_synth_advice - what the model is told when it is asked once more; NULL
 * where it can't do better, or is not to know. */
const char *gm_synth_reason(enum gm_synth_reason r);
const char *gm_synth_advice(enum gm_synth_reason r);

/* Sentences that keep the post's entities, with others of its types, without; the post itself in other words,
 * with its knowledge. */
enum gm_synth_kind {
    GM_SYNTH_KEEP,
    GM_SYNTH_VARY,
    GM_SYNTH_NONE,
    GM_SYNTH_REWRITE,
    GM_SYNTH_KINDS
};

/* gm_synth_kind - "keep", "vary", "none", "rewrite". */
const char *gm_synth_kind(enum gm_synth_kind k);

struct gm_synth_opts {
    const char *seeds, *types;     /* see seeds.h; types NULL = those of the seeds */
    const char *guide;             /* a guide of `gmner guide`, for the prompts; NULL = none */
    const char *pool, *dev, *test; /* posts that no sentence may be nearly; NULL = none */
    size_t n
        [GM_SYNTH_KINDS]; /* sentences of a post; keep and vary where it has entities, none where not */
    size_t batch;         /* sentences of a request, at most */
    size_t words_min,
        words_max;     /* of a sentence: words with a letter or digit; a rewritten post has
                                       half to twice the post's */
    bool any_letters;  /* no test of letters */
    double similarity; /* of near-duplicates, 0..1 */
    const char *tagger, *precision; /* a model directory; NULL = conflicts are not looked for */
    double drop, doubt;             /* labels less probable are refused; are marked */
    const char
        *quota; /* "2000", or "PER=2000,LOC=500": sentences with an entity of a type; NULL = none */
    const char *model;        /* for the provenance; NULL = not said */
    double temperature, seed; /* of the requests; temperature < 0 = not sent */
};

/* gm_synth_opts_default - all but the files. */
struct gm_synth_opts gm_synth_opts_default(void);

struct gm_synth_counts {
    size_t n_seeds, n_requests, n_again; /* requests; those of them for what was refused */
    size_t n_failed;                     /* requests without an answer for reasons of the network */
    size_t n_skipped;                    /* not sent, as the quotas of all types were full */
    size_t accepted[GM_SYNTH_KINDS], n_marked; /* sentences; those with a doubtful label */
    size_t refused[GM_SYNTH_REASONS];          /* sentences; NO_ANSWER: requests */
};

struct gm_synth_sink {
    void *user;
    /* A sentence: a record with words, entities and the field "synth"; changed at will. */
    enum gm_status (*accept)(void *user, struct gm_post *post, struct gm_error *err);
    /* One that was refused, as a line of JSON with its end. */
    enum gm_status (*reject)(void *user, struct gm_str line, struct gm_error *err);
    /* Now and then: requests done of all that are known of. */
    void (*progress)(void *user, size_t done, size_t total, const struct gm_synth_counts *c);
    bool (*should_stop)(void *user); /* then the client is drained, and the run ends with CANCEL */
};

struct gm_synth;

/* gm_synth_new - read all files and load the tagger. *out is yours. Errors: ARG (options that contradict
 * each other), IO, FORMAT, MODEL, NOMEM. */
enum gm_status gm_synth_new(struct gm_synth **out, const struct gm_synth_opts *opts,
                            struct gm_error *err) GM_NODISCARD;
void gm_synth_free(struct gm_synth *s); /* NULL-safe */

/* gm_synth_run - once. With a client that is dry only the first requests are counted. Errors: those of the
 * sink; CANCEL, NET, ARG: the client has stopped. */
enum gm_status gm_synth_run(struct gm_synth *s, struct gm_llm *llm,
                            const struct gm_synth_sink *sink, struct gm_error *err) GM_NODISCARD;

/* gm_synth_counts - so far; borrowed. */
const struct gm_synth_counts *gm_synth_counts(const struct gm_synth *s);

#endif
