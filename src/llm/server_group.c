/* The endpoints of a run: those of --endpoint, and those of stages that have their own. */
#include "base/alloc.h"
#include "base/fingerprint.h"
#include "base/host.h"
#include "base/path.h"
#include "llm/llm_internal.h"

#include <string.h>
#include <strings.h>

static const double server_wait_s = 300; /* a large GGUF file is read from a slow disk */

enum gm_status gm_llm_endpoints_read(struct gm_llm_servers *out, struct gm_str text,
                                     struct gm_arena *a, struct gm_error *err)
{
    struct gm_str rest = text, head;
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == ',';
    const char **list = gm_arena_alloc(a, n, sizeof *list);
    if (!list)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        gm_str_cut(rest, ',', &head, &rest);
        list[i] = gm_arena_str(a, gm_str_trim(head)).p;
        if (!list[i])
            return GM_FAIL(err, GM_ENOMEM, "out of memory");
        if (!list[i][0])
            return GM_FAIL(err, GM_EARG, "\"%.*s\" has an empty part", GM_STR_ARG(text));
    }
    *out = (struct gm_llm_servers){list, n};
    return GM_OK;
}

static bool is_gguf(const char *endpoint) { return gm_str_ends(gm_str(endpoint), GM_STR(".gguf")); }

/* "https://host:8000" of a URL. */
static struct gm_str origin(const char *url)
{
    const char *at = strstr(url, "://");
    return (struct gm_str){url, at ? (size_t)(at + 3 - url) + strcspn(at + 3, "/?#") : strlen(url)};
}

static bool same_origin(const char *a, const char *b)
{
    struct gm_str x = origin(a), y = origin(b);
    return x.n == y.n && strncasecmp(x.p, y.p, x.n) == 0;
}

/* A recipe's endpoint is not to get a key that was meant for another server: that of --endpoint goes to
 * its own servers, and others have theirs in the key file. */
static enum gm_status find_key(struct gm_llm *llm, const struct gm_llm_opts *o, size_t group,
                               const char *url, const char **key, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char *own = NULL;
    struct gm_str at = origin(url);
    *key = group == 0 ? llm->key : NULL;
    for (size_t i = 0; i < o->n_endpoints; i++)
        if (same_origin(o->endpoints[i], url))
            *key = llm->key;
    if (o->key_file)
        st = gm_secret_read(&own, o->key_file, &at, err);
    if (own && (st = gm_secrets_add(&llm->secrets, own, err)) == GM_OK)
        *key = own;
    return st;
}

/* "http://host/v1" -> "http://host/v1/chat/completions". */
static enum gm_status endpoint_init(struct gm_llm *llm, struct gm_endpoint *e, const char *base,
                                    const char *key, struct gm_error *err)
{
    enum gm_status st = gm_http_target_new(&e->target, base, "/chat/completions", key, err);
    e->rest_s = llm->breaker.rest_s;
    e->key = key;
    if (st != GM_OK)
        return st;
    if (!(e->name = gm_strdup(base)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    e->name[strcspn(e->name, "?#")] = 0; /* keys may stand in a query */
    return gm_secrets_add_query(&llm->secrets, base, err);
}

const char *gm_llm_model_of(const char *endpoint)
{
    return is_gguf(endpoint) ? gm_path_file(gm_str(endpoint)).p : NULL;
}

/* A URL goes without its query, in which keys may stand; a GGUF file that can't be read is an error when its
 * server is to start, not before. */
enum gm_status gm_llm_servers_id(const struct gm_llm_servers *s, bool named, struct gm_buf *out,
                                 struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char content[GM_SHA256_HEX];
    for (size_t i = 0; i < s->n && st == GM_OK; i++) {
        const char *e = s->endpoints[i], *between = out->n ? " " : "";
        if (is_gguf(e) && gm_fingerprint_sample(e, content, NULL) == GM_OK)
            st = gm_buf_printf(out, err, "%s%s", between, content);
        else if (!is_gguf(e) && !named)
            st = gm_buf_printf(out, err, "%s%.*s", between, (int)strcspn(e, "?#"), e);
    }
    return st;
}

/* What the endpoints are from run to run; for a GGUF file with the command that serves it, too. */
static enum gm_status name_group(struct gm_server_group *g, const struct gm_llm_servers *s,
                                 const char *llama_server, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_buf b;
    gm_buf_init(&b, (size_t)1 << 20);
    GM_TRY(gm_llm_servers_id(s, true, &b, err));
    if (!(g->files = gm_strdup(b.n ? b.p : ""))) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    gm_buf_reset(&b);
    GM_TRY(gm_llm_servers_id(s, false, &b, err));
    if (g->files[0] && llama_server)
        GM_TRY(gm_buf_printf(&b, err, " %s", llama_server));
    if (!(g->name = gm_strdup(b.n ? b.p : "")))
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    gm_buf_clear(&b);
    return st;
}

static enum gm_status open_group(struct gm_llm *llm, const struct gm_llm_opts *o, size_t group,
                                 const struct gm_llm_servers *s, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_server_group *g = &llm->groups[group];
    size_t slots = s->n ? (o->in_flight + s->n - 1) / s->n : 0;
    g->ep = llm->ep + llm->n_ep;
    GM_TRY(name_group(g, s, o->llama_server, err));
    for (size_t i = 0; i < s->n; i++) {
        const char *url = s->endpoints[i], *key = NULL;
        size_t at = llm->n_ep++;
        g->n_ep++;
        if (is_gguf(url) && !o->dry_run) {
            GM_TRY(gm_local_server_start(&llm->servers[at], o->llama_server, url, slots,
                                         server_wait_s, err));
            url = gm_local_server_url(llm->servers[at]);
            key = group == 0 ? llm->key : NULL;
        } else if (o->dry_run) {
            url = "http://127.0.0.1"; /* nothing is sent */
        } else {
            GM_TRY(find_key(llm, o, group, url, &key, err));
        }
        GM_TRY(endpoint_init(llm, &llm->ep[at], url, key, err));
    }
done:
    return st;
}

enum gm_status gm_server_groups_open(struct gm_llm *llm, const struct gm_llm_opts *o,
                                     struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const struct gm_llm_servers base = {o->endpoints, o->n_endpoints};
    size_t n = o->n_endpoints;
    for (size_t i = 0; i < o->n_more; i++)
        n += o->more[i].n;
    if (n == 0)
        return GM_FAIL(err, GM_EARG, "no endpoint: give %s",
                       gm_option("--endpoint URL (or FILE.gguf), or set OPENAI_BASE_URL"));
    llm->groups = gm_alloc(o->n_more + 1, sizeof *llm->groups);
    llm->ep = gm_alloc(n, sizeof *llm->ep);
    llm->servers = gm_alloc(n, sizeof *llm->servers);
    if (!llm->groups || !llm->ep || !llm->servers)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    for (size_t i = 0; i <= o->n_more; i++) {
        llm->n_groups = i + 1;
        GM_TRY(open_group(llm, o, i, i ? &o->more[i - 1] : &base, err));
    }
done:
    return st;
}

void gm_server_groups_close(struct gm_llm *llm)
{
    for (size_t i = 0; i < llm->n_ep; i++) {
        gm_local_server_stop(llm->servers[i]);
        gm_http_target_free(llm->ep[i].target);
        gm_free(llm->ep[i].name);
    }
    for (size_t i = 0; i < llm->n_groups; i++) {
        gm_free(llm->groups[i].files);
        gm_free(llm->groups[i].name);
    }
    gm_free(llm->servers);
    gm_free(llm->ep);
    gm_free(llm->groups);
}
