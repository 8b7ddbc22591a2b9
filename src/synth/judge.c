#include "synth/judge.h"

#include "record/note.h"

#include <math.h>
#include <stdio.h>

enum gm_status gm_synth_judge(const struct gm_synth_opts *opts, struct gm_post *post,
                              double outside, enum gm_synth_reason *why, bool *marked,
                              struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *marked = false;
    *why = 1 - outside < opts->drop ? GM_SYNTH_UNLABELLED : GM_SYNTH_FITS;
    for (size_t i = 0; i < post->n_entities; i++)
        if (post->entities[i].score < opts->drop)
            *why = GM_SYNTH_CONFLICT;
    for (size_t i = 0; i < post->n_entities && *why == GM_SYNTH_FITS; i++) {
        char p[16];
        if (post->entities[i].score >= opts->doubt)
            continue;
        snprintf(p, sizeof p, "%.3f", post->entities[i].score);
        GM_TRY(gm_note_set(post, &post->entities[i], "synth_doubt", p, err));
        *marked = true;
    }
    if (*why == GM_SYNTH_FITS && 1 - outside < opts->doubt) {
        *marked = true;
        if (!gm_json_set(gm_json_get(post->source, "synth"), "unlabelled",
                         gm_json_new_num(rint(1000 * outside) / 1000)))
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
done:
    return st;
}
