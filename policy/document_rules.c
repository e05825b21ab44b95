/* SPDX-License-Identifier: GPL-3.0-or-later */
/* acls, grants and denies to rules of one form. A rule that asks for something that cannot be checked here (a
 * posture) keeps its place and matches nobody: it never becomes wider than it was written. */
#include "policy/egress.h"
#include "policy/loaded.h"
#include "policy/sections.h"
#include "policy/selector.h"
#include "policy/services.h"

struct rules_builder {
	struct doc_reader *r;
	struct doc_rule *rules;
	uint32_t n;
	struct proto_set opened; /* by the rules read so far */
};

static const struct hj_node *list_of(struct doc_reader *r, const struct hj_node *entry, const char *name,
				     const char *legacy)
{
	const struct hj_node *list = hj_get(entry, name), *old = legacy != NULL ? hj_get(entry, legacy) : NULL;
	struct diag *d;

	if (list != NULL && old != NULL) {
		d = doc_error(r, "P0402", old->key_span,
			      "\"%s\" is the old name of \"%s\": only one of them may be here", legacy, name);
		diag_relate(d, r->src, list->key_span, "the other is here");
	}
	if (list == NULL)
		list = old;
	if (list == NULL) {
		(void)doc_error(r, "P0401", entry->span, "this rule has no \"%s\"", name);
		return NULL;
	}
	return doc_is(r, list, HJ_ARRAY, list->key) ? list : NULL;
}

/* The rule stays where it is, and matches nobody. */
static void rule_disable(struct rules_builder *b, struct doc_rule *rule, const struct hj_node *why, const char *code,
			 const char *msg)
{
	struct selector *nobody = doc_array(b->r, 1, sizeof(*nobody));

	(void)doc_warn(b->r, code, why->span, "%s: this rule matches nobody here", msg);
	if (nobody == NULL)
		return;
	*nobody = (struct selector){ .kind = SEL_NOBODY, .text = why->key, .span = why->span };
	rule->srcs = nobody;
	rule->n_srcs = 1;
}

static void posture_read(struct rules_builder *b, const struct hj_node *entry, struct doc_rule *rule)
{
	const struct hj_node *list = doc_list(b->r, entry, "srcPosture");

	if (list != NULL && list->n_children != 0) {
		postures_check(b->r, list);
		rule_disable(b, rule, list, "P1003", "devices' posture is not known");
	} else if (list == NULL && b->r->default_posture) {
		/* Said once, at defaultSrcPosture. */
		rule->n_srcs = 0;
	}
}

/* Which of a rule's destinations a way over some device can be asked for. */
static void via_dsts_check(struct rules_builder *b, const struct hj_node *list, const struct doc_rule *rule)
{
	for (uint32_t i = 0; i < rule->n_dsts; i++) {
		const struct selector *s = &rule->dsts[i].sel;

		if (s->kind == SEL_DNS)
			(void)doc_error(b->r, "P0408", s->span,
					"%s with via: where a name leads is not known before it is asked for", s->text);
		else if (s->kind == SEL_INTERNET)
			(void)doc_warn(
				b->r, "P1004", list->key_span,
				"via chooses among exits, and here the gateway is the only one: through another, "
				"autogroup:internet matches nothing");
	}
}

static void via_read(struct rules_builder *b, const struct hj_node *entry, struct doc_rule *rule)
{
	const struct hj_node *list = doc_list(b->r, entry, "via");
	const char **via =
		list != NULL && list->n_children != 0 ? doc_array(b->r, list->n_children, sizeof(*via)) : NULL;
	uint32_t n = 0;

	if (via == NULL)
		return;
	for (const struct hj_node *m = list->child; m != NULL; m = m->next) {
		const char *text = doc_text(b->r, m, "via");

		if (text != NULL && strncmp(text, "tag:", 4) != 0)
			(void)doc_error(b->r, "P0407", m->span, "%s: via takes tags only", text);
		else if (text != NULL && tag_check(b->r, m->span, text))
			via[n++] = text;
	}
	rule->via = via;
	via_dsts_check(b, list, rule);
}

static void egress_read(struct rules_builder *b, const struct hj_node *entry, struct doc_rule *rule)
{
	const struct hj_node *node = hj_get(entry, "egress");

	if (node == NULL)
		return;
	rule->egress = doc_text(b->r, node, "egress");
	rule->egress_span = node->span;
	if (rule->egress != NULL && !egress_name_valid(rule->egress))
		(void)doc_error(b->r, "P1205", node->span, "\"%s\" is no name of an egress: " EGRESS_NAME_FORM,
				rule->egress);
}

/* autogroup:self is the source's own user: sources that are no users have none. */
static void self_check(struct rules_builder *b, const struct doc_rule *rule)
{
	const struct selector *self = NULL;

	for (uint32_t i = 0; i < rule->n_dsts; i++)
		if (rule->dsts[i].sel.kind == SEL_SELF)
			self = &rule->dsts[i].sel;
	for (uint32_t i = 0; self != NULL && i < rule->n_srcs; i++) {
		const struct selector *s = &rule->srcs[i];
		bool refused = s->kind == SEL_TAG || s->kind == SEL_PREFIX || s->kind == SEL_TAGGED ||
			       s->kind == SEL_RANGES || (s->kind == SEL_ANY && rule->section == SECTION_GRANTS);
		struct diag *d;

		if (!refused)
			continue;
		d = doc_error(b->r, "P0405", s->span,
			      "%s cannot be the source of a rule to autogroup:self: "
			      "only users, groups and autogroup:member can",
			      s->text);
		diag_relate(d, b->r->src, self->span, "autogroup:self is here");
	}
}

static void opened_add(struct rules_builder *b, const struct service_list *services)
{
	for (uint32_t i = 0; i < services->n; i++)
		proto_set_add(&b->opened, services->items[i].proto);
}

static void acl_dsts_read(struct rules_builder *b, const struct hj_node *list, uint8_t proto, struct doc_rule *rule)
{
	struct doc_dst *dsts = doc_array(b->r, list->n_children, sizeof(*dsts));
	uint32_t n = 0;

	for (const struct hj_node *m = dsts != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const char *text = doc_text(b->r, m, "a destination"), *host, *ports;
		struct service_list services;

		if (text == NULL || target_split(b->r, m->span, text, &host, &ports) < 0)
			continue;
		if (services_of_ports(b->r, m->span, ports, proto, &services) < 0)
			continue;
		if (selector_read(b->r, PLACE_ACL_DST, m->span, host, &dsts[n].sel) < 0)
			continue;
		dsts[n].services = services.items;
		dsts[n].n_services = services.n;
		opened_add(b, &services);
		n++;
	}
	rule->dsts = dsts;
	rule->n_dsts = n;
}

/* Members whose name begins with "#" are notes of another editor. */
static void acl_members_check(struct doc_reader *r, const struct hj_node *entry)
{
	static const char *const members[] = { "action", "src", "users", "proto", "dst", "ports", "srcPosture", NULL };
	struct hj_node known = *entry, **link = &known.child;

	for (const struct hj_node *m = entry->child; m != NULL; m = m->next) {
		struct hj_node *copy;

		if (m->key[0] == '#')
			continue;
		copy = doc_array(r, 1, sizeof(*copy));
		if (copy == NULL)
			return;
		*copy = *m;
		*link = copy;
		link = &copy->next;
	}
	*link = NULL;
	(void)doc_members(r, &known, "an acl", members);
}

static void acl_read(struct rules_builder *b, const struct hj_node *entry, struct doc_rule *rule)
{
	const struct hj_node *srcs, *dsts, *action = hj_get(entry, "action");
	const char *proto_text = doc_string(b->r, entry, "proto", NULL);
	const struct hj_node *proto_node = hj_get(entry, "proto");
	struct selector_list list;
	uint8_t proto = 0;

	acl_members_check(b->r, entry);
	if (action == NULL)
		(void)doc_error(b->r, "P0403", entry->span,
				"this rule has no \"action\": write \"action\": \"accept\"");
	else if (doc_is(b->r, action, HJ_STRING, "action") && strcmp(action->string, "accept") != 0)
		(void)doc_error(b->r, "P0403", action->span,
				"action \"%s\": only \"accept\" exists; what must be refused goes into \"denies\"",
				action->string);
	srcs = list_of(b->r, entry, "src", "users");
	dsts = list_of(b->r, entry, "dst", "ports");
	if (srcs == NULL || dsts == NULL)
		return;
	if (proto_text != NULL && proto_parse(b->r, proto_node->span, proto_text, &proto) < 0)
		return;
	list = selectors_read(b->r, PLACE_ACL_SRC, srcs);
	rule->srcs = list.items;
	rule->n_srcs = list.n;
	acl_dsts_read(b, dsts, proto, rule);
	self_check(b, rule);
	posture_read(b, entry, rule);
	b->n++;
}

/* Grants and denies: every destination with every service. */
static bool services_dsts_read(struct rules_builder *b, const struct hj_node *entry, const struct hj_node *ip,
			       struct doc_rule *rule)
{
	bool deny = rule->section == SECTION_DENIES;
	const struct hj_node *src = list_of(b->r, entry, "src", NULL), *dst = list_of(b->r, entry, "dst", NULL);
	struct selector_list srcs = selectors_read(b->r, deny ? PLACE_DENY_SRC : PLACE_GRANT_SRC, src);
	struct selector_list to = selectors_read(b->r, deny ? PLACE_DENY_DST : PLACE_GRANT_DST, dst);
	struct service_list services = { NULL, 0 };
	struct doc_dst *dsts = doc_array(b->r, to.n, sizeof(*dsts));

	if (ip != NULL && services_of_ip(b->r, ip, &b->opened, deny, &services) < 0)
		return false;
	if (dsts == NULL)
		return false;
	for (uint32_t i = 0; i < to.n; i++)
		dsts[i] = (struct doc_dst){ .sel = to.items[i], .services = services.items, .n_services = services.n };
	rule->srcs = srcs.items;
	rule->n_srcs = srcs.n;
	rule->dsts = dsts;
	rule->n_dsts = to.n;
	if (!deny)
		opened_add(b, &services);
	self_check(b, rule);
	return true;
}

static void app_check(struct rules_builder *b, const struct hj_node *app, const struct doc_rule *rule)
{
	if (doc_once(b->r, ONCE_APP))
		(void)doc_note(
			b->r, "P1001", app->key_span,
			"app: parsed, not enforced here: capabilities are the application's business (said once)");
	apps_check(b->r, app);
	for (uint32_t i = 0; i < rule->n_dsts; i++)
		if (rule->dsts[i].sel.kind == SEL_INTERNET)
			(void)doc_error(b->r, "P0406", rule->dsts[i].sel.span,
					"a grant with app cannot have autogroup:internet as destination");
}

static void grant_read(struct rules_builder *b, const struct hj_node *entry, struct doc_rule *rule)
{
	static const char *const members[] = { "src", "dst", "ip", "app", "srcPosture", "via", "egress", "when", NULL };
	const struct hj_node *ip, *app;

	if (!doc_members(b->r, entry, "a grant", members))
		return;
	ip = doc_list(b->r, entry, "ip");
	app = doc_map(b->r, entry, "app");
	if ((ip == NULL || ip->n_children == 0) && (app == NULL || app->n_children == 0)) {
		(void)doc_error(b->r, "P0404", entry->span,
				"this grant has neither \"ip\" nor \"app\": it would do nothing; "
				"write \"ip\": [\"*\"] for everything");
		return;
	}
	if (!services_dsts_read(b, entry, ip, rule))
		return;
	if (app != NULL && app->n_children != 0)
		app_check(b, app, rule);
	via_read(b, entry, rule);
	egress_read(b, entry, rule);
	posture_read(b, entry, rule);
	rule->when = when_read(b->r, entry);
	/* With app alone it opens no port: it is no rule of ours. */
	if (ip != NULL && ip->n_children != 0)
		b->n++;
}

static void deny_read(struct rules_builder *b, const struct hj_node *entry, struct doc_rule *rule)
{
	static const char *const members[] = { "src", "dst", "ip", "reject", NULL };
	const struct hj_node *ip;

	if (!doc_members(b->r, entry, "a deny", members))
		return;
	ip = doc_list(b->r, entry, "ip");
	if (ip == NULL || ip->n_children == 0) {
		(void)doc_error(
			b->r, "P0404", entry->span,
			"this deny has no \"ip\": it would refuse nothing; write \"ip\": [\"*\"] for everything");
		return;
	}
	rule->reject = doc_bool(b->r, entry, "reject", false);
	if (services_dsts_read(b, entry, ip, rule))
		b->n++;
}

static void section_read(struct rules_builder *b, const struct hj_node *list, enum rule_section section)
{
	static void (*const readers[])(struct rules_builder *, const struct hj_node *, struct doc_rule *) = {
		[SECTION_ACLS] = acl_read, [SECTION_GRANTS] = grant_read, [SECTION_DENIES] = deny_read
	};
	uint32_t index = 0;

	for (const struct hj_node *m = list != NULL ? list->child : NULL; m != NULL; m = m->next, index++) {
		struct doc_rule *rule = &b->rules[b->n];

		*rule = (struct doc_rule){ .section = section, .index = index, .span = m->span };
		if (doc_is(b->r, m, HJ_OBJECT, "a rule"))
			readers[section](b, m, rule);
	}
}

void rules_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p)
{
	static const char *const names[] = {
		[SECTION_ACLS] = "acls", [SECTION_GRANTS] = "grants", [SECTION_DENIES] = "denies"
	};
	const struct hj_node *lists[SECTION_MAX];
	struct rules_builder b = { .r = r };
	size_t total = 0;

	for (int i = 0; i < SECTION_MAX; i++) {
		lists[i] = doc_list(r, root, names[i]);
		total += lists[i] != NULL ? lists[i]->n_children : 0;
	}
	b.rules = doc_array(r, total, sizeof(*b.rules));
	if (b.rules == NULL)
		return;
	for (int i = 0; i < SECTION_MAX; i++)
		section_read(&b, lists[i], (enum rule_section)i);
	p->rules = b.rules;
	p->n_rules = b.n;
}
