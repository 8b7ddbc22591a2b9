/* report.h - a self-contained HTML page of posts: each with its picture, boxes and masks, its text
 * with the entities marked, and a table of them. The page loads nothing from anywhere; every byte
 * of a post is escaped, and a Content-Security-Policy lets only the page's own script run.
 *
 * Posts are written as they come, so that memory does not grow with their number; the totals stand
 * at the end of the file and are shown at the top. One thread a report. */
#ifndef GM_REPORT_REPORT_H
#define GM_REPORT_REPORT_H

#include "base/buf.h"
#include "record/record.h"

struct gm_report;

/* gm_report_open - begin a page at `path` ("-" = standard output; a file is replaced only by
 * gm_report_commit). *out is yours until commit or abort. Errors: IO, NOMEM. */
enum gm_status gm_report_open(struct gm_report **out, const char *path, const char *title,
                              struct gm_error *err) GM_NODISCARD;

/* gm_report_add_mark - a mark that posts of this page may have: its filter then offers to show only
 * those that do, under `label`. Marks are numbered from 0 in the order of the calls; at most
 * GM_REPORT_MARKS_MAX. `name` is one word. Both are copied. Errors: NOMEM. */
enum { GM_REPORT_MARKS_MAX = 16 };
enum gm_status gm_report_add_mark(struct gm_report *r, const char *name, const char *label,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_report_add - append a post; bit i of `marks` says that it has mark i. Its picture is post->pixels, else it is decoded from post->image;
 * one that can't be read is shown as missing, with the reason. Errors: IO, NOMEM. */
enum gm_status gm_report_add(struct gm_report *r, const struct gm_post *post, unsigned marks,
                             struct gm_error *err) GM_NODISCARD;

/* gm_report_add_text - a table or other text of fixed width to be shown above the posts, under a
 * heading. Both are copied. Errors: NOMEM. */
enum gm_status gm_report_add_text(struct gm_report *r, const char *heading, struct gm_str text,
                                  struct gm_error *err) GM_NODISCARD;

/* gm_report_commit - write the totals and put the page in its place; frees r whatever the result.
 */
enum gm_status gm_report_commit(struct gm_report *r, struct gm_error *err) GM_NODISCARD;
void gm_report_abort(struct gm_report *r); /* drop what was written; NULL-safe */

/* gm_report_card - append the page of one post alone, without totals and filters; its picture as
 * gm_report_add has it. Errors: NOMEM. Threads: yes. */
enum gm_status gm_report_card(struct gm_buf *out, const struct gm_post *post,
                              struct gm_error *err) GM_NODISCARD;

#endif
