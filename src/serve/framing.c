#include "serve/framing.h"

#include <string.h>
#include <strings.h>

static bool is_same(struct gm_str a, const char *b)
{
    return a.n == strlen(b) && strncasecmp(a.p, b, a.n) == 0;
}

static bool is_digits(struct gm_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

static bool begins(struct gm_str a, const char *b)
{
    return a.n >= strlen(b) && strncasecmp(a.p, b, strlen(b)) == 0;
}

/* A space before the colon stays in the name, and libmicrohttpd 0.9.75 puts there what stands on a folded line
 * ("Content-Length: 1" with " 2" below it is "Content-Length2: 1"): names that nobody looks for, but a proxy may. */
static bool is_bad_name(struct gm_str name)
{
    if ((begins(name, "content-length") && !is_same(name, "content-length")) ||
        (begins(name, "transfer-encoding") && !is_same(name, "transfer-encoding")))
        return true;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ')
            return true;
    return false;
}

void gm_framing_add(void *framing, struct gm_str name, struct gm_str value)
{
    struct gm_framing *f = framing;
    f->has_bad_name |= is_bad_name(name);
    if (is_same(name, "content-length")) {
        f->n_lengths++;
        f->has_bad_length |= !is_digits(gm_str_trim(value));
    } else if (is_same(name, "transfer-encoding")) {
        f->n_codings++;
        f->has_bad_coding |= !is_same(gm_str_trim(value), "chunked");
    } else if (is_same(name, "host")) {
        f->n_hosts++;
    }
}

const char *gm_framing_fault(const struct gm_framing *f, struct gm_str version)
{
    if (f->has_bad_name)
        return "a header's name has a blank behind it, or its value goes on in the next line";
    if (f->n_lengths && f->n_codings)
        return "a request has Content-Length or Transfer-Encoding, and not both";
    if (f->n_lengths > 1 || f->n_codings > 1 || f->n_hosts > 1)
        return "a request has Content-Length, Transfer-Encoding and Host at most once each";
    if (f->has_bad_length)
        return "Content-Length is a whole number";
    if (f->has_bad_coding)
        return "the only Transfer-Encoding that is read is chunked";
    if (f->n_codings && !gm_str_eq_c(version, "HTTP/1.1"))
        return "Transfer-Encoding is of HTTP/1.1";
    return NULL;
}
