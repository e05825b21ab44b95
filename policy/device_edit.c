/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The places of values in the tree say what to replace. Where there is no "state" yet, it goes behind the name, which
 * every device has: on a line of its own where the name and what follows it have lines of their own. */
#include "policy/device_edit.h"

#include <strings.h>

/* "replace [start, end) by this". */
struct patch {
	struct span at;
	const char *text;
};

static bool is_named(const struct doc_device *d, const char *device, const struct ip_addr *addr)
{
	for (uint32_t i = 0; addr != NULL && i < d->n_addrs; i++) {
		if (ip_addr_cmp(&d->addrs[i], addr) == 0)
			return true;
	}
	return addr == NULL && strcasecmp(d->name, device) == 0;
}

static const struct doc_device *device_find(const struct doc_devices *list, const char *device)
{
	struct ip_addr addr;
	bool is_addr = ip_addr_parse(device, &addr) == 0;

	for (uint32_t i = 0; i < list->n_devices; i++) {
		if (is_named(&list->devices[i], device, is_addr ? &addr : NULL))
			return &list->devices[i];
	}
	return NULL;
}

/* The object that begins where the device does. */
static const struct hj_node *node_at(const struct hj_node *root, const struct doc_device *d)
{
	const struct hj_node *list = hj_get(root, "devices");
	const struct hj_node *m = list != NULL ? list->child : NULL;

	while (m != NULL && m->span.start != d->span.start)
		m = m->next;
	return m;
}

static uint32_t line_of(const struct source *src, uint32_t offset)
{
	uint32_t line, col;

	source_locate(src, offset, &line, &col);
	return line;
}

/* What stands before the member on its line, if that is blank and the next member is on another line; else a space. */
static const char *separator(struct arena *mem, const struct source *src, const struct hj_node *member)
{
	uint32_t at = member->key_span.start, line = line_of(src, at), start = src->line_starts[line - 1];
	uint32_t next = member->next != NULL ? line_of(src, member->next->key_span.start) : 0;

	if (strspn(src->text + start, " \t") != at - start || next == line)
		return " ";
	return arena_printf(mem, "\n%.*s", (int)(at - start), src->text + start);
}

static int patch_make(struct arena *mem, const struct source *src, const struct hj_node *device, const char *word,
		      struct patch *ret)
{
	const struct hj_node *state = hj_get(device, "state"), *name = hj_get(device, "name");
	const char *before;

	if (state != NULL) {
		ret->at = state->span;
		ret->text = arena_printf(mem, "\"%s\"", word);
	} else {
		before = separator(mem, src, name);
		ret->at = (struct span){ name->span.end, name->span.end };
		ret->text = before != NULL ? arena_printf(mem, ",%s\"state\": \"%s\"", before, word) : NULL;
	}
	return ret->text != NULL ? 0 : -ENOMEM;
}

static int patch_apply(struct arena *mem, const struct source *src, const struct patch *p, struct device_edit *ret)
{
	size_t len = strlen(p->text), tail = src->len - p->at.end;
	char *text = arena_alloc(mem, p->at.start + len + tail + 1);

	if (text == NULL)
		return -ENOMEM;
	memcpy(text, src->text, p->at.start);
	memcpy(text + p->at.start, p->text, len);
	memcpy(text + p->at.start + len, src->text + p->at.end, tail);
	ret->text = text;
	ret->len = p->at.start + len + tail;
	text[ret->len] = '\0';
	return 0;
}

int device_edit_state(struct arena *mem, const struct source *src, const char *device, enum device_state to,
		      struct diag_list *diags, struct device_edit *ret)
{
	const struct doc_devices *list = document_devices(mem, src, diags);
	const struct hj_node *root = list != NULL ? hujson_parse(mem, src, diags) : NULL;
	const struct doc_device *d = list != NULL ? device_find(list, device) : NULL;
	const struct hj_node *node = d != NULL && root != NULL ? node_at(root, d) : NULL;
	struct patch patch;
	int r;

	*ret = (struct device_edit){ 0 };
	if (list == NULL || root == NULL)
		return -EINVAL;
	if (node == NULL)
		return -ENOENT;
	ret->name = d->name;
	ret->was = d->state;
	r = patch_make(mem, src, node, to == DEVICE_QUARANTINED ? "quarantined" : "active", &patch);
	return r == 0 ? patch_apply(mem, src, &patch, ret) : r;
}
