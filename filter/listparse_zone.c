/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Response policy zones. Called by listparse.c for each line of a list that is a zone file (RFC 1035 5.1), or looks
 * like a record of one.
 *
 * An owner is a trigger and the zone's name; what is left without the zone's name is the trigger. Where a file does not
 * say what its zone is called ("@ SOA" without $ORIGIN, as most are published) relative names are triggers as they
 * stand, and one with a dot at its end is refused: nobody can say what it is a part of. A line of a list that is no
 * zone file is read as a record of the root zone.
 *
 * Sources: draft-vixie-dnsop-dns-rpz-00 (triggers 4, actions 3), RFC 1035 5.1, RFC 2308 4 ($TTL). Other than there:
 * "CNAME ." is answered as the view answers blocked names, and an address that is null or loopback blocks. */
#include "filter/listformats.h"
#include "filter/listrecord.h"

#include <ldns/ldns.h>

#define WHY_ZONE  "record of the zone itself"
#define GROUPS_V6 8u

static const char why_goes_on[] = "record that goes on in the next line";

/* Without @zone's last labels. False: it is not in there. */
static bool strip(struct dname *name, const struct dname *zone)
{
	if (!dname_in(name, zone))
		return false;
	name->len = (uint8_t)(name->len - zone->len + 1);
	name->wire[name->len - 1] = 0;
	name->labels = (uint8_t)(name->labels - zone->labels);
	return true;
}

/* "@", "name" below the origin, "name." NULL, or why it is no name. */
static const char *owner_read(const struct list_zone *z, struct text t, struct list_owner *ret)
{
	const char *why;

	ret->wild = text_starts(t, "*.") || text_is(t, "*");
	if (ret->wild)
		t = text_skip(t, t.len > 1 ? 2 : 1);
	ret->rooted = t.len > 0 && t.s[t.len - 1] == '.';
	if (text_is(t, "@") || t.len == 0 || text_is(t, ".")) {
		ret->name = (struct dname){ .len = 1 };
		t.len = 0;
	}
	why = t.len != 0 ? text_name(t, &ret->name) : NULL;
	if (why != NULL || ret->rooted)
		return why;
	ret->rooted = z->rooted;
	return list_name_join(&ret->name, &z->origin) ? NULL : "name longer than 255 bytes";
}

/* The owner without the zone's name. NULL, or why there is no trigger. */
static const char *trigger_of(const struct list_zone *z, const struct list_owner *owner, struct dname *ret)
{
	*ret = owner->name;
	if (!owner->rooted || !z->active)
		return NULL;
	if (!z->named)
		return "name with a dot at its end, and nothing says what the zone is called ($ORIGIN)";
	return strip(ret, &z->apex) ? NULL : "name outside of the zone";
}

/* Labels from the first on. */
struct labels {
	const uint8_t *wire;
};

static struct text label_take(struct labels *l)
{
	struct text t = { (const char *)l->wire + 1, l->wire[0] };

	if (t.len != 0)
		l->wire += t.len + 1;
	return t;
}

static bool number_read(struct text t, unsigned base, unsigned max, unsigned *ret)
{
	unsigned n = 0;

	for (size_t i = 0; i < t.len; i++) {
		char c = t.s[i];
		unsigned digit = c >= '0' && c <= '9'	? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
							: base;

		if (digit >= base || t.len > 4)
			return false;
		n = n * base + digit;
	}
	*ret = n;
	return t.len != 0 && n <= max;
}

/* Eight groups from the last to the first, of which "zz" stands for those that are zero. @n labels. */
static bool groups_read(struct labels l, unsigned n, uint8_t bytes[16])
{
	unsigned at = GROUPS_V6; /* of the last group that was written */
	bool zeros = false;

	memset(bytes, 0, 16);
	for (unsigned i = 0; i < n; i++) {
		struct text t = label_take(&l);
		unsigned group, left = n - i - 1;

		if (text_is(t, "zz")) {
			if (zeros || left >= at)
				return false;
			zeros = true;
			at = left;
			continue;
		}
		if (at == 0 || !number_read(t, 16, 0xffff, &group))
			return false;
		at--;
		bytes[at * 2] = (uint8_t)(group >> 8);
		bytes[at * 2 + 1] = (uint8_t)group;
	}
	return at == 0;
}

static bool octets_read(struct labels l, uint8_t bytes[16])
{
	memset(bytes, 0, 16);
	for (unsigned i = 4; i-- > 0;) {
		unsigned octet;

		if (!number_read(label_take(&l), 10, 255, &octet))
			return false;
		bytes[i] = (uint8_t)octet;
	}
	return true;
}

/* "24.0.113.0.203", "48.zz.1.db8.2001": the labels of @name but the last. */
static const char *prefix_read(const struct dname *name, struct ip_prefix *ret)
{
	struct labels l = { name->wire };
	unsigned n = name->labels - 1u, len;
	struct ip_prefix masked;
	char buf[IP_TEXT_MAX];
	uint8_t bytes[16];
	bool v4, host_bits = false;

	if (n < 2 || !number_read(label_take(&l), 10, 128, &len) || len == 0)
		return "address trigger without its length (1 to 128)";
	n--;
	v4 = n == 4 && len <= 32 && octets_read(l, bytes);
	if (!v4 && !groups_read(l, n, bytes))
		return "address trigger that is no address (length, then the address from its end)";
	ret->addr = ip_addr_from_bytes(bytes, v4 ? 4 : 16);
	ret->len = (uint8_t)len;
	if (ip_prefix_parse(ip_prefix_print(ret, buf), &masked, &host_bits) < 0 || host_bits)
		return "address trigger with bits behind its length";
	return NULL;
}

/* The next rule's name or address. False: the line is over. */
static bool rule_begin(struct list_line *l, const struct list_owner *owner, struct dname *trigger)
{
	struct text last = { "", 0 };
	struct labels labels = { trigger->wire };
	struct list_rule *r;
	const char *why = NULL;

	if (trigger->labels == 0) {
		if (owner->wild)
			return list_line_every_name(l, LIST_BLOCK);
		list_line_done(l, LIST_SKIPPED, WHY_ZONE);
		return false;
	}
	r = list_line_rule(l);
	if (r == NULL)
		return false;
	for (unsigned i = 0; i < trigger->labels; i++)
		last = label_take(&labels);
	if (!text_starts(last, "rpz-")) {
		r->kind = owner->wild ? LIST_BELOW : LIST_NAME;
		r->name = *trigger;
		return true;
	}
	if (text_is(last, "rpz-nsdname") || text_is(last, "rpz-nsip")) {
		list_line_done(l, LIST_SKIPPED, "RPZ trigger that needs the name's servers: rpz-nsdname, rpz-nsip");
		return false;
	}
	r->kind = text_is(last, "rpz-ip") ? LIST_ADDRESS : LIST_CLIENT_ADDRESS;
	if (owner->wild || (r->kind == LIST_CLIENT_ADDRESS && !text_is(last, "rpz-client-ip")))
		why = "RPZ trigger that is not known";
	else
		why = prefix_read(trigger, &r->prefix);
	if (why != NULL)
		list_line_done(l, LIST_REFUSED, why);
	return why == NULL;
}

/* Those of a CNAME's targets that mean something by themselves. False: it is a target like any other. */
static bool special_target(struct text target, enum list_action *ret_action, enum list_answer *ret_answer)
{
	static const struct {
		const char *target;
		enum list_action action;
		enum list_answer answer;
	} targets[] = {
		{ ".", LIST_BLOCK, LIST_ANSWER_VIEW },
		{ "*.", LIST_BLOCK, LIST_ANSWER_NODATA },
		{ "rpz-passthru.", LIST_ALLOW, LIST_ANSWER_VIEW },
		{ "rpz-drop.", LIST_BLOCK, LIST_ANSWER_DROP },
		{ "rpz-tcp-only.", LIST_BLOCK, LIST_ANSWER_TCP_ONLY },
	};

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		if (!text_is_nocase(target, targets[i].target))
			continue;
		*ret_action = targets[i].action;
		*ret_answer = targets[i].answer;
		return true;
	}
	return false;
}

/* A CNAME. NULL, or why it cannot be applied. */
static const char *alias_action(const struct list_record *record, const struct list_owner *owner,
				const struct dname *trigger, const struct dname *origin, struct list_line *l,
				enum list_action *ret)
{
	enum list_answer answer;
	struct text target = record->data;
	bool wild = text_starts(target, "*.");
	struct dname name;
	const char *why;

	if (special_target(target, ret, &answer)) {
		const uint8_t byte = (uint8_t)answer;

		if (answer != LIST_ANSWER_VIEW)
			list_terms_put(&l->terms, TERM_ANSWER, false, &byte, sizeof(byte));
		return NULL;
	}
	if (text_starts(target, "rpz-"))
		return "RPZ action that is not known";
	why = list_record_target(wild ? text_skip(target, 2) : target, origin, &name);
	if (why != NULL)
		return why;
	/* As passthru was written before it had a name. */
	if (!wild && !owner->wild && dname_equal(&name, trigger)) {
		*ret = LIST_ALLOW;
		return NULL;
	}
	*ret = LIST_REWRITE;
	list_terms_put(&l->terms, wild ? TERM_CNAME_BELOW : TERM_CNAME, false, name.wire, name.len);
	return NULL;
}

/* A record of @owner to a rule. */
static void record_apply(const struct list_parser *p, struct text line, const struct list_owner *owner,
			 const struct list_record *record, struct list_line *l)
{
	const struct list_zone *z = &p->zone;
	const struct dname *origin = z->rooted || !z->active ? &z->origin : NULL;
	enum list_action action = LIST_BLOCK;
	struct dname trigger;
	const char *why = trigger_of(z, owner, &trigger);

	if (why != NULL)
		return list_line_done(l, LIST_REFUSED, why);
	if (list_record_is_zones(record->type))
		return list_line_done(l, LIST_SKIPPED, WHY_ZONE);
	if (!rule_begin(l, owner, &trigger))
		return;
	if (record->type == LDNS_RR_TYPE_CNAME)
		why = alias_action(record, owner, &trigger, origin, l, &action);
	else
		why = list_record_rule(record, origin, &action, &l->terms);
	if (why != NULL)
		return list_line_done(l, LIST_REFUSED, why);
	if (action == LIST_REWRITE && !p->trusted)
		return list_line_done(l, LIST_SKIPPED, LIST_WHY_UNTRUSTED);
	l->rules[0].action = action;
	list_line_seal(l, line);
}

static void directive(struct list_zone *z, struct text t, struct list_line *l)
{
	struct text word = text_word_take(&t), value = text_word_take(&t);
	const char *why = "zone directive that is not followed";
	struct list_owner origin;

	if (text_is_nocase(word, "$TTL"))
		why = list_record_ttl(value, &z->ttl_s) ? NULL : "$TTL without a time";
	else if (text_is_nocase(word, "$ORIGIN"))
		why = value.len == 0 ? "$ORIGIN without a name" : owner_read(z, value, &origin);
	if (why != NULL)
		return list_line_done(l, LIST_REFUSED, why);
	z->active = true;
	list_line_done(l, LIST_SKIPPED, WHY_ZONE);
	if (!text_is_nocase(word, "$ORIGIN"))
		return;
	/* Before the zone's own record nothing is there that it could be below of: its last dot was forgotten. */
	z->origin = origin.name;
	z->rooted = origin.rooted || !z->begun;
	if (!z->named && !z->begun) {
		z->apex = z->origin;
		z->named = true;
	}
}

/* The SOA's owner is the zone's name. */
static void zone_begins(struct list_zone *z, struct list_line *l)
{
	z->active = z->begun = true;
	z->named = z->owner.rooted;
	z->apex = z->owner.name;
	list_line_done(l, LIST_SKIPPED, WHY_ZONE);
}

/* One record, whole. */
static void record_line(struct list_parser *p, struct text t, struct list_line *l)
{
	struct list_zone *z = &p->zone;
	bool inherits = text_is_blank(t.s[0]);
	struct text line = text_trim(t), rest = line;
	struct list_record record;
	const char *why = NULL;

	if (line.len == 0)
		return list_line_done(l, LIST_SKIPPED, LIST_WHY_COMMENT);
	if (line.s[0] == '$')
		return directive(z, line, l);
	if (!inherits) {
		why = owner_read(z, text_word_take(&rest), &z->owner);
		z->has_owner = why == NULL;
	}
	if (why == NULL && !z->has_owner)
		why = "record without a name before it";
	if (why == NULL)
		why = list_record_read(rest, z->ttl_s, false, &record);
	if (why != NULL)
		return list_line_done(l, strcmp(why, LIST_WHY_ADDRESS) == 0 ? LIST_SKIPPED : LIST_REFUSED, why);
	if (record.type == LDNS_RR_TYPE_SOA)
		return zone_begins(z, l);
	record_apply(p, line, &z->owner, &record, l);
}

/* A line as it goes on: without comments, parentheses as blanks. False: it is not over, or not good. */
static bool line_join(struct list_zone *z, struct text raw, struct list_line *l)
{
	bool quoted = false;

	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.s[i];

		if (c == '"' && (i == 0 || raw.s[i - 1] != '\\'))
			quoted = !quoted;
		if (!quoted && c == ';')
			break;
		if (z->joined_len == sizeof(z->joined) || (!quoted && c == ')' && z->depth == 0)) {
			bool full = z->joined_len == sizeof(z->joined);

			z->depth = z->joined_len = 0;
			list_line_done(l, LIST_REFUSED,
				       full ? "record longer than 4096 bytes" : "parenthesis that was not opened");
			return false;
		}
		if (!quoted && (c == '(' || c == ')')) {
			z->depth += c == '(' ? 1u : -1u;
			c = ' ';
		}
		z->joined[z->joined_len++] = c;
	}
	if (z->depth == 0)
		return true;
	list_line_done(l, LIST_SKIPPED, why_goes_on);
	/* A blank for the line's end. */
	if (z->joined_len < sizeof(z->joined))
		z->joined[z->joined_len++] = ' ';
	return false;
}

/* Nothing but words and blanks: nearly all lines are. */
static bool is_simple(struct text t)
{
	return !text_has(t, ';') && !text_has(t, '(') && !text_has(t, '"') && !text_has(t, ')');
}

/* "name [ttl] [class] TYPE data" with TYPE in capitals, in a list that is no zone file so far. */
static bool is_record(struct text t)
{
	struct list_record record;
	struct text rest = t;
	struct text word = text_word_take(&rest);

	if (rest.len == 0 || text_is_blank(t.s[0]))
		return false;
	if (text_is(word, "@"))
		return true;
	rest = text_trim(rest);
	return rest.s[0] != '#' && list_record_read(rest, 0, true, &record) == NULL;
}

bool list_parse_zone(struct list_parser *p, struct text raw, struct list_line *l)
{
	struct list_zone *z = &p->zone;

	if (!z->active && z->depth == 0 && !text_starts(raw, "$TTL") && !text_starts(raw, "$ORIGIN") && !is_record(raw))
		return false;
	if (z->depth == 0 && is_simple(raw)) {
		if (raw.len == 0)
			list_line_done(l, LIST_SKIPPED, LIST_WHY_BLANK);
		else
			record_line(p, raw, l);
		return true;
	}
	if (!line_join(z, raw, l))
		return true;
	raw = (struct text){ z->joined, z->joined_len };
	z->joined_len = 0;
	if (raw.len == 0)
		list_line_done(l, LIST_SKIPPED, LIST_WHY_COMMENT);
	else
		record_line(p, raw, l);
	return true;
}
