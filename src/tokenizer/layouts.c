/* layouts.c - what files other than tokenizer.json say, said as one. Reference: the classes of transformers that read
 * them (BertweetTokenizer, BertTokenizer, RobertaTokenizer), in tests/ref/layouts_reference.py. */
#include "tokenizer/layouts.h"

#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/utf8.h"

#include <string.h>

enum { MAX_FILE = 128 << 20 };

/* One directory being read. */
struct layout {
    const char *dir;
    struct gm_arena *a;
    struct gm_json *root; /* what is made */
    struct gm_json *config,
        *names; /* tokenizer_config.json, special_tokens_map.json; NULL = none */
    bool mpnet;
};

static enum gm_status join(const struct layout *x, const char *name, const char **path,
                           struct gm_error *err)
{
    *path = gm_path_join(x->a, x->dir, name);
    return *path ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status has(const struct layout *x, const char *name, bool *yes, struct gm_error *err)
{
    const char *path;
    enum gm_status st = join(x, name, &path, err);
    *yes = st == GM_OK && gm_is_file(path);
    return st;
}

/* The JSON of a file; *out stays NULL where there is none. */
static enum gm_status load(const struct layout *x, const char *name, struct gm_json **out,
                           struct gm_error *err)
{
    const char *path;
    enum gm_status st = join(x, name, &path, err);
    return st == GM_OK && gm_is_file(path) ? gm_json_load(out, path, MAX_FILE, err) : st;
}

/* Python's str.isspace, which is what parts words and ends lines there. */
static bool is_python_space(uint32_t cp)
{
    return gm_cp_is_space(cp) || (cp >= 0x1C && cp <= 0x1F);
}

static struct gm_str strip(struct gm_str s)
{
    size_t from = s.n, to = 0;
    for (size_t at = 0, end = 0; at < s.n; at = end) {
        if (is_python_space(gm_utf8_next(s, &end)))
            continue;
        from = at < from ? at : from;
        to = end;
    }
    return gm_str_sub(s, from, to);
}

/* `fn` for each line of a file, which lives in the arena, without its end. */
static enum gm_status each_line(const struct layout *x, const char *name,
                                enum gm_status (*fn)(void *self, struct gm_str line, size_t number,
                                                     const char *path, struct gm_error *err),
                                void *self, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *path;
    struct gm_buf file;
    gm_buf_init(&file, MAX_FILE);
    GM_TRY(join(x, name, &path, err));
    GM_TRY(gm_file_read(path, &file, err));
    struct gm_str rest = gm_arena_str(x->a, gm_buf_str(&file)), line;
    GM_TRY(rest.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    if (!gm_utf8_is_valid(rest) || memchr(rest.p, '\0', rest.n)) {
        st = GM_FAIL(err, GM_EMODEL, "%s: not UTF-8, or with NUL in it", path);
        goto done;
    }
    for (size_t number = 1; rest.n; number++) {
        (void)gm_str_cut(rest, '\n', &line, &rest);
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        GM_TRY(fn(self, line, number, path, err));
    }
done:
    gm_buf_clear(&file);
    return st;
}

/* ---- parts of a tokenizer.json ---- */

/* Puts `value`, which is taken over, into an object; false = out of memory. */
static enum gm_status set(struct gm_json *object, const char *key, struct gm_json *value,
                          struct gm_error *err)
{
    return gm_json_set(object, key, value) ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

/* A special token's name: as tokenizer_config.json, or else special_tokens_map.json, has it, a text or an object with
 * "content". */
static struct gm_str special_name(const struct layout *x, const char *key, const char *preset)
{
    const struct gm_json *own = gm_json_get(x->config, key),
                         *j = own ? own : gm_json_get(x->names, key);
    struct gm_str name = gm_str(preset);
    if (!gm_json_str(j, &name))
        (void)gm_json_str(gm_json_get(j, "content"), &name);
    return name;
}

static bool config_flag(const struct layout *x, const char *key, bool preset)
{
    (void)gm_json_bool(gm_json_get(x->config, key), &preset);
    return preset;
}

static enum gm_status add_token(struct layout *x, struct gm_str name, long long id, bool lstrip,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *list = gm_json_get(x->root, "added_tokens"), *token;
    if (!list) {
        GM_TRY(set(x->root, "added_tokens", gm_json_new_array(), err));
        list = gm_json_get(x->root, "added_tokens");
    }
    token = gm_json_new_object();
    bool ok = token && gm_json_set(token, "id", gm_json_new_int(id)) &&
              gm_json_set(token, "content", gm_json_new_str(name)) &&
              gm_json_set(token, "lstrip", gm_json_new_bool(lstrip)) &&
              gm_json_set(token, "special", gm_json_new_bool(true));
    if (!gm_json_add(list, token) || !ok)
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
done:
    return st;
}

/* Whether a token was added already. */
static bool is_added(const struct layout *x, struct gm_str name)
{
    const struct gm_json *list = gm_json_get(x->root, "added_tokens");
    struct gm_str have;
    for (size_t i = 0; i < gm_json_count(list); i++)
        if (gm_json_str(gm_json_get(gm_json_at(list, i), "content"), &have) &&
            gm_str_eq(have, name))
            return true;
    return false;
}

/* A special token that the vocabulary has, or that was added with a number, or that goes behind all, as *next. */
static enum gm_status add_special(struct layout *x, const struct gm_json *vocab, const char *key,
                                  const char *preset, bool lstrip, long long *next,
                                  struct gm_error *err)
{
    struct gm_str name = special_name(x, key, preset);
    long long id;
    bool has_id = gm_json_int(gm_json_get(vocab, name.p), &id);
    if (!has_id && is_added(x, name))
        return GM_OK;
    return add_token(x, name, has_id ? id : (*next)++, lstrip, err);
}

/* Those that were added later: added_tokens.json {TOKEN: ID}. *next goes behind them. */
static enum gm_status add_later(struct layout *x, long long *next, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *later = NULL;
    GM_TRY(load(x, "added_tokens.json", &later, err));
    for (void *it = gm_json_first(later); it; it = gm_json_next(later, it)) {
        long long id;
        if (!gm_json_int(gm_json_value(it), &id))
            continue;
        GM_TRY(add_token(x, gm_json_key(it), id, false, err));
        *next = id >= *next ? id + 1 : *next;
    }
done:
    gm_json_free(later);
    return st;
}

/* post_processor {"type", "sep": [name, id], "cls": …} of the kind that has no template. */
static enum gm_status set_ends(struct layout *x, const char *type, struct gm_str cls,
                               struct gm_str sep, const struct gm_json *vocab, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *post = gm_json_new_object();
    const struct gm_str names[] = {cls, sep};
    bool ok = post && gm_json_set(post, "type", gm_json_new_str(gm_str(type)));
    for (size_t i = 0; i < 2 && ok; i++) {
        long long id = -1;
        struct gm_json *pair = gm_json_new_array();
        if (!gm_json_int(gm_json_get(vocab, names[i].p), &id))
            st = GM_FAIL(err, GM_EMODEL, "%s: the vocabulary (vocab.txt or vocab.json) has no %.*s",
                         x->dir, GM_STR_ARG(names[i]));
        ok = gm_json_add(pair, gm_json_new_str(names[i])) && gm_json_add(pair, gm_json_new_int(id));
        ok = gm_json_set(post, i ? "sep" : "cls", pair) && ok;
    }
    bool prefix = config_flag(x, "add_prefix_space", false);
    ok = ok && gm_json_set(post, "trim_offsets", gm_json_new_bool(true)) &&
         gm_json_set(post, "add_prefix_space", gm_json_new_bool(prefix));
    if (!gm_json_set(x->root, "post_processor", post) || !ok)
        return st != GM_OK ? st : GM_FAIL(err, GM_ENOMEM, "out of memory");
    return st;
}

/* ---- BERTweet ---- */

struct words {
    struct gm_json *vocab; /* or a list of merges */
};

static enum gm_status put_next(struct gm_json *vocab, struct gm_str word, const char *path,
                               struct gm_error *err)
{
    return set(vocab, word.p, gm_json_new_int((long long)gm_json_count(vocab)), err) == GM_OK
               ? GM_OK
               : GM_FAIL(err, GM_EMODEL, "%s: out of memory for a word", path);
}

/* "word count"; a word that comes twice gets the later number, which the next new one has, too. */
static enum gm_status counted_word(void *self, struct gm_str line, size_t number, const char *path,
                                   struct gm_error *err)
{
    struct words *w = self;
    struct gm_str s = strip(line);
    size_t space = s.n;
    while (space > 0 && s.p[space - 1] != ' ')
        space--;
    if (space == 0)
        return GM_FAIL(err, GM_EMODEL, "%s:%zu: a word and its number are expected", path, number);
    char *word = (char *)(uintptr_t)s.p; /* the arena's, and its space becomes the end */
    word[space - 1] = '\0';
    return put_next(w->vocab, (struct gm_str){word, space - 1}, path, err);
}

/* "a b count", or, as transformers 5 writes it and then misreads it, "a b". */
static enum gm_status merge(void *self, struct gm_str line, size_t number, const char *path,
                            struct gm_error *err)
{
    struct words *w = self;
    struct gm_str s = strip(line), a, b, count, pair;
    if (!s.n)
        return GM_OK;
    if (!gm_str_cut(s, ' ', &a, &b))
        return GM_FAIL(err, GM_EMODEL, "%s:%zu: two pieces are expected", path, number);
    (void)gm_str_cut(b, ' ', &b, &count);
    pair = (struct gm_str){a.p, (size_t)(b.p + b.n - a.p)};
    return gm_json_add(w->vocab, gm_json_new_str(pair)) ? GM_OK
                                                        : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status make_bertweet(struct layout *x, struct gm_json *model, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    static const char *const keys[] = {"bos_token", "pad_token", "eos_token", "unk_token"};
    static const char *const presets[] = {"<s>", "<pad>", "</s>", "<unk>"};
    struct gm_json *vocab = gm_json_new_object(), *merges = gm_json_new_array(),
                   *pre = gm_json_new_object();
    GM_TRY(set(x->root, "pre_tokenizer", pre, err));
    GM_TRY(set(pre, "type", gm_json_new_str(GM_STR("WhitespaceSplit")), err));
    GM_TRY(set(model, "vocab", vocab, err));
    GM_TRY(set(model, "merges", merges, err));
    if (config_flag(x, "normalization", false)) {
        st = GM_FAIL(
            err, GM_EMODEL,
            "%s/tokenizer_config.json: \"normalization\" of tweets is not supported; set it "
            "to false there, and words are read as they are",
            x->dir);
        goto done;
    }
    for (size_t i = 0; i < 4; i++)
        GM_TRY(put_next(vocab, special_name(x, keys[i], presets[i]), x->dir, err));
    GM_TRY(each_line(x, "vocab.txt", counted_word, &(struct words){vocab}, err));
    GM_TRY(each_line(x, "bpe.codes", merge, &(struct words){merges}, err));
    GM_TRY(set(model, "type", gm_json_new_str(GM_STR("fastBPE")), err));
    GM_TRY(set(model, "unk_token", gm_json_new_str(special_name(x, "unk_token", "<unk>")), err));
    long long next = (long long)gm_json_count(vocab);
    GM_TRY(add_later(x, &next, err));
    for (size_t i = 0; i < 4; i++)
        GM_TRY(add_special(x, vocab, keys[i], presets[i], false, &next, err));
    GM_TRY(add_special(x, vocab, "mask_token", "<mask>", false, &next, err));
    st = set_ends(x, "BertProcessing", special_name(x, "bos_token", "<s>"),
                  special_name(x, "eos_token", "</s>"), vocab, err);
done:
    return st;
}

/* ---- RoBERTa ---- */

static enum gm_status byte_merge(void *self, struct gm_str line, size_t number, const char *path,
                                 struct gm_error *err)
{
    if (line.n == 0 || (number == 1 && gm_str_starts(line, GM_STR("#version"))))
        return GM_OK;
    (void)path;
    struct words *w = self;
    return gm_json_add(w->vocab, gm_json_new_str(line)) ? GM_OK
                                                        : GM_FAIL(err, GM_ENOMEM, "out of memory");
}

static enum gm_status make_roberta(struct layout *x, struct gm_json *model, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *vocab = NULL, *merges = gm_json_new_array(), *pre = gm_json_new_object();
    static const char *const keys[] = {"bos_token", "pad_token", "eos_token", "unk_token"};
    static const char *const presets[] = {"<s>", "<pad>", "</s>", "<unk>"};
    GM_TRY(set(x->root, "pre_tokenizer", pre, err));
    GM_TRY(set(model, "merges", merges, err));
    GM_TRY(load(x, "vocab.json", &vocab, err));
    GM_TRY(set(model, "vocab", gm_json_ref(vocab), err));
    GM_TRY(each_line(x, "merges.txt", byte_merge, &(struct words){merges}, err));
    GM_TRY(set(model, "type", gm_json_new_str(GM_STR("BPE")), err));
    GM_TRY(set(pre, "type", gm_json_new_str(GM_STR("ByteLevel")), err));
    GM_TRY(set(pre, "add_prefix_space", gm_json_new_bool(config_flag(x, "add_prefix_space", false)),
               err));
    long long next = (long long)gm_json_count(vocab);
    GM_TRY(add_later(x, &next, err));
    for (size_t i = 0; i < 4; i++)
        GM_TRY(add_special(x, vocab, keys[i], presets[i], false, &next, err));
    GM_TRY(add_special(x, vocab, "mask_token", "<mask>", true, &next, err));
    st = set_ends(x, "RobertaProcessing", special_name(x, "bos_token", "<s>"),
                  special_name(x, "eos_token", "</s>"), vocab, err);
done:
    gm_json_free(vocab);
    return st;
}

/* ---- BERT ---- */

static enum gm_status plain_word(void *self, struct gm_str line, size_t number, const char *path,
                                 struct gm_error *err)
{
    struct words *w = self;
    char *end = (char *)(uintptr_t)line.p + line.n; /* the line's end, or the text's NUL */
    *end = '\0';
    return set(w->vocab, line.p, gm_json_new_int((long long)number - 1), err) == GM_OK
               ? GM_OK
               : GM_FAIL(err, GM_EMODEL, "%s:%zu: out of memory for a word", path, number);
}

static enum gm_status make_bert(struct layout *x, struct gm_json *model, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    static const char *const keys[] = {"cls_token", "sep_token", "pad_token", "unk_token",
                                       "mask_token"};
    static const char *const bert[] = {"[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"};
    static const char *const mpnet[] = {"<s>", "</s>", "<pad>", "[UNK]", "<mask>"};
    const char *const *presets = x->mpnet ? mpnet : bert;
    struct gm_json *vocab = gm_json_new_object(), *norm = gm_json_new_object(),
                   *pre = gm_json_new_object();
    const struct gm_json *accents = gm_json_get(x->config, "strip_accents");
    GM_TRY(set(model, "vocab", vocab, err));
    GM_TRY(set(x->root, "normalizer", norm, err));
    GM_TRY(set(x->root, "pre_tokenizer", pre, err));
    GM_TRY(each_line(x, "vocab.txt", plain_word, &(struct words){vocab}, err));
    GM_TRY(set(model, "type", gm_json_new_str(GM_STR("WordPiece")), err));
    GM_TRY(set(model, "unk_token", gm_json_new_str(special_name(x, "unk_token", "[UNK]")), err));
    GM_TRY(set(model, "continuing_subword_prefix", gm_json_new_str(GM_STR("##")), err));
    GM_TRY(set(model, "max_input_chars_per_word", gm_json_new_int(100), err));
    GM_TRY(set(norm, "type", gm_json_new_str(GM_STR("BertNormalizer")), err));
    GM_TRY(set(norm, "clean_text", gm_json_new_bool(true), err));
    GM_TRY(set(norm, "handle_chinese_chars",
               gm_json_new_bool(config_flag(x, "tokenize_chinese_chars", true)), err));
    GM_TRY(set(norm, "strip_accents", accents ? gm_json_ref(accents) : gm_json_new_null(), err));
    GM_TRY(set(norm, "lowercase", gm_json_new_bool(config_flag(x, "do_lower_case", true)), err));
    GM_TRY(set(pre, "type", gm_json_new_str(GM_STR("BertPreTokenizer")), err));
    long long next = (long long)gm_json_count(vocab);
    GM_TRY(add_later(x, &next, err));
    for (size_t i = 0; i < 5; i++)
        GM_TRY(add_special(x, vocab, keys[i], presets[i], x->mpnet && i == 4, &next, err));
    st = set_ends(x, "BertProcessing", special_name(x, "cls_token", presets[0]),
                  special_name(x, "sep_token", presets[1]), vocab, err);
done:
    return st;
}

/* ---- which it is ---- */

static const struct kind {
    const char *first, *second; /* its files; second NULL: one is all */
    enum gm_status (*make)(struct layout *x, struct gm_json *model, struct gm_error *err);
    const char *classes[6]; /* of transformers, with or without "Fast", which read them so */
} kinds[] = {{"vocab.txt", "bpe.codes", make_bertweet, {"Bertweet", "Phobert"}},
             {"vocab.json",
              "merges.txt",
              make_roberta,
              {"Roberta", "GPT2", "Camembert", "XLMRoberta", "Deberta", "Longformer"}},
             {"vocab.txt",
              NULL,
              make_bert,
              {"Bert", "DistilBert", "Electra", "MPNet", "MobileBert", "ConvBert"}}};
enum { N_CLASSES = sizeof kinds->classes / sizeof *kinds->classes };

static enum gm_status find_kind(const struct layout *x, const struct kind **out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    static const char *const others[] = {"sentencepiece.bpe.model", "spm.model", "spiece.model",
                                         "tokenizer.model"};
    const char *found = NULL;
    bool first, second;
    *out = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        GM_TRY(has(x, kinds[i].first, &first, err));
        second = true;
        if (kinds[i].second)
            GM_TRY(has(x, kinds[i].second, &second, err));
        if (first && second) {
            *out = &kinds[i];
            return GM_OK;
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others && !found; i++) {
        GM_TRY(has(x, others[i], &first, err));
        found = first ? others[i] : NULL;
    }
    st = GM_FAIL(err, GM_EMODEL,
                 "%s: no tokenizer.json%s%s%s. Write one: python3 -c \"from transformers import "
                 "AutoTokenizer as t; t.from_pretrained('%s').save_pretrained('%s')\"",
                 x->dir, found ? " (" : "", found ? found : "",
                 found ? " is SentencePiece's own format)" : ", nor a vocabulary of another kind",
                 x->dir, x->dir);
done:
    return st;
}

static bool is_class(struct gm_str name, const char *want)
{
    if (gm_str_ends(name, GM_STR("Fast")))
        name.n -= strlen("Fast");
    return gm_str_ends(name, GM_STR("Tokenizer")) &&
           gm_str_eq_c(gm_str_sub(name, 0, name.n - strlen("Tokenizer")), want);
}

/* The same names of files have other meanings for some classes: BertJapaneseTokenizer's vocab.txt is of words that a
 * dictionary cuts, Herbert's merges.txt is of letters. config.json names the class where tokenizer_config.json does
 * not. */
static enum gm_status check_class(struct layout *x, const struct kind *k,
                                  const struct gm_json *model, struct gm_error *err)
{
    struct gm_str name = {0}, type = {0};
    const struct gm_json *said = gm_json_get(x->config, "tokenizer_class");
    (void)gm_json_str(gm_json_get(model, "model_type"), &type);
    (void)gm_json_str(said ? said : gm_json_get(model, "tokenizer_class"), &name);
    x->mpnet = is_class(name, "MPNet") || (!name.n && gm_str_eq_c(type, "mpnet"));
    for (size_t i = 0; i < N_CLASSES && k->classes[i]; i++)
        if (is_class(name, k->classes[i]))
            return GM_OK;
    return !name.n
               ? GM_OK
               : GM_FAIL(err, GM_EMODEL,
                         "%s: no tokenizer.json, and %s is not read as tokenizer_class \"%.*s\" "
                         "does. If that class can write one: python3 -c \"from transformers import "
                         "AutoTokenizer as t; t.from_pretrained('%s').save_pretrained('%s')\"",
                         x->dir, k->first, GM_STR_ARG(name), x->dir, x->dir);
}

static enum gm_status make(struct layout *x, const struct kind *k, struct gm_buf *out,
                           struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_json *model = NULL;
    x->root = gm_json_new_object();
    GM_TRY(x->root ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory"));
    GM_TRY(set(x->root, "model", gm_json_new_object(), err));
    GM_TRY(load(x, "tokenizer_config.json", &x->config, err));
    GM_TRY(load(x, "special_tokens_map.json", &x->names, err));
    GM_TRY(load(x, "config.json", &model, err));
    GM_TRY(check_class(x, k, model, err));
    GM_TRY(k->make(x, gm_json_get(x->root, "model"), err));
    st = gm_json_write(x->root, false, out, err);
done:
    gm_json_free(x->root);
    gm_json_free(x->config);
    gm_json_free(x->names);
    gm_json_free(model);
    return st;
}

enum gm_status gm_tokenizer_text(struct gm_buf *out, const char *dir, struct gm_arena *a,
                                 const char **path, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct layout x = {.dir = dir, .a = a};
    const struct kind *k;
    GM_TRY(join(&x, "tokenizer.json", path, err));
    GM_TRY(gm_path_reach(*path, err));
    if (gm_is_file(*path))
        return gm_file_read(*path, out, err);
    GM_TRY(find_kind(&x, &k, err));
    GM_TRY(join(&x, k->first, path, err));
    st = make(&x, k, out, err);
done:
    return st;
}
