/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Domain names: RFC 1035 3.1 (wire form), 4.1.4 (compression), 5.1 (presentation form); case RFC 4343.
 *
 * A name is always lower case here: comparison is memcmp, and a suffix is a pointer into the name. */
#include "sluice/dname.h"

#define DNAME_POINTER 0xc0u /* the two high bits of a length byte: compression pointer */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One possibly escaped byte of presentation form at @text. Returns the characters used, 0 on a bad escape. */
static size_t text_byte(const char *text, size_t left, uint8_t *ret)
{
	unsigned value;

	if (text[0] != '\\') {
		*ret = (uint8_t)text[0];
		return 1;
	}
	if (left < 2)
		return 0;
	if (!is_digit(text[1])) {
		*ret = (uint8_t)text[1];
		return 2;
	}
	if (left < 4 || !is_digit(text[2]) || !is_digit(text[3]))
		return 0;
	value = (unsigned)(text[1] - '0') * 100 + (unsigned)(text[2] - '0') * 10 + (unsigned)(text[3] - '0');
	*ret = (uint8_t)value;
	return value <= 255 ? 4 : 0;
}

int dname_parse(const char *text, size_t len, struct dname *ret)
{
	struct dname n = { .len = 1 }; /* wire[0]: length byte of the label that is being read */
	uint8_t label_at = 0;

	if (len == 0)
		return -EINVAL;
	if (len == 1 && text[0] == '.') {
		*ret = n; /* the root: one zero byte */
		return 0;
	}
	for (size_t i = 0; i < len;) {
		uint8_t byte;
		size_t used;

		if (text[i] == '.') {
			if (n.wire[label_at] == 0 || n.len >= DNAME_MAX)
				return -EINVAL;
			n.labels++;
			label_at = n.len++;
			n.wire[label_at] = 0;
			i++;
			continue;
		}
		used = text_byte(text + i, len - i, &byte);
		if (used == 0 || n.wire[label_at] == DNAME_LABEL_MAX || n.len >= DNAME_MAX)
			return -EINVAL;
		n.wire[n.len++] = dname_lower(byte);
		n.wire[label_at]++;
		i += used;
	}
	if (n.wire[label_at] != 0) { /* no trailing dot: the root label is still to come */
		if (n.len >= DNAME_MAX)
			return -EINVAL;
		n.labels++;
		n.wire[n.len++] = 0;
	}
	*ret = n;
	return 0;
}

static int name_bad(struct rcur *c)
{
	c->err = -EBADMSG;
	return -EBADMSG;
}

int dname_read(struct rcur *c, const uint8_t *msg, size_t msg_len, struct dname *ret)
{
	struct rcur at = *c;
	struct dname n = { 0 };
	/* Each pointer must lead before the place that the last one led to: no loop, and no need to count them. */
	size_t limit = (size_t)(c->at - msg);
	bool jumped = false;

	for (;;) {
		uint8_t len = rcur_u8(&at);
		const uint8_t *label;

		if (at.err != 0)
			return name_bad(c);
		if ((len & DNAME_POINTER) == DNAME_POINTER) {
			size_t target = (size_t)(len & ~DNAME_POINTER) << 8 | rcur_u8(&at);

			if (at.err != 0 || target >= limit || target >= msg_len)
				return name_bad(c);
			if (!jumped)
				c->at = at.at;
			jumped = true;
			limit = target;
			at = rcur_over(msg + target, msg_len - target);
			continue;
		}
		if (len > DNAME_LABEL_MAX || n.len + len + 1u > DNAME_MAX)
			return name_bad(c);
		n.wire[n.len++] = len;
		if (len == 0)
			break;
		label = rcur_bytes(&at, len);
		if (label == NULL)
			return name_bad(c);
		for (uint8_t i = 0; i < len; i++)
			n.wire[n.len++] = dname_lower(label[i]);
		n.labels++;
	}
	if (!jumped)
		c->at = at.at;
	*ret = n;
	return 0;
}

/* Characters that presentation form gives a meaning of its own (RFC 1035 5.1), and those that do not print. */
static size_t byte_print(uint8_t byte, char *to)
{
	if (byte <= 0x20 || byte >= 0x7f)
		return (size_t)snprintf(to, 5, "\\%03u", byte);
	if (strchr(".\\\"();@$", byte) != NULL) {
		to[0] = '\\';
		to[1] = (char)byte;
		return 2;
	}
	to[0] = (char)byte;
	return 1;
}

const char *dname_print(const struct dname *n, char *buf)
{
	size_t out = 0;

	for (uint8_t i = 0; i < n->len && n->wire[i] != 0; i += n->wire[i] + 1u) {
		if (i != 0)
			buf[out++] = '.';
		for (uint8_t k = 1; k <= n->wire[i]; k++)
			out += byte_print(n->wire[i + k], buf + out);
	}
	if (out == 0)
		buf[out++] = '.';
	buf[out] = '\0';
	return buf;
}

bool dname_equal(const struct dname *a, const struct dname *b)
{
	return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

const uint8_t *dname_suffix(const struct dname *n, uint8_t skip, uint8_t *ret_len)
{
	uint8_t at = 0;

	for (; skip > 0 && n->wire[at] != 0; skip--)
		at = (uint8_t)(at + n->wire[at] + 1u);
	*ret_len = (uint8_t)(n->len - at);
	return n->wire + at;
}

bool dname_in(const struct dname *n, const struct dname *top)
{
	const uint8_t *suffix;
	uint8_t len;

	if (n->labels < top->labels)
		return false;
	suffix = dname_suffix(n, (uint8_t)(n->labels - top->labels), &len);
	return len == top->len && memcmp(suffix, top->wire, len) == 0;
}

bool name_pattern_match(const struct name_pattern *p, const struct dname *n)
{
	if (p->below)
		return n->labels > p->name.labels && dname_in(n, &p->name);
	return dname_equal(n, &p->name);
}
