/* The texts of a file's posts, for formats without any (named_entities.h); apart from what those use of
 * them, as it reads a file of any format. */
#include "formats/named_entities.h"
#include "formats/reader.h"

static enum gm_status add(void *texts, struct gm_post *p, struct gm_error *err)
{
    return gm_texts_add(texts, p, err);
}

enum gm_status gm_texts_load(struct gm_texts **out, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_texts *t = NULL;
    *out = NULL;
    GM_TRY(gm_texts_new(&t, err));
    GM_TRY(gm_reader_each(path, NULL, add, t, err));
    if (gm_texts_count(t) == 0) {
        st = GM_FAIL(err, GM_EFORMAT, "%s: no texts in it", path);
        goto done;
    }
    *out = t;
    t = NULL;
done:
    gm_texts_free(t);
    return st;
}
