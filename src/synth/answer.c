#include "synth/answer.h"

#include "llm/json_repair.h"

#define SCHEMA(more_properties, more_required)                                                        \
    "{\"type\": \"object\", \"properties\": {\"sentences\": {\"type\": \"array\", \"items\": "        \
    "{\"type\": \"object\", \"properties\": {\"text\": {\"type\": \"string\"}, \"entities\": "        \
    "{\"type\": \"array\", \"items\": {\"type\": \"object\", \"properties\": {\"text\": "             \
    "{\"type\": \"string\"}, \"type\": {\"type\": \"string\"}}, \"required\": [\"text\", \"type\"], " \
    "\"additionalProperties\": false}}" more_properties                                               \
    "}, \"required\": [\"text\", \"entities\"" more_required "], "                                    \
    "\"additionalProperties\": false}}}, \"required\": [\"sentences\"], "                             \
    "\"additionalProperties\": false}"

const char gm_synth_schema[] = SCHEMA("", "");
const char gm_synth_schema_knowledge[] =
    SCHEMA(", \"knowledge\": {\"type\": \"string\"}", ", \"knowledge\"");

/* The first member of one of these names that is a text. */
static bool text_of(const struct gm_json *o, const char *const *names, struct gm_str *out)
{
    for (size_t i = 0; names[i]; i++)
        if (gm_json_str(gm_json_get(o, names[i]), out))
            return true;
    return false;
}

static struct gm_json *new_entity(struct gm_str text, struct gm_str type)
{
    struct gm_json *e = gm_json_new_object();
    if (e && gm_json_set(e, "text", gm_json_new_str(text)) &&
        gm_json_set(e, "type", gm_json_new_str(type)))
        return e;
    gm_json_free(e);
    return NULL;
}

static struct gm_json *new_sentence(struct gm_str text, struct gm_json *entities)
{
    struct gm_json *s = gm_json_new_object();
    bool ok = s && gm_json_set(s, "text", gm_json_new_str(text));
    if (ok && gm_json_set(s, "entities", entities))
        return s;
    if (!ok)
        gm_json_free(entities);
    gm_json_free(s);
    return NULL;
}

/* NULL: one of them is no entity, or memory is out (*ok false). */
static struct gm_json *entities_of(const struct gm_json *item, bool *ok)
{
    static const char *const texts[] = {"text", "name", "entity", NULL}, *const types[] = {
                                                                             "type", "label", NULL};
    const struct gm_json *list = gm_json_get(item, "entities");
    struct gm_json *out = gm_json_new_array();
    if (!list)
        list = gm_json_get(item, "entity");
    *ok = out != NULL;
    bool is_list = gm_json_kind(list) == GM_JSON_ARRAY;
    for (size_t i = 0; i < gm_json_count(list) && is_list && *ok; i++) {
        struct gm_str text, type;
        is_list = text_of(gm_json_at(list, i), texts, &text) &&
                  text_of(gm_json_at(list, i), types, &type);
        if (is_list)
            *ok = gm_json_add(out, new_entity(text, type));
    }
    if (is_list && *ok)
        return out;
    gm_json_free(out);
    return NULL;
}

/* What was said instead of a sentence. */
static struct gm_json *no_sentence(const struct gm_json *item)
{
    struct gm_buf said;
    struct gm_json *list = gm_json_new_array(), *out = NULL;
    gm_buf_init(&said, 1 << 20);
    bool ok = gm_json_write(item, false, &said, NULL) == GM_OK;
    ok = list && gm_json_add(list, new_entity(GM_STR(""), GM_STR(""))) && ok;
    if (ok)
        out = new_sentence(gm_buf_str(&said), list);
    else
        gm_json_free(list);
    gm_buf_clear(&said);
    return out;
}

static struct gm_json *sentence_of(const struct gm_json *item, bool has_knowledge)
{
    static const char *const names[] = {"text", "sentence", NULL};
    struct gm_str text, knowledge = GM_STR("");
    bool ok = true;
    struct gm_json *entities = text_of(item, names, &text) ? entities_of(item, &ok) : NULL;
    if (!ok)
        return NULL;
    struct gm_json *s = entities ? new_sentence(text, entities) : no_sentence(item);
    (void)gm_json_str(gm_json_get(item, "knowledge"), &knowledge);
    if (!s || !has_knowledge || gm_json_set(s, "knowledge", gm_json_new_str(knowledge)))
        return s;
    gm_json_free(s);
    return NULL;
}

/* The list itself, or the first list that an object has. */
static const struct gm_json *find_list(const struct gm_json *v)
{
    if (gm_json_kind(v) == GM_JSON_ARRAY)
        return v;
    const struct gm_json *list = gm_json_get(v, "sentences");
    for (void *it = gm_json_first(v); it && !list; it = gm_json_next(v, it))
        if (gm_json_kind(gm_json_value(it)) == GM_JSON_ARRAY)
            list = gm_json_value(it);
    return gm_json_kind(list) == GM_JSON_ARRAY ? list : NULL;
}

static enum gm_status read_answer(struct gm_json **out, struct gm_str text, bool has_knowledge,
                                  struct gm_error *err)
{
    enum gm_status st = GM_OK;
    enum gm_json_care care;
    struct gm_json *said = NULL, *list = NULL, *v = NULL;
    GM_TRY(gm_json_read_tolerant(&said, text, &care, err));
    const struct gm_json *items = find_list(said);
    if (!items) {
        st = GM_FAIL(err, GM_EFORMAT, "no list of sentences");
        goto done;
    }
    list = gm_json_new_array();
    v = gm_json_new_object();
    bool ok = list && v;
    for (size_t i = 0; i < gm_json_count(items) && ok; i++)
        ok = gm_json_add(list, sentence_of(gm_json_at(items, i), has_knowledge));
    if (ok) {
        ok = gm_json_set(v, "sentences", list);
        list = NULL;
    }
    if (!ok) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    *out = v;
    v = NULL;
done:
    gm_json_free(said);
    gm_json_free(list);
    gm_json_free(v);
    return st;
}

enum gm_status gm_synth_answer_read(struct gm_json **out, struct gm_str text, struct gm_error *err)
{
    return read_answer(out, text, false, err);
}

enum gm_status gm_synth_answer_read_knowledge(struct gm_json **out, struct gm_str text,
                                              struct gm_error *err)
{
    return read_answer(out, text, true, err);
}
