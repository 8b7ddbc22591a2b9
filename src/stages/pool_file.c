#include "stages/pool_file.h"

#include "base/alloc.h"
#include "base/sha256.h"
#include "formats/named_entities.h"
#include "formats/reader.h"
#include "formats/voc_xml.h"

enum gm_status gm_pool_file_read(struct gm_pool_file *f, const char *setting,
                                 const struct gm_json *j, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_format format;
    *f = (struct gm_pool_file){.setting = setting, .from = GM_STR("auto")};
    GM_TRY(gm_settings_str(j, "pool", &f->pool, err));
    GM_TRY(gm_settings_str(j, "from", &f->from, err));
    GM_TRY(gm_settings_str(j, "images", &f->images, err));
    GM_TRY(gm_settings_str(j, "xml", &f->xml, err));
    GM_TRY(gm_settings_str(j, "text", &f->text, err));
    if (!f->pool.n)
        st = GM_FAIL(err, GM_EARG, "\"pool\" is missing, a file of annotated posts");
    else if (!gm_format_parse(f->from.p, &format))
        st = GM_FAIL(err, GM_EARG, "setting \"from\" is \"%.*s\"; it must be one of %s",
                     GM_STR_ARG(f->from), GM_READABLE_FORMATS);
done:
    return st;
}

/* `fn` for every post of the file, which it may take over (*taken). */
static enum gm_status each_post(const struct gm_pool_file *f,
                                enum gm_status (*fn)(void *user, struct gm_post *p, bool *taken,
                                                     struct gm_error *err),
                                void *user, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_reader *r = NULL;
    struct gm_texts *texts = NULL;
    struct gm_reader_opts ro = {.images_dir = f->images.p};
    (void)gm_format_parse(f->from.p, &ro.format); /* gm_pool_file_read has looked at it */
    if (f->text.n)
        GM_TRY(gm_texts_load(&texts, f->text.p, err));
    ro.texts = texts;
    GM_TRY(gm_reader_open(&r, f->pool.p, &ro, err));
    for (;;) {
        struct gm_post p;
        bool has, taken = false;
        GM_TRY(gm_reader_next(r, &p, &has, err));
        if (!has)
            break;
        if (f->xml.n)
            st = gm_post_add_boxes(&p, f->xml.p, NULL, err);
        if (st == GM_OK)
            st = fn(user, &p, &taken, err);
        if (!taken)
            gm_post_clear(&p);
        GM_TRY(st);
    }
done:
    gm_reader_free(r);
    gm_texts_free(texts);
    if (st != GM_OK)
        gm_error_prefix(err, "setting \"%s\"", f->setting);
    return st;
}

/* ---- to keep ---- */

struct taking {
    struct gm_pool_posts *to;
    bool (*takes)(const struct gm_post *post);
    size_t n_textless; /* of those not taken */
};

static enum gm_status take_post(void *user, struct gm_post *post, bool *taken, struct gm_error *err)
{
    struct taking *t = user;
    struct gm_pool_posts *p = t->to;
    enum gm_status st = GM_OK;
    if (t->takes && !t->takes(post)) {
        t->n_textless += post->text.n == 0;
        return GM_OK;
    }
    GM_TRY(GM_ARENA_GROW(&p->arena, p->items, p->n, p->cap, err));
    struct gm_post *own = gm_alloc(1, sizeof *own);
    if (!own)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    *own = *post;
    p->items[p->n++] = own;
    *taken = true;
done:
    return st;
}

enum gm_status gm_pool_posts_load(struct gm_pool_posts *p, const struct gm_pool_file *f,
                                  bool (*takes)(const struct gm_post *post), struct gm_error *err)
{
    gm_arena_init(&p->arena, 0);
    struct taking t = {.to = p, .takes = takes};
    enum gm_status st = each_post(f, take_post, &t, err);
    if (st != GM_OK || p->n)
        return st;
    if (t.n_textless)
        return GM_FAIL(
            err, GM_EFORMAT,
            "setting \"%s\": %.*s has no post to choose from: of %zu the texts are not known; "
            "\"text\" is to name the file of the data set that has them",
            f->setting, GM_STR_ARG(f->pool), t.n_textless);
    return GM_FAIL(err, GM_EFORMAT, "setting \"%s\": %.*s has no post%s", f->setting,
                   GM_STR_ARG(f->pool), takes ? " to choose from" : "");
}

void gm_pool_posts_clear(struct gm_pool_posts *p)
{
    for (size_t i = 0; i < p->n; i++) {
        gm_post_clear(p->items[i]);
        gm_free(p->items[i]);
    }
    gm_arena_clear(&p->arena);
    *p = (struct gm_pool_posts){.n = 0};
}

/* ---- what they are ---- */

static enum gm_status hash_post(void *user, struct gm_post *p, bool *taken, struct gm_error *err)
{
    (void)taken;
    return gm_post_to_json(p, user, err);
}

enum gm_status gm_pool_file_fingerprint(const struct gm_pool_file *f, struct gm_buf *out,
                                        struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char hex[GM_SHA256_HEX];
    struct gm_buf all;
    gm_buf_init(&all, SIZE_MAX / 2);
    GM_TRY(each_post(f, hash_post, &all, err));
    gm_sha256(gm_buf_str(&all), hex);
    st = gm_buf_printf(out, err, "%s=%s\n", f->setting, hex);
done:
    gm_buf_clear(&all);
    return st;
}
