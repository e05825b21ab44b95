/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy.hujson: the document as a whole. Every member of a Tailscale policy file is accepted; what is not enforced
 * here is said once, so that nobody relies on it. */
#include "policy/sections.h"

struct ignored_member {
	const char *name;
	enum hj_kind kind;
	const char *why;
};

static const struct ignored_member ignored_members[] = {
	{ "ssh", HJ_ARRAY, "logins over SSH are decided by the hosts themselves" },
	{ "nodeAttrs", HJ_ARRAY, "attributes concern Tailscale's clients" },
	{ "postures", HJ_OBJECT, "devices' posture is not known: rules that ask for one match nobody" },
	{ "autoApprovers", HJ_OBJECT, "routes are approved in the device list" },
	{ "attrConfig", HJ_OBJECT, "attributes concern Tailscale's clients" },
	{ "derpMap", HJ_OBJECT, "there are no relays" },
	{ "disableIPv4", HJ_BOOL, "addresses are given in the device list" },
	{ "randomizeClientPort", HJ_BOOL, "it concerns Tailscale's clients" },
	{ "oneCGNATRoute", HJ_STRING, "it concerns Tailscale's clients" },
};

static void ignored_report(struct doc_reader *r, const struct hj_node *root)
{
	for (size_t i = 0; i < ARRAY_LEN(ignored_members); i++) {
		const struct ignored_member *m = &ignored_members[i];
		const struct hj_node *node = hj_get(root, m->name);

		if (node != NULL && doc_is(r, node, m->kind, m->name))
			(void)doc_note(r, "P1001", node->key_span, "%s: parsed, not enforced here: %s", node->key,
				       m->why);
	}
}

static void default_posture_read(struct doc_reader *r, const struct hj_node *root)
{
	const struct hj_node *list = doc_list(r, root, "defaultSrcPosture");

	if (list == NULL || list->n_children == 0)
		return;
	postures_check(r, list);
	r->default_posture = true;
	(void)doc_warn(r, "P1003", list->key_span,
		       "devices' posture is not known: rules without a srcPosture of their own match nobody");
}

struct doc_policy *document_policy(struct arena *mem, const struct source *src, struct diag_list *diags)
{
	static const char *const members[] = { "acls",
					       "grants",
					       "denies",
					       "groups",
					       "hosts",
					       "ipsets",
					       "tagOwners",
					       "postures",
					       "ssh",
					       "nodeAttrs",
					       "tests",
					       "dns",
					       "logs",
					       "sshTests",
					       "autoApprovers",
					       "attrConfig",
					       "derpMap",
					       "disableIPv4",
					       "randomizeClientPort",
					       "oneCGNATRoute",
					       "defaultSrcPosture",
					       NULL };
	struct doc_reader r;
	struct hj_node *root;
	struct doc_policy *p;

	doc_reader_init(&r, mem, src, diags);
	root = hujson_parse(mem, src, diags);
	p = doc_array(&r, 1, sizeof(*p));
	if (root == NULL || p == NULL || !doc_members(&r, root, "a policy", members))
		return NULL;
	p->src = src;
	p->allow_all = hj_get(root, "acls") == NULL && hj_get(root, "grants") == NULL;
	r.policy = p;

	iplists_read(&r, root, p);
	names_read(&r, root, p);
	postures_read(&r, root);
	default_posture_read(&r, root);
	rules_read(&r, root, p);
	dns_section_read(&r, root, p);
	logs_read(&r, root, p);
	tests_read(&r, root, p);
	ssh_read(&r, root, p);
	nodes_check(&r, root);
	ignored_report(&r, root);
	p->needs = r.needs;
	p->n_needs = r.n_needs;
	p->zones = r.zones;
	p->n_zones = r.n_zones;
	return doc_reader_failed(&r) ? NULL : p;
}
