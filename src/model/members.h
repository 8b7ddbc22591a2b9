/* members.h - an ensemble: a model directory without weights of its own, whose gmner.json names taggers, and whose
 * answers are pooled from theirs (src/ner/ner_ensemble.c):
 *
 *   {"format": 1, "task": "ner", "members": [{"model": NAME, "fingerprint": SHA-256, "weight"?: 1}, …],
 *    "calibration"?: …}
 *
 * NAME is that of a model, or the absolute path of a folder. The fingerprint is gm_members_fingerprint. */
#ifndef GM_MODEL_MEMBERS_H
#define GM_MODEL_MEMBERS_H

#include "base/arena.h"
#include "base/json.h"
#include "base/sha256.h"

enum { GM_MEMBERS_MAX = 16 };

struct gm_members {
    struct gm_arena arena;
    struct gm_json *settings; /* gmner.json of the ensemble, */
    const char *dir;          /* and its folder */
    const char **dirs;        /* [n] the members' folders, */
    double *weights;          /* [n] and how much each counts; their sum is 1 */
    size_t n;                 /* 0: the model is no ensemble */
};

/* gm_members_open - the members of a model, a name or a folder, which are checked to be those that the ensemble was
 * made of. gm_members_clear is called after errors, too. Errors: MODEL (no such model, fewer than two or too many
 * members, one that is missing or has changed), IO, FORMAT, NOMEM. Cost: samples the weights' files (base/fingerprint.h). */
enum gm_status gm_members_open(struct gm_members *m, const char *model,
                               struct gm_error *err) GM_NODISCARD;
void gm_members_clear(struct gm_members *m);

/* gm_members_are_in - whether this gmner.json (NULL: none) is that of an ensemble. gm_members_refuse - that it is not,
 * where weights are needed; dir: whose it is. Errors: MODEL. */
bool gm_members_are_in(const struct gm_json *settings);
enum gm_status gm_members_refuse(const struct gm_json *settings, const char *dir,
                                 struct gm_error *err) GM_NODISCARD;

/* gm_members_weight_fits - whether a member may count so much: from 0.001 to 1000. */
bool gm_members_weight_fits(double weight);

/* gm_members_fingerprint - of the model in `dir`: weights, config.json, tokenizer.json (of an adapter its own alone, as
 * its gmner.json has a fingerprint of its base) and gmner.json, but for its calibration. Errors: IO, FORMAT, NOMEM. */
enum gm_status gm_members_fingerprint(const char *dir, char hex[GM_SHA256_HEX],
                                      struct gm_error *err) GM_NODISCARD;

#endif
