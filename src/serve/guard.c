#include "serve/guard.h"

#include "base/sha256.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool is_number(const char *address)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, address, bytes) == 1 || inet_pton(AF_INET6, address, bytes) == 1;
}

bool gm_address_is_loopback(const char *address)
{
    unsigned char v4[4];
    struct in6_addr v6;
    if (inet_pton(AF_INET, address, v4) == 1)
        return v4[0] == 127;
    return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_same(struct gm_str a, const char *b)
{
    return a.n == strlen(b) && strncasecmp(a.p, b, a.n) == 0;
}

/* Without the port and the brackets of IPv6. */
static struct gm_str without_port(struct gm_str host)
{
    size_t end = gm_str_find(host, GM_STR("]"), 0);
    if (gm_str_starts(host, GM_STR("[")) && end != SIZE_MAX)
        return gm_str_sub(host, 1, end);
    end = gm_str_find(host, GM_STR(":"), 0);
    return end == SIZE_MAX ? host : gm_str_sub(host, 0, end);
}

bool gm_host_is_ours(struct gm_str host, const char *const *names, size_t n)
{
    char text[64];
    struct gm_str name = without_port(host);
    if (is_same(name, "localhost"))
        return true;
    for (size_t i = 0; i < n; i++)
        if (is_same(name, names[i]))
            return true;
    if (name.n == 0 || name.n >= sizeof text)
        return false;
    memcpy(text, name.p, name.n);
    text[name.n] = 0;
    return is_number(text);
}

bool gm_origin_is_same(struct gm_str origin, struct gm_str host)
{
    if (!origin.n)
        return true;
    size_t at = gm_str_find(origin, GM_STR("://"), 0);
    struct gm_str of =
        at == SIZE_MAX ? (struct gm_str){"", 0} : gm_str_sub(origin, at + 3, origin.n);
    return of.n && of.n == host.n && strncasecmp(of.p, host.p, of.n) == 0;
}

bool gm_token_is(struct gm_str authorization, const char *token)
{
    char given[GM_SHA256_HEX], wanted[GM_SHA256_HEX];
    struct gm_str scheme, rest;
    gm_str_cut(authorization, ' ', &scheme, &rest);
    gm_sha256(gm_str_trim(rest), given);
    gm_sha256(gm_str(token), wanted);
    unsigned differs = !is_same(scheme, "bearer");
    for (size_t i = 0; i < sizeof given; i++) /* all of it, whatever the first ones are */
        differs |= (unsigned)(given[i] ^ wanted[i]);
    return differs == 0;
}

enum gm_status gm_split_listen(const char *text, struct gm_arena *a, const char **address,
                               unsigned short *port, struct gm_error *err)
{
    struct gm_str s = gm_str(text), head;
    long long number = -1;
    size_t colon = s.n;
    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    if (!colon || !gm_str_to_int(gm_str_sub(s, colon, s.n), &number) || number < 0 ||
        number > 65535)
        return GM_FAIL(err, GM_EARG, "\"%s\" is no address with a port, such as 127.0.0.1:8765",
                       text);
    head = gm_str_sub(s, 0, colon - 1);
    if (gm_str_starts(head, GM_STR("[")) && gm_str_ends(head, GM_STR("]")))
        head = gm_str_sub(head, 1, head.n - 1);
    if (!head.n)
        head = GM_STR("127.0.0.1");
    if (gm_str_eq_c(head, "localhost"))
        head = GM_STR("127.0.0.1");
    *address = gm_arena_str(a, head).p;
    *port = (unsigned short)number;
    if (!*address)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (!is_number(*address))
        return GM_FAIL(err, GM_EARG,
                       "\"%s\" is no address to listen on: give a number, such as 127.0.0.1, [::1] "
                       "or 0.0.0.0, with a port",
                       text);
    return GM_OK;
}
