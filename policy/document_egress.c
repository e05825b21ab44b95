/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gateway.hujson: ways out of this host that grants may choose, and who leaves it untranslated.
 *
 *   "egress": {"vpn": {"interface": "wg-out"}, "lab": {"table": 51}, "corp": {"mark": 768, "mask": 3840}}
 *   "nat": {"routed": ["2001:db8:51::/64"]} */
#include "policy/document_egress.h"

#include <linux/rtnetlink.h>

#define IFNAME_MAX_BYTES 15 /* IFNAMSIZ - 1 */
#define ROUTED_MAX	 16 /* delegated prefixes: a provider gives one or two */
#define MASK_ALL	 0xffffffffu

void doc_interface_check(struct doc_reader *r, struct span at, const char *name)
{
	if (strlen(name) > IFNAME_MAX_BYTES || strpbrk(name, "/: \t\n%\"") != NULL || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		(void)doc_error(r, "P1202", at, "\"%s\" is no name of an interface: up to %u bytes, no / : \" or blank",
				name, IFNAME_MAX_BYTES);
}

static void interface_read(struct doc_reader *r, const struct hj_node *node, const struct doc_tunnel *tunnel,
			   struct egress *e)
{
	const struct hj_node *name = hj_get(node, "interface");

	e->interface = doc_string(r, node, "interface", NULL);
	if (e->interface == NULL)
		return;
	doc_interface_check(r, name->span, e->interface);
	if (tunnel->interface != NULL && strcmp(e->interface, tunnel->interface) == 0)
		(void)doc_error(r, "P1206", name->span, "%s is the tunnel, by which the devices come", e->interface);
}

static void mark_read(struct doc_reader *r, const struct hj_node *node, struct egress *e)
{
	e->kind = EGRESS_MARK;
	e->mark = doc_uint(r, node, "mark", 1, MASK_ALL, 1);
	e->mask = doc_uint(r, node, "mask", 1, MASK_ALL, MASK_ALL);
	if ((e->mark & ~e->mask) != 0)
		(void)doc_error(r, "P1207", hj_get(node, "mark")->span, "mark 0x%x has bits outside of mask 0x%x",
				e->mark, e->mask);
}

static void egress_read(struct doc_reader *r, const struct hj_node *node, const struct doc_tunnel *tunnel,
			struct egress *e)
{
	static const char *const members[] = { "interface", "table", "mark", "mask", NULL };
	bool table = hj_get(node, "table") != NULL, mark = hj_get(node, "mark") != NULL;

	interface_read(r, node, tunnel, e);
	if (table && mark)
		(void)doc_error(r, "P1206", node->span, "egress \"%s\": either \"table\" or \"mark\"", e->name);
	else if (!table && !mark && hj_get(node, "interface") == NULL)
		(void)doc_error(r, "P1206", node->span,
				"egress \"%s\" leads nowhere: give it \"interface\", \"table\" or \"mark\"", e->name);
	if (!mark && hj_get(node, "mask") != NULL)
		(void)doc_error(r, "P1206", hj_get(node, "mask")->key_span, "\"mask\" without \"mark\"");
	(void)doc_members(r, node, "an egress", members);
	if (mark) {
		mark_read(r, node, e);
		return;
	}
	if (table) {
		e->kind = EGRESS_TABLE;
		e->table = doc_uint(r, node, "table", 1, MASK_ALL, RT_TABLE_MAIN);
		if (e->table == RT_TABLE_LOCAL)
			(void)doc_error(r, "P1206", hj_get(node, "table")->span, "table 255 leads to this host itself");
	}
}

/* A mark of the user's that reaches into our bits would choose one of our tables. */
static void marks_check(struct doc_reader *r, const struct hj_node *section, const struct egress_list *l)
{
	bool ours = false;

	for (uint32_t i = 0; i < l->n; i++)
		ours = ours || l->items[i].kind != EGRESS_MARK;
	for (uint32_t i = 0; i < l->n; i++)
		if (ours && l->items[i].kind == EGRESS_MARK && (l->items[i].mask & EGRESS_MARKED) != 0)
			(void)doc_error(r, "P1207", hj_get(section, l->items[i].name)->span,
					"mask 0x%x of egress \"%s\" reaches into 0x%x, by which the others go: give "
					"it a \"mask\" below",
					l->items[i].mask, l->items[i].name, EGRESS_MARKED);
}

static void egresses_read(struct doc_reader *r, const struct hj_node *section, struct doc_gateway *g)
{
	struct egress *items = doc_array(r, section->n_children, sizeof(*items));
	uint32_t n = 0;

	if (section->n_children > EGRESS_MAX) {
		(void)doc_error(r, "P1206", section->span, "more than %u ways out", EGRESS_MAX);
		return;
	}
	for (const struct hj_node *m = items != NULL ? section->child : NULL; m != NULL; m = m->next) {
		struct egress *e = &items[n];

		if (!egress_name_valid(m->key))
			(void)doc_error(r, "P1205", m->key_span, "\"%s\" is no name of an egress: " EGRESS_NAME_FORM,
					m->key);
		if (!doc_is(r, m, HJ_OBJECT, m->key))
			continue;
		*e = (struct egress){ .name = m->key, .mark = egress_mark(n), .mask = EGRESS_MARKED };
		egress_read(r, m, &g->tunnel, e);
		n++;
	}
	g->egress = (struct egress_list){ .items = items, .n = n };
	marks_check(r, section, &g->egress);
}

static void routed_read(struct doc_reader *r, const struct hj_node *nat, struct doc_gateway *g)
{
	const struct hj_node *list = doc_list(r, nat, "routed");
	struct ip_prefix *nets = list != NULL ? doc_array(r, list->n_children, sizeof(*nets)) : NULL;

	if (nets != NULL && list->n_children > ROUTED_MAX) {
		(void)doc_error(r, "P1208", list->span, "more than %u routed networks", ROUTED_MAX);
		return;
	}
	for (const struct hj_node *m = nets != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, "a routed network");
		struct ip_prefix *p = &nets[g->n_routed];

		if (text == NULL)
			continue;
		if (doc_prefix(r, m->span, text, p) < 0 || p->len == 0)
			(void)doc_error(r, "P1208", m->span, "%s is no network: write it as 2001:db8:51::/64", text);
		else
			g->n_routed++;
	}
	g->routed = nets;
}

void egress_section_read(struct doc_reader *r, const struct hj_node *root, struct doc_gateway *g)
{
	static const char *const members[] = { "routed", NULL };
	const struct hj_node *section = doc_map(r, root, "egress"), *nat = doc_map(r, root, "nat");

	if (section != NULL)
		egresses_read(r, section, g);
	if (nat != NULL && doc_members(r, nat, "nat", members))
		routed_read(r, nat, g);
}
