/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One function that says what becomes of a name, and the same of all that its answer leads to: aliases, addresses,
 * hints. Shared by dnsd, `sluice dns-eval`, `sluice explain` and the policy's tests, so that they cannot differ. Pure.
 */
#pragma once

#include "filter/view.h"

enum dns_verdict { DNS_PASS = 0, DNS_BLOCK, DNS_REWRITE /* answered from records, or by rules */, DNS_VERDICT_MAX };

/* What decided. */
enum verdict_by {
	VERDICT_BY_NONE = 0, /* it passes, nothing speaks of it */
	VERDICT_BY_DENY,     /* the policy's "denies" */
	VERDICT_BY_RECORDS,  /* the policy's records, devices' names */
	VERDICT_BY_CANARY,   /* the policy's "canaries": NXDOMAIN, whatever the view says of blocked names */
	VERDICT_BY_OVERRIDE, /* `sluice allow`, `sluice pause`: it passes for a while */
	VERDICT_BY_FILTER,   /* a rule that is written in the policy's filter; .match.hit, .line - 1 is its number there
			      */
	VERDICT_BY_LIST,     /* .match.hit */
	VERDICT_BY_SAFE,     /* the view's safe search: a rewrite, .match.hit */
	VERDICT_BY_MAX
};

/* Who asks, and by which views. */
struct verdict_ask {
	const struct views *views;
	const struct view *view;
	const struct view_client *client; /* NULL: nobody in particular, rules for certain clients do not hold */
	uint16_t type;			  /* asked for */
	struct list_scratch *scratch;	  /* or NULL */
	const struct list_probe *probe;	  /* of the name that is asked; or NULL */
	bool brief;			  /* nobody wants to know the line in a list */
};

struct name_verdict {
	enum dns_verdict verdict;
	enum verdict_by by;
	bool by_exception;	 /* it passes because of an exception: .match.hit, or an override */
	bool personal;		 /* another client of this view, or another type, may be told otherwise */
	enum list_answer answer; /* of a block: LIST_ANSWER_VIEW, or what the rule says */
	uint32_t line;		 /* in the list, or in the policy */
	const char
		*list; /* list name, "filter" for a rule written in the policy's filter, "policy" for a deny; or NULL */
	const char *pos; /* where it is not a rule of a list: "/denies/1", "/dns/canaries", the override; or NULL */
	const char *const *texts; /* of VERDICT_BY_FILTER: the rules as written, by line - 1 */
	struct list_match match;  /* of VERDICT_BY_FILTER, VERDICT_BY_LIST and VERDICT_BY_SAFE */
};

/* The name that was asked. Order: policy denies on names (of a local alias, on where it leads, too); local records,
 * devices' names and reverse names; overrides; filter's allow rules; canary names; filter's block rules; lists; safe
 * search, where nothing but it speaks of the name; pass. In each of filter and lists: rewrites, then exceptions and
 * blocks by precedence (filter/listfile.h). What passes goes to the split that holds it, else is answered here when it
 * is a special name, else goes to the upstreams (dnsd/query.c). */
void verdict_name(const struct verdict_ask *ask, const struct dname *name, struct name_verdict *ret);

/* A name that the answer leads to (CNAME, SVCB target), in a record of @type. @asked: the verdict on the name that was
 * asked: where that passed because of an exception, its whole chain does, as in AdGuard Home (syntax.md 3.4), but for
 * what the policy denies. Rewrites do not hold for targets. */
void verdict_target(const struct verdict_ask *ask, const struct name_verdict *asked, const struct dname *name,
		    uint16_t type, struct name_verdict *ret);

/* An address that the answer leads to, in a record of @type (a hint is of the type that it stands for). What the policy
 * denies altogether comes first, whatever excepts the name; then as for a target. */
void verdict_addr(const struct verdict_ask *ask, const struct name_verdict *asked, const struct ip_addr *addr,
		  uint16_t type, struct name_verdict *ret);

/* The rule that decided, as text: in list syntax ("||ads.example^"), or the policy position ("/denies/1"); "" when none
 * did. Returns @buf, cut to @len bytes. */
const char *verdict_rule(const struct name_verdict *v, char *buf, size_t len);
#define VERDICT_RULE_MAX 300u

/* The rules under which addresses of this name are learned for the view: indices in views.rules, at most @max of them.
 * @name is the name that was asked: a `dns:` selector follows its chain to the addresses, and only its. Returns the
 * number. */
uint32_t verdict_grants(const struct views *v, const struct view *view, const struct dname *name, uint32_t *ret,
			uint32_t max);
