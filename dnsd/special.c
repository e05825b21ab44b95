/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Special-use names and locally served zones: what must not be asked of the world's name servers. Called by query.c for
 * each question that nothing else has answered, so the search is one look at the top level domain for nearly all names.
 *
 * Sources: RFC 6761 (localhost, invalid, test, and the private reverse zones), 6762 (local, link-local reverse zones),
 * 7686 (onion), 8375 (home.arpa), 9462 (resolver.arpa), 9476 (alt), 9665 (service.arpa), ICANN's resolution of
 * 2024-07-29 (internal); reverse zones: RFC 6303, 7793 (100.64.0.0/10).
 *
 * Resolved as any other: example, example.com and the like (RFC 6761 6.5), and ipv4only.arpa with its reverse names
 * (RFC 8880): an upstream that does DNS64 is the only one that knows its prefix. */
#include "dnsd/local.h"

#define IN_ADDR_LABELS 2 /* in-addr.arpa, ip6.arpa */

struct special_label {
	const char *label; /* with its length in front */
	enum special what;
};

static const struct special_label tops[] = {
	{ "\x09localhost", SPECIAL_LOCALHOST },
	{ "\x08internal", SPECIAL_NXDOMAIN },
	{ "\x07invalid", SPECIAL_NXDOMAIN },
	{ "\x05local", SPECIAL_NXDOMAIN },
	{ "\x05onion", SPECIAL_NXDOMAIN },
	{ "\x04test", SPECIAL_NXDOMAIN },
	{ "\x03"
	  "alt",
	  SPECIAL_NXDOMAIN },
};

static const char *const below_arpa[] = { "\x04home", "\x08resolver", "\x07service" };

/* The label @back labels from the end (1: the top level domain). */
static const uint8_t *label_at(const struct dname *n, uint8_t back)
{
	uint8_t len;

	return dname_suffix(n, (uint8_t)(n->labels - back), &len);
}

static bool label_is(const uint8_t *label, const char *text)
{
	return label[0] == (uint8_t)text[0] && memcmp(label + 1, text + 1, label[0]) == 0;
}

/* The label @back labels from the end as a decimal number 0-255, or -1. */
static int label_octet(const struct dname *n, uint8_t back)
{
	const uint8_t *s;
	int v = 0;

	if (n->labels < back)
		return -1;
	s = label_at(n, back);
	if (s[0] == 0 || s[0] > 3 || (s[0] > 1 && s[1] == '0'))
		return -1;
	for (uint8_t i = 1; i <= s[0]; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

/* A zone of in-addr.arpa: the first @octets octets of an address, the second one up to @second_last. */
struct zone4 {
	uint8_t octets;
	uint8_t octet[4];
	uint8_t second_last; /* 0: one value only */
};

static const struct zone4 zones4[] = {
	{ 1, { 0 }, 0 },
	{ 1, { 10 }, 0 },
	{ 1, { 127 }, 0 },
	{ 2, { 100, 64 }, 127 },
	{ 2, { 169, 254 }, 0 },
	{ 2, { 172, 16 }, 31 },
	{ 2, { 192, 168 }, 0 },
	{ 3, { 192, 0, 2 }, 0 },
	{ 3, { 198, 51, 100 }, 0 },
	{ 3, { 203, 0, 113 }, 0 },
	{ 4, { 255, 255, 255, 255 }, 0 },
};

/* Labels of the zone that holds the name, or 0. Only the zones themselves and what is below: 168.192.in-addr.arpa, not
 * 192.in-addr.arpa. */
static uint8_t reverse4(const struct dname *n)
{
	int octets[4];

	for (uint8_t i = 0; i < 4; i++)
		octets[i] = label_octet(n, (uint8_t)(IN_ADDR_LABELS + 1 + i));
	for (size_t i = 0; i < ARRAY_LEN(zones4); i++) {
		const struct zone4 *z = &zones4[i];
		bool same = true;

		for (uint8_t k = 0; k < z->octets && same; k++)
			same = k == 1 && z->second_last != 0 ? octets[k] >= z->octet[k] && octets[k] <= z->second_last
							     : octets[k] == z->octet[k];
		if (same)
			return (uint8_t)(IN_ADDR_LABELS + z->octets);
	}
	return 0;
}

/* The nibble @back labels from the end, or -1. */
static int label_nibble(const struct dname *n, uint8_t back)
{
	const uint8_t *s;

	if (n->labels < back)
		return -1;
	s = label_at(n, back);
	if (s[0] != 1)
		return -1;
	if (s[1] >= '0' && s[1] <= '9')
		return s[1] - '0';
	return s[1] >= 'a' && s[1] <= 'f' ? s[1] - 'a' + 10 : -1;
}

/* Nibbles of addresses from the first on: unique local (RFC 6303 has the half that is in use), link-local,
 * documentation. */
static const struct zone6 {
	uint8_t nibbles;
	uint8_t nibble[8];
} zones6[] = {
	{ 2, { 0xf, 0xc } },
	{ 2, { 0xf, 0xd } },
	{ 3, { 0xf, 0xe, 0x8 } },
	{ 3, { 0xf, 0xe, 0x9 } },
	{ 3, { 0xf, 0xe, 0xa } },
	{ 3, { 0xf, 0xe, 0xb } },
	{ 8, { 2, 0, 0, 1, 0, 0xd, 0xb, 8 } },
};

static uint8_t reverse6(const struct dname *n)
{
	uint8_t labels = n->labels;

	for (size_t i = 0; i < ARRAY_LEN(zones6); i++) {
		uint8_t k = 0;

		while (k < zones6[i].nibbles &&
		       label_nibble(n, (uint8_t)(IN_ADDR_LABELS + 1 + k)) == zones6[i].nibble[k])
			k++;
		if (k == zones6[i].nibbles)
			return (uint8_t)(IN_ADDR_LABELS + k);
	}
	/* ::1 and ::, a zone each, and what is below */
	if (labels < 34)
		return 0;
	for (uint8_t back = IN_ADDR_LABELS + 1; back < 34; back++)
		if (label_nibble(n, back) != 0)
			return 0;
	return label_nibble(n, 34) == 0 || label_nibble(n, 34) == 1 ? 34 : 0;
}

static uint8_t arpa_zone(const struct dname *n)
{
	const uint8_t *label = label_at(n, 2);

	for (size_t i = 0; i < ARRAY_LEN(below_arpa); i++)
		if (label_is(label, below_arpa[i]))
			return 2;
	if (label_is(label, "\x07in-addr"))
		return reverse4(n);
	return label_is(label, "\x03ip6") ? reverse6(n) : 0;
}

enum special special_name(const struct dname *name, uint8_t *ret_labels)
{
	const uint8_t *top;
	uint8_t labels = 1;
	enum special what = SPECIAL_NONE;

	if (name->labels == 0)
		return SPECIAL_NONE;
	top = label_at(name, 1);
	if (label_is(top, "\x04"
			  "arpa")) {
		labels = name->labels >= 2 ? arpa_zone(name) : 0;
		what = labels != 0 ? SPECIAL_NXDOMAIN : SPECIAL_NONE;
	}
	for (size_t i = 0; i < ARRAY_LEN(tops) && labels == 1 && what == SPECIAL_NONE; i++)
		if (label_is(top, tops[i].label))
			what = tops[i].what;
	if (ret_labels != NULL)
		*ret_labels = labels;
	return what;
}
