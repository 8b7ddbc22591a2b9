/* reader.h - posts from a file, one at a time in constant memory, whatever the format. */
#ifndef GM_FORMATS_READER_H
#define GM_FORMATS_READER_H

#include "base/input.h"
#include "formats/format_table.h"
#include "record/losses.h"
#include "record/record.h"
#include "record/tags.h"

struct gm_texts;

struct gm_reader_opts {
    enum gm_format format;  /* AUTO: by the content of the file's beginning; a folder is VOC */
    const char *images_dir; /* CoNLL: image of post ID is images_dir/ID.jpg; JSON: base of relative
                                paths (default: the input file's folder). NULL = none */
    enum gm_tag_repair repair; /* what CoNLL tags that break their scheme mean; 0 = CONLLEVAL */
    enum gm_tag_scheme scheme; /* for the strict repair; AUTO: BIO up to the file's first post with
                                  an E- or S- tag, from there on BIOES */
    bool keeps_bad_boxes;      /* those that gm_post_settle_boxes leaves out, to tell of them */
    bool entries_apart; /* each entry of a CCKS file is an entity, also where several have one
                                  name and type; else they are one entity with several boxes */
    const struct gm_texts
        *texts;             /* texts of formats without (named_entities.h); NULL = none; borrowed */
    struct gm_losses *lost; /* what of the file was not understood; NULL = gm_reader_free warns of
                               it; borrowed */
};

struct gm_reader;

/* gm_reader_open - path "-" = standard input; opts NULL = all defaults. Errors: IO, NOMEM, FORMAT
 * (a file that is in no format read here, with path:line). */
enum gm_status gm_reader_open(struct gm_reader **out, const char *path,
                              const struct gm_reader_opts *opts, struct gm_error *err) GM_NODISCARD;

/* gm_reader_next - initialise and fill *post; *has is false at the end (then *post is not
 * initialised). A post that can't be read gives FORMAT (NOMEM: too large) with path:line; *has is
 * then true, *post is not initialised and the next call goes on behind it. The caller clears each
 * post. Errors whose *has is false (IO) end the reading. A post without id gets its 1-based number
 * as id. Posts do not depend on the reader once returned. */
enum gm_status gm_reader_next(struct gm_reader *r, struct gm_post *post, bool *has,
                              struct gm_error *err) GM_NODISCARD;

/* gm_reader_on_wait - as gm_input_on_wait; documents (COCO, Label Studio, CCKS) were read whole when they
 * were opened. `wait` must not use the reader. */
void gm_reader_on_wait(struct gm_reader *r, gm_wait_fn *wait, void *user);

/* gm_reader_line - 1-based number of the line that the post last returned starts at. */
size_t gm_reader_line(const struct gm_reader *r);
/* gm_reader_path - for messages; "standard input" for "-". gm_reader_count - posts returned so far,
 * those that could not be read included. */
const char *gm_reader_path(const struct gm_reader *r);
size_t gm_reader_count(const struct gm_reader *r);
/* gm_reader_format - what the file is: as asked for, or as guessed; never AUTO. CoNLL with two tags a
 * word is known as FMNERG once a post has been read. */
enum gm_format gm_reader_format(const struct gm_reader *r);
/* gm_reader_tag_faults - how many tags of the CoNLL post last returned broke its scheme (0 for other
 * formats); *line is that of the first. */
size_t gm_reader_tag_faults(const struct gm_reader *r, size_t *line);
/* gm_reader_tag_signs - what the CoNLL posts returned so far tell of their scheme; none seen for other
 * formats. */
struct gm_tag_signs gm_reader_tag_signs(const struct gm_reader *r);
void gm_reader_free(struct gm_reader *r);

/* gm_reader_each - fn for every post of a file, which it borrows. Errors: those of gm_reader_open and
 * gm_reader_next, and fn's, with path:line before it. */
enum gm_status gm_reader_each(const char *path, const struct gm_reader_opts *opts,
                              enum gm_status (*fn)(void *user, struct gm_post *post,
                                                   struct gm_error *err),
                              void *user, struct gm_error *err) GM_NODISCARD;

/* gm_format_parse - "jsonl", "conll", "auto", … gm_format_name - the reverse. gm_format_title - for
 * messages: "COCO JSON". */
bool gm_format_parse(const char *name, enum gm_format *out);
const char *gm_format_name(enum gm_format f);
const char *gm_format_title(enum gm_format f);
/* gm_format_is_sparse - of files that hold entities only: there is nothing in them of a post without, so
 * that a post they lack has none. gm_format_has_tags - entities are tags on words, in some scheme. */
bool gm_format_is_sparse(enum gm_format f);
bool gm_format_has_tags(enum gm_format f);

/* gm_format_unit - what a post takes in a file, for guessing how many there are. */
enum gm_format_unit {
    GM_UNIT_NONE,       /* the file's lines tell nothing */
    GM_UNIT_LINE,       /* a line that is not empty */
    GM_UNIT_TABLE_LINE, /* the same, under a line of names */
    GM_UNIT_BLOCK       /* lines up to an empty one */
};
enum gm_format_unit gm_format_unit(enum gm_format f);

#endif
