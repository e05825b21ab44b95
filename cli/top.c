/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice top`: recorded questions counted by what they have in common. Exact: every key is kept while the journal is
 * read. */
#include "cli/cli.h"
#include "cli/query_filter.h"

#include <sodium.h>

#define TOP_LIMIT_DEFAULT 10u
#define TOP_LIMIT_MAX	  1000000u
/* Different keys, about 100 bytes each: 1 GB. A household asks for some ten thousand names a month. */
#define TOP_KEYS_MAX (10u << 20)

static const char help[] =
	"usage: sluice top [--by name|device|list|type|rule] [--limit N] [--blocked] [--device D] [--name N] [--list "
	"L]\n"
	"                  [--type T] [--since T] [--until T] [--json] [--journal DIR] [--key FILE]\n\n"
	"The most frequent of the recorded questions: how many, how many of them were blocked, and what. Counted over "
	"the\n"
	"whole journal, or from --since to --until. Of level counts there are devices and lists alone.\n"
	"  --by W       what is counted (default: name)\n"
	"  --limit N    lines (default: 10; 0: all)\n" QUERY_FILTER_HELP;

enum top_by { TOP_BY_NAME = 0, TOP_BY_DEVICE, TOP_BY_LIST, TOP_BY_TYPE, TOP_BY_RULE, TOP_BY_MAX };

static const char *const by_names[] = { "name", "device", "list", "type", "rule" };
static_assert(ARRAY_LEN(by_names) == TOP_BY_MAX, "names");

struct top_key {
	char *text;
	uint64_t n, blocked;
};

struct top {
	enum top_by by;
	struct top_key *keys; /* a hash table while they are counted; then sorted */
	size_t n, room;	      /* room: a power of two */
	uint64_t all, blocked, without, gaps;
	int error;
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
};

static void top_done(struct top *t)
{
	for (size_t i = 0; i < t->room; i++)
		free(t->keys[i].text);
	free(t->keys);
}

/* Keyed: names are chosen by whoever asks. */
static struct top_key *slot_of(struct top_key *keys, size_t room, const uint8_t *hash_key, const char *text)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t at;

	(void)crypto_shorthash(hash, (const uint8_t *)text, strlen(text), hash_key);
	memcpy(&at, hash, sizeof(at));
	for (at &= room - 1; keys[at].text != NULL && strcmp(keys[at].text, text) != 0;)
		at = (at + 1) & (room - 1);
	return &keys[at];
}

static int top_grow(struct top *t)
{
	size_t room = t->room != 0 ? t->room * 2 : 1024;
	struct top_key *keys = calloc(room, sizeof(*keys));

	if (keys == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < t->room; i++)
		if (t->keys[i].text != NULL)
			*slot_of(keys, room, t->hash_key, t->keys[i].text) = t->keys[i];
	free(t->keys);
	t->keys = keys;
	t->room = room;
	return 0;
}

static int top_add(struct top *t, const char *text, uint64_t n, bool blocked)
{
	struct top_key *k;

	if (t->n >= t->room / 2 && top_grow(t) != 0)
		return -ENOMEM;
	k = slot_of(t->keys, t->room, t->hash_key, text);
	if (k->text == NULL) {
		if (t->n == TOP_KEYS_MAX)
			return -E2BIG;
		k->text = strdup(text);
		if (k->text == NULL)
			return -ENOMEM;
		t->n++;
	}
	k->n += n;
	k->blocked += blocked ? n : 0;
	return 0;
}

/* The empty text: it has none. */
static struct flow_text key_of(enum top_by by, const struct query_record *q, char *buf, size_t size)
{
	switch (by) {
	case TOP_BY_NAME:
		return q->name;
	case TOP_BY_DEVICE:
		return q->device;
	case TOP_BY_LIST:
		return query_where(q);
	case TOP_BY_TYPE:
		return q->type != 0 ? flow_text_of(query_type_print(q->type, buf, size)) : (struct flow_text){ 0 };
	case TOP_BY_RULE:
		return q->rule;
	case TOP_BY_MAX:
		break;
	}
	return (struct flow_text){ 0 };
}

static void row_count(void *arg, const struct row *row)
{
	struct top *t = arg;
	const struct query_record *q = &row->query;
	char buf[32], text[FLOW_TEXT_MAX + 1];
	uint64_t n = q->count != 0 ? q->count : 1;
	bool blocked = query_was_blocked(q);
	struct flow_text key;

	if (row->kind == ROW_GAP) {
		t->gaps++;
		return;
	}
	t->all += n;
	t->blocked += blocked ? n : 0;
	key = key_of(t->by, q, buf, sizeof(buf));
	if (key.len == 0)
		t->without += n;
	else if (t->error == 0)
		t->error = top_add(t, journal_text_print(key, text), n, blocked);
}

static int key_cmp(const void *a, const void *b)
{
	const struct top_key *x = a, *y = b;

	if ((x->text == NULL) != (y->text == NULL))
		return x->text == NULL ? 1 : -1;
	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return x->text != NULL ? strcmp(x->text, y->text) : 0;
}

static void top_print(struct top *t, const struct query_filter *f, size_t limit)
{
	if (t->room != 0)
		qsort(t->keys, t->room, sizeof(*t->keys), key_cmp);
	for (size_t i = 0; i < t->n && (limit == 0 || i < limit); i++) {
		const struct top_key *k = &t->keys[i];
		cJSON *j;

		if (!f->json) {
			(void)printf("%10llu %10llu blocked  %5.1f %%  %s\n", (unsigned long long)k->n,
				     (unsigned long long)k->blocked, 100.0 * (double)k->n / (double)t->all, k->text);
			continue;
		}
		j = cJSON_CreateObject();
		cJSON_AddStringToObject(j, by_names[t->by], k->text);
		cJSON_AddNumberToObject(j, "queries", (double)k->n);
		cJSON_AddNumberToObject(j, "blocked", (double)k->blocked);
		journal_json_print(j);
	}
	if (f->json)
		return;
	(void)printf("%10llu %10llu blocked  in all, %zu different; %llu without %s\n", (unsigned long long)t->all,
		     (unsigned long long)t->blocked, t->n, (unsigned long long)t->without, by_names[t->by]);
	if (t->gaps != 0)
		(void)printf("The record has %llu gaps in this time: see sluice queries.\n",
			     (unsigned long long)t->gaps);
}

static bool by_parse(const char *text, enum top_by *ret)
{
	for (int i = 0; i < TOP_BY_MAX; i++) {
		if (strcmp(text, by_names[i]) != 0)
			continue;
		*ret = (enum top_by)i;
		return true;
	}
	return false;
}

static bool limit_parse(const char *text, size_t *ret)
{
	char *end = NULL;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || n > TOP_LIMIT_MAX)
		return false;
	*ret = n;
	return true;
}

int cmd_top(int argc, char **argv)
{
	static const struct option longs[] = { { "by", required_argument, NULL, 'B' },
					       { "limit", required_argument, NULL, 'N' },
					       QUERY_FILTER_LONGS,
					       { 0 } };
	struct query_filter f = { 0 };
	struct top t = { 0 };
	size_t limit = TOP_LIMIT_DEFAULT;
	struct err e = { 0 };
	int opt, r;

	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		bool fine = opt == 'B'	 ? by_parse(optarg, &t.by)
			    : opt == 'N' ? limit_parse(optarg, &limit)
					 : query_filter_option(&f, opt, optarg);

		if (fine)
			continue;
		(void)fputs(help, opt == 'h' ? stdout : stderr);
		return opt == 'h' ? CLI_OK : CLI_USAGE;
	}
	if (optind != argc) {
		(void)fputs(help, stderr);
		return CLI_USAGE;
	}
	crypto_shorthash_keygen(t.hash_key);
	r = query_filter_each(&f, row_count, &t, &e);
	if (t.error != 0)
		r = err_set(&e, t.error, "more than %u different ones, or out of memory: take a shorter time",
			    TOP_KEYS_MAX);
	else
		top_print(&t, &f, limit);
	top_done(&t);
	if (r != 0)
		(void)fprintf(stderr, "sluice top: %s\n", e.msg);
	return r == 0 ? CLI_OK : CLI_BAD_INPUT;
}
