/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/doctor_report.h"

#include "policy/json_out.h"

#include <linux/netfilter.h>
#include <stdarg.h>

static const char *const level_names[] = { "ok", "warn", "fail", "skip" };
_Static_assert(ARRAY_LEN(level_names) == CHECK_LEVEL_MAX, "one name a level");

struct check *report_add(struct report *r, const char *id, enum check_level level, const char *fmt, ...)
{
	struct check *c = &r->items[r->n < REPORT_MAX ? r->n++ : REPORT_MAX - 1];
	va_list ap;

	*c = (struct check){ .id = id, .level = level };
	va_start(ap, fmt);
	(void)vsnprintf(c->seen, sizeof(c->seen), fmt, ap);
	va_end(ap);
	return c;
}

struct check *check_fix(struct check *c, const char *fmt, ...)
{
	size_t len = strlen(c->fix);
	va_list ap;

	if (len > 0 && len + 1 < sizeof(c->fix)) {
		c->fix[len++] = '\n';
		c->fix[len] = '\0';
	}
	va_start(ap, fmt);
	(void)vsnprintf(c->fix + len, sizeof(c->fix) - len, fmt, ap);
	va_end(ap);
	return c;
}

bool report_fails(const struct report *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->items[i].level == CHECK_FAIL)
			return true;
	return false;
}

static void fix_print(const char *fix, FILE *out)
{
	for (const char *line = fix; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		fprintf(out, "      %s %.*s\n", line == fix ? "fix:" : "    ", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

void report_print(const struct report *r, FILE *out)
{
	uint32_t count[CHECK_LEVEL_MAX] = { 0 };

	for (uint32_t i = 0; i < r->n; i++) {
		const struct check *c = &r->items[i];

		fprintf(out, "%-4s  %-18s %s\n", level_names[c->level], c->id, c->seen);
		fix_print(c->fix, out);
		count[c->level]++;
	}
	fprintf(out, "%u ok, %u to look at, %u failed, %u not made\n", count[CHECK_OK], count[CHECK_WARN],
		count[CHECK_FAIL], count[CHECK_SKIP]);
}

static void place_json(struct json_out *j, cJSON *to, const struct place *p)
{
	cJSON *o;

	if (p->family == 0)
		return;
	o = json_object(j, to, "place");
	json_string(j, o, "family", family_name(p->family));
	json_string(j, o, "table", p->table);
	json_string(j, o, "chain", p->chain);
	json_bool(j, o, "legacy", p->legacy);
	json_bool(j, o, "policy", p->by_policy);
	if (p->handle != 0)
		json_number(j, o, "handle", p->handle);
	if (p->rule[0] != '\0')
		json_string(j, o, "rule", p->rule);
}

int report_print_json(const struct report *r, FILE *out)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct check *c = &r->items[i];
		struct json_out j = { 0 };
		cJSON *root = json_root(&j);
		CLEANUP(freep) char *text = NULL;

		json_string(&j, root, "id", c->id);
		json_string(&j, root, "level", level_names[c->level]);
		json_string(&j, root, "seen", c->seen);
		if (c->fix[0] != '\0')
			json_string(&j, root, "fix", c->fix);
		place_json(&j, root, &c->place);
		text = j.failed ? NULL : cJSON_PrintUnformatted(j.root);
		json_out_done(&j);
		if (text == NULL)
			return -ENOMEM;
		fprintf(out, "%s\n", text);
	}
	return 0;
}

const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_BRIDGE:
		return "bridge";
	case NFPROTO_NETDEV:
		return "netdev";
	case NFPROTO_ARP:
		return "arp";
	default:
		return "?";
	}
}

const char *place_print(const struct place *p, char *buf, size_t room)
{
	int len = snprintf(buf, room, "%stable %s %s, chain %s, ", p->legacy ? "iptables-legacy " : "",
			   family_name(p->family), p->table, p->chain);

	if (len < 0 || (size_t)len >= room)
		return buf;
	if (p->by_policy)
		(void)snprintf(buf + len, room - (size_t)len, "policy drop");
	else if (p->handle != 0)
		(void)snprintf(buf + len, room - (size_t)len, "rule handle %llu%s%s", (unsigned long long)p->handle,
			       p->rule[0] != '\0' ? ": " : "", p->rule);
	else
		(void)snprintf(buf + len, room - (size_t)len, "rule: %s", p->rule);
	return buf;
}
