/* Prompt files: what they render to, byte for byte, and what is wrong with bad ones. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "llm/message.h"
#include "llm/prompt.h"

static char path[64];

static const char *const known[] = {"guide",    "texts",           "text", "caption", "knowledge",
                                    "entities", "type_definition", NULL};
static const char *const known_examples[] = {"text", "answer", NULL};

static enum gm_status load(struct gm_prompt **p, const char *file, struct gm_error *err)
{
    assert_int_equal(gm_file_write(path, gm_str(file), NULL), GM_OK);
    return gm_prompt_load(p, path, known, known_examples, err);
}

static enum gm_status load_without_examples(struct gm_prompt **p, struct gm_error *err)
{
    assert_int_equal(gm_file_write(path, GM_STR("--- user\n{{#examples}}{{/examples}}"), NULL),
                     GM_OK);
    return gm_prompt_load(p, path, known, NULL, err);
}

/* The request body's messages that a prompt makes; the caller's buffer. */
static const char *render(const struct gm_prompt *p, const struct gm_prompt_value *v, size_t n,
                          const struct gm_llm_part *picture, struct gm_buf *out)
{
    struct gm_arena a;
    struct gm_llm_message *m;
    size_t n_m;
    gm_arena_init(&a, 0);
    gm_buf_init(out, 1 << 20);
    const struct gm_prompt_filling f = {.values = v, .n_values = n, .picture = picture};
    assert_int_equal(gm_prompt_render(p, &a, &f, &m, &n_m, NULL), GM_OK);
    assert_int_equal(gm_llm_write_head("m", m, n_m, out, NULL), GM_OK);
    gm_arena_clear(&a);
    return out->p;
}

/* A block of examples: its pictures before the post's, in order, with values of its own before the
 * post's; none of them where the post's picture does not go along. */
static void examples(void **state)
{
    (void)state;
    struct gm_prompt *p;
    struct gm_arena a;
    struct gm_llm_message *m;
    size_t n;
    struct gm_llm_part pictures[3];
    for (size_t i = 0; i < 3; i++)
        pictures[i] =
            (struct gm_llm_part){.kind = GM_LLM_JPEG, .bytes = {&"ABC"[i], 1}, .w = 1, .h = 1};
    const struct gm_prompt_value v[] = {{"text", GM_STR("mine")}, {"caption", GM_STR("C")}};
    const struct gm_prompt_value one[] = {{"text", GM_STR("first")}, {"answer", GM_STR("a")}};
    const struct gm_prompt_value two[] = {{"text", GM_STR("second")}, {"answer", GM_STR("")}};
    const struct gm_prompt_example each[] = {{one, 2, &pictures[0]}, {two, 2, &pictures[1]}};
    struct gm_prompt_filling f = {v, 2, &pictures[2], each, 2};
    assert_int_equal(
        load(&p,
             "--- user\n{{#examples}}{{image}}{{text}} {{caption}}{{?answer}}: {{answer}}"
             "{{/answer}}\n{{/examples}}{{image}}{{text}}",
             NULL),
        GM_OK);
    assert_true(gm_prompt_has_examples(p) && gm_prompt_has_image(p));
    gm_arena_init(&a, 0);
    assert_int_equal(gm_prompt_render(p, &a, &f, &m, &n, NULL), GM_OK);
    static const char *const want[] = {"A", "first C: a\n", "B", "second C\n", "C", "mine"};
    assert_int_equal(m->n_parts, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(gm_str_eq_c(m->parts[i].bytes, want[i]));
        assert_int_equal(m->parts[i].kind, i % 2 ? GM_LLM_TEXT : GM_LLM_JPEG);
    }
    f.picture = NULL;
    assert_int_equal(gm_prompt_render(p, &a, &f, &m, &n, NULL), GM_OK);
    assert_int_equal(m->n_parts, 1);
    assert_true(gm_str_eq_c(m->parts[0].bytes, "first C: a\nsecond C\nmine"));
    f.n_examples = 0;
    assert_int_equal(gm_prompt_render(p, &a, &f, &m, &n, NULL), GM_OK);
    assert_true(gm_str_eq_c(m->parts[0].bytes, "mine"));
    struct gm_prompt_example many[20];
    for (size_t i = 0; i < 20; i++)
        many[i] = each[0];
    f.picture = &pictures[2];
    f.examples = many;
    f.n_examples = 20;
    assert_int_equal(gm_prompt_render(p, &a, &f, &m, &n, NULL), GM_OK);
    assert_int_equal(m->n_parts, 2 * GM_PROMPT_EXAMPLES_MAX + 2);
    gm_arena_clear(&a);
    gm_prompt_free(p);
}

/* The whole request that the stage expand's own prompt makes: a change of the prompt shows here. */
static void expand_byte_for_byte(void **state)
{
    (void)state;
    struct gm_prompt *p;
    struct gm_buf b;
    const struct gm_prompt_value v[] = {{"text", GM_STR("Ann said \"{{text}}\" \\ caf\303\251")},
                                        {"caption", GM_STR("")},
                                        {"entities", GM_STR("1. Ann (PER)")}};
    assert_int_equal(gm_prompt_load(&p, "expand", known, NULL, NULL), GM_OK);
    const char *body = render(p, v, 3, NULL, &b);
    assert_string_equal(
        strstr(body, "{\"role\":\"assistant\""),
        "{\"role\":\"assistant\",\"content\":\"{\\\"phrases\\\": [{\\\"entity\\\": 1, "
        "\\\"phrase\\\": "
        "\\\"a woman playing a guitar on stage\\\"}, {\\\"entity\\\": 2, \\\"phrase\\\": \\\"a "
        "large "
        "stadium full of people\\\"}]}\"},{\"role\":\"user\",\"content\":\"Post: \\\"Ann said "
        "\\\"{{text}}\\\" \\\\ caf\303\251\\\"\\nEntities:\\n1. Ann (PER)\"}]");
    static const char begin[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"You help to find";
    assert_memory_equal(body, begin, sizeof begin - 1);
    assert_int_equal(strlen(gm_prompt_version(p)), 64);
    gm_buf_clear(&b);
    gm_prompt_free(p);
}

static void picture_and_conditions(void **state)
{
    (void)state;
    struct gm_prompt *p;
    struct gm_buf b;
    const struct gm_llm_part jpeg = {
        .kind = GM_LLM_JPEG, .bytes = GM_STR("\377\330\377"), .w = 1, .h = 1};
    struct gm_prompt_value v[] = {{"text", GM_STR("T")}, {"caption", GM_STR("C")}};
    assert_int_equal(load(&p,
                          "a comment {{nothing}}\n--- user\nlook {{image}}\n{{text}}{{?caption}} "
                          "({{caption}}){{/caption}}!\n\n",
                          NULL),
                     GM_OK);
    assert_string_equal(
        render(p, v, 2, &jpeg, &b),
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
        "\"text\",\"text\":\"look \"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
        "\"data:image/jpeg;base64,/9j/\"}},{\"type\":\"text\",\"text\":\"\\nT (C)!\"}]}]");
    gm_buf_clear(&b);
    v[1].text = GM_STR("");
    assert_string_equal(
        render(p, v, 2, NULL, &b),
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"look \\nT!\"}]");
    gm_buf_clear(&b);
    gm_prompt_free(p);
}

static void version_is_the_content(void **state)
{
    (void)state;
    struct gm_prompt *a, *b;
    assert_int_equal(load(&a, "--- user\nhi\n", NULL), GM_OK);
    assert_int_equal(load(&b, "--- user\nhi \n", NULL), GM_OK);
    assert_string_not_equal(gm_prompt_version(a), gm_prompt_version(b));
    gm_prompt_free(b);
    assert_int_equal(load(&b, "--- user\nhi\n", NULL), GM_OK);
    assert_string_equal(gm_prompt_version(a), gm_prompt_version(b));
    gm_prompt_free(a);
    gm_prompt_free(b);
}

static void own_file_goes_first(void **state)
{
    (void)state;
    struct gm_prompt *p;
    struct gm_buf b;
    char dir[] = "/tmp/gm-prompts-XXXXXX", file[64];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/expand.txt", dir);
    assert_int_equal(gm_file_write(file, GM_STR("--- user\nmine\n"), NULL), GM_OK);
    setenv("GMNER_PROMPTS", dir, 1);
    assert_int_equal(gm_prompt_load(&p, "expand", known, NULL, NULL), GM_OK);
    assert_non_null(strstr(render(p, NULL, 0, NULL, &b), "mine"));
    gm_buf_clear(&b);
    gm_prompt_free(p);
    unsetenv("GMNER_PROMPTS");
    unlink(file);
    rmdir(dir);
}

static void bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *file, *part;
    } cases[] = {
        {"no message", "no message"},
        {"--- robot\nhi", "robot"},
        {"--- user\n{{txt}}", "txt"},
        {"--- user\n{{ text }}", "no placeholder"},
        {"--- user\n{{text", "no placeholder"},
        {"--- user\n{{?text}}x", "never closed"},
        {"--- user\n{{?text}}{{?caption}}x{{/caption}}{{/text}}", "inside of another"},
        {"--- user\n{{/text}}", "closes nothing"},
        {"--- system\n{{image}}", "user message"},
        {"--- user\n{{image}}{{image}}", "one {{image}}"},
        {"--- user\n\377", "UTF-8"},
        {"--- user\n{{answer}}", "no value \"answer\""},
        {"--- user\n{{#examples}}x", "never closed"},
        {"--- user\n{{/examples}}", "closes nothing"},
        {"--- user\n{{#examples}}{{/examples}}{{#examples}}{{/examples}}", "one block"},
        {"--- user\n{{#examples}}{{#examples}}{{/examples}}", "one block"},
        {"--- user\n{{#examples}}{{/examples}}\n--- user\n{{#examples}}{{/examples}}", "one block"},
        {"--- system\n{{#examples}}{{/examples}}", "user message"},
        {"--- user\n{{?text}}{{#examples}}{{/text}}{{/examples}}", "not closed"},
        {"--- user\n{{#examples}}{{?text}}{{/examples}}{{/text}}", "not closed"},
        {"--- user\n{{#examples}}{{image}}{{image}}{{/examples}}", "one {{image}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gm_prompt *p;
        struct gm_error err = {0};
        assert_int_equal(load(&p, cases[i].file, &err), GM_EFORMAT);
        assert_null(p);
        if (!strstr(err.msg, cases[i].part) || !strstr(err.msg, path))
            fail_msg("%s", err.msg);
    }
    struct gm_prompt *p;
    struct gm_error err = {0};
    assert_int_equal(load_without_examples(&p, &err), GM_EFORMAT);
    assert_non_null(strstr(err.msg, "there are no {{#examples}}"));
    assert_int_equal(gm_prompt_load(&p, "no_such", known, NULL, NULL), GM_EARG);
}

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/gm-prompt-%ld.txt", (long)getpid());
    return 0;
}

static int teardown(void **state)
{
    unlink(path);
    return no_leak(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(expand_byte_for_byte),
        cmocka_unit_test(picture_and_conditions),
        cmocka_unit_test(version_is_the_content),
        cmocka_unit_test(own_file_goes_first),
        cmocka_unit_test(bad_files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
