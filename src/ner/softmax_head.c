/* softmax_head.c - with x the state of a word's first piece, W and b the classifier's rows in our labels' order:
 *
 *   emissions e = W x + b,   P(label j of a word) = exp(e_j) / sum over k of exp(e_k)
 *
 * (ModernBERT: W LN(f(x Wd')) + b.) Words are independent of each other: the best path is Viterbi's over the
 * sequences that the scheme allows, all transitions weighing nothing, and an entity's probability is the product
 * of its words' (gm_ner_lattice_crf). A scheme without B is BIO in which an entity never follows one of its own
 * type: B and I have one row, and each sequence of classes is one path. Reference: transformers
 * (tests/ref/tagger_reference.py). */
#include "ner/softmax_head.h"

#include "base/host.h"
#include "base/path.h"
#include "ner/tag_names.h"
#include "nn/finite.h"

#include <stdio.h>

enum { MAX_CONFIG_BYTES = 4 << 20 };
static const float impossible = -1e9f;

bool gm_softmax_head_is(const struct gm_json *settings)
{
    struct gm_str head = {0};
    return !settings ||
           (gm_json_str(gm_json_get(settings, "head"), &head) && gm_str_eq_c(head, "softmax"));
}

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
    }
    return GM_OK;
}

/* Which of our labels a name is; of a scheme without B it is two of them. False = it has a row already. */
static bool place(struct gm_tagger *t, const struct gm_tag_name *name, size_t row)
{
    bool outside = name->prefix == 'O';
    uint32_t type = outside ? 0 : gm_labels_find(&t->labels.types, name->type);
    if (t->labels.runs && !outside)
        t->row[gm_ner_label(&t->labels, (struct gm_tag){'B', type})] = row;
    size_t *of = &t->row[gm_ner_label(&t->labels, (struct gm_tag){name->prefix, type})];
    bool is_first = *of == SIZE_MAX;
    *of = row;
    return is_first;
}

static enum gm_status place_all(struct gm_tagger *t, const struct gm_tag_name *tags,
                                const struct gm_str *names, const char *path, struct gm_error *err)
{
    t->row = gm_arena_alloc(&t->labels.arena, t->labels.k, sizeof *t->row);
    if (!t->row)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < t->labels.k; i++)
        t->row[i] = SIZE_MAX;
    for (size_t i = 0; i < t->n_rows; i++)
        if (!place(t, &tags[i], i))
            return GM_FAIL(err, GM_EMODEL,
                           "%s: label %zu of \"id2label\", %.*s, is there before; each tag has one "
                           "number",
                           path, i, GM_STR_ARG(names[i]));
    return GM_OK;
}

static enum gm_status read_labels(struct gm_tagger *t, const struct gm_json *config,
                                  const char *path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_json *list = gm_json_get(config, "id2label");
    struct gm_str *names;
    struct gm_tag_names tags;
    uint32_t id;
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
    t->labels.scheme = tags.scheme;
    t->labels.runs = tags.runs;
    for (size_t i = 0; i < t->n_rows; i++)
        if (tags.items[i].prefix != 'O')
            GM_TRY(gm_labels_add(&t->labels.types, tags.items[i].type, &id, err));
    GM_TRY(gm_ner_labels_build(&t->labels, err));
    st = place_all(t, tags.items, names, path, err);
done:
    return st;
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
                     "%s makes one of it",
                     path, GM_STR_ARG(kind), gm_option("`gmner train --task ner --encoder`"));
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
    const size_t zero[] = {t->head_w, t->head_b, t->start, t->end};
    GM_TRY(get(t, "classifier.weight", h, &w, err));
    GM_TRY(get(t, "classifier.bias", 1, &b, err));
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
        GM_TRY(gm_params_init_const(ps, zero[i], 0, err));
    for (size_t j = 0; j < t->labels.k; j++) {
        if (t->row[j] == SIZE_MAX) {
            ps->p[t->head_b].w[j] = impossible;
            continue;
        }
        gm_tensor_to_f32(&w, t->row[j] * h, h, ps->p[t->head_w].w + j * h);
        gm_tensor_to_f32(&b, t->row[j], 1, ps->p[t->head_b].w + j);
    }
done:
    return st;
}
