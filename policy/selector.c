/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Selectors. What cannot be enforced here must neither widen a rule nor weaken a deny: in rules that allow, it matches
 * nobody and is a warning; in denies and DNS filters, which are Sluice's own, it is an error. */
#include "policy/selector.h"

#include "policy/loaded.h"

#include <strings.h>

/* One autogroup and where Tailscale allows it. */
struct autogroup {
	const char *name;
	enum selector_kind kind;
	bool src, dst;
};

static const struct autogroup autogroups[] = {
	{ "autogroup:internet", SEL_INTERNET, false, true }, { "autogroup:self", SEL_SELF, false, true },
	{ "autogroup:member", SEL_MEMBER, true, true },	     { "autogroup:members", SEL_MEMBER, true, true },
	{ "autogroup:tagged", SEL_TAGGED, true, true },	     { "autogroup:danger-all", SEL_ANY, true, false },
	{ "autogroup:shared", SEL_NOBODY, true, false },     { "autogroup:owner", SEL_NOBODY, true, true },
	{ "autogroup:admin", SEL_NOBODY, true, true },	     { "autogroup:network-admin", SEL_NOBODY, true, true },
	{ "autogroup:it-admin", SEL_NOBODY, true, true },    { "autogroup:billing-admin", SEL_NOBODY, true, true },
	{ "autogroup:auditor", SEL_NOBODY, true, true },
};

static bool place_is_src(enum selector_place place)
{
	return place <= PLACE_TEST_SRC;
}

/* Matching nobody here would weaken, not strengthen. */
static bool place_must_match(enum selector_place place)
{
	return place == PLACE_DENY_SRC || place == PLACE_DENY_DST || place == PLACE_FILTER_SRC;
}

/* Nothing here acts on what is there: that it would match nobody is no news. */
static bool place_is_idle(enum selector_place place)
{
	return place == PLACE_SSH_SRC || place == PLACE_SSH_DST || place == PLACE_NODE_TARGET;
}

static int selector_error(struct doc_reader *r, const char *code, const struct selector *s, const char *why)
{
	(void)doc_error(r, code, s->span, "%s %s", s->text, why);
	return -EINVAL;
}

static int name_cmp_group(const void *key, const void *item)
{
	return strcmp(key, ((const struct doc_group *)item)->name);
}

static int name_cmp_tag(const void *key, const void *item)
{
	return strcmp(key, ((const struct doc_tag *)item)->name);
}

static int name_cmp_host(const void *key, const void *item)
{
	return strcmp(key, ((const struct doc_host *)item)->name);
}

static int name_cmp_ipset(const void *key, const void *item)
{
	return strcmp(key, ((const struct doc_ipset *)item)->name);
}

static const void *name_find(const char *name, const void *items, uint32_t n, size_t size,
			     int (*cmp)(const void *, const void *))
{
	return n != 0 ? bsearch(name, items, n, size, cmp) : NULL;
}

const struct doc_group *group_find(const struct doc_policy *p, const char *name)
{
	return name_find(name, p->groups, p->n_groups, sizeof(*p->groups), name_cmp_group);
}

const struct doc_tag *tag_find(const struct doc_policy *p, const char *name)
{
	return name_find(name, p->tags, p->n_tags, sizeof(*p->tags), name_cmp_tag);
}

const struct doc_host *host_find(const struct doc_policy *p, const char *name)
{
	return name_find(name, p->hosts, p->n_hosts, sizeof(*p->hosts), name_cmp_host);
}

bool group_check(struct doc_reader *r, struct span at, const char *name)
{
	const char **names;

	if (group_find(r->policy, name) != NULL)
		return true;
	names = doc_hint_names(r, r->policy->n_groups);
	for (uint32_t i = 0; names != NULL && i < r->policy->n_groups; i++)
		names[i] = r->policy->groups[i].name;
	(void)doc_error(r, "P0201", at, "%s is not defined in groups%s", name, doc_hint(r, name, names));
	return false;
}

bool tag_is_defined(const struct doc_reader *r, const char *name)
{
	return tag_find(r->policy, name) != NULL;
}

const char *tag_hint(struct doc_reader *r, const char *name)
{
	const char **names = doc_hint_names(r, r->policy->n_tags);

	for (uint32_t i = 0; names != NULL && i < r->policy->n_tags; i++)
		names[i] = r->policy->tags[i].name;
	return doc_hint(r, name, names);
}

bool tag_check(struct doc_reader *r, struct span at, const char *name)
{
	if (tag_is_defined(r, name))
		return true;
	(void)doc_error(r, "P0202", at, "%s is not defined in tagOwners%s", name, tag_hint(r, name));
	return false;
}

static int ipset_resolve(struct doc_reader *r, enum selector_place place, struct selector *s)
{
	const struct doc_ipset *set = name_find(s->text, r->ipsets, r->n_ipsets, sizeof(*r->ipsets), name_cmp_ipset);
	const char **names;

	if (set != NULL) {
		s->kind = SEL_RANGES;
		s->name = set->name;
		s->ranges = set->ranges;
		s->n_ranges = set->n_ranges;
		s->wide = set->wide;
		s->n_wide = set->n_wide;
		s->steps = set->steps;
		s->n_steps = set->n_steps;
		if (place_is_src(place) && s->steps != NULL)
			return selector_error(r, "P0206", s,
					      "holds geo:, asn: or iplist: addresses, and cannot be a source");
		return 0;
	}
	names = doc_hint_names(r, r->n_ipsets);
	for (uint32_t i = 0; names != NULL && i < r->n_ipsets; i++)
		names[i] = r->ipsets[i].name;
	(void)doc_error(r, "P0204", s->span, "%s is not defined in ipsets%s", s->text, doc_hint(r, s->text, names));
	return -EINVAL;
}

static int nobody(struct doc_reader *r, enum selector_place place, struct selector *s, enum doc_once once,
		  const char *why)
{
	s->kind = SEL_NOBODY;
	if (place_must_match(place)) {
		(void)doc_error(r, "P0211", s->span,
				"%s %s: here it would match nothing, and let through what is to be refused", s->text,
				why);
		return -EINVAL;
	}
	if (!place_is_idle(place) && doc_once(r, once))
		(void)doc_warn(r, "P1002", s->span, "%s %s: it matches nothing here (said once)", s->text, why);
	return 0;
}

/* Both spellings are accepted, but not in one file: one of them is then a leftover, and which one nobody knows. */
static int member_spelling_check(struct doc_reader *r, const struct selector *s, const char *name)
{
	struct diag *d;

	if (r->member_spelling == NULL) {
		r->member_spelling = name;
		r->member_span = s->span;
	}
	if (strcmp(r->member_spelling, name) == 0)
		return 0;
	d = doc_error(r, "P0212", s->span, "%s and %s must not be mixed: use autogroup:member", r->member_spelling,
		      name);
	diag_relate(d, r->src, r->member_span, "the other spelling is here");
	return -EINVAL;
}

static int autogroup_read(struct doc_reader *r, enum selector_place place, struct selector *s)
{
	const char *names[ARRAY_LEN(autogroups) + 1] = { NULL };
	const struct autogroup *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(autogroups); i++) {
		names[i] = autogroups[i].name;
		if (strcmp(s->text, names[i]) == 0)
			found = &autogroups[i];
	}
	if (strcmp(s->text, "autogroup:nonroot") == 0)
		return selector_error(r, "P0206", s, "is for the users of ssh rules only");
	if (found == NULL) {
		(void)doc_error(r, "P0205", s->span, "%s is no autogroup%s", s->text, doc_hint(r, s->text, names));
		return -EINVAL;
	}
	if (place_is_src(place) && !found->src)
		return selector_error(r, "P0206", s, "cannot be a source");
	if (!place_is_src(place) && !found->dst)
		return selector_error(r, "P0206", s, "cannot be a destination");
	s->kind = found->kind;
	s->name = found->name;
	if (found->kind == SEL_NOBODY)
		return nobody(r, place, s, ONCE_ROLE_GROUP, "asks for what only Tailscale's service knows of a user");
	if (found->kind == SEL_MEMBER)
		return member_spelling_check(r, s, found->name);
	return 0;
}

int host_name_parse(const char *text, struct dname *ret)
{
	if (dname_parse(text, strlen(text), ret) < 0 || ret->labels == 0)
		return -EINVAL;
	for (const char *p = text; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' ||
		      *p == '_' || *p == '.'))
			return -EINVAL;
	return 0;
}

static int dns_read(struct doc_reader *r, enum selector_place place, struct selector *s)
{
	const char *name = s->text + strlen("dns:");

	if (place_is_src(place))
		return selector_error(r, "P0206", s, "cannot be a source: names are destinations");
	s->kind = SEL_DNS;
	if (strncmp(name, "*.", 2) == 0) {
		s->dns.below = true;
		name += 2;
	}
	if (host_name_parse(name, &s->dns.name) < 0)
		return selector_error(r, "P0207", s,
				      "is no name: dns:host.example, or dns:*.example for all below it "
				      "(letters, digits, - and _; other scripts in punycode)");
	if (s->dns.below && place == PLACE_TEST_DST)
		return selector_error(r, "P0702", s, "is a pattern: a test needs one name");
	return 0;
}

/* user:*@example.com */
static int domain_read(struct doc_reader *r, struct selector *s)
{
	/* Mail domains where anybody gets an address: everybody there is no group. */
	static const char *const shared[] = { "gmail.com", "googlemail.com", "outlook.com", "hotmail.com",
					      "live.com",  "yahoo.com",	     "icloud.com",  "me.com",
					      "proton.me", "protonmail.com", "github",	    "passkey",
					      NULL };
	const char *domain = s->text + strlen("user:");

	if (strncmp(domain, "*@", 2) != 0 || domain[2] == '\0' || strchr(domain + 2, '@') != NULL)
		return selector_error(r, "P0208", s, "must be user:*@domain: one user is written without user:");
	for (size_t i = 0; shared[i] != NULL; i++)
		if (strcasecmp(domain + 2, shared[i]) == 0)
			return selector_error(r, "P0208", s, "is a shared domain: anybody can have an account there");
	s->kind = SEL_DOMAIN;
	s->name = domain + 1;
	return 0;
}

static int unknown_word(struct doc_reader *r, const struct selector *s)
{
	const struct doc_policy *p = r->policy;
	const char **names = doc_hint_names(r, (size_t)p->n_hosts + p->n_groups + p->n_tags + ARRAY_LEN(autogroups));
	size_t n = 0;

	for (uint32_t i = 0; names != NULL && i < p->n_hosts; i++)
		names[n++] = p->hosts[i].name;
	for (uint32_t i = 0; names != NULL && i < p->n_groups; i++)
		names[n++] = p->groups[i].name;
	for (uint32_t i = 0; names != NULL && i < p->n_tags; i++)
		names[n++] = p->tags[i].name;
	for (size_t i = 0; names != NULL && i < ARRAY_LEN(autogroups); i++)
		names[n++] = autogroups[i].name;
	(void)doc_error(r, "P0203", s->span, "%s is no host of this policy, nor any other selector%s", s->text,
			doc_hint(r, s->text, names));
	return -EINVAL;
}

static int prefix_check(struct doc_reader *r, enum selector_place place, const struct selector *s, bool cidr)
{
	if (place == PLACE_GRANT_DST && s->prefix.len == 0)
		return selector_error(r, "P0209", s,
				      "is refused as destination of a grant: write * or autogroup:internet");
	if ((place == PLACE_TEST_SRC || place == PLACE_TEST_DST) && cidr)
		return selector_error(r, "P0702", s, "is a network: a test needs one address");
	return 0;
}

static int host_or_prefix_read(struct doc_reader *r, enum selector_place place, struct selector *s)
{
	const struct doc_host *host;

	if (doc_prefix(r, s->span, s->text, &s->prefix) == 0) {
		s->kind = SEL_PREFIX;
		return prefix_check(r, place, s, strchr(s->text, '/') != NULL);
	}
	host = host_find(r->policy, s->text);
	if (host == NULL)
		return unknown_word(r, s);
	s->kind = SEL_PREFIX;
	s->prefix = host->prefix;
	s->name = host->name;
	return prefix_check(r, place, s, host->is_cidr);
}

/* Selectors with a word before a colon. 1 = none of them. */
static int prefixed_read(struct doc_reader *r, enum selector_place place, struct selector *s)
{
	const char *t = s->text;

	if (strncmp(t, "autogroup:", 10) == 0)
		return autogroup_read(r, place, s);
	if (strncmp(t, "dns:", 4) == 0)
		return dns_read(r, place, s);
	if (strncmp(t, "ipset:", 6) == 0)
		return ipset_resolve(r, place, s);
	if (strncmp(t, "user:", 5) == 0)
		return domain_read(r, s);
	if (strncmp(t, "localpart:", 10) == 0)
		return selector_error(r, "P0206", s, "is for the users of ssh rules only");
	s->name = t;
	if (strncmp(t, "group:", 6) == 0) {
		s->kind = SEL_GROUP;
		return group_check(r, s->span, t) ? 0 : -EINVAL;
	}
	if (strncmp(t, "tag:", 4) == 0) {
		s->kind = SEL_TAG;
		return tag_check(r, s->span, t) ? 0 : -EINVAL;
	}
	if (strncmp(t, "svc:", 4) == 0) {
		if (place_is_src(place))
			return selector_error(r, "P0206", s, "cannot be a source");
		return nobody(r, place, s, ONCE_SVC, "is a virtual service, and there are none");
	}
	if (loaded_word(t)) {
		if (place_is_src(place))
			return selector_error(r, "P0206", s, "cannot be a source: devices are not there");
		s->kind = SEL_LOADED;
		return loaded_read(r, s->span, t, &s->need);
	}
	s->name = NULL;
	return 1;
}

/* What a place refuses although the selector is right elsewhere. */
static int place_check(struct doc_reader *r, enum selector_place place, const struct selector *s)
{
	bool one;

	if (place != PLACE_TEST_SRC && place != PLACE_TEST_DST)
		return 0;
	one = s->kind == SEL_USER || s->kind == SEL_GROUP || s->kind == SEL_TAG || s->kind == SEL_PREFIX ||
	      s->kind == SEL_MEMBER || s->kind == SEL_TAGGED ||
	      (place == PLACE_TEST_DST && (s->kind == SEL_DNS || s->kind == SEL_NOBODY));
	if (one)
		return 0;
	return selector_error(r, "P0702", s,
			      place == PLACE_TEST_SRC
				      ? "cannot be the source of a test: a user, group, tag, host or address"
				      : "cannot be tested: name one address, host, user, group, tag or name");
}

int selector_read(struct doc_reader *r, enum selector_place place, struct span at, const char *text,
		  struct selector *ret)
{
	struct selector s = { .text = text, .span = at };
	int result;

	if (strcmp(text, "*") == 0) {
		s.kind = SEL_ANY;
		result = 0;
	} else {
		result = prefixed_read(r, place, &s);
	}
	if (result == 1 && strchr(text, '@') != NULL) {
		s.kind = SEL_USER;
		s.name = text;
		result = strpbrk(text, " \t,") == NULL ? 0 : selector_error(r, "P0208", &s, "is no user name");
	} else if (result == 1) {
		result = host_or_prefix_read(r, place, &s);
	}
	if (result == 0)
		result = place_check(r, place, &s);
	if (result == 0)
		*ret = s;
	return result;
}

struct selector_list selectors_read(struct doc_reader *r, enum selector_place place, const struct hj_node *list)
{
	struct selector *items = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*items));
	struct selector_list ret = { items, 0 };

	if (items == NULL || list == NULL)
		return ret;
	for (const struct hj_node *m = list->child; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, place_is_src(place) ? "a source" : "a destination");

		if (text != NULL && selector_read(r, place, m->span, text, &items[ret.n]) == 0)
			ret.n++;
	}
	return ret;
}

/* "tag:server": the colon belongs to the selector, and the ports are missing. */
static bool selector_word(const struct doc_policy *p, const char *text, size_t len)
{
	static const char *const words[] = { "tag",  "group", "autogroup", "ipset",  "svc", "dns",
					     "user", "geo",   "asn",	   "iplist", NULL };

	for (size_t i = 0; words[i] != NULL; i++)
		if (strlen(words[i]) == len && strncmp(text, words[i], len) == 0)
			return host_find(p, words[i]) == NULL;
	return false;
}

int target_split(struct doc_reader *r, struct span at, const char *text, const char **ret_host, const char **ret_ports)
{
	const char *colon = strrchr(text, ':'), *close = strrchr(text, ']'), *host;
	bool bracket = text[0] == '[';
	size_t len;

	if (colon == NULL || colon == text || colon[1] == '\0' || (bracket && (close == NULL || close > colon)) ||
	    selector_word(r->policy, text, (size_t)(colon - text))) {
		(void)doc_error(r, "P0308", at, "\"%s\" needs ports behind a colon: \"%s:443\", or \"%s:*\" for all",
				text, text, text);
		return -EINVAL;
	}
	len = (size_t)(colon - text);
	if (bracket) {
		/* "[fd7a::9]", and headscale's "[fd7a::]/64": without the brackets. */
		host = arena_printf(r->mem, "%.*s%.*s", (int)(close - text - 1), text + 1, (int)(colon - close - 1),
				    close + 1);
	} else {
		struct ip_addr addr;

		host = doc_strndup(r, text, len);
		if (host != NULL && strchr(host, ':') != NULL && ip_addr_parse(host, &addr) == 0) {
			(void)doc_error(r, "P0309", at, "an IPv6 address needs brackets here: \"[%s]:%s\"", host,
					colon + 1);
			return -EINVAL;
		}
	}
	if (host == NULL)
		return -ENOMEM;
	*ret_host = host;
	*ret_ports = colon + 1;
	return 0;
}
