/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sluice/addr.h"

#include <arpa/inet.h>

int ip_addr_parse(const char *text, struct ip_addr *ret)
{
	struct ip_addr a = { 0 };

	if (inet_pton(AF_INET, text, a.bytes) == 1)
		a.family = IP_V4;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.family = IP_V6;
	else
		return -EINVAL;
	*ret = a;
	return 0;
}

struct ip_addr ip_addr_from_bytes(const uint8_t *bytes, size_t len)
{
	struct ip_addr a = { .family = len == 4 ? IP_V4 : len == 16 ? IP_V6 : IP_NONE };

	memcpy(a.bytes, bytes, ip_addr_len(&a));
	return a;
}

bool ip_addr_is_loopback(const struct ip_addr *a)
{
	static const uint8_t one6[16] = { [15] = 1 };

	return a->family == IP_V4 ? a->bytes[0] == 127
				  : a->family == IP_V6 && memcmp(a->bytes, one6, sizeof(one6)) == 0;
}

bool ip_addr_is_any(const struct ip_addr *a)
{
	static const uint8_t none[16] = { 0 };

	return a->family != IP_NONE && memcmp(a->bytes, none, sizeof(none)) == 0;
}

/* Clear (or set) all bits behind the first @len; tells whether any of them changed. */
static bool host_bits_fill(struct ip_addr *a, uint8_t len, bool ones)
{
	bool changed = false;

	for (uint8_t i = 0; i < ip_addr_len(a); i++) {
		unsigned net_bits = len <= i * 8u ? 0 : len >= i * 8u + 8 ? 8 : len - i * 8u;
		uint8_t host = (uint8_t)(0xffu >> net_bits);
		uint8_t value = (uint8_t)(ones ? a->bytes[i] | host : a->bytes[i] & ~host);

		changed |= value != a->bytes[i];
		a->bytes[i] = value;
	}
	return changed;
}

/* Decimal, no sign, no leading zero, at most @max. */
static int prefix_len_parse(const char *text, unsigned max, uint8_t *ret)
{
	unsigned len = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		len = len * 10 + (unsigned)(*p - '0');
		if (len > max)
			return -EINVAL;
	}
	*ret = (uint8_t)len;
	return 0;
}

int ip_prefix_parse(const char *text, struct ip_prefix *ret, bool *ret_host_bits)
{
	char addr[IP_TEXT_MAX];
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	struct ip_prefix p;
	bool host_bits;

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (ip_addr_parse(addr, &p.addr) < 0)
		return -EINVAL;
	p.len = (uint8_t)(ip_addr_len(&p.addr) * 8);
	if (slash != NULL && prefix_len_parse(slash + 1, p.len, &p.len) < 0)
		return -EINVAL;
	host_bits = host_bits_fill(&p.addr, p.len, false);
	if (ret_host_bits != NULL)
		*ret_host_bits = host_bits;
	*ret = p;
	return 0;
}

const char *ip_addr_print(const struct ip_addr *a, char *buf)
{
	int af = a->family == IP_V6 ? AF_INET6 : AF_INET;

	if (a->family == IP_NONE || inet_ntop(af, a->bytes, buf, IP_TEXT_MAX) == NULL)
		(void)snprintf(buf, IP_TEXT_MAX, "-");
	return buf;
}

const char *ip_prefix_print(const struct ip_prefix *p, char *buf)
{
	char addr[IP_TEXT_MAX];

	(void)snprintf(buf, IP_TEXT_MAX, "%.50s/%u", ip_addr_print(&p->addr, addr), p->len);
	return buf;
}

int ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
	struct ip_addr net = *a;

	if (a->family != p->addr.family)
		return false;
	(void)host_bits_fill(&net, p->len, false);
	return ip_addr_cmp(&net, &p->addr) == 0;
}

bool ip_range_contains(const struct ip_range *r, const struct ip_addr *a)
{
	return a->family == r->first.family && ip_addr_cmp(&r->first, a) <= 0 && ip_addr_cmp(a, &r->last) <= 0;
}

struct ip_range ip_prefix_range(const struct ip_prefix *p)
{
	struct ip_range r = { .first = p->addr, .last = p->addr };

	(void)host_bits_fill(&r.first, p->len, false);
	(void)host_bits_fill(&r.last, p->len, true);
	return r;
}

bool ip_addr_next(const struct ip_addr *a, struct ip_addr *ret)
{
	*ret = *a;
	for (int i = ip_addr_len(a) - 1; i >= 0; i--)
		if (++ret->bytes[i] != 0)
			return true;
	return false;
}

bool ip_addr_prev(const struct ip_addr *a, struct ip_addr *ret)
{
	*ret = *a;
	for (int i = ip_addr_len(a) - 1; i >= 0; i--)
		if (ret->bytes[i]-- != 0)
			return true;
	return false;
}

static int range_cmp(const void *a, const void *b)
{
	const struct ip_range *x = a, *y = b;
	int order = ip_addr_cmp(&x->first, &y->first);

	return order != 0 ? order : ip_addr_cmp(&x->last, &y->last);
}

/* @next begins inside @r or right behind it. */
static bool range_touches(const struct ip_range *r, const struct ip_range *next)
{
	struct ip_addr after;

	if (r->last.family != next->first.family)
		return false;
	return !ip_addr_next(&r->last, &after) || ip_addr_cmp(&next->first, &after) <= 0;
}

size_t ip_ranges_normalize(struct ip_range *ranges, size_t n)
{
	size_t out = 0;

	if (n == 0)
		return 0;
	qsort(ranges, n, sizeof(*ranges), range_cmp);
	for (size_t i = 1; i < n; i++) {
		if (!range_touches(&ranges[out], &ranges[i]))
			ranges[++out] = ranges[i];
		else if (ip_addr_cmp(&ranges[out].last, &ranges[i].last) < 0)
			ranges[out].last = ranges[i].last;
	}
	return out + 1;
}

/* Each range taken away splits at most one in two. */
size_t ip_ranges_subtract(const struct ip_range *from, size_t n, const struct ip_range *what, size_t n_what,
			  struct ip_range *ret)
{
	size_t n_ret = 0, j = 0;

	for (size_t i = 0; i < n; i++) {
		struct ip_range left = from[i];
		bool rest = true;

		while (j < n_what && ip_addr_cmp(&what[j].last, &left.first) < 0)
			j++;
		for (size_t k = j; rest && k < n_what && ip_addr_cmp(&what[k].first, &left.last) <= 0; k++) {
			const struct ip_range *cut = &what[k];

			if (ip_addr_cmp(&cut->first, &left.first) > 0) {
				ret[n_ret] = left;
				(void)ip_addr_prev(&cut->first, &ret[n_ret].last);
				n_ret++;
			}
			rest = ip_addr_cmp(&cut->last, &left.last) < 0 && ip_addr_next(&cut->last, &left.first);
		}
		if (rest)
			ret[n_ret++] = left;
	}
	return n_ret;
}

static bool v4_private(const uint8_t *b)
{
	return b[0] == 0 || b[0] == 10 || b[0] == 127 || b[0] >= 224 || (b[0] == 100 && (b[1] & 0xc0) == 64) ||
	       (b[0] == 169 && b[1] == 254) || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168);
}

bool ip_addr_private(const struct ip_addr *a)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b };
	static const uint8_t nat64_local[6] = { 0, 0x64, 0xff, 0x9b, 0, 1 };
	static const uint8_t zero[12];
	const uint8_t *b = a->bytes;

	if (a->family == IP_V4)
		return v4_private(b);
	if (memcmp(b, mapped, 12) == 0 || memcmp(b, nat64, 12) == 0 || memcmp(b, nat64_local, 6) == 0)
		return v4_private(b + 12);
	if (b[0] == 0x20 && b[1] == 0x02) /* 6to4 */
		return v4_private(b + 2);
	if (memcmp(b, zero, 12) == 0) /* unspecified, loopback, and the dead IPv4-compatible form */
		return true;
	return (b[0] & 0xfe) == 0xfc || b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0x80) == 0x80);
}
