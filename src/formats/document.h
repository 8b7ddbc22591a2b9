/* document.h - a file that is one JSON value (COCO, Label Studio, CCKS), read element by element:
 * the file is mapped, and only the element in hand is parsed. Internal to src/formats. */
#ifndef GM_FORMATS_DOCUMENT_H
#define GM_FORMATS_DOCUMENT_H

#include "base/input.h"
#include "base/json.h"
#include "formats/format.h"

struct gm_document {
    struct gm_map map;  /* of a regular file */
    struct gm_buf copy; /* of a pipe, what was packed, or text that was not valid UTF-8 */
    const char *path;   /* for messages; borrowed */
    struct gm_str text;
    size_t pos, line; /* behind the last element; 1-based */
    size_t item_line; /* where the last element begins */
    bool is_object, begun, is_done;
};

/* gm_document_open - all of an input of which nothing was read: a regular file, or else at most 1 GiB,
 * in memory. The input must outlive the document. Errors: those of gm_input_all. Cleared by
 * gm_document_close. */
enum gm_status gm_document_open(struct gm_document *d, struct gm_input *in,
                                struct gm_error *err) GM_NODISCARD;
/* gm_document_of - read an element of another document (`value`, which begins on its line `line`) the
 * same way; it borrows everything, and needs no close. */
void gm_document_of(struct gm_document *d, const struct gm_document *parent, struct gm_str value,
                    size_t line);
void gm_document_close(struct gm_document *d);

/* gm_document_next - the next element of the top-level array or object; *key is its raw key (without
 * quotes; escapes are kept; empty in an array), *value its text. A top-level value that is neither
 * is an error. *has is false at the end.
 * Errors: FORMAT with path:line (unbalanced brackets, text behind the end); *has is then false. */
enum gm_status gm_document_next(struct gm_document *d, struct gm_str *key, struct gm_str *value,
                                bool *has, struct gm_error *err) GM_NODISCARD;

/* gm_document_parse - parse an element that gm_document_next gave; messages start with path:line. */
enum gm_status gm_document_parse(const struct gm_document *d, struct gm_str value,
                                 struct gm_json **out, struct gm_error *err) GM_NODISCARD;

/* gm_document_parse_at - the same of any JSON text, which begins on that line of the file `path`. */
enum gm_status gm_document_parse_at(struct gm_json **out, struct gm_str text, const char *path,
                                    size_t line, struct gm_error *err) GM_NODISCARD;

/* State, open and close of a format whose posts are the elements of a document (format.h). */
struct gm_document_source {
    struct gm_document doc;
    struct gm_source from;
};
enum gm_status gm_document_source_open(void **state, const struct gm_source *from,
                                       struct gm_error *err) GM_NODISCARD;
void gm_document_source_close(void *state);

#endif
