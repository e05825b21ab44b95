/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading what iptables-legacy-save and nft print. iptables' own tables send no traces: which of their rules dropped a
 * probe shows in their counters only. Foreign text: nothing is taken for granted but that it ends. */
#include "cli/doctor_judge.h"

/* A line, without its end; *at moves on. False: the end. */
static bool line_next(const char **at, const char **ret, size_t *ret_len)
{
	if (**at == '\0')
		return false;
	*ret = *at;
	*ret_len = strcspn(*at, "\n");
	*at += *ret_len + ((*at)[*ret_len] == '\n');
	return true;
}

struct save_line {
	bool is_policy;
	unsigned long long packets;
	char chain[PLACE_NAME_MAX];
	const char *rest; /* "DROP [..." of a policy, the rule's text behind the chain */
	size_t rest_len;
};

/* ":FORWARD DROP [0:0]" or "[0:0] -A FORWARD -i x -j DROP". */
static bool save_line_parse(const char *line, size_t len, struct save_line *ret)
{
	char text[1024], packets[21];
	int behind = 0;

	if (len >= sizeof(text))
		return false;
	memcpy(text, line, len);
	text[len] = '\0';
	if (sscanf(text, ":%127s %*s [%20[0-9]:", ret->chain, packets) == 2)
		ret->is_policy = true;
	else if (sscanf(text, "[%20[0-9]:%*[0-9]] -A %127s%n", packets, ret->chain, &behind) == 2 && behind > 0)
		ret->is_policy = false;
	else
		return false;
	ret->packets = strtoull(packets, NULL, 10);
	if (ret->is_policy)
		behind = (int)(strcspn(text, " ") + 1);
	ret->rest = line + behind;
	ret->rest_len = len > (size_t)behind ? len - (size_t)behind : 0;
	return true;
}

static bool save_line_drops(const struct save_line *l)
{
	char rest[1024];

	(void)snprintf(rest, sizeof(rest), "%.*s ", (int)l->rest_len, l->rest);
	if (l->is_policy)
		return strncmp(rest, "DROP ", 5) == 0;
	return strstr(rest, "-j DROP ") != NULL || strstr(rest, "-j REJECT ") != NULL;
}

static void table_begin(const char *line, size_t len, struct place *p)
{
	(void)snprintf(p->table, sizeof(p->table), "%.*s", (int)len - 1, line + 1);
}

bool legacy_find(const char *before, const char *after, uint32_t n_sent, struct place *ret)
{
	struct place p = { .family = ret->family, .legacy = true };
	const char *a = before, *b = after, *line_a, *line_b;
	size_t len_a, len_b;

	/* The two have the same lines unless somebody has changed the rules in between: then none is named. */
	while (line_next(&a, &line_a, &len_a) && line_next(&b, &line_b, &len_b)) {
		struct save_line x, y;

		if (len_b > 1 && line_b[0] == '*')
			table_begin(line_b, len_b, &p);
		if (!save_line_parse(line_a, len_a, &x) || !save_line_parse(line_b, len_b, &y))
			continue;
		if (strcmp(x.chain, y.chain) != 0 || x.is_policy != y.is_policy)
			return false;
		if (!save_line_drops(&y) || y.packets < x.packets + n_sent)
			continue;
		p.by_policy = y.is_policy;
		(void)snprintf(p.chain, sizeof(p.chain), "%s", y.chain);
		if (!y.is_policy)
			(void)snprintf(p.rule, sizeof(p.rule), "-A %s%.*s", y.chain, (int)y.rest_len, y.rest);
		*ret = p;
		return true;
	}
	return false;
}

uint32_t legacy_chains(const char *save, uint8_t family, struct chain_name *ret, uint32_t max)
{
	struct place p = { 0 };
	const char *line;
	uint32_t n = 0;
	size_t len;

	while (line_next(&save, &line, &len) && n < max) {
		struct save_line l;

		if (len > 1 && line[0] == '*')
			table_begin(line, len, &p);
		if (len == 0 || line[0] != ':' || !save_line_parse(line, len, &l))
			continue;
		ret[n] = (struct chain_name){ .family = family, .legacy = true };
		(void)snprintf(ret[n].table, sizeof(ret[n].table), "%s", p.table);
		(void)snprintf(ret[n].chain, sizeof(ret[n].chain), "%s", l.chain);
		n++;
	}
	return n;
}

void rule_text_find(const char *listing, struct place *p)
{
	char handle[32], text[1024];
	const char *line, *found;
	size_t len, skip;

	(void)snprintf(handle, sizeof(handle), " # handle %llu", (unsigned long long)p->handle);
	while (line_next(&listing, &line, &len)) {
		if (len >= sizeof(text))
			continue;
		memcpy(text, line, len);
		text[len] = '\0';
		found = strstr(text, handle);
		/* The chain's own line has a handle, too, and ends in it behind a brace. */
		if (found == NULL || found[strlen(handle)] != '\0' || (found > text && found[-1] == '{'))
			continue;
		skip = strspn(text, " \t");
		(void)snprintf(p->rule, sizeof(p->rule), "%.*s", (int)(found - (text + skip)), text + skip);
		return;
	}
}
