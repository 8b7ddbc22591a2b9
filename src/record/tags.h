/* tags.h - word tags (B-PER I-PER O) and the entity spans they stand for: the one place that turns
 * one into the other.
 *
 * Sources: Ramshaw and Marcus 1995 (BIO); the CoNLL-2000 script conlleval and seqeval 1.2.2, whose
 * default mode is GM_REPAIR_CONLLEVAL and whose strict mode is GM_REPAIR_STRICT. */
#ifndef GM_RECORD_TAGS_H
#define GM_RECORD_TAGS_H

#include "record/labels.h"
#include "record/record.h"

enum gm_tag_scheme {
    GM_TAGS_AUTO,  /* BIOES where an E- or S- tag is seen, else BIO; for reading only; 0 */
    GM_TAGS_BIO,   /* seqeval's IOB2 */
    GM_TAGS_BIOES, /* seqeval's IOBES */
    GM_TAGS_IOB1   /* B- only where an entity follows another of its type; for reading only */
};

/* What sequences that break the scheme mean ("O I-PER", "B-PER I-LOC"). */
enum gm_tag_repair {
    GM_REPAIR_CONLLEVAL, /* an I- or E- that continues nothing begins an entity; BIO and BIOES tags
                            may be mixed */
    GM_REPAIR_STRICT /* an entity begins with B- (or S-) only, in BIOES it ends with E-, and IOB1
                            has B- only behind its own type; other tags are outside */
};

struct gm_tag {
    char prefix;   /* 'B', 'I', 'E', 'S' or 'O' */
    uint32_t type; /* label number; no meaning for 'O' */
};

struct gm_span {
    size_t first, end; /* words, end exclusive */
    uint32_t type;     /* label number */
};

/* gm_tag_parse - split "B-PER" into 'B' and "PER" (borrowed); "O" has an empty type. False when it
 * is neither "O" nor B, I, E or S, a hyphen and a type (without NUL). */
bool gm_tag_parse(struct gm_str tag, char *prefix, struct gm_str *type);

/* gm_tags_to_spans - the entities of a sequence, in order, not overlapping.
 *   tags   [n] in
 *   scheme  AUTO looks at these n tags alone; only the strict repair asks for it
 *   spans  [n] out; the number of spans is returned (at most n) */
size_t gm_tags_to_spans(const struct gm_tag *tags, size_t n, enum gm_tag_scheme scheme,
                        enum gm_tag_repair repair, struct gm_span *spans);

/* What the tags of a file give away of their scheme, whatever the order of its posts. Zero = none
 * seen. */
struct gm_tag_signs {
    bool has_e, has_s, has_b;
    bool i_begins; /* an I- stands behind O, or behind another type */
    bool b_begins; /* so does a B-, as never in IOB1 */
};

/* gm_tag_signs_add - take n tags of a post into account. */
void gm_tag_signs_add(struct gm_tag_signs *s, const struct gm_tag *tags, size_t n);

/* gm_tag_signs_scheme - BIOES where an E- or S- tag was seen, else BIO: never AUTO. *odd is the name
 * of a scheme that the tags look like and that neither of these reads: "IOB1", "IOE", or NULL. */
enum gm_tag_scheme gm_tag_signs_scheme(const struct gm_tag_signs *s, const char **odd);

/* gm_tags_faults - how many of the n tags break the scheme (BIO or BIOES): an I- or E- that continues
 * no entity of its type, and in BIOES a B- or I- that nothing continues. *first is the first of
 * them. */
size_t gm_tags_faults(const struct gm_tag *tags, size_t n, enum gm_tag_scheme scheme,
                      size_t *first);

/* gm_spans_to_tags - tags of spans: tags [n] out. Spans (in any order) must lie in [0, n) and not
 * overlap; an empty one gives no tag. scheme is BIO or BIOES. */
void gm_spans_to_tags(const struct gm_span *spans, size_t n_spans, enum gm_tag_scheme scheme,
                      struct gm_tag *tags, size_t n);

/* gm_post_add_spans - append entities to a post that has words: text, offsets and type (copied from
 * `types`) are set, score 1, visible -1, source `source` (a constant, kept by reference).
 * Sets has_entities. Cost linear when spans are in order. Errors: NOMEM. */
enum gm_status gm_post_add_spans(struct gm_post *p, const struct gm_span *spans, size_t n,
                                 const struct gm_labels *types, const char *source,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_post_spans - the post's entities as spans of its words, in text order; types are added to
 * `types`. Entities that do not begin and end with a word, and those that overlap an earlier one,
 * cannot be tagged: they are left out and counted in *n_skipped.
 *   spans [n_entities] out; *n_spans are set. Errors: NOMEM, FORMAT (too many types). */
enum gm_status gm_post_spans(const struct gm_post *p, struct gm_labels *types,
                             struct gm_span *spans, size_t *n_spans, size_t *n_skipped,
                             struct gm_error *err) GM_NODISCARD;

/* gm_tag_repair_parse - "conlleval" or "strict". */
bool gm_tag_repair_parse(const char *name, enum gm_tag_repair *out);

#endif
