/* features.h - the shape of words: what an uncased vocabulary loses and entity recognition needs. */
#ifndef GM_MODEL_FEATURES_H
#define GM_MODEL_FEATURES_H

#include "base/str.h"

#include <stdint.h>

enum gm_case {
    GM_CASE_NONE,    /* no word: [CLS], [SEP] */
    GM_CASE_LOWER,   /* speaks */
    GM_CASE_INITIAL, /* Cruz */
    GM_CASE_UPPER,   /* VIP (two letters or more) */
    GM_CASE_MIXED,   /* iPhone, McCain */
    GM_CASE_LETTER,  /* A */
    GM_CASE_ALNUM,   /* F16, 2nd */
    GM_CASE_NUMBER,  /* 2015 */
    GM_CASE_SYMBOL,  /* @, !, an emoji */
    GM_CASE_OTHER,   /* letters of scripts without case */
    GM_N_CASES
};

/* gm_case_of - the class of a word (well-formed UTF-8, not empty). Pure. */
enum gm_case gm_case_of(struct gm_str word);

#endif
