/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One function that says what becomes of a name, for the question and for every name that the answer leads to. Shared
 * by dnsd, `sluice dns-eval`, `sluice explain` and the policy's tests, so that they cannot differ. Pure. */
#pragma once

#include "filter/view.h"

enum dns_verdict { DNS_PASS = 0, DNS_BLOCK, DNS_REWRITE /* answered from the policy's records */, DNS_VERDICT_MAX };

struct name_verdict {
	enum dns_verdict verdict;
	const char
		*list; /* list name, "filter" for a rule written in the policy's filter, "policy" for a deny; or NULL */
	uint32_t line; /* in the list, or in the policy */
	char rule[300]; /* the rule in list syntax ("||ads.example^"), or the policy position ("/denies/1") */
	bool canary;	/* refused by the policy's "canaries": with NXDOMAIN, whatever the view says of blocked names */
	bool by_exception; /* it passes because of an exception, which .list, .line and .rule name */
};

/* The name that was asked. Order: policy denies on names (of a local alias, on where it leads, too); local records,
 * devices' names and reverse names; filter's allow rules; canary names; filter's block rules; lists (exceptions first);
 * pass. What passes goes to the split that holds it, else is answered here when it is a special name, else goes to the
 * upstreams (dnsd/query.c). */
void verdict_name(const struct views *v, const struct view *view, const struct dname *name, struct name_verdict *ret);

/* A name that the answer leads to (CNAME target). @asked: the verdict on the name that was asked: where that passed
 * because of an exception, its whole chain does, as in AdGuard Home (syntax.md 3.4), but for what the policy denies. */
void verdict_target(const struct views *v, const struct view *view, const struct name_verdict *asked,
		    const struct dname *name, struct name_verdict *ret);

/* The rules under which addresses of this name are learned for the view: indices in views.rules, at most @max of them.
 * @name is the name that was asked: a `dns:` selector follows its chain to the addresses, and only its. Returns the
 * number. */
uint32_t verdict_grants(const struct views *v, const struct view *view, const struct dname *name, uint32_t *ret,
			uint32_t max);
