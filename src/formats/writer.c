#include "formats/writer.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"
#include "formats/format.h"
#include "record/labels.h"
#include "record/regions.h"

#include <string.h>

enum { MAX_IDS = 100000000 };

struct gm_writer {
    const struct gm_format_row *row;
    void *state;
    struct gm_losses lost;
    struct gm_labels ids;  /* of the posts written, where the format goes by them */
    struct gm_arena arena; /* names that the format's writer borrows */
};

enum gm_status gm_writer_open(struct gm_writer **out, const char *path,
                              const struct gm_writer_opts *opts, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    *out = NULL;
    struct gm_writer *w = gm_alloc(1, sizeof *w);
    if (!w)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    w->row = gm_format_row(opts->format);
    gm_arena_init(&w->arena, 0);
    gm_labels_init(&w->ids, MAX_IDS);
    const struct gm_target to = {path, strcmp(path, "-") == 0 ? "." : gm_path_dir(&w->arena, path),
                                 *opts, &w->lost};
    if (!to.dir) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    GM_TRY(w->row->create(&w->state, &to, err));
    *out = w;
    w = NULL;
done:
    gm_writer_abort(w);
    return st;
}

/* Formats that know entities by their names have no place for one of nothing but white space. */
static void drop_unnamed(struct gm_post *p, struct gm_losses *lost)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_entities; i++)
        if (gm_str_trim(p->entities[i].text).n)
            p->entities[n++] = p->entities[i];
        else
            gm_losses_add(lost, "entities of nothing but white space", p->id);
    p->n_entities = n;
}

enum gm_status gm_writer_add(struct gm_writer *w, struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t n_before = w->ids.n;
    uint32_t id;
    if (w->row->is_by_id) {
        GM_TRY(gm_labels_add(&w->ids, post->id, &id, err));
        if (id < n_before)
            return GM_FAIL(err, GM_EFORMAT,
                           "post \"%.*s\": a post of this id was written before, and "
                           "%s can hold one of each",
                           GM_STR_ARG(post->id), w->row->title);
    }
    gm_post_settle_boxes(post, &w->lost);
    if (!(w->row->holds & GM_HOLDS_NOTHING_BOX))
        gm_post_drop_nothing(post, &w->lost);
    if (!(w->row->holds & GM_HOLDS_POSITION))
        drop_unnamed(post, &w->lost);
    GM_TRY(gm_post_drop_masks(post, &w->lost, err));
    gm_losses_post(&w->lost, post, w->row->holds);
    GM_TRY(w->row->add(w->state, post, err));
done:
    return st;
}

const struct gm_losses *gm_writer_losses(const struct gm_writer *w) { return &w->lost; }

enum gm_status gm_writer_commit(struct gm_writer *w, struct gm_error *err)
{
    void *state = w->state;
    w->state = NULL;
    enum gm_status st = w->row->commit(state, err);
    gm_writer_abort(w);
    return st;
}

void gm_writer_abort(struct gm_writer *w)
{
    if (!w)
        return;
    w->row->abort(w->state);
    gm_labels_clear(&w->ids);
    gm_arena_clear(&w->arena);
    gm_free(w);
}
