/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Protocols and ports of rules. The rules of what is refused were observed at Tailscale's service: a grant's "47" is
 * port 47, never GRE; "icmp" alone is no port; port 0 is none. */
#include "policy/services.h"

struct proto_name {
	const char *name;
	uint8_t proto;
};

static const struct proto_name proto_names[] = {
	{ "icmp", 1 },		{ "igmp", 2 }, { "ipv4", 4 }, { "ip-in-ip", 4 },
	{ "tcp", PROTO_TCP },	{ "egp", 8 },  { "igp", 9 },  { "udp", PROTO_UDP },
	{ "gre", 47 },		{ "esp", 50 }, { "ah", 51 },  { "ipv6-icmp", PROTO_ICMP6 },
	{ "sctp", PROTO_SCTP }, { "fc", 133 },
};

bool proto_has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
}

/* Decimal, no sign, no leading zero, at most @max. Returns the value or -EINVAL. */
static int32_t decimal(const char *text, size_t len, int32_t max)
{
	int32_t v = 0;

	if (len == 0 || len > 5 || (len > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = v * 10 + (text[i] - '0');
	}
	return v <= max ? v : -EINVAL;
}

int proto_lookup(const char *text, uint8_t *ret)
{
	int32_t number = decimal(text, strlen(text), 255);

	for (size_t i = 0; i < ARRAY_LEN(proto_names); i++) {
		if (strcmp(text, proto_names[i].name) == 0) {
			*ret = proto_names[i].proto;
			return 0;
		}
	}
	if (number <= 0)
		return -EINVAL;
	*ret = (uint8_t)number;
	return 0;
}

int proto_parse(struct doc_reader *r, struct span at, const char *text, uint8_t *ret)
{
	const char *names[ARRAY_LEN(proto_names) + 1] = { NULL };

	if (proto_lookup(text, ret) == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(proto_names); i++)
		names[i] = proto_names[i].name;
	(void)doc_error(r, "P0301", at, "unknown protocol \"%s\": a name such as tcp, or a number from 1 to 255%s",
			text, doc_hint(r, text, names));
	return -EINVAL;
}

int port_parse(const char *text, uint16_t *ret)
{
	int32_t v = decimal(text, strlen(text), 65535);

	if (v < 0)
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

/* "*", "N" or "N-M". */
static int port_range_parse(struct doc_reader *r, struct span at, const char *text, size_t len, uint16_t *ret_lo,
			    uint16_t *ret_hi)
{
	const char *dash = memchr(text, '-', len);
	size_t lo_len = dash != NULL ? (size_t)(dash - text) : len;
	int32_t lo, hi;

	if (len == 1 && text[0] == '*') {
		*ret_lo = 0;
		*ret_hi = 65535;
		return 0;
	}
	lo = decimal(text, lo_len, 65535);
	hi = dash != NULL ? decimal(dash + 1, len - lo_len - 1, 65535) : lo;
	if (lo == 0 && hi == 0) {
		(void)doc_error(r, "P0303", at, "port 0 is none: write * for all ports");
		return -EINVAL;
	}
	if (lo < 0 || hi < 0) {
		(void)doc_error(r, "P0302", at, "\"%.*s\" is no port: a number from 1 to 65535, a range 80-443, or *",
				(int)(len < 64 ? len : 64), text);
		return -EINVAL;
	}
	if (lo > hi) {
		(void)doc_error(r, "P0304", at, "the range %d-%d is reversed: write %d-%d", lo, hi, hi, lo);
		return -EINVAL;
	}
	*ret_lo = (uint16_t)lo;
	*ret_hi = (uint16_t)hi;
	return 0;
}

static int service_cmp(const void *a, const void *b)
{
	const struct service *x = a, *y = b;

	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (x->port_lo != y->port_lo)
		return x->port_lo < y->port_lo ? -1 : 1;
	return x->port_hi < y->port_hi ? -1 : x->port_hi > y->port_hi;
}

static void services_normalize(struct service *items, uint32_t n, struct service_list *ret)
{
	uint32_t out = 0;

	if (n > 1)
		qsort(items, n, sizeof(*items), service_cmp);
	for (uint32_t i = 0; i < n; i++) {
		struct service *last = out > 0 ? &items[out - 1] : NULL;

		if (last != NULL && last->proto == items[i].proto && items[i].port_lo <= (uint32_t)last->port_hi + 1) {
			if (items[i].port_hi > last->port_hi)
				last->port_hi = items[i].port_hi;
			continue;
		}
		items[out++] = items[i];
	}
	*ret = (struct service_list){ items, out };
}

static struct service service_all(uint8_t proto)
{
	return (struct service){ .proto = proto, .port_lo = 0, .port_hi = 65535 };
}

static uint32_t icmp_add(struct service *items, uint32_t n)
{
	items[n++] = service_all(PROTO_ICMP);
	items[n++] = service_all(PROTO_ICMP6);
	return n;
}

int services_of_ports(struct doc_reader *r, struct span at, const char *ports, uint8_t proto, struct service_list *ret)
{
	struct service *items;
	uint32_t n_ports = 1, n = 0;

	for (const char *p = ports; *p != '\0'; p++)
		n_ports += *p == ',';
	if (n_ports > PORTS_PER_STRING_MAX) {
		(void)doc_error(r, "P0302", at, "more than %u ports in one string", (unsigned)PORTS_PER_STRING_MAX);
		return -EINVAL;
	}
	if (proto != 0 && !proto_has_ports(proto)) {
		if (strcmp(ports, "*") != 0) {
			(void)doc_error(r, "P0305", at, "protocol %u has no ports: write * for them", proto);
			return -EINVAL;
		}
	}
	items = doc_array(r, (size_t)n_ports * 2 + 2, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	for (const char *p = ports; p != NULL;) {
		size_t len = strcspn(p, ",");
		struct service s = { .proto = proto != 0 ? proto : PROTO_TCP };

		if (port_range_parse(r, at, p, len, &s.port_lo, &s.port_hi) < 0)
			return -EINVAL;
		items[n++] = s;
		if (proto == 0) {
			s.proto = PROTO_UDP;
			items[n++] = s;
		}
		p = p[len] == ',' ? p + len + 1 : NULL;
	}
	if (proto == 0)
		n = icmp_add(items, n);
	services_normalize(items, n, ret);
	return 0;
}

/* "tcp:443", "icmp:*", "47:*". */
static int ip_entry_with_proto(struct doc_reader *r, struct span at, const char *text, size_t proto_len,
			       struct service *ret)
{
	const char *name = doc_strndup(r, text, proto_len), *ports = text + proto_len + 1;

	if (name == NULL)
		return -ENOMEM;
	if (strchr(ports, ':') != NULL) {
		(void)doc_error(r, "P0306", at, "\"%s\" has more than one colon: write protocol:ports, as tcp:443",
				text);
		return -EINVAL;
	}
	if (proto_parse(r, at, name, &ret->proto) < 0)
		return -EINVAL;
	if (!proto_has_ports(ret->proto) && strcmp(ports, "*") != 0) {
		(void)doc_error(r, "P0305", at, "%s has no ports: write %s:*", name, name);
		return -EINVAL;
	}
	return port_range_parse(r, at, ports, strlen(ports), &ret->port_lo, &ret->port_hi);
}

/* Room of @items: at least 4 for each entry, 256 for "*" of a deny. Returns how many were written, or negative. */
static int ip_entry_read(struct doc_reader *r, struct span at, const char *text, bool deny, struct service *items)
{
	const char *colon = strchr(text, ':');
	struct service s = { 0 };
	uint32_t n = 0;
	uint8_t proto;

	if (strncmp(text, "*:", 2) == 0 && strchr(text + 2, ':') == NULL) {
		text += 2; /* seen in live policies: any protocol, these ports, which is what the ports alone mean */
		colon = NULL;
	}
	if (colon != NULL) {
		int ret = ip_entry_with_proto(r, at, text, (size_t)(colon - text), &items[0]);

		return ret < 0 ? ret : 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(proto_names); i++) {
		if (strcmp(text, proto_names[i].name) != 0)
			continue;
		proto = proto_names[i].proto;
		(void)doc_error(r, "P0307", at, "\"%s\" alone would be a port: write \"%s:*\"%s", text, text,
				proto_has_ports(proto) ? " or name a port behind the colon" : "");
		return -EINVAL;
	}
	if (port_range_parse(r, at, text, strlen(text), &s.port_lo, &s.port_hi) < 0)
		return -EINVAL;
	s.proto = PROTO_TCP;
	items[n++] = s;
	s.proto = PROTO_UDP;
	items[n++] = s;
	return deny ? (int)n : (int)icmp_add(items, n);
}

static uint32_t deny_all_add(const struct proto_set *opened, struct service *items)
{
	static const uint8_t always[] = { PROTO_ICMP, PROTO_TCP, PROTO_UDP, PROTO_ICMP6 };
	struct proto_set set = *opened;
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		proto_set_add(&set, always[i]);
	for (uint32_t proto = 0; proto < 256; proto++)
		if (proto_set_has(&set, (uint8_t)proto))
			items[n++] = service_all((uint8_t)proto);
	return n;
}

int services_of_ip(struct doc_reader *r, const struct hj_node *list, const struct proto_set *opened, bool deny,
		   struct service_list *ret)
{
	struct service *items = doc_array(r, (size_t)list->n_children * 4 + (deny ? 256 : 0), sizeof(*items));
	uint32_t n = 0;
	bool all_denied = false;
	int result = 0;

	if (items == NULL)
		return -ENOMEM;
	for (const struct hj_node *m = list->child; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, "ip");
		int added;

		if (text == NULL) {
			result = -EINVAL;
			continue;
		}
		if (deny && strcmp(text, "*") == 0) {
			all_denied = true;
			continue;
		}
		added = ip_entry_read(r, m->span, text, deny, items + n);
		if (added < 0)
			result = added;
		else
			n += (uint32_t)added;
	}
	if (all_denied)
		n += deny_all_add(opened, items + n);
	services_normalize(items, n, ret);
	return result;
}
