/* Source: serde_json 1.0, src/de.rs: parse_integer, parse_long_integer, parse_decimal,
 * parse_decimal_overflow, parse_exponent and f64_from_parts. */
#include "tokenizer/serde_number.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_POW10 = 308 };
#define DECADE(n)                                                                             \
    1e##n##0, 1e##n##1, 1e##n##2, 1e##n##3, 1e##n##4, 1e##n##5, 1e##n##6, 1e##n##7, 1e##n##8, \
        1e##n##9
static const double pow10s[MAX_POW10 + 1] = {
    DECADE(),   DECADE(1),  DECADE(2),  DECADE(3),  DECADE(4),  DECADE(5),  DECADE(6),  DECADE(7),
    DECADE(8),  DECADE(9),  DECADE(10), DECADE(11), DECADE(12), DECADE(13), DECADE(14), DECADE(15),
    DECADE(16), DECADE(17), DECADE(18), DECADE(19), DECADE(20), DECADE(21), DECADE(22), DECADE(23),
    DECADE(24), DECADE(25), DECADE(26), DECADE(27), DECADE(28), DECADE(29), 1e300,      1e301,
    1e302,      1e303,      1e304,      1e305,      1e306,      1e307,      1e308};

static bool is_at(struct gm_str s, size_t at, char c) { return at < s.n && s.p[at] == c; }
static bool is_digit(struct gm_str s, size_t at)
{
    return at < s.n && s.p[at] >= '0' && s.p[at] <= '9';
}

/* Append a digit to the significand; false, with nothing done, where 64 bits can't hold it. */
static bool push(uint64_t *significand, char c)
{
    uint64_t digit = (uint64_t)(c - '0');
    if (*significand > (UINT64_MAX - digit) / 10)
        return false;
    *significand = *significand * 10 + digit;
    return true;
}

/* The written exponent that starts at `at`, within what 32 bits hold; 0 when there is none. */
static int64_t read_exponent(struct gm_str s, size_t at)
{
    int64_t exponent = 0;
    if (!is_at(s, at, 'e') && !is_at(s, at, 'E'))
        return 0;
    bool negative = is_at(s, ++at, '-');
    if (negative || is_at(s, at, '+'))
        at++;
    for (; is_digit(s, at) && exponent < INT32_MAX; at++)
        exponent = exponent * 10 + (s.p[at] - '0');
    return negative ? -exponent : exponent;
}

static double scale(double f, int64_t exponent)
{
    for (; exponent < -MAX_POW10 && f != 0; exponent += MAX_POW10)
        f /= pow10s[MAX_POW10];
    if (f == 0)
        return f;
    if (exponent > MAX_POW10)
        return INFINITY;
    return exponent >= 0 ? f * pow10s[exponent] : f / pow10s[-exponent];
}

double gm_serde_number(struct gm_str s)
{
    uint64_t significand = 0;
    int64_t exponent = 0;
    bool negative = is_at(s, 0, '-'), full = false;
    size_t at = negative;
    for (; is_digit(s, at); at++) {
        full = full || !push(&significand, s.p[at]);
        exponent += full;
    }
    full = false; /* a digit of the fraction may fit where a larger one before it did not */
    for (at += is_at(s, at, '.'); is_digit(s, at); at++) {
        full = full || !push(&significand, s.p[at]);
        exponent -= !full;
    }
    double f = scale((double)significand, exponent + read_exponent(s, at));
    return negative ? -f : f;
}
