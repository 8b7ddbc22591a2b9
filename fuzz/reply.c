/* What a server of a language model may send: the envelope, the answer in it, an error of any status,
 * and JSON with slips. */
#include "fuzz.h"

#include "base/utf8.h"
#include "llm/json_repair.h"
#include "llm/message.h"
#include "llm/server_error.h"

#include <math.h>
#include <string.h>

static void read_answer(struct gm_str body)
{
    struct gm_json *envelope;
    struct gm_llm_answer answer;
    struct gm_error err = {0};
    if (gm_llm_read_envelope(&envelope, body, &err) == GM_OK)
        gm_json_free(envelope);
    if (gm_llm_read_answer(&answer, body, &err) == GM_OK) {
        double yes = gm_llm_yes(answer.logprobs);
        if (!isnan(yes) && !(yes >= 0 && yes <= 1))
            abort();
        if (!gm_utf8_is_valid(answer.text) || (!answer.text.n && !answer.none[0] && !answer.cut))
            abort();
        gm_json_free(answer.envelope);
    } else if (!err.msg[0]) {
        abort();
    }
}

static void read_error(int status, struct gm_str body)
{
    struct gm_server_error e;
    char key[] = "sk-key", *keys[] = {key};
    const struct gm_secrets secrets = {keys, 1, 1};
    gm_server_error_read(&e, status, body, &secrets);
    (void)gm_server_error_is_quota(&e);
    (void)gm_server_error_is_model(&e);
    (void)gm_server_error_param(&e, ~0u);
    if (strchr(e.text, '\n') || strstr(e.text, "sk-key"))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct gm_str body = {(const char *)data, size};
    struct gm_json *j;
    enum gm_json_care care;
    struct gm_error err;
    read_answer(body);
    read_error(200, body);
    read_error(400, body);
    read_error(500, body);
    if (gm_utf8_is_valid(body) && gm_json_read_tolerant(&j, body, &care, &err) == GM_OK)
        gm_json_free(j);
    fuzz_end();
    return 0;
}
