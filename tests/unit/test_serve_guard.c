/* Who may ask: names, origins, tokens; and where to listen. */
#include "unit.h"

#include "serve/framing.h"
#include "serve/guard.h"

static void test_host(void **state)
{
    static const char *const names[] = {"posts.example"};
    static const char *const ours[] = {"localhost",        "LOCALHOST:80", "127.0.0.1",
                                       "10.1.2.3:8765",    "[::1]",        "[::1]:8765",
                                       "posts.example:443"};
    static const char *const others[] = {"",
                                         "localhost.",
                                         "localhost.example",
                                         "example",
                                         "127.0.0.1.",
                                         "127.0.0.1.a",
                                         "posts.example.evil",
                                         "[::1",
                                         "evil@localhost",
                                         "2130706433"};
    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_true(gm_host_is_ours(gm_str(ours[i]), names, 1));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(gm_host_is_ours(gm_str(others[i]), names, 1));
    assert_false(gm_host_is_ours(GM_STR("posts.example"), NULL, 0));
}

static void test_origin(void **state)
{
    const struct gm_str host = GM_STR("localhost:8765");
    (void)state;
    assert_true(gm_origin_is_same(GM_STR(""), host));
    assert_true(gm_origin_is_same(GM_STR("http://localhost:8765"), host));
    assert_true(
        gm_origin_is_same(GM_STR("https://LocalHost:8765"), host)); /* behind a proxy with TLS */
    assert_false(gm_origin_is_same(GM_STR("null"), host));
    assert_false(gm_origin_is_same(GM_STR("http://localhost"), host));
    assert_false(gm_origin_is_same(GM_STR("http://localhost:87655"), host));
    assert_false(gm_origin_is_same(GM_STR("http://evil/localhost:8765"), host));
    assert_false(gm_origin_is_same(GM_STR("http://"), GM_STR("")));
}

static void test_token(void **state)
{
    (void)state;
    assert_true(gm_token_is(GM_STR("Bearer abc"), "abc"));
    assert_true(gm_token_is(GM_STR("bearer  abc "), "abc"));
    assert_false(gm_token_is(GM_STR("Bearer abcd"), "abc"));
    assert_false(gm_token_is(GM_STR("Bearer ab"), "abc"));
    assert_false(gm_token_is(GM_STR("Bearer"), "abc"));
    assert_false(gm_token_is(GM_STR("abc"), "abc"));
    assert_false(gm_token_is(GM_STR("Basic abc"), "abc"));
    assert_false(gm_token_is(GM_STR(""), "abc"));
}

static void test_listen(void **state)
{
    static const struct {
        const char *text, *address;
        unsigned short port;
    } good[] = {{"127.0.0.1:8765", "127.0.0.1", 8765},
                {":0", "127.0.0.1", 0},
                {"localhost:1", "127.0.0.1", 1},
                {"[::1]:65535", "::1", 65535},
                {"0.0.0.0:80", "0.0.0.0", 80}};
    static const char *const bad[] = {
        "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "example.org:80", "", "::"};
    struct gm_arena a;
    const char *address;
    unsigned short port;
    (void)state;
    gm_arena_init(&a, 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(gm_split_listen(good[i].text, &a, &address, &port, NULL), GM_OK);
        assert_string_equal(address, good[i].address);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(gm_split_listen(bad[i], &a, &address, &port, NULL), GM_EARG);
    gm_arena_clear(&a);
    assert_true(gm_address_is_loopback("127.0.0.1") && gm_address_is_loopback("127.9.9.9") &&
                gm_address_is_loopback("::1"));
    assert_false(gm_address_is_loopback("0.0.0.0") || gm_address_is_loopback("::") ||
                 gm_address_is_loopback("10.0.0.1"));
}

/* Whether headers "name: value", ended by NULL, are a fault. */
static bool is_fault(const char *version, const char *const *headers)
{
    struct gm_framing f = {0};
    for (; *headers; headers++) {
        struct gm_str name, value;
        gm_str_cut(gm_str(*headers), ':', &name, &value);
        gm_framing_add(&f, name, value);
    }
    return gm_framing_fault(&f, gm_str(version)) != NULL;
}

static void test_framing(void **state)
{
    static const char *const good[][4] = {{"Host:a"},
                                          {"host:a", "content-length: 12 "},
                                          {"Host:a", "TRANSFER-ENCODING:Chunked", "X:"},
                                          {"X:a", "X:b", "Hosts:c"}};
    static const char *const bad[][4] = {{"Host:a", "host:a"},
                                         {"Content-Length:1", "content-length:1"},
                                         {"Content-Length:1", "Transfer-Encoding:chunked"},
                                         {"Transfer-Encoding:chunked", "Transfer-Encoding:chunked"},
                                         {"Transfer-Encoding:chunked, chunked"},
                                         {"Transfer-Encoding:"},
                                         {"Content-Length:"},
                                         {"Content-Length:-1"},
                                         {"Content-Length:1, 1"},
                                         {"Content-Length :1"},
                                         {"Content-Length2:1"},
                                         {"Transfer-Encodingx:chunked"},
                                         {"X\t:1"}};
    static const char *const old[] = {"Transfer-Encoding:chunked", NULL};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_false(is_fault("HTTP/1.1", good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(is_fault("HTTP/1.1", bad[i]));
    assert_true(is_fault("HTTP/1.0", old));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_host), cmocka_unit_test(test_origin),
                                       cmocka_unit_test(test_token), cmocka_unit_test(test_listen),
                                       cmocka_unit_test(test_framing)};
    return cmocka_run_group_tests(tests, NULL, no_leak);
}
