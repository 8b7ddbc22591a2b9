/* The names of reasons and kinds, and the usual options. */
#include "synth/synth.h"

static const struct {
    const char *name, *words; /* words: for the model; NULL = it can't do better */
} reasons[GM_SYNTH_REASONS] = {
    [GM_SYNTH_FITS] = {"fits", NULL},
    [GM_SYNTH_NO_ANSWER] = {"no_answer", NULL},
    [GM_SYNTH_SURPLUS] = {"surplus", NULL},
    [GM_SYNTH_SCHEMA] = {"schema", "it is not in the form of the answer"},
    [GM_SYNTH_UNKNOWN_TYPE] = {"unknown_type", "a type is none of the types"},
    [GM_SYNTH_TWO_TYPES] = {"two_types", "one name has two types"},
    [GM_SYNTH_NOT_IN_TEXT] = {"not_in_text", "an entity is not in the text letter for letter"},
    [GM_SYNTH_PART_OF_WORD] = {"part_of_word", "an entity is only a part of a longer word"},
    [GM_SYNTH_OVERLAP] = {"overlap", "an entity lies inside of another"},
    [GM_SYNTH_LOST] = {"lost_entity", "one of the given entities is not in it"},
    [GM_SYNTH_NO_ENTITY] = {"no_entity", "it has no entity"},
    [GM_SYNTH_SAME] = {"same_entity", "it has one of the given entities"},
    [GM_SYNTH_OTHER_TYPE] = {"other_type", "no entity has the type of a given one"},
    [GM_SYNTH_NOT_NEGATIVE] = {"not_negative", "it has an entity"},
    [GM_SYNTH_ADDED] = {"added_entity", "it has an entity that the post has not"},
    [GM_SYNTH_SHORT] = {"too_short", "it is too short"},
    [GM_SYNTH_LONG] = {"too_long", "it is too long"},
    [GM_SYNTH_LETTERS] = {"letters", "it is in another language or script"},
    [GM_SYNTH_NO_KNOWLEDGE] = {"no_knowledge", "its knowledge is missing"},
    [GM_SYNTH_SAME_KNOWLEDGE] = {"same_knowledge", "its knowledge is not rewritten, or cut down"},
    [GM_SYNTH_TWIN] = {"duplicate", "it is nearly the same as another sentence"},
    [GM_SYNTH_TWIN_SEED] = {"duplicate_seed", "it is nearly the same as a given post"},
    [GM_SYNTH_TWIN_POOL] = {"duplicate_pool", "it is nearly the same as a sentence that is there"},
    [GM_SYNTH_TWIN_DEV] = {"duplicate_dev", NULL}, /* nothing of dev and test is told */
    [GM_SYNTH_TWIN_TEST] = {"duplicate_test", NULL},
    [GM_SYNTH_QUOTA] = {"quota", NULL},
    [GM_SYNTH_CONFLICT] = {"conflict", NULL},
    [GM_SYNTH_UNLABELLED] = {"unlabelled", NULL},
};

const char *gm_synth_reason(enum gm_synth_reason r) { return reasons[r].name; }

const char *gm_synth_advice(enum gm_synth_reason r) { return reasons[r].words; }

const char *gm_synth_kind(enum gm_synth_kind k)
{
    static const char *const names[GM_SYNTH_KINDS] = {"keep", "vary", "none", "rewrite"};
    return names[k];
}

struct gm_synth_opts gm_synth_opts_default(void)
{
    return (struct gm_synth_opts){.n = {20, 10, 30},
                                  .batch = 10,
                                  .words_min = 10,
                                  .words_max = 30,
                                  .similarity = 0.8,
                                  .drop = 0.1,
                                  .doubt = 0.5,
                                  .temperature = 0.8,
                                  .seed = 1};
}
