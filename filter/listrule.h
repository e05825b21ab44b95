/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a line of a block list says, in whatever format it was written: the one form that parsers make, the builder
 * compiles and the matcher judges by. Pure.
 *
 * A rule says where it holds (kind: a name, names below it, an address, a pattern) and what follows (action). Almost
 * all rules say no more than that. What the others say beside is their terms: conditions, and what is answered. */
#pragma once

#include "sluice/addr.h"
#include "sluice/dname.h"

/* Where a rule holds. Of the first six, those that have no terms cost 15 bytes; all others are records of their own.
 * The order is that of precedence: what is more particular first. */
enum list_kind {
	LIST_CLIENT_ADDRESS = 0, /* any name, asked by a client in .prefix: RPZ's rpz-client-ip */
	LIST_NAME,		 /* this name alone */
	LIST_BELOW,		 /* what is below it, and not itself: RPZ's "*.name" */
	LIST_SUBTREE,		 /* it and what is below it */
	LIST_ADDRESS,		 /* an answer's address in .prefix */
	LIST_PATTERN,		 /* AdGuard's, with * or without anchors: TERM_PATTERN */
	LIST_REGEX,		 /* TERM_REGEX */
	LIST_KIND_MAX
};

enum list_action {
	LIST_BLOCK = 0, /* as the view answers blocked names, or as TERM_ANSWER says */
	LIST_ALLOW,	/* "@@", rpz-passthru */
	LIST_REWRITE,	/* another answer: TERM_ANSWER, TERM_CNAME or TERM_RECORD says which */
	LIST_KEEP,	/* "@@…$dnsrewrite": rewrites do not apply; with TERM_ANSWER and its like only equal ones */
	LIST_ACTION_MAX
};

/* How a blocked or rewritten name is answered. */
enum list_answer {
	LIST_ANSWER_VIEW = 0, /* as the view says */
	LIST_ANSWER_NODATA,   /* NOERROR and no record */
	LIST_ANSWER_NXDOMAIN,
	LIST_ANSWER_REFUSED,
	LIST_ANSWER_SERVFAIL,
	LIST_ANSWER_DROP,     /* none: rpz-drop */
	LIST_ANSWER_TCP_ONLY, /* over UDP with TC and nothing else, over TCP as if there were no rule: rpz-tcp-only */
	LIST_ANSWER_MAX
};

/* A term is a byte of type (with TERM_NOT where it is denied), two of length, in the machine's order, and data. */
enum list_term_type {
	/* A byte of enum list_anchor, then text in lower case without the anchors. It is matched on the dotted name in
	 * lower case without a dot at the end, or on an address as ip_addr_print() writes it. * stands for any run of
	 * characters, dots among them, or for none; every other byte for itself. Without anchors the text may be
	 * anywhere; empty, it is in every name. The same is written in one way only: no two * in a row, none at the
	 * text's begin or end (an anchor there would say nothing). */
	TERM_PATTERN = 1,
	TERM_REGEX, /* a byte: 1 = holds where it does not match (Pi-hole's ;invert); then PCRE2's text */
	/* Conditions. Of one type any one that is not denied must hold, and none that is denied may (if all are denied,
	 * any client, type … else will do); all types must hold. */
	TERM_CLIENT_NET,  /* struct ip_prefix */
	TERM_CLIENT_NAME, /* text: a device's name */
	TERM_CLIENT_TAG,  /* text, "tag:tv": a tag that the device has */
	TERM_TYPE,	  /* uint16_t: the type asked for; of an answer's record, its own */
	TERM_DENYALLOW,	  /* name in wire form: the rule does not hold at and below it; never for addresses. Not counted
			     above */
	/* Answers. */
	TERM_ANSWER,	  /* a byte of enum list_answer */
	TERM_CNAME,	  /* name in wire form */
	TERM_CNAME_BELOW, /* the same; the name asked for is put in front of it: RPZ's "CNAME *.garden." */
	TERM_RECORD,	  /* uint16_t type, uint32_t ttl_s (0 = the view's for blocked names), rdata in wire form */
	/* For people. */
	TERM_TEXT, /* the rule as it was written; cut to LIST_TEXT_MAX */
	TERM_MAX
};

#define TERM_NOT 0x80u

/* Of TERM_PATTERN. */
enum list_anchor {
	LIST_ANCHOR_LABEL = 1, /* "||": the name's begin, or behind a dot */
	LIST_ANCHOR_BEGIN = 2, /* "|" in front */
	LIST_ANCHOR_END = 4,   /* "^" or "|" at the end */
};

#define LIST_TERMS_MAX 8192u /* bytes of one rule's terms: a line of LIST_LINE_MAX_BYTES, its names in wire form */
#define LIST_TEXT_MAX  255u

struct list_rule {
	enum list_kind kind;
	enum list_action action;
	bool important;
	bool badfilter;		 /* takes away the rule that says the same without it; no rule by itself */
	uint8_t modifiers;	 /* written with it, for the order; $important and $badfilter not counted */
	struct dname name;	 /* NAME, BELOW, SUBTREE */
	struct ip_prefix prefix; /* ADDRESS, CLIENT_ADDRESS */
	const uint8_t *terms;	 /* borrowed; NULL when none */
	uint16_t terms_len;
};

/* Nothing but its name or address, block or allow: a row of the compiled file. */
static inline bool list_rule_plain(const struct list_rule *r)
{
	return r->terms_len == 0 && !r->important && !r->badfilter && r->modifiers == 0 && r->action <= LIST_ALLOW;
}

/* One term as it is read. */
struct list_term {
	enum list_term_type type;
	bool denied;
	const uint8_t *data; /* unaligned */
	uint16_t len;
};

/* Terms being written. */
struct list_terms {
	uint8_t bytes[LIST_TERMS_MAX];
	uint16_t len;
	bool full; /* one did not fit */
};

void list_terms_put(struct list_terms *t, enum list_term_type type, bool denied, const void *data, size_t len);
/* A byte, then @data. */
void list_terms_put_tagged(struct list_terms *t, enum list_term_type type, uint8_t tag, const void *data, size_t len);
void list_terms_put_record(struct list_terms *t, uint16_t type, uint32_t ttl_s, const void *data, size_t len);

/* Iterates: *@at is 0 at first. False at the end. Of terms that list_terms_check() has accepted. */
bool list_terms_next(const uint8_t *terms, size_t len, size_t *at, struct list_term *ret);
/* Whatever the bytes: every term is whole, of a known type, and its data as the type says. */
bool list_terms_check(const uint8_t *terms, size_t len);
/* The first of that type; false: none. */
bool list_terms_find(const uint8_t *terms, size_t len, enum list_term_type type, struct list_term *ret);

/* Of a name term: what list_terms_check() has looked at. */
void list_term_name(const struct list_term *t, struct dname *ret);
/* Of TERM_RECORD; *@ret_data is inside the term. */
void list_term_record(const struct list_term *t, uint16_t *ret_type, uint32_t *ret_ttl_s, const uint8_t **ret_data,
		      uint16_t *ret_len);

/* The rule as a line of a list: TERM_TEXT when it has one, else "||x^", "@@||x^", "x" for a name alone ("|x^" where it
 * has one label), "@@|x^", "*.x^", "192.0.2.0/24". Returns @buf, cut to @len bytes. */
const char *list_rule_print(const struct list_rule *rule, char *buf, size_t len);
