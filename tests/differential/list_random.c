/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "list_random.h"

#include <stdarg.h>

#define LINE_NAME_MAX 80

static const char *const labels[] = { "a", "b", "ads", "ads1", "x1", "track", "cdn", "www", "sub", "ad-s" };
static const char *const tops[] = { "example", "test", "com", "co.test" };
static const char *const pieces[] = { "ads", "x1", "a", "track", ".", "s.", "cdn.", "example", "-", "te", "b.a" };
static const char *const nets[] = { "10.0.0.0/8",   "10.1.0.0/16", "10.1.2.3/32",   "192.0.2.0/24",    "192.0.2.128/25",
				    "192.0.2.7/32", "0.0.0.0/0",   "2001:db8::/32", "2001:db8::7/128", "::/0" };
static const char *const tags[] = { "tag:tv", "tag:kids", "tag:iot" };
static const char *const devices[] = { "tv", "laptop", "phone" };
static const uint16_t types[] = { 1, 28, 65, 16, 5, 0 };

uint64_t random_next(struct list_random *r)
{
	/* xorshift64*, Vigna 2014 */
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1du;
}

uint32_t random_below(struct list_random *r, uint32_t n)
{
	return (uint32_t)(random_next(r) >> 33) % n;
}

static bool one_in(struct list_random *r, uint32_t n)
{
	return random_below(r, n) == 0;
}

static const char *pick(struct list_random *r, const char *const *words, size_t n)
{
	return words[random_below(r, (uint32_t)n)];
}

#define PICK(r, words) pick(r, words, ARRAY_LEN(words))

/* Text that grows. */
struct text {
	char *s;
	size_t len, at;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(t->s + t->at, t->len - t->at, format, ap);
	va_end(ap);
	t->at += n > 0 ? (size_t)n : 0;
	if (t->at >= t->len)
		t->at = t->len - 1;
}

static void add_name(struct list_random *r, struct text *t)
{
	for (uint32_t n = random_below(r, 4); n > 0; n--)
		add(t, "%s.", PICK(r, labels));
	add(t, "%s", PICK(r, tops));
}

void random_name(struct list_random *r, struct dname *ret)
{
	char buf[LINE_NAME_MAX];
	struct text t = { buf, sizeof(buf), 0 };

	add_name(r, &t);
	if (one_in(r, 200))
		t.at = 1, memcpy(buf, ".", 2);
	if (dname_parse(buf, t.at, ret) < 0)
		abort();
}

void random_near(struct list_random *r, const struct dname *name, struct dname *ret)
{
	char buf[DNAME_TEXT_MAX + 80];
	struct text t = { buf, sizeof(buf), 0 };
	uint32_t what = random_below(r, 8), i;
	const char *dot;

	if (what == 0)
		add(&t, "%s.", PICK(r, labels));
	dname_print(name, buf + t.at);
	t.at = strlen(buf);
	i = random_below(r, (uint32_t)t.at);
	dot = strchr(buf, '.');
	if (what == 1 && buf[i] != '.' && buf[i] != '\\')
		buf[i] = (char)('a' + random_below(r, 26));
	else if (what == 2 && dot != NULL && dot[1] != '\0')
		memmove(buf, dot + 1, strlen(dot));
	else if (what == 3 && t.at > 1)
		memcpy(buf + t.at, ".", 2);
	for (uint32_t k = 0; what == 4 && buf[k] != '\0'; k++)
		if (buf[k] >= 'a' && buf[k] <= 'z' && one_in(r, 2))
			buf[k] = (char)(buf[k] - 32);
	if (dname_parse(buf, strlen(buf), ret) < 0) /* too long with a label more */
		*ret = *name;
}

static void random_prefix(struct list_random *r, struct ip_prefix *ret)
{
	if (ip_prefix_parse(PICK(r, nets), ret, NULL) < 0)
		abort();
}

void random_addr(struct list_random *r, struct ip_addr *ret)
{
	struct ip_prefix p;

	random_prefix(r, &p);
	for (unsigned bit = p.len; bit < ip_addr_len(&p.addr) * 8u; bit++)
		if (one_in(r, 3))
			p.addr.bytes[bit / 8] = (uint8_t)(p.addr.bytes[bit / 8] | 0x80u >> bit % 8);
	*ret = p.addr;
}

uint16_t random_type(struct list_random *r)
{
	return types[random_below(r, ARRAY_LEN(types))];
}

const struct list_client *random_client(struct list_random *r)
{
	static const struct list_client clients[] = {
		{ .addr = { IP_V4, { 10, 1, 2, 3 } }, .device = "tv", .tags = tags, .n_tags = 1 },
		{ .addr = { IP_V4, { 10, 200, 0, 1 } }, .device = "laptop", .tags = tags + 1, .n_tags = 2 },
		{ .addr = { IP_V4, { 192, 0, 2, 200 } }, .device = "phone" },
		{ .addr = { IP_V6, { 0x20, 1, 0xd, 0xb8, [15] = 7 } }, .tags = tags, .n_tags = 3 },
	};
	uint32_t i = random_below(r, ARRAY_LEN(clients) + 1);

	return i < ARRAY_LEN(clients) ? &clients[i] : NULL;
}

/* An expression: of what lists use, and of what a search for fixed text in it can go wrong at. */
static void add_regex(struct list_random *r, struct text *t, unsigned depth)
{
	static const char *const atoms[] = { "a",	  "ads",   "x1",    "\\.",	"[.]",	       "\\d",
					     "[0-9]+",	  "[^.]+", "track", ".",	"[a-c]",       "\\x61ds",
					     "[x]1",	  "cdn",   "\\w",   "AdS",	"[[:alpha:]]", "(?#no)ads",
					     "\\Qads\\E", "-",	   "s\\.e", "exam?ple", "\\145x",      "tra(?i:C)k",
					     "(?=ads)",	  "(?!x)", "\\b",   "ab" };
	static const char *const repeats[] = {
		"", "", "", "", "?", "*", "+", "{2}", "{0,1}", "{1,3}", "+?", "*+", "{0}"
	};
	/* No endless repeat of what repeats without end: such expressions are given up (test_regex_dos.c). */
	static const char *const group_repeats[] = { "", "", "", "?", "{2}", "{0,1}", "{0}", "??" };
	static const char *const groups[] = { "(", "(?:", "(?>", "(?i)(", "(?<g>", "(?|" };
	uint32_t n = 1 + random_below(r, 3);

	for (uint32_t i = 0; i < n; i++) {
		if (depth < 3 && one_in(r, 4)) {
			add(t, "%s", PICK(r, groups));
			add_regex(r, t, depth + 1);
			if (one_in(r, 2)) {
				add(t, "|");
				add_regex(r, t, depth + 1);
			}
			add(t, ")%s", PICK(r, group_repeats));
		} else {
			add(t, "%s%s", PICK(r, atoms), PICK(r, repeats));
		}
	}
	if (depth == 0 && one_in(r, 5)) {
		add(t, "|");
		add_regex(r, t, 1);
	}
	if (depth == 0 && one_in(r, 4))
		add(t, "$");
}

static void put_text(struct list_random *r, struct list_rule *rule)
{
	char buf[400];
	struct text t = { buf, sizeof(buf), 0 };
	enum list_term_type type = rule->kind == LIST_REGEX ? TERM_REGEX : TERM_PATTERN;
	uint8_t tag = (uint8_t)random_below(r, 8);

	if (rule->kind == LIST_REGEX) {
		tag = one_in(r, 8);
		if (one_in(r, 3))
			add(&t, "%s", one_in(r, 2) ? "^" : "(^|\\.)");
		add_regex(r, &t, 0);
	}
	for (uint32_t n = 1 + random_below(r, 3); rule->kind == LIST_PATTERN && n > 0; n--)
		add(&t, "%s%s", one_in(r, 3) ? "*" : "", PICK(r, pieces));
	list_terms_put_tagged(&r->terms, type, tag, buf, t.at);
}

static void put_conditions(struct list_random *r, struct list_rule *rule)
{
	const char *word;
	struct dname name;
	struct ip_prefix net;
	uint16_t type;

	for (uint32_t n = random_below(r, 4); n > 0; n--) {
		bool denied = one_in(r, 3);

		rule->modifiers++;
		switch (random_below(r, 5)) {
		case 0:
			random_prefix(r, &net);
			list_terms_put(&r->terms, TERM_CLIENT_NET, denied, &net, sizeof(net));
			break;
		case 1:
			word = PICK(r, devices);
			list_terms_put(&r->terms, TERM_CLIENT_NAME, denied, word, strlen(word));
			break;
		case 2:
			word = PICK(r, tags);
			list_terms_put(&r->terms, TERM_CLIENT_TAG, denied, word, strlen(word));
			break;
		case 3:
			type = types[random_below(r, ARRAY_LEN(types) - 1)];
			list_terms_put(&r->terms, TERM_TYPE, denied, &type, sizeof(type));
			break;
		default:
			random_name(r, &name);
			list_terms_put(&r->terms, TERM_DENYALLOW, false, name.wire, name.len);
			break;
		}
	}
}

static void put_answer(struct list_random *r, struct list_rule *rule)
{
	static const uint8_t addrs[][4] = { { 192, 0, 2, 1 }, { 192, 0, 2, 2 } };
	uint8_t answer = (uint8_t)random_below(r, LIST_ANSWER_MAX);
	struct dname name;

	rule->modifiers++;
	switch (random_below(r, 3)) {
	case 0:
		list_terms_put_record(&r->terms, 1, 0, addrs[random_below(r, 2)], sizeof(addrs[0]));
		break;
	case 1:
		random_name(r, &name);
		list_terms_put(&r->terms, one_in(r, 4) ? TERM_CNAME_BELOW : TERM_CNAME, false, name.wire, name.len);
		break;
	default:
		list_terms_put(&r->terms, TERM_ANSWER, false, &answer, sizeof(answer));
		break;
	}
}

void random_rule(struct list_random *r, struct list_rule *ret)
{
	static const enum list_kind kinds[] = { LIST_NAME,    LIST_NAME,    LIST_SUBTREE, LIST_SUBTREE,
						LIST_SUBTREE, LIST_BELOW,   LIST_ADDRESS, LIST_CLIENT_ADDRESS,
						LIST_PATTERN, LIST_PATTERN, LIST_REGEX };
	uint8_t answer = (uint8_t)random_below(r, LIST_ANSWER_MAX);

	r->terms.len = 0;
	r->terms.full = false;
	*ret = (struct list_rule){ .kind = kinds[random_below(r, ARRAY_LEN(kinds))],
				   .action = one_in(r, 3) ? LIST_ALLOW : LIST_BLOCK };
	if (ret->kind == LIST_CLIENT_ADDRESS && !one_in(r, 6))
		ret->kind = LIST_SUBTREE; /* else hardly anything else decides */
	if (ret->kind == LIST_ADDRESS || ret->kind == LIST_CLIENT_ADDRESS)
		random_prefix(r, &ret->prefix);
	else if (ret->kind < LIST_PATTERN)
		random_name(r, &ret->name);
	else
		put_text(r, ret);
	if (one_in(r, 8))
		ret->action = one_in(r, 4) ? LIST_KEEP : LIST_REWRITE;
	if (one_in(r, 3))
		put_conditions(r, ret);
	if (ret->action == LIST_REWRITE || (ret->action == LIST_KEEP && one_in(r, 2)))
		put_answer(r, ret);
	else if (ret->action == LIST_BLOCK && one_in(r, 12))
		list_terms_put(&r->terms, TERM_ANSWER, false, &answer, sizeof(answer));
	ret->important = one_in(r, 10);
	ret->badfilter = one_in(r, 25);
	ret->terms = r->terms.len != 0 ? r->terms.bytes : NULL;
	ret->terms_len = r->terms.len;
}

static void add_modifiers(struct list_random *r, struct text *t)
{
	static const char *const words[] = {
		"important",	 "badfilter",	      "client=10.1.0.0/16", "client=~'tv'|laptop",    "ctag=tag_tv",
		"dnstype=A",	 "dnstype=~AAAA|~A",  "denyallow=a.test",   "dnsrewrite=NXDOMAIN",    "dnsrewrite",
		"dnsrewrite=::", "dnsrewrite=b.test", "third-party",	    "denyallow=ads.com|test",
	};

	for (uint32_t n = random_below(r, 3), i = 0; i < n; i++)
		add(t, "%s%s", i == 0 ? "$" : ",", PICK(r, words));
}

size_t random_line(struct list_random *r, char *buf, size_t len)
{
	static const char *const fronts[] = {
		"",	    "",		  "||",	       "||",	   "@@||",	     "|",	  "*.", ".",
		"0.0.0.0 ", ":: a.test ", "address=/", "server=/", "local-zone: \"", "192.0.2.1 "
	};
	struct text t = { buf, len, 0 };
	const char *front = PICK(r, fronts);
	bool bars = strchr(front, '|') != NULL;

	if (one_in(r, 6)) {
		add(&t, "%s/", one_in(r, 3) ? "@@" : "");
		add_regex(r, &t, 0);
		add(&t, "/");
		add_modifiers(r, &t);
		return t.at;
	}
	add(&t, "%s", front);
	if (one_in(r, 6))
		add(&t, "%s*", PICK(r, pieces));
	add_name(r, &t);
	if (bars)
		add(&t, "%s", one_in(r, 4) ? "" : one_in(r, 4) ? "^|" : "^");
	if (strchr(front, '=') != NULL)
		add(&t, "%s", one_in(r, 4) ? "/192.0.2.1" : one_in(r, 3) ? "/#" : "/");
	if (strchr(front, '"') != NULL)
		add(&t, "%s", one_in(r, 3) ? ".\" always_nxdomain" : "\" always_null");
	if (bars || one_in(r, 20))
		add_modifiers(r, &t);
	return t.at;
}
