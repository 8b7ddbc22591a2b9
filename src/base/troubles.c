#include "base/troubles.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

static size_t quoted(const char *p)
{
    const char *end = strchr(p + 1, '"');
    return end ? (size_t)(end - p) + 1 : strlen(p);
}

static size_t word(const char *p) { return strcspn(p, " \""); }

/* The message with a sign in place of each quoted text and each word that has a digit or a slash. */
static void kind_of(const char *message, char kind[GM_TROUBLE_MAX])
{
    size_t n = 0;
    for (const char *p = message; *p && n + 1 < GM_TROUBLE_MAX;) {
        size_t len = *p == '"' ? quoted(p) : *p == ' ' ? 1 : word(p);
        bool varies = *p == '"' || strcspn(p, "0123456789/") < len;
        size_t shown = varies ? 1 : len < GM_TROUBLE_MAX - 1 - n ? len : GM_TROUBLE_MAX - 1 - n;
        memcpy(kind + n, varies ? "#" : p, shown);
        n += shown;
        p += len;
    }
    kind[n] = 0;
}

void gm_troubles_tell(struct gm_troubles *t, const char *module, const char *of,
                      const char *message)
{
    char kind[GM_TROUBLE_MAX];
    size_t i = 0;
    kind_of(message, kind);
    while (i < t->n && strcmp(t->kinds[i].kind, kind) != 0)
        i++;
    if (i == GM_TROUBLES_KINDS_MAX)
        i--;
    if (i == t->n) {
        t->n++;
        memcpy(t->kinds[i].kind, kind, sizeof kind);
        snprintf(t->kinds[i].first, sizeof t->kinds[i].first, "%s", message);
    }
    if (++t->kinds[i].n <= GM_TROUBLES_SHOWN)
        GM_LOG(GM_LOG_ERROR, module, "%s%s%s", of ? of : "", of ? ": " : "", message);
}

void gm_troubles_end(struct gm_troubles *t, const char *module)
{
    for (size_t i = 0; i < t->n; i++) {
        size_t n = t->kinds[i].n;
        if (n > GM_TROUBLES_SHOWN)
            GM_LOG(GM_LOG_WARN, module, "%zu more errors such as: %s", n - GM_TROUBLES_SHOWN,
                   t->kinds[i].first);
        t->kinds[i].n = 0;
    }
}
