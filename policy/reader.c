/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Typed reading of HuJSON nodes. */
#include "policy/reader.h"

#include <stdarg.h>
#include <strings.h>

void doc_reader_init(struct doc_reader *r, struct arena *mem, const struct source *src, struct diag_list *diags)
{
	*r = (struct doc_reader){ .mem = mem, .src = src, .diags = diags, .errors_before = diags->n_errors };
}

bool doc_reader_failed(const struct doc_reader *r)
{
	return r->oom || r->diags->n_errors != r->errors_before;
}

static void *doc_memory(struct doc_reader *r, void *p)
{
	if (p == NULL && !r->oom) {
		r->oom = true;
		(void)diag_add(r->diags, DIAG_ERROR, "P0001", r->src, (struct span){ 0, 0 },
			       "out of memory: the file is too large for this machine or our limit");
	}
	return p;
}

void *doc_array(struct doc_reader *r, size_t n, size_t size)
{
	return doc_memory(r, n < SIZE_MAX ? arena_array(r->mem, n + 1, size) : NULL);
}

const char *doc_strndup(struct doc_reader *r, const char *s, size_t len)
{
	return doc_memory(r, arena_strndup(r->mem, s, len));
}

struct diag *doc_error(struct doc_reader *r, const char *code, struct span at, const char *fmt, ...)
{
	char msg[DIAG_MSG_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return diag_add(r->diags, DIAG_ERROR, code, r->src, at, "%s", msg);
}

struct diag *doc_warn(struct doc_reader *r, const char *code, struct span at, const char *fmt, ...)
{
	char msg[DIAG_MSG_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return diag_add(r->diags, DIAG_WARNING, code, r->src, at, "%s", msg);
}

struct diag *doc_note(struct doc_reader *r, const char *code, struct span at, const char *fmt, ...)
{
	char msg[DIAG_MSG_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return diag_add(r->diags, DIAG_NOTE, code, r->src, at, "%s", msg);
}

bool doc_once(struct doc_reader *r, enum doc_once what)
{
	bool first = (r->once & what) == 0;

	r->once |= what;
	return first;
}

const char **doc_hint_names(struct doc_reader *r, size_t n)
{
	return r->diags->n_errors < DIAG_MAX ? doc_array(r, n, sizeof(const char *)) : NULL;
}

const char *doc_hint(struct doc_reader *r, const char *word, const char *const *names)
{
	const char *near = NULL, *hint;

	/* Nobody sees the hint of an error that is only counted. */
	if (names != NULL && r->diags->n_errors < DIAG_MAX)
		near = diag_suggest(word, names);
	if (near == NULL)
		return "";
	hint = arena_printf(r->mem, ", did you mean \"%s\"?", near);
	return hint != NULL ? hint : "";
}

bool doc_is(struct doc_reader *r, const struct hj_node *node, enum hj_kind kind, const char *what)
{
	if (node->kind == kind)
		return true;
	(void)doc_error(r, "P0101", node->span, "%s must be %s, and this is %s", what, hj_kind_word(kind),
			hj_kind_word(node->kind));
	return false;
}

bool doc_members(struct doc_reader *r, const struct hj_node *node, const char *what, const char *const *names)
{
	if (!doc_is(r, node, HJ_OBJECT, what))
		return false;
	for (const struct hj_node *m = node->child; m != NULL; m = m->next) {
		const char *const *name = names;

		while (*name != NULL && strcasecmp(*name, m->key) != 0)
			name++;
		if (*name == NULL)
			(void)doc_error(r, "P0102", m->key_span, "unknown member \"%s\" in %s%s", m->key, what,
					doc_hint(r, m->key, names));
	}
	return true;
}

static const struct hj_node *member_of_kind(struct doc_reader *r, const struct hj_node *object, const char *name,
					    enum hj_kind kind)
{
	const struct hj_node *m = hj_get(object, name);

	return m != NULL && doc_is(r, m, kind, name) ? m : NULL;
}

const struct hj_node *doc_list(struct doc_reader *r, const struct hj_node *object, const char *name)
{
	return member_of_kind(r, object, name, HJ_ARRAY);
}

const struct hj_node *doc_map(struct doc_reader *r, const struct hj_node *object, const char *name)
{
	return member_of_kind(r, object, name, HJ_OBJECT);
}

const char *doc_string(struct doc_reader *r, const struct hj_node *object, const char *name, const char *otherwise)
{
	const struct hj_node *m = hj_get(object, name);
	const char *text = m != NULL ? doc_text(r, m, name) : NULL;

	return text != NULL ? text : otherwise;
}

bool doc_bool(struct doc_reader *r, const struct hj_node *object, const char *name, bool otherwise)
{
	const struct hj_node *m = member_of_kind(r, object, name, HJ_BOOL);

	return m != NULL ? m->boolean : otherwise;
}

uint32_t doc_uint(struct doc_reader *r, const struct hj_node *object, const char *name, uint32_t min, uint32_t max,
		  uint32_t otherwise)
{
	const struct hj_node *m = member_of_kind(r, object, name, HJ_NUMBER);

	if (m == NULL)
		return otherwise;
	if (!(m->number >= min && m->number <= max) || m->number != (double)(uint32_t)m->number) {
		(void)doc_error(r, "P0103", m->span, "%s must be a whole number from %u to %u", name, min, max);
		return otherwise;
	}
	return (uint32_t)m->number;
}

uint32_t doc_word(struct doc_reader *r, const struct hj_node *object, const char *name, const char *const *words,
		  uint32_t otherwise)
{
	const struct hj_node *node = hj_get(object, name);
	const char *text = doc_string(r, object, name, NULL);
	char all[96] = "";
	size_t len = 0;

	if (text == NULL)
		return otherwise;
	for (uint32_t i = 0; words[i] != NULL; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i > 0 ? ", " : "", words[i]);
	}
	(void)doc_error(r, "P0610", node->span, "%s \"%s\" is unknown: one of %s%s", name, text, all,
			doc_hint(r, text, words));
	return otherwise;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

const char *doc_text(struct doc_reader *r, const struct hj_node *node, const char *what)
{
	const char *s;
	size_t len;

	if (!doc_is(r, node, HJ_STRING, what))
		return NULL;
	for (s = node->string; blank(*s); s++)
		;
	len = strlen(s);
	if (len == 0) {
		(void)doc_error(r, "P0104", node->span, "%s is empty", what);
		return NULL;
	}
	if (!blank(s[len - 1]))
		return s;
	while (blank(s[len - 1]))
		len--;
	return doc_strndup(r, s, len);
}

const char *const *doc_texts(struct doc_reader *r, const struct hj_node *list, const char *what)
{
	const char **texts = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*texts));
	uint32_t n = 0;

	if (texts == NULL || list == NULL)
		return texts;
	for (const struct hj_node *m = list->child; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, what);

		if (text != NULL)
			texts[n++] = text;
	}
	return texts;
}

int doc_prefix(struct doc_reader *r, struct span at, const char *text, struct ip_prefix *ret)
{
	bool host_bits = false;
	char buf[IP_TEXT_MAX];

	if (ip_prefix_parse(text, ret, &host_bits) < 0)
		return -EINVAL;
	if (host_bits)
		(void)doc_warn(r, "P0210", at, "%s has bits set behind its prefix length: read as %s", text,
			       ip_prefix_print(ret, buf));
	return 0;
}
