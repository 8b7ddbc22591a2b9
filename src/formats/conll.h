/* conll.h - posts from CoNLL files as the field writes them: one word a line, an empty line after
 * each post. Internal to src/formats; the format is described in docs/record.md.
 *
 *   IMGID:797970      optional line before each post
 *   Pak<TAB>B-LOC     word and tag, by a tab or spaces; or word, tag, fine tag; or the word alone
 */
#ifndef GM_FORMATS_CONLL_H
#define GM_FORMATS_CONLL_H

#include "formats/text_lines.h"
#include "record/tags.h"

struct gm_conll {
    struct gm_text_lines *lines; /* borrowed */
    const char *images_dir;      /* borrowed; NULL = posts have no image */
    enum gm_tag_scheme scheme;   /* AUTO becomes BIOES when an E- or S- tag is seen */
    enum gm_tag_repair repair;
    struct gm_losses *lost;    /* borrowed; NULL = what is left out is not counted */
    struct gm_tag_signs signs; /* of all posts so far */

    size_t n_columns;    /* 1..3, fixed by the file's first word; 0 = not seen yet */
    size_t columns_line; /* where they were seen */
    bool is_tabbed;
    struct gm_labels types, fine_types;

    size_t line;       /* where the post begins */
    size_t words_line; /* where its first word is; one word a line from there */
    size_t n_words;    /* words and context words so far */
    bool in_context;   /* behind <EOS> */
    struct gm_buf id, text, context;
    struct gm_buf tokens;          /* struct gm_token */
    struct gm_buf tags, fine_tags; /* struct gm_tag */
};

/* gm_conll_init - allocates nothing; gm_conll_clear frees. */
void gm_conll_init(struct gm_conll *c, struct gm_text_lines *lines, const char *images_dir,
                   enum gm_tag_scheme scheme, enum gm_tag_repair repair);
void gm_conll_clear(struct gm_conll *c);

/* gm_conll_next - as gm_reader_next; a post without an IMGID line has no id. */
enum gm_status gm_conll_next(struct gm_conll *c, struct gm_post *post, bool *has,
                             struct gm_error *err) GM_NODISCARD;

/* gm_conll_faults - how many tags of the last post break the scheme; *line is that of the first. */
size_t gm_conll_faults(const struct gm_conll *c, size_t *line);

/* gm_conll_is_row - whether a line could be a word with its tag ("{<TAB>O"), and so no JSON. */
bool gm_conll_is_row(struct gm_str line);

#endif
