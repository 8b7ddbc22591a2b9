/* The files that belong beside an installed program. */
#include "cli/manual.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/path.h"
#include "cli/cmd.h"

#include <stdio.h>

/* Write what `fill` has left in the buffer to PREFIX/folder/file. */
static enum gm_status write_file(struct gm_arena *a, const char *prefix, const char *folder,
                                 const char *file, struct gm_buf *text, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *dir = gm_path_join(a, prefix, folder);
    const char *path = dir ? gm_path_join(a, dir, file) : NULL;
    if (!path)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    GM_TRY(gm_mkdirs(dir, err));
    GM_TRY(gm_file_write(path, gm_buf_str(text), err));
done:
    gm_buf_reset(text);
    return st;
}

enum gm_status gm_manual_write(const char *prefix, struct gm_error *err)
{
    static const struct {
        const char *folder, *file;
        enum gm_status (*fill)(struct gm_buf *out, struct gm_error *err);
    } files[] = {
        {"share/man/man1", "gmner.1", gm_man_overview},
        {"share/bash-completion/completions", "gmner", gm_completion_bash},
        {"share/zsh/site-functions", "_gmner", gm_completion_zsh},
        {"share/fish/vendor_completions.d", "gmner.fish", gm_completion_fish},
    };
    enum gm_status st = GM_OK;
    struct gm_arena a;
    struct gm_buf text;
    gm_arena_init(&a, 0);
    gm_buf_init(&text, (size_t)1 << 22);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        GM_TRY(files[i].fill(&text, err));
        GM_TRY(write_file(&a, prefix, files[i].folder, files[i].file, &text, err));
    }
    for (size_t i = 0; gm_commands_at(i); i++) {
        char name[64];
        snprintf(name, sizeof name, "gmner-%s.1", gm_commands_at(i)->name);
        GM_TRY(gm_man_command(gm_commands_at(i), &text, err));
        GM_TRY(write_file(&a, prefix, files[0].folder, name, &text, err));
    }
done:
    gm_buf_clear(&text);
    gm_arena_clear(&a);
    return st;
}
