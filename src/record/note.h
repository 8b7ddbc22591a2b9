/* note.h - the notes of an entity: why it has no box, what was refused of an answer about it.
 *
 * A note is "KIND:REASON", such as "no_box:no_person" or "refine_rejected:schema", or KIND alone; several are
 * joined by "; ", in the order of the stages, one of each kind. docs/record.md lists them. */
#ifndef GM_RECORD_NOTE_H
#define GM_RECORD_NOTE_H

#include "record/record.h"

/* gm_note_set - e's note of that kind becomes "kind:reason"; notes of other kinds stay. reason ""
 * is none, as "merged" needs none; NULL takes the kind away: a stage that runs again starts without what it said before.
 * Errors: NOMEM of p's arena; the note is then as it was. */
enum gm_status gm_note_set(struct gm_post *p, struct gm_entity *e, const char *kind,
                           const char *reason, struct gm_error *err) GM_NODISCARD;

/* gm_note_below - the same for a number that is less than `min`: "kind:what:min". */
enum gm_status gm_note_below(struct gm_post *p, struct gm_entity *e, const char *kind,
                             const char *what, double min, struct gm_error *err) GM_NODISCARD;

#endif
