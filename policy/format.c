/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layout of HuJSON. The text is read by hujson.c first, so that only what is known to be right comes here: this reader
 * keeps comments and blank lines, and knows nothing of errors.
 *
 * The layout depends on the values, the comments and the blank lines alone, not on where lines were broken: formatting
 * twice is formatting once. Comments stay in front of what they stood in front of, or behind it when they end its line;
 * those between a name and its value move in front of the name. */
#include "policy/format.h"

/* Columns of a line that holds a whole list or object, tabs counted as 8. */
#define FORMAT_WIDTH_MAX 100
/* Lists and objects within one on one line: beyond, nobody finds the right bracket. */
#define FORMAT_FLAT_DEPTH_MAX 2

struct note {
	const char *text;
	size_t len;
	bool blank; /* an empty line before it */
	struct note *next;
};

struct notes {
	struct note *first, **end;
};

struct item {
	const char *key, *text; /* as written, key with quotes; NULL: none */
	size_t key_len, len;
	char open; /* '{', '[', or 0: a scalar */
	bool blank;
	struct notes before, after; /* on lines of their own; at the end of its line */
	struct notes tail;	    /* before the closing bracket */
	struct item *child, *next;
	size_t width;	/* on one line */
	uint32_t depth; /* lists and objects within, itself included */
	bool noted;	/* comments or blank lines inside: not on one line */
};

struct layout {
	struct arena *mem;
	const char *at, *end;
	bool oom;
	FILE *out;
};

static void *layout_alloc(struct layout *l, size_t size)
{
	void *p = arena_alloc(l->mem, size);

	l->oom = l->oom || p == NULL;
	return p;
}

static void notes_init(struct notes *n)
{
	n->first = NULL;
	n->end = &n->first;
}

static void notes_move(struct notes *to, struct notes *from)
{
	if (from->first == NULL)
		return;
	*to->end = from->first;
	to->end = from->end;
	notes_init(from);
}

/* Past blanks; how many lines ended there. */
static uint32_t blanks_skip(struct layout *l)
{
	uint32_t lines = 0;

	while (l->at < l->end && (*l->at == ' ' || *l->at == '\t' || *l->at == '\n' || *l->at == '\r'))
		lines += *l->at++ == '\n';
	return lines;
}

static bool at_comment(const struct layout *l)
{
	return l->end - l->at >= 2 && l->at[0] == '/' && (l->at[1] == '/' || l->at[1] == '*');
}

static void comment_read(struct layout *l, bool blank, struct notes *to)
{
	struct note *n = layout_alloc(l, sizeof(*n));
	const char *start = l->at, *last;

	if (l->at[1] == '/') {
		while (l->at < l->end && *l->at != '\n')
			l->at++;
	} else {
		l->at += 2;
		while (l->end - l->at >= 2 && !(l->at[0] == '*' && l->at[1] == '/'))
			l->at++;
		l->at += 2;
	}
	for (last = l->at; last > start && (last[-1] == ' ' || last[-1] == '\t' || last[-1] == '\r');)
		last--;
	if (n == NULL)
		return;
	*n = (struct note){ .text = start, .len = (size_t)(last - start), .blank = blank };
	*to->end = n;
	to->end = &n->next;
}

/* All blanks and comments from here into @to; an empty line before what follows? */
static bool gap_read(struct layout *l, struct notes *to)
{
	uint32_t lines = blanks_skip(l);

	while (at_comment(l)) {
		comment_read(l, lines > 1, to);
		lines = blanks_skip(l);
	}
	return lines > 1;
}

/* Comments on the rest of the line that just held @it. A comment with something behind it belongs to that: it is left
 * in @next. */
static void line_end_read(struct layout *l, struct item *it, struct notes *next)
{
	const char *start = l->at;
	struct notes found;

	notes_init(&found);
	while (blanks_skip(l) == 0 && at_comment(l)) {
		comment_read(l, /* blank= */ false, &found);
		start = l->at;
	}
	if (memchr(start, '\n', (size_t)(l->at - start)) != NULL || l->at >= l->end || strchr(",]}", *l->at) != NULL)
		notes_move(&it->after, &found);
	else
		notes_move(next, &found);
	l->at = start; /* blank lines are counted again by who reads on */
}

static void scalar_read(struct layout *l, const char **ret, size_t *ret_len)
{
	const char *start = l->at;

	if (*l->at == '"') {
		for (l->at++; l->at < l->end && *l->at != '"'; l->at++)
			l->at += *l->at == '\\';
		l->at++;
	} else {
		while (l->at < l->end && strchr(" \t\r\n,:]}/", *l->at) == NULL)
			l->at++;
	}
	*ret = start;
	*ret_len = (size_t)(l->at - start);
}

static void value_read(struct layout *l, struct item *it);

static struct item *item_new(struct layout *l)
{
	struct item *it = layout_alloc(l, sizeof(*it));

	if (it == NULL)
		return NULL;
	notes_init(&it->before);
	notes_init(&it->after);
	notes_init(&it->tail);
	return it;
}

static void member_read(struct layout *l, struct item *it, bool named)
{
	if (named) {
		scalar_read(l, &it->key, &it->key_len);
		(void)gap_read(l, &it->before);
		l->at++; /* ':' */
		(void)gap_read(l, &it->before);
	}
	value_read(l, it);
}

static void children_read(struct layout *l, struct item *parent, char close)
{
	struct item **link = &parent->child;
	struct notes next;
	bool blank;

	notes_init(&next);
	l->at++;
	for (;;) {
		struct item *it;

		blank = gap_read(l, &next);
		if (l->oom || *l->at == close)
			break;
		it = item_new(l);
		if (it == NULL)
			break;
		/* Of a value with comments in front, .blank is the gap between them and it. */
		it->blank = blank;
		notes_move(&it->before, &next);
		member_read(l, it, close == '}');
		line_end_read(l, it, &next);
		(void)gap_read(l, &next);
		if (*l->at == ',') {
			l->at++;
			if (next.first == NULL)
				line_end_read(l, it, &next);
		}
		*link = it;
		link = &it->next;
	}
	notes_move(&parent->tail, &next);
	l->at++;
}

/* Width, depth and whether it can be on one line, from the same of its children. */
static void measure(struct item *it)
{
	it->width = it->key_len + (it->key != NULL ? 2 : 0) + (it->open != '\0' ? 2 : it->len);
	it->depth = it->open != '\0';
	it->noted = it->tail.first != NULL;
	for (const struct item *c = it->child; c != NULL; c = c->next) {
		it->width += c->width + (c->next != NULL ? 2 : 0);
		it->noted = it->noted || c->noted || c->before.first != NULL || c->after.first != NULL ||
			    (c != it->child && c->blank);
		if (c->depth >= it->depth)
			it->depth = c->depth + 1;
	}
}

static void value_read(struct layout *l, struct item *it)
{
	if (*l->at == '{' || *l->at == '[') {
		it->open = *l->at;
		children_read(l, it, it->open == '{' ? '}' : ']');
	} else {
		scalar_read(l, &it->text, &it->len);
	}
	measure(it);
}

static void indent(struct layout *l, uint32_t depth)
{
	for (uint32_t i = 0; i < depth; i++)
		(void)fputc('\t', l->out);
}

static void text_put(struct layout *l, const char *text, size_t len)
{
	(void)fwrite(text, 1, len, l->out);
}

/* @first: nothing stands above in these brackets, so that an empty line would be lost space. */
static bool notes_put(struct layout *l, const struct notes *notes, uint32_t depth, bool first)
{
	for (const struct note *n = notes->first; n != NULL; n = n->next) {
		if (n->blank && !first)
			(void)fputc('\n', l->out);
		indent(l, depth);
		text_put(l, n->text, n->len);
		(void)fputc('\n', l->out);
		first = false;
	}
	return first;
}

static void flat_put(struct layout *l, const struct item *it)
{
	if (it->key != NULL) {
		text_put(l, it->key, it->key_len);
		(void)fputs(": ", l->out);
	}
	if (it->open == '\0') {
		text_put(l, it->text, it->len);
		return;
	}
	(void)fputc(it->open, l->out);
	for (const struct item *c = it->child; c != NULL; c = c->next) {
		flat_put(l, c);
		if (c->next != NULL)
			(void)fputs(", ", l->out);
	}
	(void)fputc(it->open == '{' ? '}' : ']', l->out);
}

static bool is_flat(const struct item *it, uint32_t depth)
{
	if (it->open == '\0' || (it->child == NULL && !it->noted))
		return true;
	return depth > 0 && !it->noted && it->depth <= FORMAT_FLAT_DEPTH_MAX &&
	       depth * 8 + it->width + 1 <= FORMAT_WIDTH_MAX;
}

static void item_put(struct layout *l, const struct item *it, uint32_t depth)
{
	bool first = true;

	if (is_flat(it, depth)) {
		flat_put(l, it);
		return;
	}
	if (it->key != NULL) {
		text_put(l, it->key, it->key_len);
		(void)fputs(": ", l->out);
	}
	(void)fputc(it->open, l->out);
	(void)fputc('\n', l->out);
	for (const struct item *c = it->child; c != NULL; c = c->next) {
		first = notes_put(l, &c->before, depth + 1, first);
		if (c->blank && !first)
			(void)fputc('\n', l->out);
		first = false;
		indent(l, depth + 1);
		item_put(l, c, depth + 1);
		(void)fputc(',', l->out);
		for (const struct note *n = c->after.first; n != NULL; n = n->next) {
			(void)fputc(' ', l->out);
			text_put(l, n->text, n->len);
		}
		(void)fputc('\n', l->out);
	}
	(void)notes_put(l, &it->tail, depth + 1, first);
	indent(l, depth);
	(void)fputc(it->open == '{' ? '}' : ']', l->out);
}

int format_hujson(struct arena *mem, const struct source *src, struct diag_list *diags, FILE *out)
{
	struct layout l = { .mem = mem, .at = src->text, .end = src->text + src->len, .out = out };
	struct notes below;
	struct item *root;

	if (hujson_parse(mem, src, diags) == NULL)
		return -EINVAL;
	root = item_new(&l);
	if (root == NULL)
		return -ENOMEM;
	if (strncmp(l.at, "\xef\xbb\xbf", 3) == 0) /* a byte order mark says nothing in UTF-8 */
		l.at += 3;
	root->blank = gap_read(&l, &root->before);
	value_read(&l, root);
	line_end_read(&l, root, &root->after);
	notes_init(&below);
	(void)gap_read(&l, &below);
	if (l.oom)
		return -ENOMEM;
	if (!notes_put(&l, &root->before, 0, true) && root->blank)
		(void)fputc('\n', out);
	item_put(&l, root, 0);
	for (const struct note *n = root->after.first; n != NULL; n = n->next) {
		(void)fputc(' ', out);
		text_put(&l, n->text, n->len);
	}
	(void)fputc('\n', out);
	(void)notes_put(&l, &below, 0, /* first= */ false);
	return 0;
}
