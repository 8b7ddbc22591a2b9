#include "stages/refine_merge.h"

#include <stdint.h>

struct span {
    size_t start, end;
};

static bool is_accepted(const struct gm_merge *m) { return m->changed && !m->why; }

/* Where it will be, as things stand. */
static struct span target(const struct gm_merge *m)
{
    return is_accepted(m) ? (struct span){m->to_start, m->to_end} : (struct span){m->start, m->end};
}

static bool overlap(struct span a, struct span b) { return a.start < b.end && b.start < a.end; }

static bool covers(struct span a, struct span b) { return a.start <= b.start && b.end <= a.end; }

/* Whether a refused change would have taken entity i in: then its removal was half of that change. */
static bool was_half(const struct gm_merge *m, size_t n, size_t i)
{
    if (m[i].is_new)
        return false; /* nothing is lost with it */
    for (size_t k = 0; k < n; k++) {
        if (k == i || !m[k].why)
            continue;
        if (m[k].changed &&
            covers((struct span){m[k].to_start, m[k].to_end}, (struct span){m[i].start, m[i].end}))
            return true;
        if (m[k].words.n && m[i].text.n && gm_str_find(m[k].words, m[i].text, 0) != SIZE_MAX)
            return true;
    }
    return false;
}

static bool is_there(const struct gm_merge *m, size_t n, size_t i)
{
    return m[i].is_new ? !m[i].removed && !m[i].why : !m[i].removed || was_half(m, n, i);
}

/* Whether accepted change k takes in entity i; of two changes to one place, the first, and nothing new in
 * the place of what is there. */
static bool absorbs(const struct gm_merge *m, size_t k, size_t i)
{
    struct span a = target(&m[k]), b = target(&m[i]);
    bool same = a.start == b.start && a.end == b.end;
    return m[i].asked && covers(a, b) && !(same && i < k && (is_accepted(&m[i]) || m[k].is_new));
}

/* Whether change k can't be, because of entity i. */
static bool conflicts(const struct gm_merge *m, size_t k, size_t i)
{
    if (!overlap(target(&m[k]), target(&m[i])) || absorbs(m, k, i))
        return false;
    if (is_accepted(&m[i]) && (absorbs(m, i, k) || i > k))
        return false; /* it takes k in, or is the later one, and is refused itself */
    return true;
}

/* Refuse one change that can't be; false when there is none. */
static bool refuse_one(struct gm_merge *m, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (m[k].removed || !is_accepted(&m[k]))
            continue;
        for (size_t i = 0; i < n; i++)
            if (i != k && is_there(m, n, i) && conflicts(m, k, i)) {
                m[k].why = "overlap";
                return true;
            }
    }
    return false;
}

void gm_refine_merge(struct gm_merge *m, size_t n)
{
    while (refuse_one(m, n)) {
    } /* each refusal puts an entity back, which others may run into */
    for (size_t i = 0; i < n; i++)
        m[i].removed = !is_there(m, n, i);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < n && is_accepted(&m[k]) && !m[k].removed; i++)
            if (i != k && !m[i].removed && absorbs(m, k, i))
                m[i].removed = m[k].merged = true;
}
