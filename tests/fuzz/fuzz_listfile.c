/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a compiled list file: refused, or every look-up stays inside. The input's first byte says how to change
 * a good file: 0: the input is the file; else the good file, which has every kind of rule and so every part, is
 * overwritten at places that the input names part by part, so that most inputs get past the header and small parts are
 * met as often as large ones. */
#include "filter/listbuilder.h"
#include "list_asks.h"

#define PARTS	     (sizeof(struct listfile_layout) / sizeof(uint64_t)) /* the header before them; the last is the end */
#define CHANGE_BYTES 6u							 /* part, how, place (two), value (two) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char sample[] =
	"||ads.example^\nexact.example\n@@||cdn.example^\n||a.b.c^\n||d.e^\n0.0.0.0 f.example g.example\n"
	"||h.example^\n||i.example^\n*.j.example\n.k.example\n|l.example^\n||com^\n||x.com^\n";
static const char *const names[] = { "a.ads.example",	     "exact.example", "cdn.example",  "x.y.z.com",  ".",
				     "track7.rules.example", "xbannerx.net",  "a.below.test", "below.test", "rw.test" };

static void put(struct list_builder *b, uint32_t list, uint32_t line, struct list_rule rule, struct list_terms *t)
{
	rule.terms = t->bytes;
	rule.terms_len = t->len;
	CHECK(list_builder_rule(b, list, line, &rule, NULL) == 0);
	t->len = 0;
}

static struct list_rule on_name(enum list_kind kind, enum list_action action, const char *name)
{
	struct list_rule r = { .kind = kind, .action = action };

	CHECK(dname_parse(name, strlen(name), &r.name) == 0);
	return r;
}

static struct list_rule on_net(enum list_kind kind, const char *prefix)
{
	struct list_rule r = { .kind = kind, .action = LIST_BLOCK };

	CHECK(ip_prefix_parse(prefix, &r.prefix, NULL) == 0);
	return r;
}

static void put_text(struct list_builder *b, uint32_t line, enum list_kind kind, uint8_t tag, const char *text,
		     struct list_terms *t)
{
	list_terms_put_tagged(t, kind == LIST_REGEX ? TERM_REGEX : TERM_PATTERN, tag, text, strlen(text));
	list_terms_put(t, TERM_TEXT, false, text, strlen(text));
	put(b, 1, line, (struct list_rule){ .kind = kind }, t);
}

static void put_conditions(struct list_builder *b, struct list_terms *t)
{
	static const uint16_t aaaa = 28;
	struct list_rule r = on_name(LIST_SUBTREE, LIST_BLOCK, "ads.example");
	struct ip_prefix net;
	struct dname name;

	CHECK(ip_prefix_parse("10.0.0.0/8", &net, NULL) == 0 && dname_parse("ok.ads.example", 14, &name) == 0);
	list_terms_put(t, TERM_CLIENT_NET, true, &net, sizeof(net));
	list_terms_put(t, TERM_CLIENT_NAME, false, "kids", 4);
	list_terms_put(t, TERM_CLIENT_TAG, false, "tag:tv", 6);
	list_terms_put(t, TERM_TYPE, true, &aaaa, sizeof(aaaa));
	list_terms_put(t, TERM_DENYALLOW, false, name.wire, name.len);
	r.important = true;
	r.modifiers = 3;
	put(b, 5, 7, r, t);
	/* The same name in a chain. */
	list_terms_put_tagged(t, TERM_ANSWER, LIST_ANSWER_REFUSED, NULL, 0);
	put(b, 5, 8, on_name(LIST_SUBTREE, LIST_BLOCK, "ads.example"), t);
}

static void put_answers(struct list_builder *b, struct list_terms *t)
{
	static const uint8_t address[] = { 192, 0, 2, 1 };
	struct list_rule r = on_name(LIST_NAME, LIST_KEEP, "rw.test"), bad = on_name(LIST_SUBTREE, LIST_BLOCK, "d.e");
	struct dname name;

	CHECK(dname_parse("garden.test", 11, &name) == 0);
	list_terms_put_record(t, 1, 60, address, sizeof(address));
	put(b, 6, 1, on_name(LIST_NAME, LIST_REWRITE, "rw.test"), t);
	list_terms_put(t, TERM_CNAME, false, name.wire, name.len);
	put(b, 6, 2, on_name(LIST_SUBTREE, LIST_REWRITE, "rw.test"), t);
	list_terms_put(t, TERM_CNAME_BELOW, false, name.wire, name.len);
	put(b, 6, 3, on_name(LIST_BELOW, LIST_REWRITE, "below.test"), t);
	list_terms_put(t, TERM_CNAME, false, name.wire, name.len);
	put(b, 6, 4, r, t);
	bad.badfilter = true;
	put(b, 7, 1, bad, t);
}

static void sample_image(void **ret, size_t *ret_len)
{
	struct list_terms *t = calloc(1, sizeof(*t));
	struct list_builder *b = list_builder_new();

	CHECK(b != NULL && t != NULL);
	memset(b->key, 7, sizeof(b->key)); /* one input does the same each time */
	CHECK(list_builder_add_text(b, 3, sample, sizeof(sample) - 1, NULL, NULL) == 0);
	CHECK(list_builder_add_text(b, 4, sample, sizeof(sample) - 60, NULL, NULL) == 0);
	CHECK(list_builder_name(b, 3, "sample", NULL) == 0);
	put(b, 0, 1, on_name(LIST_BELOW, LIST_BLOCK, "below.test"), t);
	put(b, 0, 2, on_net(LIST_ADDRESS, "192.0.2.0/24"), t);
	put(b, 0, 3, on_net(LIST_ADDRESS, "2001:db8::7/128"), t);
	put(b, 0, 4, on_net(LIST_CLIENT_ADDRESS, "10.1.0.0/16"), t);
	put_text(b, 1, LIST_PATTERN, LIST_ANCHOR_LABEL, "track*.rules.", t);
	put_text(b, 2, LIST_PATTERN, 0, "banner", t);
	put_text(b, 3, LIST_PATTERN, LIST_ANCHOR_END, "*z", t);
	put_text(b, 4, LIST_REGEX, 0, "^track[0-9]+\\.", t);
	put_text(b, 5, LIST_REGEX, 1, "a|e", t);
	put_text(b, 6, LIST_REGEX, 0, "(a+)+b", t);
	put_conditions(b, t);
	put_answers(b, t);
	CHECK(list_builder_image(b, ret, ret_len, NULL) == 0);
	list_builder_free(b);
	free(t);
}

static void change(uint8_t *image, size_t image_len, const uint8_t *how)
{
	struct listfile_header h;
	struct listfile_layout at;
	uint64_t value = (uint64_t)(how[4] << 8 | how[5]), from, n;
	uint64_t parts[PARTS + 1] = { 0 };
	size_t place;

	memcpy(&h, image, sizeof(h));
	if (h.index_bits > LISTFILE_INDEX_BITS_MAX)
		return;
	at = listfile_layout(&h);
	memcpy(parts + 1, &at, sizeof(at));
	from = parts[how[0] % PARTS];
	n = parts[how[0] % PARTS + 1] - from;
	if (from >= image_len || n == 0 || n > image_len - from)
		return;
	place = (size_t)(from + (uint64_t)(how[2] << 8 | how[3]) % n);
	if (place > image_len - 8)
		place = image_len - 8; /* of the widest change */
	switch (how[1] % 4) {
	case 0:
		image[place] = how[5];
		break;
	case 1:
		image[place] = (uint8_t)(image[place] ^ 1u << how[5] % 8);
		break;
	case 2: /* a number, near the limits of its type */
		value = value < 0x8000 ? value : value - 0x10000;
		memcpy(image + place / 4 * 4, &value, 4);
		break;
	default: /* from elsewhere in the file */
		memmove(image + place / 8 * 8, image + (size_t)value % (image_len - 8) / 8 * 8, 8);
		break;
	}
}

static void look_up(const void *file, size_t len, const uint8_t *data, size_t data_len)
{
	struct listfile *f = NULL;

	if (listfile_open(file, len, &f, NULL) < 0)
		return;
	list_asks(f, names, ARRAY_LEN(names), data, data_len);
	listfile_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	void *image = NULL;
	size_t image_len = 0;

	if (len == 0)
		return 0;
	if (data[0] == 0) {
		image_len = len - 1;
		image = malloc(len);
		CHECK(image != NULL);
		memcpy(image, data + 1, len - 1);
	} else {
		static void *good; /* made once: it takes longer than all that is done with it */
		static size_t good_len;

		if (good == NULL)
			sample_image(&good, &good_len);
		image_len = good_len;
		image = malloc(good_len);
		CHECK(image != NULL);
		memcpy(image, good, good_len);
		for (size_t i = 1; i + CHANGE_BYTES <= len; i += CHANGE_BYTES)
			change(image, image_len, data + i);
		image_len -= data[0] == 2 && len > 2 ? data[1] : 0; /* cut short */
	}
	look_up(image, image_len, data, len);
	free(image);
	return 0;
}
