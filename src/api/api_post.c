/* Posts of the public API: a caller's structure or JSON, as a record. */
#include "api/api_internal.h"
#include "base/base64.h"
#include "base/utf8.h"
#include "image/data_uri.h"
#include "record/regions.h"

#include <stdint.h>

/* What a picture is called that has bytes and no name. */
static const char UNNAMED[] = "bytes";

/* ---- a structure as the JSON that the record is read from ---- */

static struct gm_json *text_of(const char *s, struct gm_error *err)
{
    struct gm_buf valid;
    gm_buf_init(&valid, SIZE_MAX - 1);
    struct gm_json *j = gm_utf8_repair(gm_str(s), &valid, err) == GM_OK
                            ? gm_json_new_str(gm_buf_str(&valid))
                            : NULL;
    gm_buf_clear(&valid);
    return j;
}

static enum gm_status set(struct gm_json *j, const char *key, const char *value,
                          struct gm_error *err)
{
    if (!value || gm_json_set(j, key, text_of(value, err)))
        return GM_OK;
    return GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status set_tokens(struct gm_json *j, const struct gmner_post *p,
                                 struct gm_error *err)
{
    struct gm_json *list = gm_json_new_array();
    bool ok = list != NULL;
    for (size_t i = 0; i < p->n_tokens && ok; i++) {
        if (!p->tokens[i]) {
            gm_json_free(list);
            return GM_FAIL(err, GM_EARG, "token %zu is NULL", i);
        }
        ok = gm_json_add(list, text_of(p->tokens[i], err));
    }
    if (!ok)
        gm_json_free(list);
    ok = ok && gm_json_set(j, "tokens", list);
    return ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static struct gm_json *span_of(const struct gmner_span *s, struct gm_error *err)
{
    struct gm_json *j = gm_json_new_object();
    if (j && gm_json_set(j, "type", text_of(s->type ? s->type : "", err)) &&
        gm_json_set(j, "start", gm_json_new_int((long long)s->start)) &&
        gm_json_set(j, "end", gm_json_new_int((long long)s->end)))
        return j;
    gm_json_free(j);
    return NULL;
}

static enum gm_status set_entities(struct gm_json *j, const struct gmner_post *p,
                                   struct gm_error *err)
{
    struct gm_json *list = gm_json_new_array();
    bool ok = list != NULL;
    for (size_t i = 0; i < p->n_entities && ok; i++)
        ok = gm_json_add(list, span_of(&p->entities[i], err));
    if (!ok)
        gm_json_free(list);
    ok = ok && gm_json_set(j, "entities", list);
    return ok ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* In the order of the fields of a record. */
static enum gm_status write_members(struct gm_json *j, const struct gmner_post *p,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    if ((p->n_tokens && !p->tokens) || (p->n_entities && !p->entities))
        return GM_FAIL(err, GM_EARG, "%s is NULL, and its number is not 0",
                       p->n_tokens && !p->tokens ? "tokens" : "entities");
    GM_TRY(set(j, "id", p->id, err));
    GM_TRY(set(j, "text", p->text, err));
    if (p->tokens)
        GM_TRY(set_tokens(j, p, err));
    GM_TRY(set(j, "image", p->image, err));
    GM_TRY(set(j, "caption", p->caption, err));
    if (p->n_entities || p->has_entities)
        GM_TRY(set_entities(j, p, err));
done:
    return st;
}

static enum gm_status read_members(struct gm_json **out, const struct gmner_post *p,
                                   struct gm_error *err)
{
    struct gm_json *j = gm_json_new_object();
    *out = NULL;
    if (!j)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    enum gm_status st = write_members(j, p, err);
    if (st == GM_OK)
        *out = j;
    else
        gm_json_free(j);
    return st;
}

static enum gm_status read_text(struct gm_json **out, const struct gmner_post *p,
                                struct gm_error *err)
{
    struct gm_buf valid;
    gm_buf_init(&valid, SIZE_MAX - 1);
    *out = NULL;
    enum gm_status st = gm_utf8_repair((struct gm_str){p->json, p->json_len}, &valid, err);
    if (st == GM_OK)
        st = gm_json_parse_lenient(out, gm_buf_str(&valid), err);
    gm_buf_clear(&valid);
    return st;
}

/* ---- pictures ---- */

/* Every stage reads a picture that its record holds itself. */
static enum gm_status hold_picture(struct gm_post *post, const struct gmner_post *p,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf uri;
    gm_buf_init(&uri, SIZE_MAX - 1);
    GM_TRY(gm_buf_add_c(&uri, "data:application/octet-stream;base64,", err));
    GM_TRY(gm_base64_write(&uri, (struct gm_str){p->image_bytes, p->image_len}, err));
    post->image = gm_arena_str(&post->arena, gm_buf_str(&uri));
    st = post->image.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory for a picture");
done:
    gm_buf_clear(&uri);
    return st;
}

void gm_api_post_end(struct gm_post *post)
{
    if (gm_data_uri_is(post->image))
        (void)gm_json_str(gm_json_get(post->source, "image"), &post->image);
}

/* ---- a post ---- */

static enum gm_status read_post(struct gm_post *out, const struct gmner_post *in, size_t number,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gmner_post p;
    struct gm_json *j = NULL, *line;
    GM_TRY(gm_api_copy(&p, sizeof p, in, "gmner_post", err));
    GM_TRY(p.json ? read_text(&j, &p, err) : read_members(&j, &p, err));
    if (p.image_bytes && gm_json_kind(j) == GM_JSON_OBJECT &&
        gm_json_kind(gm_json_get(j, "image")) <= GM_JSON_NULL)
        GM_TRY(set(j, "image", UNNAMED, err));
    line = j;
    j = NULL;
    GM_TRY(gm_post_from_json(out, line, NULL, err)); /* takes it over */
    if (!out->has_id && !(out->id = gm_arena_printf(&out->arena, "%zu", number)).p) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    gm_post_settle_boxes(out, NULL);
    if (p.image_bytes)
        GM_TRY(hold_picture(out, &p, err));
done:
    gm_json_free(j);
    return st;
}

enum gm_status gm_api_post(struct gm_post *out, const struct gmner_post *in, size_t number,
                           struct gm_error *err)
{
    struct gm_error e = {0};
    gm_post_init(out);
    enum gm_status st = read_post(out, in, number, &e);
    if (st == GM_OK)
        return GM_OK;
    gm_post_clear(out);
    gm_post_init(out);
    if (st == GM_ENOMEM || !(out->id = gm_arena_printf(&out->arena, "%zu", number)).p) {
        gm_post_clear(out);
        return GM_FAIL(err, GM_ENOMEM, "post %zu: out of memory", number);
    }
    out->is_refused = true;
    gm_post_fail(out, "input", &e);
    return GM_OK;
}
