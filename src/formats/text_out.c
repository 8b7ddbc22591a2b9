#include "formats/text_out.h"

#include "base/alloc.h"

/* The longest post as text: one of the reader's longest line, with everything found in it. */
#define TEXT_MAX ((size_t)1 << 30)

void gm_text_out_abort(void *state)
{
    struct gm_text_out *o = state;
    if (!o)
        return;
    gm_out_abort(o->out);
    gm_buf_clear(&o->text);
    gm_buf_clear(&o->last);
    gm_free(o);
}

enum gm_status gm_text_out_new(void **state, size_t size, const struct gm_target *to,
                               struct gm_error *err)
{
    struct gm_text_out *o = gm_alloc(1, size);
    *state = o;
    if (!o)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    o->to = *to;
    gm_buf_init(&o->text, TEXT_MAX);
    gm_buf_init(&o->last, TEXT_MAX);
    enum gm_status st = gm_out_open(&o->out, to->path, err);
    if (st != GM_OK) {
        gm_text_out_abort(o);
        *state = NULL;
    }
    return st;
}

enum gm_status gm_text_out_begin(struct gm_text_out *o, struct gm_str id, struct gm_error *err)
{
    if (o->has_last && gm_str_eq(gm_buf_str(&o->last), id))
        gm_losses_add(o->to.lost, "posts of the id before them (read back as one post)", id);
    o->has_last = true;
    gm_buf_reset(&o->last);
    return gm_buf_add_str(&o->last, id, err);
}

enum gm_status gm_text_out_commit(void *state, struct gm_error *err)
{
    struct gm_text_out *o = state;
    enum gm_status st = gm_out_commit(o->out, err);
    o->out = NULL;
    gm_text_out_abort(o);
    return st;
}
