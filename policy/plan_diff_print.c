/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan's changes as sentences and as JSON lines. Called by `sluice plan`. */
#include "policy/json_out.h"
#include "policy/plan_diff.h"

/* More are counted: a sentence is read by people. JSON has all. */
#define DEVICES_TOLD 6
#define RANGES_TOLD  6
#define ADDR_BITS    32

static const char *const kind_names[] = {
	[CHANGE_DEVICE_NEW] = "device-new",
	[CHANGE_DEVICE_GONE] = "device-gone",
	[CHANGE_GAINS] = "gains",
	[CHANGE_LOSES] = "loses",
	[CHANGE_ANSWERED] = "answered",
	[CHANGE_SILENT] = "silent",
	[CHANGE_NAME_DENIED] = "name-denied",
	[CHANGE_NAME_FREED] = "name-freed",
	[CHANGE_SETTING] = "setting",
};
static_assert(ARRAY_LEN(kind_names) == CHANGE_MAX, "names");

const char *service_print(const struct service *s, char buf[SERVICE_TEXT_MAX])
{
	static const struct {
		uint8_t proto;
		const char *name;
	} protos[] = { { 1, "icmp" }, { 6, "tcp" }, { 17, "udp" }, { 58, "icmp6" }, { 132, "sctp" } };
	char number[16];
	const char *name = number;

	(void)snprintf(number, sizeof(number), "protocol %u", s->proto);
	for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
		if (protos[i].proto == s->proto)
			name = protos[i].name;
	}
	if (s->port_lo == 0 && s->port_hi == UINT16_MAX)
		(void)snprintf(buf, SERVICE_TEXT_MAX, "%s", name);
	else if (s->port_lo == s->port_hi)
		(void)snprintf(buf, SERVICE_TEXT_MAX, "%s %u", name, s->port_lo);
	else
		(void)snprintf(buf, SERVICE_TEXT_MAX, "%s %u-%u", name, s->port_lo, s->port_hi);
	return buf;
}

/* The length of the prefix that @r is, or -1. */
static int range_prefix_len(const struct ip_range *r)
{
	int bits = ip_addr_len(&r->first) * 8, len = 0;

	while (len < bits && ((r->first.bytes[len / 8] ^ r->last.bytes[len / 8]) >> (7 - len % 8) & 1) == 0)
		len++;
	for (int i = len; i < bits; i++) {
		if ((r->first.bytes[i / 8] >> (7 - i % 8) & 1) != 0 || (r->last.bytes[i / 8] >> (7 - i % 8) & 1) == 0)
			return -1;
	}
	return len;
}

const char *ip_range_print(const struct ip_range *r, char *buf)
{
	struct ip_prefix p = { .addr = r->first };
	char last[IP_TEXT_MAX];
	int len = range_prefix_len(r);
	size_t at;

	if (len >= 0 && len < ip_addr_len(&r->first) * 8) {
		p.len = (uint8_t)len;
		return ip_prefix_print(&p, buf);
	}
	(void)ip_addr_print(&r->first, buf);
	at = strlen(buf);
	if (len < 0)
		(void)snprintf(buf + at, IP_TEXT_MAX, "-%s", ip_addr_print(&r->last, last));
	return buf;
}

static void print_devices(const struct plan_change *c, FILE *out)
{
	uint32_t told = c->n_devices <= DEVICES_TOLD + 1 ? c->n_devices : DEVICES_TOLD;

	if (c->n_devices == 0)
		(void)fputs("the gateway", out);
	for (uint32_t i = 0; i < told; i++)
		(void)fprintf(out, "%s%s", i == 0 ? "" : ", ", c->devices[i]);
	if (told < c->n_devices)
		(void)fprintf(out, " and %u more devices", c->n_devices - told);
}

static void print_services(const struct plan_change *c, FILE *out)
{
	char text[SERVICE_TEXT_MAX];

	for (uint32_t i = 0; i < c->n_services; i++)
		(void)fprintf(out, "%s%s", i == 0 ? "" : ", ", service_print(&c->services[i], text));
}

/* Half of IPv4 or all of 2000::/3 but a little: nobody wants to read the thirty prefixes that it is made of. */
static bool is_most_of_the_world(const struct plan_change *c)
{
	uint64_t v4 = 0;

	for (uint32_t i = 0; i < c->n_dsts; i++) {
		const uint8_t *a = c->dsts[i].first.bytes, *b = c->dsts[i].last.bytes;

		if (c->dsts[i].first.family == IP_V4)
			v4 += ((uint64_t)b[0] << 24 | (uint64_t)b[1] << 16 | (uint64_t)b[2] << 8 | b[3]) -
			      ((uint64_t)a[0] << 24 | (uint64_t)a[1] << 16 | (uint64_t)a[2] << 8 | a[3]) + 1;
	}
	return v4 > UINT64_C(1) << (ADDR_BITS - 1);
}

/* The device of either plan that has the address, for its name. */
static const struct plan_device *device_of(const struct plan *from, const struct plan *to, const struct ip_range *r)
{
	const struct plan_device *d;

	if (ip_addr_cmp(&r->first, &r->last) != 0)
		return NULL;
	d = plan_device_find(to, &r->first);
	return d != NULL ? d : plan_device_find(from, &r->first);
}

static void print_dsts(const struct plan_change *c, const struct plan *from, const struct plan *to, FILE *out)
{
	uint32_t told = c->n_dsts <= RANGES_TOLD + 1 ? c->n_dsts : RANGES_TOLD;
	char text[2 * IP_TEXT_MAX];

	if (c->name != NULL) {
		(void)fputs(c->name, out);
		return;
	}
	if (told < c->n_dsts && is_most_of_the_world(c)) {
		(void)fprintf(out, "the internet (%u ranges)", c->n_dsts);
		return;
	}
	for (uint32_t i = 0; i < told; i++) {
		const struct plan_device *d = device_of(from, to, &c->dsts[i]);

		(void)fprintf(out, "%s%s", i == 0 ? "" : ", ", ip_range_print(&c->dsts[i], text));
		if (d != NULL)
			(void)fprintf(out, " [%s]", d->name);
	}
	if (told < c->n_dsts)
		(void)fprintf(out, " and %u more ranges", c->n_dsts - told);
}

static void print_traffic(const struct plan_change *c, const struct plan *from, const struct plan *to, FILE *out)
{
	static const char *const verbs[][2] = {
		[CHANGE_GAINS] = { "gains", "gain" },
		[CHANGE_LOSES] = { "loses", "lose" },
		[CHANGE_ANSWERED] = { "is refused with an answer now:", "are refused with an answer now:" },
		[CHANGE_SILENT] = { "is refused without an answer now:", "are refused without an answer now:" },
	};

	(void)fprintf(out, " %s ", verbs[c->kind][c->n_devices > 1]);
	print_services(c, out);
	(void)fputs(" to ", out);
	print_dsts(c, from, to, out);
	if (c->rule != NULL)
		(void)fprintf(out, " (%s)", c->rule);
	if (c->by != NULL)
		(void)fprintf(out, ", refused by %s", c->by);
}

static void print_setting(const struct plan_change *c, FILE *out)
{
	(void)fprintf(out, ": %s ", c->what);
	if (c->was == NULL)
		(void)fprintf(out, "%s comes", c->is);
	else if (c->is == NULL)
		(void)fprintf(out, "%s goes", c->was);
	else
		(void)fprintf(out, "%s, was %s", c->is, c->was);
}

void plan_diff_print(const struct plan_diff *d, const struct plan *from, const struct plan *to, FILE *out)
{
	for (uint32_t i = 0; i < d->n_changes; i++) {
		const struct plan_change *c = &d->changes[i];

		print_devices(c, out);
		switch (c->kind) {
		case CHANGE_DEVICE_NEW:
			(void)fputs(" is new", out);
			break;
		case CHANGE_DEVICE_GONE:
			(void)fputs(" is gone", out);
			break;
		case CHANGE_GAINS:
		case CHANGE_LOSES:
		case CHANGE_ANSWERED:
		case CHANGE_SILENT:
			print_traffic(c, from, to, out);
			break;
		case CHANGE_NAME_DENIED:
			(void)fprintf(out, " may no longer resolve %s (%s)", c->name, c->rule);
			break;
		case CHANGE_NAME_FREED:
			(void)fprintf(out, " may resolve %s again (was refused by %s)", c->name, c->rule);
			break;
		case CHANGE_SETTING:
			print_setting(c, out);
			break;
		case CHANGE_MAX:
			break;
		}
		(void)fputc('\n', out);
	}
}

static void json_text_if(struct json_out *j, cJSON *to, const char *key, const char *value)
{
	if (value != NULL)
		json_string(j, to, key, value);
}

static void change_json(struct json_out *j, const struct plan_change *c)
{
	char service[SERVICE_TEXT_MAX], range[2 * IP_TEXT_MAX];
	cJSON *root = json_root(j), *list;

	json_string(j, root, "change", kind_names[c->kind]);
	list = json_array(j, root, "devices");
	for (uint32_t i = 0; i < c->n_devices; i++)
		json_string(j, list, NULL, c->devices[i]);
	list = c->n_services != 0 ? json_array(j, root, "services") : NULL;
	for (uint32_t i = 0; i < c->n_services; i++)
		json_string(j, list, NULL, service_print(&c->services[i], service));
	list = c->n_dsts != 0 ? json_array(j, root, "destinations") : NULL;
	for (uint32_t i = 0; i < c->n_dsts; i++)
		json_string(j, list, NULL, ip_range_print(&c->dsts[i], range));
	json_text_if(j, root, "name", c->name);
	json_text_if(j, root, "rule", c->rule);
	json_text_if(j, root, "by", c->by);
	json_text_if(j, root, "what", c->what);
	json_text_if(j, root, "was", c->was);
	json_text_if(j, root, "is", c->is);
}

int plan_diff_print_json(const struct plan_diff *d, FILE *out)
{
	for (uint32_t i = 0; i < d->n_changes; i++) {
		CLEANUP(json_out_done) struct json_out j = { 0 };
		CLEANUP(freep) char *text = NULL;

		change_json(&j, &d->changes[i]);
		text = j.failed ? NULL : cJSON_PrintUnformatted(j.root);
		if (text == NULL)
			return -ENOMEM;
		(void)fprintf(out, "%s\n", text);
	}
	return 0;
}
