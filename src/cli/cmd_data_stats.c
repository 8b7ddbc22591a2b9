/* gmner data stats: counts as a table, as JSON, as a drawing. */
#include "cli/cmd_data.h"

#include "base/file.h"
#include "base/log.h"
#include "corpus/stats.h"
#include "report/stats_svg.h"

static enum gm_status count(void *stats, struct gm_post *post, struct gm_error *err)
{
    return gm_stats_add(stats, post, err);
}

enum gm_exit gm_data_stats(const struct gm_data_opts *o, const struct gm_args *args,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_data_in in = {0};
    struct gm_stats s;
    struct gm_buf text;
    size_t n_bad = 0;
    gm_stats_init(&s);
    gm_buf_init(&text, (size_t)64 << 20);
    GM_TRY(gm_data_in_open(&in, args->v[1], o, err));
    GM_TRY(gm_data_in_each(&in, count, &s, &n_bad, err));
    if (o->svg) {
        GM_TRY(gm_stats_svg(&s, gm_reader_path(in.reader), &text, err));
        GM_TRY(gm_file_write(o->svg, gm_buf_str(&text), err));
        gm_buf_reset(&text);
    }
    GM_TRY(o->json ? gm_stats_json(&s, &text, err) : gm_stats_table(&s, &text, err));
    GM_TRY(gm_print(gm_buf_str(&text), err));
    gm_losses_tell(&in.lost, "data", "not read");
done:
    gm_data_in_close(&in);
    gm_stats_clear(&s);
    gm_buf_clear(&text);
    return st == GM_OK && n_bad ? GM_EXIT_SOME : gm_exit_of(st);
}
