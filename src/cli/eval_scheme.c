#include "base/file.h"
#include "base/input.h"
#include "base/log.h"
#include "cli/eval_work.h"
#include "eval/scheme.h"

#include <string.h>

static void warn_odd(const char *path, const char *odd, enum gm_tag_scheme as)
{
    GM_LOG(GM_LOG_WARN, "eval", "%s: the tags look like %s, and are read strictly as %s; %s", path,
           odd,
           as == GM_TAGS_BIO     ? "BIO"
           : as == GM_TAGS_BIOES ? "BIOES"
                                 : "IOB1",
           strcmp(odd, "IOB1") == 0 ? "--tags iob1 reads them as they are"
                                    : "--scheme conlleval reads them as they are");
}

enum gm_status gm_eval_find_scheme(const struct gm_eval_args *o, struct gm_reader_opts *reading,
                                   struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *tags = o->tags ? o->tags : "auto", *odd;
    const char *files[] = {o->gold, o->pred, o->vs};
    enum gm_tag_scheme own;
    reading->scheme = strcmp(tags, "bio") == 0     ? GM_TAGS_BIO
                      : strcmp(tags, "bioes") == 0 ? GM_TAGS_BIOES
                      : strcmp(tags, "iob1") == 0  ? GM_TAGS_IOB1
                                                   : GM_TAGS_AUTO;
    if (reading->repair != GM_REPAIR_STRICT || reading->scheme == GM_TAGS_IOB1)
        return GM_OK;
    if (reading->scheme == GM_TAGS_AUTO && gm_input_is_once(o->gold))
        return GM_FAIL(err, GM_EARG,
                       "eval: %s can be read only once, so its tags can't be looked at "
                       "first: give their scheme with --tags bio, bioes or iob1",
                       o->gold);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!files[i] || (i && !gm_is_file(files[i])))
            continue;
        GM_TRY(gm_scheme_find(files[i], reading, &own, &odd, err));
        reading->scheme = reading->scheme == GM_TAGS_AUTO ? own : reading->scheme;
        if (odd)
            warn_odd(files[i], odd, reading->scheme);
    }
done:
    return st;
}
