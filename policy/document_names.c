/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a policy defines: groups, hosts, tags. Sorted by name, so that they are found by binary search. */
#include "policy/ipset.h"
#include "policy/sections.h"
#include "policy/selector.h"

static int group_cmp(const void *a, const void *b)
{
	return strcmp(((const struct doc_group *)a)->name, ((const struct doc_group *)b)->name);
}

static int tag_cmp(const void *a, const void *b)
{
	return strcmp(((const struct doc_tag *)a)->name, ((const struct doc_tag *)b)->name);
}

static int host_cmp(const void *a, const void *b)
{
	return strcmp(((const struct doc_host *)a)->name, ((const struct doc_host *)b)->name);
}

/* "group:x" with something behind the colon, and no blanks or commas, which are always slips of the keyboard. */
static bool name_check(struct doc_reader *r, const struct hj_node *m, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(m->key, prefix, len) != 0) {
		(void)doc_error(r, "P0501", m->key_span, "\"%s\": names here begin with %s", m->key, prefix);
		return false;
	}
	if (m->key[len] == '\0' || strpbrk(m->key, " \t,") != NULL) {
		(void)doc_error(r, "P0502", m->key_span, "\"%s\" is no name", m->key);
		return false;
	}
	return true;
}

static const char *const *group_members_read(struct doc_reader *r, const struct hj_node *list)
{
	const char **members = doc_array(r, list->n_children, sizeof(*members));
	uint32_t n = 0;

	for (const struct hj_node *m = members != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, "a member of a group");

		if (text == NULL)
			continue;
		if (strncmp(text, "group:", 6) == 0)
			(void)doc_error(r, "P0503", m->span, "%s: a group cannot contain a group: name its users",
					text);
		else if (strncmp(text, "user:", 5) == 0 || strchr(text, '@') == NULL || strpbrk(text, " \t,") != NULL)
			(void)doc_error(r, "P0503", m->span,
					"%s is no user: groups list users by name, as ana@example.com", text);
		else
			members[n++] = text;
	}
	return members;
}

static void groups_read(struct doc_reader *r, const struct hj_node *map, struct doc_policy *p)
{
	struct doc_group *groups = doc_array(r, map != NULL ? map->n_children : 0, sizeof(*groups));
	uint32_t n = 0;

	if (map == NULL || groups == NULL)
		return;
	for (const struct hj_node *m = map->child; m != NULL; m = m->next) {
		if (!name_check(r, m, "group:") || !doc_is(r, m, HJ_ARRAY, m->key))
			continue;
		groups[n++] =
			(struct doc_group){ .name = m->key, .span = m->key_span, .members = group_members_read(r, m) };
	}
	qsort(groups, n, sizeof(*groups), group_cmp);
	p->groups = groups;
	p->n_groups = n;
}

static bool tag_name_check(struct doc_reader *r, const struct hj_node *m)
{
	const char *c = m->key + strlen("tag:");

	if (!name_check(r, m, "tag:"))
		return false;
	if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'))) {
		(void)doc_error(r, "P0504", m->key_span, "%s: a tag begins with a letter from a to z", m->key);
		return false;
	}
	return true;
}

static void tags_read(struct doc_reader *r, const struct hj_node *map, struct doc_policy *p)
{
	struct doc_tag *tags = doc_array(r, map != NULL ? map->n_children : 0, sizeof(*tags));
	uint32_t n = 0;

	if (map == NULL || tags == NULL)
		return;
	for (const struct hj_node *m = map->child; m != NULL; m = m->next)
		if (tag_name_check(r, m))
			tags[n++] = (struct doc_tag){ .name = m->key, .span = m->key_span };
	qsort(tags, n, sizeof(*tags), tag_cmp);
	p->tags = tags;
	p->n_tags = n;
}

/* Who does such things here is who writes the device list; but a name must exist. */
void owner_check(struct doc_reader *r, const struct hj_node *node, const char *what)
{
	const char *text = doc_text(r, node, what);

	if (text == NULL)
		return;
	if (strncmp(text, "group:", 6) == 0)
		(void)group_check(r, node->span, text);
	else if (strncmp(text, "tag:", 4) == 0)
		(void)tag_check(r, node->span, text);
	else if (strncmp(text, "autogroup:", 10) != 0 && strchr(text, '@') == NULL)
		(void)doc_error(r, "P0505", node->span, "%s cannot be %s: a user, group, tag or autogroup", text, what);
}

static void tag_owners_check(struct doc_reader *r, const struct hj_node *map)
{
	for (const struct hj_node *m = map != NULL ? map->child : NULL; m != NULL; m = m->next) {
		if (!doc_is(r, m, HJ_ARRAY, m->key))
			continue;
		for (const struct hj_node *o = m->child; o != NULL; o = o->next)
			owner_check(r, o, "an owner of a tag");
	}
}

/* A host that looks like another selector would never be found under its name. */
static bool host_name_check(struct doc_reader *r, const struct hj_node *m)
{
	struct ip_prefix prefix;

	if (m->key[0] == '\0' || strpbrk(m->key, "@: \t,*") != NULL || ip_prefix_parse(m->key, &prefix, NULL) == 0) {
		(void)doc_error(r, "P0506", m->key_span,
				"\"%s\" cannot be the name of a host: no @ : * comma or blank, and no address", m->key);
		return false;
	}
	return true;
}

static void hosts_read(struct doc_reader *r, const struct hj_node *map, struct doc_policy *p)
{
	struct doc_host *hosts = doc_array(r, map != NULL ? map->n_children : 0, sizeof(*hosts));
	uint32_t n = 0;

	if (map == NULL || hosts == NULL)
		return;
	for (const struct hj_node *m = map->child; m != NULL; m = m->next) {
		struct doc_host h = { .name = m->key, .span = m->key_span };
		const char *text = doc_text(r, m, "a host");

		if (!host_name_check(r, m) || text == NULL)
			continue;
		if (doc_prefix(r, m->span, text, &h.prefix) < 0) {
			(void)doc_error(r, "P0507", m->span, "%s is neither an address nor a CIDR", text);
			continue;
		}
		h.is_cidr = strchr(text, '/') != NULL;
		hosts[n++] = h;
	}
	qsort(hosts, n, sizeof(*hosts), host_cmp);
	p->hosts = hosts;
	p->n_hosts = n;
}

void names_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p)
{
	const struct hj_node *owners = doc_map(r, root, "tagOwners");

	groups_read(r, doc_map(r, root, "groups"), p);
	tags_read(r, owners, p);
	tag_owners_check(r, owners);
	hosts_read(r, doc_map(r, root, "hosts"), p);
	ipsets_read(r, doc_map(r, root, "ipsets"));
}
