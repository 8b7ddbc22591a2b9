/* softmax_head.c - with x the state of a word's first piece, W and b the classifier's rows in our labels' order:
 *
 *   emissions e = W x + b,   P(label j of a word) = exp(e_j) / sum over k of exp(e_k)
 *
 * (ModernBERT: W LN(f(x Wd')) + b.) Words are independent of each other: the best path is Viterbi's over the
 * sequences that the scheme allows, all transitions weighing nothing, and an entity's probability is the product
 * of its words' (gm_ner_lattice_crf). Rows that mean one label of ours add their probabilities:
 *
 *   e of a label = log of the sum over its rows r of exp(e_r)
 *
 * B and S where there is no E, I and E where there is no S, O and what special tokens have. A scheme without B, or
 * whose B says little (IOB1), is BIO in which an entity never follows one of its own type: B and I have the same
 * rows, and each sequence of classes is one path. Reference: transformers (tests/ref/taggers_reference.py). */
#include "ner/softmax_head.h"

#include "base/host.h"
#include "base/path.h"
#include "ner/tag_names.h"
#include "nn/finite.h"

#include <math.h>
#include <stdio.h>

enum { MAX_CONFIG_BYTES = 4 << 20 };
static const float impossible = -1e9f;

struct gm_json *gm_tagger_softmax_settings(void)
{
    struct gm_json *j = gm_json_new_object();
    bool ok = j && gm_json_set(j, "format", gm_json_new_int(1)) &&
              gm_json_set(j, "task", gm_json_new_str(GM_STR("ner"))) &&
              gm_json_set(j, "head", gm_json_new_str(GM_STR("softmax"))) &&
              gm_json_set(j, "pooling", gm_json_new_str(GM_STR("first"))) &&
              gm_json_set(j, "case", gm_json_new_bool(false));
    if (ok)
        return j;
    gm_json_free(j);
    return NULL;
}

/* The names of all labels, in the order of the classifier's rows. */
static enum gm_status read_names(struct gm_tagger *t, const struct gm_json *list, const char *path,
                                 struct gm_str **out, struct gm_error *err)
{
    struct gm_str *names = gm_arena_alloc(&t->labels.arena, t->n_rows, sizeof *names);
    *out = names;
    if (!names)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < t->n_rows; i++) {
        char key[24];
        snprintf(key, sizeof key, "%zu", i);
        if (!gm_json_str(gm_json_get(list, key), &names[i]) || !names[i].n)
            return GM_FAIL(err, GM_EMODEL, "%s: \"id2label\" has no name for label %zu", path, i);
        if (gm_str_starts(names[i], GM_STR("LABEL_")))
            return GM_FAIL(err, GM_EMODEL,
                           "%s: \"id2label\" says %.*s where a tag such as B-PER is needed; give "
                           "the labels their names there, in the order of the training data's",
                           path, GM_STR_ARG(names[i]));
        names[i] = gm_arena_str(&t->labels.arena, names[i]); /* the file's text is let go of */
        if (!names[i].p)
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
    }
    return GM_OK;
}

/* The labels of ours that a tag of theirs is: out[2], how many are returned. */
static size_t labels_of(const struct gm_ner_labels *l, const struct gm_tag_name *tag,
                        uint16_t out[2])
{
    bool begins = tag->prefix == 'B' || tag->prefix == 'S', outside = tag->prefix == 'O';
    uint32_t type = outside ? 0 : gm_labels_find(&l->types, tag->type);
    if (l->scheme == GM_TAGS_BIOES || outside) {
        out[0] = gm_ner_label(l, (struct gm_tag){tag->prefix, type});
        return 1;
    }
    out[0] = gm_ner_label(l, (struct gm_tag){begins ? 'B' : 'I', type});
    out[1] = gm_ner_label(l, (struct gm_tag){begins ? 'I' : 'B', type});
    return l->runs ? 2 : 1;
}

/* The rows of each label, one list behind the other. */
static enum gm_status place_all(struct gm_tagger *t, struct gm_error *err)
{
    const struct gm_ner_labels *l = &t->labels;
    uint16_t of[2];
    t->first_row = gm_arena_alloc(&t->labels.arena, l->k + 2, sizeof *t->first_row);
    t->rows = gm_arena_alloc(&t->labels.arena, 2 * t->n_rows, sizeof *t->rows);
    if (!t->first_row || !t->rows)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < t->n_rows; i++)
        for (size_t k = labels_of(l, &t->row_tags[i], of); k-- > 0;)
            t->first_row[of[k] + 2]++;
    for (size_t j = 0; j < l->k; j++) /* [j + 1] is where the next row of label j goes */
        t->first_row[j + 2] += t->first_row[j + 1];
    for (size_t i = 0; i < t->n_rows; i++)
        for (size_t k = labels_of(l, &t->row_tags[i], of); k-- > 0;)
            t->rows[t->first_row[of[k] + 1]++] = (uint32_t)i;
    return GM_OK;
}

/* Adds the types; no tag may come twice, but for those of special tokens. */
static enum gm_status add_types(struct gm_tagger *t, const struct gm_str *names, const char *path,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    uint8_t *seen = gm_arena_alloc(&t->labels.arena, GM_NER_MAX_TYPES + 1, 1); /* a bit a letter */
    uint32_t type;
    GM_TRY(seen ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    for (size_t i = 0; i < t->n_rows; i++) {
        const struct gm_tag_name *tag = &t->row_tags[i];
        uint8_t bit = (uint8_t)(1 << (tag->prefix % 8)); /* B, E, I, O, S: 2, 5, 1, 7, 3 */
        type = GM_NER_MAX_TYPES;
        if (tag->prefix != 'O')
            GM_TRY(gm_labels_add(&t->labels.types, tag->type, &type, err));
        if ((seen[type] & bit) && !tag->is_filler) {
            st = GM_FAIL(err, GM_EMODEL,
                         "%s: label %zu of \"id2label\", %.*s, is there before; each tag has one "
                         "number",
                         path, i, GM_STR_ARG(names[i]));
            goto done;
        }
        seen[type] |= tag->is_filler ? 0 : bit;
    }
done:
    return st;
}

/* What gmner.json says of the scheme where the names of the labels leave it open. */
static enum gm_status read_scheme(struct gm_tagger *t, struct gm_error *err)
{
    const struct gm_json *scheme = gm_json_get(t->net.settings, "scheme");
    struct gm_str name = {0};
    if (scheme && (!gm_json_str(scheme, &name) || !gm_str_eq_c(name, "iob1") ||
                   t->labels.scheme != GM_TAGS_BIO))
        return GM_FAIL(
            err, GM_EMODEL,
            "%s/gmner.json: of labels in config.json \"scheme\" can only be \"iob1\", where "
            "they are B-, I- and O",
            t->net.dir);
    t->labels.runs = t->labels.runs || name.n;
    return GM_OK;
}

static enum gm_status read_labels(struct gm_tagger *t, const struct gm_json *config,
                                  const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *list = gm_json_get(config, "id2label");
    struct gm_str *names;
    struct gm_tag_names tags;
    t->n_rows = gm_json_count(list);
    if (t->n_rows == 0)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: not a trained tagger: there is no gmner.json beside it, and it has no "
                       "\"id2label\" with a token classifier's labels",
                       path);
    GM_TRY(read_names(t, list, path, &names, err));
    st = gm_tag_names_read(names, t->n_rows, &t->labels.arena, &tags, err);
    if (st == GM_EMODEL)
        gm_error_prefix(err, "%s", path);
    GM_TRY(st);
    t->row_tags = tags.items;
    t->labels.scheme = tags.scheme;
    t->labels.runs = tags.runs;
    GM_TRY(read_scheme(t, err));
    GM_TRY(add_types(t, names, path, err));
    GM_TRY(gm_ner_labels_build(&t->labels, err));
    st = place_all(t, err);
done:
    return st;
}

bool gm_tagger_may_be_iob1(const struct gm_tagger *t)
{
    bool has_inside = false;
    for (size_t i = 0; i < t->n_rows; i++)
        has_inside = has_inside || t->row_tags[i].prefix == 'I';
    return t->softmax && t->labels.scheme == GM_TAGS_BIO && !t->labels.runs && has_inside;
}

enum gm_status gm_tagger_set_iob1(struct gm_tagger *t, struct gm_error *err)
{
    t->labels.runs = true;
    enum gm_status st = gm_ner_labels_build(&t->labels, err);
    return st == GM_OK ? place_all(t, err) : st;
}

/* ModernBERT's head has a layer of its own in front. */
static enum gm_status read_dense(struct gm_tagger *t, const struct gm_json *config,
                                 const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_str f = GM_STR("gelu");
    struct gm_params *ps = &t->net.params;
    size_t h = t->net.enc.config.hidden;
    bool bias = false;
    if (!t->net.enc.config.rotary)
        return GM_OK;
    gm_json_str(gm_json_get(config, "classifier_activation"), &f);
    if (!gm_activation_parse(f, &t->dense_f))
        return GM_FAIL(err, GM_EMODEL, "%s: classifier_activation \"%.*s\" is not supported", path,
                       GM_STR_ARG(f));
    if (gm_json_bool(gm_json_get(config, "classifier_bias"), &bias) && bias)
        return GM_FAIL(err, GM_EMODEL, "%s: classifier_bias true is not supported", path);
    t->has_dense = true;
    GM_TRY(gm_params_add(ps, &t->dense.w, GM_MATRIX, h, h, err, "head.dense.weight"));
    GM_TRY(gm_params_add_zeros(ps, &t->dense.b, h, err));
    GM_TRY(gm_params_add(ps, &t->dense_norm.w, GM_VECTOR, h, 0, err, "head.norm.weight"));
    st = gm_params_add_zeros(ps, &t->dense_norm.b, h, err);
done:
    return st;
}

enum gm_status gm_softmax_head_labels(struct gm_tagger *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *config = NULL;
    struct gm_str kind = {0};
    const char *path =
        gm_path_join(&t->net.arena, gm_net_dir_of(&t->net, "config.json"), "config.json");
    gm_labels_init(&t->labels.types, GM_NER_MAX_TYPES);
    gm_arena_init(&t->labels.arena, 0);
    t->softmax = true;
    GM_TRY(path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(gm_json_load(&config, path, MAX_CONFIG_BYTES, err));
    gm_json_str(gm_json_at(gm_json_get(config, "architectures"), 0), &kind);
    if (kind.n && !gm_str_ends(kind, GM_STR("ForTokenClassification"))) {
        st = GM_FAIL(err, GM_EMODEL,
                     "%s: not a trained tagger but a %.*s, and there is no gmner.json beside it; "
                     "%s makes one of it%s",
                     path, GM_STR_ARG(kind), gm_option("`gmner train --task ner --encoder`"),
                     t->net.is_adapter ? ", or a config.json with the labels beside the adapter"
                                       : "");
        goto done;
    }
    GM_TRY(read_labels(t, config, path, err));
    st = read_dense(t, config, path, err);
done:
    gm_json_free(config);
    return st;
}

static enum gm_status get(const struct gm_tagger *t, const char *name, size_t cols,
                          struct gm_tensor *out, struct gm_error *err)
{
    const char *path;
    if (!gm_net_tensor(&t->net, name, out, &path))
        return GM_FAIL(err, GM_EMODEL, "%s: tensor %s is missing", path, name);
    size_t have = out->rank == 2 ? out->shape[1] : 1;
    if (out->rank != (cols > 1 ? 2u : 1u) || out->shape[0] != t->n_rows || have != cols)
        return GM_FAIL(err, GM_EMODEL,
                       "%s: tensor %s has shape [%zu,%zu] where [%zu,%zu] is needed", path, name,
                       out->shape[0], have, t->n_rows, cols);
    if (out->dtype != GM_F32 && out->dtype != GM_BF16 && out->dtype != GM_F16)
        return GM_FAIL(err, GM_EMODEL, "%s: tensor %s is no float tensor (F32, F16 or BF16)", path,
                       name);
    return gm_tensor_check_finite(out, name, path, err);
}

enum gm_status gm_softmax_head_bind(struct gm_tagger *t, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_params *ps = &t->net.params;
    size_t h = t->net.enc.config.hidden;
    struct gm_tensor w, b;
    const size_t values[] = {t->head_w, t->head_b, t->start, t->end};
    GM_TRY(get(t, "classifier.weight", h, &w, err));
    GM_TRY(get(t, "classifier.bias", 1, &b, err));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        GM_TRY(gm_params_init_const(ps, values[i], 0, err));
    gm_tensor_to_f32(&w, 0, t->n_rows * h, ps->p[t->head_w].w);
    gm_tensor_to_f32(&b, 0, t->n_rows, ps->p[t->head_b].w);
done:
    return st;
}

/* log of the sum of exp(e) over some rows. */
static float join_rows(const float *e, const uint32_t *rows, size_t n)
{
    double top = (double)impossible, sum = 0;
    if (n == 1)
        return e[rows[0]];
    for (size_t i = 0; i < n; i++)
        top = fmax(top, (double)e[rows[i]]);
    for (size_t i = 0; i < n; i++)
        sum += exp((double)e[rows[i]] - top);
    return n ? (float)(top + log(sum)) : impossible;
}

enum gm_status gm_softmax_head_join(const struct gm_tagger *t, struct gm_graph *g, size_t n,
                                    float **emit, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    size_t k = t->labels.k;
    void *block;
    const float *e = *emit;
    GM_TRY(gm_graph_alloc(g, &block, n * k, sizeof(float), err));
    float *out = block;
    for (size_t w = 0; w < n; w++)
        for (size_t j = 0; j < k; j++)
            out[w * k + j] = join_rows(e + w * t->n_rows, t->rows + t->first_row[j],
                                       t->first_row[j + 1] - t->first_row[j]);
    *emit = out;
done:
    return st;
}

void gm_softmax_head_signs(const struct gm_tagger *t, const float *emit, size_t n, size_t *begins,
                           size_t *odd)
{
    size_t k = t->labels.k, before = 0;
    for (size_t w = 0; w < n; w++) {
        size_t best = 0;
        for (size_t j = 1; j < k; j++)
            best = emit[w * k + j] > emit[w * k + best] ? j : best;
        struct gm_tag tag = gm_ner_tag(&t->labels, best);
        *begins += tag.prefix == 'B';
        *odd += tag.prefix == 'I' && !t->labels.allowed[before * k + best];
        before = best;
    }
}
