/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/blocked_text.h"

#include "dnsd/packet.h"

struct text_out {
	char *at, *end; /* room for the NUL is behind .end */
};

static void put(struct text_out *o, const char *text, size_t len)
{
	size_t room = (size_t)(o->end - o->at);

	if (len > room)
		len = room;
	memcpy(o->at, text, len);
	o->at += len;
}

static void put_text(struct text_out *o, const char *text)
{
	put(o, text, strlen(text));
}

static void put_number(struct text_out *o, uint32_t n)
{
	char digits[10];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	put(o, digits + at, sizeof(digits) - at);
}

/* Host names as they are; others through dname_print(), which knows the escapes. */
static void put_name(struct text_out *o, const struct dname *n)
{
	char buf[DNAME_TEXT_MAX];
	size_t at = 0;

	for (size_t i = 0; n->wire[i] != 0; i += n->wire[i] + 1u) {
		if (i != 0)
			buf[at++] = '.';
		for (size_t k = 1; k <= n->wire[i]; k++) {
			uint8_t c = n->wire[i + k];

			if (c <= ' ' || c >= 0x7f || c == '.' || c == '\\' || c == '"') {
				put_text(o, dname_print(n, buf));
				return;
			}
			buf[at++] = (char)c;
		}
	}
	put(o, buf, at);
}

/* As list_rule_print(), which does the rest. */
static void put_rule(struct text_out *o, const struct name_verdict *v)
{
	const struct list_rule *r = &v->match.hit.rule;
	char buf[VERDICT_RULE_MAX];

	if (v->by == VERDICT_BY_LIST && r->terms_len == 0 && r->action == LIST_BLOCK && r->kind == LIST_SUBTREE) {
		put(o, "||", 2);
		put_name(o, &r->name);
		put(o, "^", 1);
	} else if (v->by == VERDICT_BY_LIST && r->terms_len == 0 && r->action == LIST_BLOCK && r->kind == LIST_NAME &&
		   r->name.labels > 1) {
		put_name(o, &r->name);
	} else {
		put_text(o, verdict_rule(v, buf, sizeof(buf)));
	}
}

static void put_where(struct text_out *o, const struct view *view, const struct name_verdict *v)
{
	switch (v->by) {
	case VERDICT_BY_DENY:
		put_text(o, "policy.hujson line ");
		put_number(o, v->line);
		break;
	case VERDICT_BY_FILTER:
		put_text(o, "policy.hujson ");
		put_text(o, view->filter_pos != NULL ? view->filter_pos : "filter");
		break;
	case VERDICT_BY_LIST:
	case VERDICT_BY_SAFE: /* a rewrite */
		put_text(o, "list ");
		put_text(o, v->list != NULL ? v->list : "?");
		put_text(o, " line ");
		put_number(o, v->line);
		break;
	case VERDICT_BY_NONE:
	case VERDICT_BY_RECORDS:
	case VERDICT_BY_CANARY:
	case VERDICT_BY_OVERRIDE:
	case VERDICT_BY_MAX:
		put_text(o, "blocked");
		break;
	}
}

static void put_part(struct text_out *o, const struct blocked_part *part)
{
	char buf[IP_TEXT_MAX];

	if (part->addr != NULL) {
		put_text(o, " (address ");
		put_text(o, ip_addr_print(part->addr, buf));
	} else {
		put_text(o, part->type == TYPE_CNAME ? " (CNAME target " : " (target ");
		put_name(o, part->target);
	}
	put_text(o, ")");
}

void blocked_text(const struct view *view, const struct name_verdict *v, const struct blocked_part *part, char *ret,
		  size_t size)
{
	struct text_out o = { .at = ret, .end = ret + size - 1 };

	if (v->by == VERDICT_BY_CANARY) {
		put_text(&o, "policy.hujson ");
		put_text(&o, v->pos);
		put_text(&o, ": this network's resolver is to be used");
	} else {
		put_where(&o, view, v);
		put_text(&o, ": ");
		put_rule(&o, v);
	}
	if (part != NULL)
		put_part(&o, part);
	*o.at = '\0';
}
