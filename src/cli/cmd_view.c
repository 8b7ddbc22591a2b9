/* gmner view: posts with their entities as a page, as annotated pictures, or on the terminal. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/path.h"
#include "base/progress.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "base/troubles.h"
#include "formats/reader.h"
#include "image/font.h"
#include "report/annotate.h"
#include "report/marks.h"
#include "report/report.h"
#include "report/terminal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct opts {
    const char *output, *png, *masks, *images, *from;
};

/* Where posts go: a page, a folder of pictures, or the terminal when neither is asked for. */
struct view {
    const struct opts *o;
    struct gm_report *report;
    struct gm_out *terminal;
    struct gm_terminal_opts style;
    struct gm_buf text;
    struct gm_progress progress;
    size_t n_posts, n_bad;
    size_t n_masks;              /* files written */
    struct gm_troubles troubles; /* of those that are bad */
};

#define TEXT_MAX ((size_t)1 << 30)

/* Letters of any script stay; what could leave the folder, trouble a shell, or isn't seen (controls,
 * spaces, marks of direction) does not. */
static bool is_plain(uint32_t cp)
{
    if (cp < 0x80)
        return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z') || (cp >= '0' && cp <= '9') ||
               cp == '-' || cp == '_' || cp == '.';
    return cp > 0xa0 && cp != 0xad && cp != 0x3000 && cp != 0xfeff && cp != 0xfffd &&
           !(cp >= 0x2000 && cp <= 0x206f);
}

/* DIR/NUMBER-ID.png, the id with "_" for what does not belong into a name, `more` behind it. */
static struct gm_str picture_path(struct gm_arena *a, const char *dir, size_t number,
                                  struct gm_str id, const char *more)
{
    enum { MAX_ID = 80 }; /* bytes */
    char name[MAX_ID];
    size_t n = 0;
    for (size_t pos = 0; pos < id.n;) {
        size_t from = pos;
        bool plain = is_plain(gm_utf8_next(id, &pos));
        struct gm_str letter = plain ? gm_str_sub(id, from, pos) : GM_STR("_");
        if (n + letter.n > MAX_ID)
            break;
        memcpy(name + n, letter.p, letter.n);
        n += letter.n;
    }
    struct gm_str file = gm_arena_printf(a, "%05zu-%.*s%s.png", number, (int)n, name, more);
    return file.p ? gm_path_below(a, dir, file) : file;
}

/* Something of a post that can't be shown. */
static void tell_bad(struct view *v, const struct gm_post *post, const char *why)
{
    char of[128];
    snprintf(of, sizeof of, "post %.*s", GM_STR_ARG(post->id));
    gm_troubles_tell(&v->troubles, "view", of, why);
    v->n_bad++;
}

/* A picture that can't be made is reported and counted; a folder that can't be written ends all. */
static enum gm_status write_picture(struct view *v, const struct gm_post *post,
                                    struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_image *im = NULL;
    struct gm_error why;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    gm_buf_reset(&v->text);
    if (gm_annotate(post, &im, &why) != GM_OK) {
        tell_bad(v, post, why.msg);
        goto done;
    }
    if (!im)
        goto done;
    struct gm_str path = picture_path(&a, v->o->png, v->n_posts, post->id, "");
    GM_TRY(path.p ? gm_image_write_png(im, &v->text, err)
                  : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_file_write(path.p, gm_buf_str(&v->text), err));
done:
    gm_image_free(im);
    gm_arena_clear(&a);
    return st;
}

static enum gm_status write_mask(struct view *v, const struct gm_post *post, size_t entity,
                                 size_t k, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_region *r = &post->entities[entity].regions[k];
    uint8_t *mask = NULL;
    struct gm_error why;
    char of[64];
    struct gm_arena a;
    gm_arena_init(&a, 0);
    gm_buf_reset(&v->text);
    st = gm_region_mask(r, r->mask.w, r->mask.h, &mask, &why);
    if (st == GM_EFORMAT) {
        tell_bad(v, post, why.msg);
        st = GM_OK;
    }
    if (st != GM_OK || !mask)
        goto done;
    snprintf(of, sizeof of, "-e%zur%zu", entity, k);
    struct gm_str path = picture_path(&a, v->o->masks, v->n_posts, post->id, of);
    GM_TRY(path.p ? gm_mask_write_png(mask, r->mask.h, r->mask.w, &v->text, err)
                  : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_file_write(path.p, gm_buf_str(&v->text), err));
    v->n_masks++;
done:
    gm_free(mask);
    gm_arena_clear(&a);
    return st;
}

/* A file a mask: masks may overlap, so that one picture could not hold them. */
static enum gm_status write_masks(struct view *v, const struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    for (size_t i = 0; i < post->n_entities; i++)
        for (size_t k = 0; k < post->entities[i].n_regions; k++)
            if (post->entities[i].regions[k].mask.counts.n)
                GM_TRY(write_mask(v, post, i, k, err));
done:
    return st;
}

static enum gm_status show(struct view *v, const struct gm_post *post, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    v->n_posts++;
    if (v->report)
        GM_TRY(gm_report_add(v->report, post, 0, err));
    if (v->o->png)
        GM_TRY(write_picture(v, post, err));
    if (v->o->masks)
        GM_TRY(write_masks(v, post, err));
    if (v->terminal) {
        gm_buf_reset(&v->text);
        GM_TRY(gm_terminal_post(post, &v->style, &v->text, err));
        GM_TRY(gm_out_write(v->terminal, gm_buf_str(&v->text), err));
    } else
        gm_progress_update(&v->progress, v->n_posts, NULL, 0);
done:
    return st;
}

static enum gm_status show_all(struct view *v, struct gm_reader *reader, struct gm_error *err)
{
    for (;;) {
        struct gm_post post;
        struct gm_error why;
        bool has;
        enum gm_status st = gm_reader_next(reader, &post, &has, &why);
        if (st != GM_OK && has) { /* one line that can't be read */
            gm_troubles_tell(&v->troubles, "view", NULL, why.msg);
            v->n_bad++;
            continue;
        }
        if (st != GM_OK)
            return GM_FAIL(err, st, "%s", why.msg);
        if (!has)
            return GM_OK;
        st = show(v, &post, err);
        gm_post_clear(&post);
        if (st != GM_OK)
            return st;
    }
}

static enum gm_status open_all(struct view *v, const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char title[256];
    snprintf(title, sizeof title, "gmner: %s",
             strcmp(path, "-") == 0 ? "posts" : gm_path_file(gm_str(path)).p);
    gm_buf_init(&v->text, TEXT_MAX);
    gm_progress_init(&v->progress, "view", 0, "posts");
    if (v->o->output)
        GM_TRY(gm_report_open(&v->report, v->o->output, title, err));
    if (v->o->png) {
        struct gm_font *font; /* known now rather than at every post */
        GM_TRY(gm_font_open(&font, 16, false, err));
        gm_font_free(font);
        GM_TRY(gm_mkdirs(v->o->png, err));
    }
    if (v->o->masks)
        GM_TRY(gm_mkdirs(v->o->masks, err));
    if (!v->o->output && !v->o->png && !v->o->masks) {
        v->style = gm_terminal_opts_detect(STDOUT_FILENO);
        GM_TRY(gm_out_open(&v->terminal, NULL, err));
    }
done:
    return st;
}

static enum gm_exit run(const void *options, const struct gm_args *args, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct view v = {.o = options};
    struct gm_reader *reader = NULL;
    struct gm_reader_opts ro = {.images_dir = v.o->images};
    (void)gm_format_parse(v.o->from, &ro.format); /* the option table lists what it knows */
    GM_TRY(gm_reader_open(&reader, args->v[0], &ro, err));
    GM_TRY(open_all(&v, args->v[0], err));
    GM_TRY(show_all(&v, reader, err));
    if (v.o->masks && v.n_masks == 0)
        GM_LOG(GM_LOG_WARN, "view",
               "no mask in %s, so none is in %s; `gmner predict -r masks` gives masks to boxes",
               args->v[0], v.o->masks);
    if (v.report) {
        struct gm_report *report = v.report;
        v.report = NULL;
        GM_TRY(gm_report_commit(report, err));
    }
    if (v.terminal) {
        struct gm_out *terminal = v.terminal;
        v.terminal = NULL;
        GM_TRY(gm_out_commit(terminal, err));
    }
done:
    gm_progress_end(&v.progress);
    gm_troubles_end(&v.troubles, "view");
    gm_report_abort(v.report);
    gm_out_abort(v.terminal);
    gm_buf_clear(&v.text);
    gm_reader_free(reader);
    return st != GM_OK ? GM_EXIT_FAILED : v.n_bad ? GM_EXIT_SOME : GM_EXIT_DONE;
}

static const struct gm_option options[] = {
    {"output", 'o', GM_OPT_STR, offsetof(struct opts, output), NULL, 0, 0, "FILE",
     "write a self-contained HTML page"},
    {"png", 0, GM_OPT_STR, offsetof(struct opts, png), NULL, 0, 0, "DIR",
     "write an annotated picture of every post with an image: DIR/NUMBER-ID.png"},
    {"masks", 0, GM_OPT_STR, offsetof(struct opts, masks), NULL, 0, 0, "DIR",
     "write every mask as a grey picture of 0 and 255: DIR/NUMBER-ID-eErR.png, region R of entity E, "
     "both counted from 0"},
    {"images", 0, GM_OPT_STR, offsetof(struct opts, images), NULL, 0, 0, "DIR",
     "folder that relative image paths start from (default: the folder of FILE)"},
    {"from", 0, GM_OPT_CHOICE, offsetof(struct opts, from), "auto", 0, 0, GM_READABLE_FORMATS,
     "format of the posts; auto looks at their content"},
    GM_OPTION_END,
};

const struct gm_command gm_cmd_view = {
    .name = "view",
    .summary = "show posts and their entities: HTML page, annotated pictures, terminal",
    .usage = "FILE|- [options]",
    .about =
        "Reads what `gmner predict` wrote (or any posts with entities). Without -o, --png and --masks the "
        "posts are shown on the terminal, in colour unless NO_COLOR is set. The page needs no "
        "network and no other file: it holds the pictures, with masks and boxes that light up "
        "with their entity, and can be filtered by type and outcome.",
    .examples = "gmner view out.jsonl\n"
                "gmner view out.jsonl -o out.html --png pictures\n"
                "gmner view out.jsonl --masks masks\n",
    .options = options,
    .opts_size = sizeof(struct opts),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
